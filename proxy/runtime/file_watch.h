/*
 * file_watch - whether anything may have happened to files, without looking at them: for what is
 * read again when it changes and asked for all the time.
 *
 * Built on inotify: what this machine does to a file, or puts in its place, is known as soon as it
 * is done. What another machine does on a shared file system is not told, nor a change of a folder
 * above the file's own: so look at the file again after FILE_WATCH_TRUST anyway.
 */
#ifndef POPGATE_RUNTIME_FILE_WATCH_H
#define POPGATE_RUNTIME_FILE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define FILE_WATCH_TRUST 1000 /* ms */

/* A number that grows when something has happened to any of the files watched. One system call;
 * for the loop's thread. Ask before a look: what happens during the look makes another number. */
uint64_t file_watch_number(void);

/* Watches the file, and the names of its folder, from now on; doing so again is well. false: it
 * cannot be watched. For any thread, since it goes to the file system as the look itself does. */
bool file_watch_add(const char *path);

#endif

/*
 * trash - moving files within a Maildir so that nothing is ever overwritten. Blocks: for the thread
 * pool. Functions return 0 or an errno value.
 */
#ifndef POPGATE_MAILDIR_TRASH_H
#define POPGATE_MAILDIR_TRASH_H

#include "backends/maildir/locate.h"
#include "config/config.h"

/* Renames a file unless the new name is taken (EEXIST). */
int maildir_rename(int from_dir, const char *from, int to_dir, const char *to);

/* Opens cur/ of the folder at `path` (maildir_folder_path) of the Maildir at root. What is missing
 * of the folder is made, with the owner and mode of the Maildir. */
int maildir_trash_open(const char *root, const char *path, enum folder_layout layout, int *ret);

/* Moves a message's file into cur/ of the trash under its base name, marked seen if so said. Where
 * that name is taken by another message, a number is put into it. */
int maildir_trash_move(const struct maildir_file *file, int trash_dir, bool seen);

#endif

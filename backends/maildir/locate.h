/*
 * locate - doing something to a message whose file others may have renamed since.
 *
 * The name it was listed with is tried first; of a message that the listing took over from an
 * earlier one, the names that most have. When they are gone, the folder is read once, and again
 * only if its directories changed after that. Blocks: for the thread pool.
 */
#ifndef POPGATE_MAILDIR_LOCATE_H
#define POPGATE_MAILDIR_LOCATE_H

#include "backends/maildir/maildir.h"

/* The folder that a job works in at the moment. */
struct maildir_place {
	struct maildir *maildir;
	size_t folder;
	bool open;
	struct maildir_dirs dirs;
};

/* A message's file. dir and file for the *at calls. */
struct maildir_file {
	int dir;
	char file[MAILDIR_NAME_SIZE];
	struct maildir_name name;
};

/* 0 or an errno value; ENOENT: no such file under this name. */
typedef int maildir_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg);

/* cleanup(maildir_leave) struct maildir_place place = maildir_place(maildir); */
struct maildir_place maildir_place(struct maildir *maildir);
void maildir_leave(struct maildir_place *place);

/* Opens a folder's directories, unless it is the one that is open. */
struct err maildir_enter(struct maildir_place *place, size_t folder);

/* Runs the action on the message `key` of the folder entered, until it returns anything but ENOENT.
 * Returns that; ENOENT when there is no such message any more; EBUSY when it is renamed faster than
 * it can be found. */
int maildir_locate(struct maildir_place *place, const char *key, maildir_action *action, void *arg);

/* The same by the names that are known already, once and without reading the folder: ENOENT may
 * mean that it was renamed. */
int maildir_locate_known(
	struct maildir_place *place, const char *key, maildir_action *action, void *arg);

/* Two actions. arg is a struct stat (of the name, links not followed); an int that becomes a
 * descriptor for reading. */
int maildir_stat_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg);
int maildir_open_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg);

#endif

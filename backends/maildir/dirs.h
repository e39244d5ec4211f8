/*
 * dirs - opening the directories of a Maildir, for the length of one job.
 *
 * A session holds no descriptor between jobs, so that ten thousand idle ones cost none. Symbolic
 * links are not followed below the Maildir, and the Maildir itself may be one only if root or the
 * owner of what it points to made it: the gateway can read every user's mail, so a user's link must
 * not lead it to somebody else's. All of this blocks: for the thread pool. Functions that return
 * int return 0 or an errno value.
 */
#ifndef POPGATE_MAILDIR_DIRS_H
#define POPGATE_MAILDIR_DIRS_H

#include <unistd.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/mem.h"

enum maildir_sub { MAILDIR_NEW, MAILDIR_CUR, MAILDIR_SUBS };

/* "new", "cur" */
extern const char *const maildir_sub_names[MAILDIR_SUBS];

/* One folder's new/ and cur/. */
struct maildir_dirs {
	int fd[MAILDIR_SUBS];
};

/* cleanup(fd_cleanup) int fd = -1; keeps errno. */
void fd_cleanup(const int *fd);
/* Closes a descriptor, if it is one, and sets it to -1. */
void fd_close(int *fd);
/* Returns a descriptor and sets it to -1, so that its cleanup does nothing. */
int fd_take(int *fd);

/* An O_PATH descriptor of the Maildir, and of a folder (maildir_folder_path) in it. */
int maildir_open_root(const char *root, int *ret);
int maildir_open_folder(int root_fd, const char *folder, int *ret);

/* One directory of a folder, for reading. */
int maildir_open_sub(int folder_fd, const char *name, int *ret);

/* new/ and cur/ of a folder. Set all of dirs to -1 first; maildir_dirs_close does so again. */
int maildir_dirs_open(const char *root, const char *folder, struct maildir_dirs *dirs);
void maildir_dirs_close(struct maildir_dirs *dirs);

/* Whether an administrator must act (ERR_PERM) or another try may do (ERR_TEMP). */
enum err_scope maildir_scope(int errnum);

#endif

/*
 * folder - where an account's mail lies: the Maildir's path and the folders inside it.
 *
 * Logins and folder names come from clients, so whatever they hold, no path made here leaves the
 * place that the template names. Pure; errors are ERR_PERM.
 */
#ifndef POPGATE_MAILDIR_FOLDER_H
#define POPGATE_MAILDIR_FOLDER_H

#include "backends/backend.h"

/* The INBOX: the Maildir itself. */
#define MAILDIR_INBOX "."

/* The account's Maildir by the tenant's template. *ret is absolute, without "." or ".." or empty
 * components; the caller frees it. */
struct err maildir_root_path(const struct account *account, char **ret);

/* The path of a folder (UTF-8, "Sub/Folder"; Maildir++ also "Sub.Folder") below the Maildir:
 * ".Sub.Folder" or, in the fs layout, "Sub/Folder", in modified UTF-7; INBOX in any case is
 * MAILDIR_INBOX. The caller frees it. */
struct err maildir_folder_path(const char *name, enum folder_layout layout, char **ret);

#endif

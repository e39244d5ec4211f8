#include "backends/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backends/maildir/folder.h"
#include "backends/maildir/glance.h"
#include "backends/maildir/quota.h"
#include "backends/maildir/read_ahead.h"
#include "proxy/runtime/wait.h"

static void maildir_free(struct maildir *m)
{
	maildir_ahead_done(m);
	for (size_t i = 0; m->folders && i < m->n_folders; i++) {
		maildir_scan_done(&m->folders[i].scan);
		free(m->folders[i].path);
	}
	free(m->folders);
	free(m->root);
	free(m);
}

DEFINE_CLEANUP(maildir, maildir_free)

/* A folder named twice would show each message twice, and remove both at once. */
static void drop_repeated(struct maildir *m, size_t folder)
{
	for (size_t i = 0; i < folder; i++) {
		if (!m->folders[i].path || strcmp(m->folders[i].path, m->folders[folder].path) != 0)
			continue;
		free(m->folders[folder].path);
		m->folders[folder].path = NULL;
		return;
	}
}

static struct err name_folders(struct maildir *m)
{
	const struct tenant *tenant = m->account->tenant;
	const struct string_list *also = &tenant->maildrop.also;
	struct err e;

	m->n_folders = 1 + also->n;
	m->folders = mem_zalloc(m->n_folders, sizeof *m->folders);
	for (size_t i = 0; i < m->n_folders; i++) {
		const char *name = i == 0 ? m->account->folder : also->items[i - 1];

		e = maildir_folder_path(name, tenant->maildir.folder_layout, &m->folders[i].path);
		if (failed(e))
			return e;
		drop_repeated(m, i);
	}
	return ok();
}

struct opening {
	struct maildir *maildir;
	struct maildir_mount local; /* id 0: not on this machine */
	struct err e;
};

/* The directory, if it can be read and entered. */
static struct err open_sub(const struct maildir *m, int folder_fd, const char *sub, int *ret)
{
	int rc = maildir_open_sub(folder_fd, sub, ret);

	if (rc == 0 && faccessat(*ret, ".", X_OK, AT_EACCESS) < 0)
		rc = errno;
	return rc == 0 ? ok()
		       : err_errno(maildir_scope(rc), rc, "%s/%s/%s", m->root, m->folders[0].path,
				 sub);
}

static struct err look_at_subs(struct maildir *m, int folder_fd)
{
	cleanup(maildir_dirs_close) struct maildir_dirs dirs = { .fd = { -1, -1 } };
	cleanup(fd_cleanup) int tmp = -1;
	struct err e = open_sub(m, folder_fd, "cur", &dirs.fd[MAILDIR_CUR]);
	int rc;

	if (!failed(e))
		e = open_sub(m, folder_fd, "new", &dirs.fd[MAILDIR_NEW]);
	if (!failed(e))
		e = open_sub(m, folder_fd, "tmp", &tmp);
	if (failed(e))
		return e;
	rc = maildir_state_read(&dirs, MAILDIR_STATE_TRUE, &m->state);
	return rc == 0 ? ok() : err_errno(maildir_scope(rc), rc, "%s", m->root);
}

/* Whether the first folder's directories are there and can be read, and how they are. */
static struct err look_at_folder(struct maildir *m, int root_fd)
{
	const char *folder = m->folders[0].path;
	cleanup(fd_cleanup) int folder_fd = -1;
	int rc;

	if (strcmp(folder, MAILDIR_INBOX) == 0)
		return look_at_subs(m, root_fd);
	rc = maildir_open_folder(root_fd, folder, &folder_fd);
	if (rc != 0)
		return err_errno(maildir_scope(rc), rc, "%s/%s", m->root, folder);
	return look_at_subs(m, folder_fd);
}

/* Tenants are told apart by their addresses: a process has one configuration. */
#define SHARES 64
static struct tenant_share {
	const struct tenant *tenant;
	struct share *share;
	struct tenant_share *next;
} * tenant_shares[SHARES];

static struct share *share_of(const struct tenant *tenant)
{
	struct tenant_share **at = &tenant_shares[(uintptr_t)tenant / sizeof *tenant % SHARES];

	while (*at && (*at)->tenant != tenant)
		at = &(*at)->next;
	if (!*at) {
		*at = mem_zalloc(1, sizeof **at);
		(*at)->tenant = tenant;
		(*at)->share = share_new();
	}
	return (*at)->share;
}

static void open_job(void *arg)
{
	struct opening *opening = arg;
	struct maildir *m = opening->maildir;
	cleanup(fd_cleanup) int root_fd = -1;
	int rc = maildir_open_root(m->root, &root_fd);

	/* The further folders may be missing (see list.c). */
	if (rc != 0)
		opening->e = err_errno(maildir_scope(rc), rc, "%s", m->root);
	else
		opening->e = look_at_folder(m, root_fd);
	if (failed(opening->e))
		return;
	m->quota = maildir_quota_read(root_fd);
	if (maildir_is_local(root_fd))
		opening->local = maildir_mount_of(root_fd);
}

static fiber_fn struct err look(struct maildir *m)
{
	struct opening opening = { .maildir = m };

	if (maildir_glance(m))
		return ok();
	m->quota = (struct backend_quota){ 0 };
	share_offload(m->share, open_job, &opening);
	maildir_glance_trust(opening.local);
	return opening.e;
}

static fiber_fn struct err maildir_open(const struct account *account,
	const struct store_credentials *credentials, struct backend **ret)
{
	cleanup(maildir_cleanup) struct maildir *m = mem_zalloc(1, sizeof *m);
	struct err e;

	(void)credentials; /* a file system asks for none */
	m->base.ops = &maildir_backend;
	m->account = account;
	maildir_ahead_init(m);
	if (failed(e = maildir_root_path(account, &m->root)) || failed(e = name_folders(m)))
		return e;
	m->share = share_of(account->tenant);
	if (!failed(e = look(m)))
		*ret = &steal(m)->base;
	return e;
}

static fiber_fn void maildir_close(struct backend *backend)
{
	if (backend)
		maildir_free(maildir_of(backend));
}

/* What a search found it can find again; what was read ahead gets old. */
static void maildir_rest(struct backend *backend)
{
	struct maildir *m = maildir_of(backend);

	maildir_ahead_done(m);
	for (size_t i = 0; i < m->n_folders; i++) {
		maildir_scan_done(&m->folders[i].scan);
		m->folders[i].scanned = false;
	}
}

const struct backend_ops maildir_backend = {
	.name = "maildir",
	.open = maildir_open,
	.list = maildir_list,
	.fetch = maildir_fetch,
	.update = maildir_update_messages,
	.close = maildir_close,
	.rest = maildir_rest,
	.legacy = maildir_legacy,
};

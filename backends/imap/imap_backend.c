#include "backends/imap/imap.h"
#include "proxy/runtime/wait.h"

/* How long a server may take to say goodbye. */
#define LOGOUT_MS 2000

static struct imap *imap_new(const struct account *account)
{
	struct imap *imap = mem_zalloc(1, sizeof(*imap));

	imap->backend.ops = &imap_backend;
	imap->account = account;
	imap->settings = &account->tenant->imap;
	imap->folder = IMAP_NO_FOLDER;
	return imap;
}

fiber_fn static void say_goodbye(struct imap *imap)
{
	if (!imap->session || !imap_alive(imap))
		return;
	imap_stream_expect(imap->stream, IMAP_TEXT_MAX);
	deadline(LOGOUT_MS);
	(void)mailimap_logout(imap->session);
	imap->over = NULL; /* closed by that */
}

fiber_fn static void imap_close(struct backend *backend)
{
	struct imap *imap = (struct imap *)backend;

	if (!imap)
		return;
	say_goodbye(imap);
	imap_drop(imap);
	free(imap);
}

/* From the outcome of connecting to an open mailbox; takes imap. */
fiber_fn static struct err enter(struct imap *imap, struct err connected,
	const struct store_credentials *credentials, struct backend **ret)
{
	struct err e = connected;

	if (!failed(e))
		e = imap_login(imap, credentials);
	if (!failed(e))
		e = imap_select(imap, 0);
	if (failed(e)) {
		imap_drop(imap);
		free(imap);
		return e;
	}
	*ret = &imap->backend;
	return ok();
}

fiber_fn static struct err imap_open(const struct account *account,
	const struct store_credentials *credentials, struct backend **ret)
{
	struct imap *imap = imap_new(account);

	return enter(imap, imap_connect(imap), credentials, ret);
}

fiber_fn struct err imap_open_on_stream(const struct account *account,
	const struct store_credentials *credentials, struct stream *stream, const char *server,
	struct backend **ret)
{
	struct imap *imap = imap_new(account);

	return enter(imap, imap_start(imap, stream, server), credentials, ret);
}

const struct backend_ops imap_backend = {
	.name = "imap",
	.open = imap_open,
	.list = imap_list,
	.fetch = imap_fetch,
	.update = imap_update,
	.close = imap_close,
};

#include "backends/imap/imap.h"
#include "backends/imap/imap_leave.h"
#include "backends/imap/imap_park.h"
#include "backends/imap/imap_warm.h"
#include "backends/server_health.h"
#include "proxy/runtime/wait.h"

static struct imap *imap_new(const struct account *account)
{
	struct imap *imap = mem_zalloc(1, sizeof(*imap));

	imap->backend.ops = &imap_backend;
	imap->account = account;
	imap->settings = &account->tenant->imap;
	imap->folder = IMAP_NO_FOLDER;
	imap->folders = mem_zalloc(imap_folder_count(imap), sizeof(*imap->folders));
	return imap;
}

static void imap_free(struct imap *imap)
{
	imap_drop(imap);
	imap_keys_done(imap);
	free(imap->folders);
	free(imap);
}

fiber_fn static void imap_close(struct backend *backend)
{
	struct imap *imap = (struct imap *)backend;

	if (!imap)
		return;
	if (!imap_warm_give(imap))
		imap_goodbye(imap);
	imap_free(imap);
}

fiber_fn struct err imap_enter(struct imap *imap, const struct store_credentials *credentials)
{
	struct err e = imap->connect(imap);

	if (!failed(e))
		e = imap_login(imap, credentials);
	if (failed(e))
		imap_drop(imap);
	imap->logged_in = runtime_now();
	return e;
}

/* By the connection that an earlier session left. false: that leads nowhere, whatever the reason;
 * a new one will tell. */
fiber_fn static bool enter_warm(struct imap *imap)
{
	if (!imap_warm_take(imap))
		return false;
	deadline(imap->settings->connect_timeout);
	if (failed(imap_select(imap, 0))) {
		imap_drop(imap);
		return false;
	}
	server_health_reused(imap->server, imap->settings->port);
	return true;
}

fiber_fn struct err imap_open_by(fiber_fn struct err (*connect)(struct imap *imap),
	const struct account *account, const struct store_credentials *credentials,
	struct backend **ret)
{
	struct imap *imap = imap_new(account);
	struct err e = ok();

	imap->connect = connect;
	imap_keys_keep(imap, credentials);
	if (!enter_warm(imap)) {
		e = imap_enter(imap, credentials);
		if (!failed(e))
			e = imap_select(imap, 0);
	}
	if (failed(e))
		imap_free(imap);
	else
		*ret = &imap->backend;
	return e;
}

fiber_fn static struct err imap_open(const struct account *account,
	const struct store_credentials *credentials, struct backend **ret)
{
	return imap_open_by(imap_connect, account, credentials, ret);
}

const struct backend_ops imap_backend = {
	.name = "imap",
	.open = imap_open,
	.list = imap_list,
	.fetch = imap_fetch,
	.update = imap_update,
	.close = imap_close,
	.rest = imap_park,
	.keep = imap_warm_keep,
};

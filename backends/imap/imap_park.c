#include "backends/imap/imap_park.h"

#include "backends/imap/imap_leave.h"
#include "proxy/runtime/wait.h"

void imap_park(struct backend *backend)
{
	struct imap *imap = (struct imap *)backend;

	imap_ahead_free(imap);
	if (!imap->keys.fit || !imap->stream)
		return;
	imap_leave(imap_apart(imap));
}

fiber_fn static struct err enter_again(struct imap *imap)
{
	const struct store_credentials credentials = imap_keys_lend(imap);
	struct err e = imap->keys.refused;

	imap_drop(imap);
	if (!failed(e))
		e = wait_check();
	if (!failed(e))
		e = imap_enter(imap, &credentials);
	if (e.scope == ERR_AUTH)
		imap->keys.refused = e;
	/* The client did log in; whatever is wrong now is not its password. */
	if (e.scope == ERR_AUTH || e.scope == ERR_IN_USE)
		e.scope = ERR_TEMP;
	return err_context(e, "entering again");
}

fiber_fn struct err imap_awake(struct imap *imap)
{
	if (imap_quiet(imap))
		return ok();
	/* Something came unasked: news of the mailbox, or the end. A NO is of no interest. */
	if (imap_alive(imap))
		(void)imap_command(imap, IMAP_STEP_OTHER, "NOOP").scope;
	if (imap_lasts(imap))
		return ok();
	return imap->keys.fit ? enter_again(imap) : imap_usable(imap);
}

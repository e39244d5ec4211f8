#include "backends/imap/imap_park.h"

#include "backends/imap/imap_leave.h"
#include "proxy/runtime/wait.h"

/* A connection that was used so lately need not be looked at. Milliseconds. */
#define FRESH 1000

void imap_park(struct backend *backend)
{
	struct imap *imap = (struct imap *)backend;

	if (!imap->keys.fit || !imap->stream)
		return;
	imap_ahead_free(imap);
	imap_leave(imap_apart(imap));
}

/* Something came unasked, or the end: news of the mailbox, or BYE. */
static bool is_doubtful(const struct imap *imap)
{
	const struct imap_stream *s = imap->stream;

	return runtime_now() - s->link.heard >= FRESH && !stream_quiet(s->link.stream);
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
	if (imap_alive(imap) && !is_doubtful(imap))
		return ok();
	/* Its NO is of no interest. */
	if (imap_alive(imap))
		(void)imap_command(imap, IMAP_STEP_OTHER, "NOOP").scope;
	if (imap_alive(imap))
		return ok();
	return imap->keys.fit ? enter_again(imap) : imap_usable(imap);
}

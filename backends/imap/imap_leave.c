#include "backends/imap/imap_leave.h"

#include "proxy/runtime/rest.h"
#include "proxy/runtime/wait.h"

/* How long a server may take to say goodbye. */
#define LOGOUT_MS 2000

fiber_fn void imap_goodbye(struct imap *imap)
{
	if (!imap_alive(imap))
		return;
	deadline(LOGOUT_MS);
	(void)imap_command(imap, IMAP_STEP_OTHER, "LOGOUT").scope;
}

struct imap *imap_apart(struct imap *imap)
{
	struct imap *apart = mem_zalloc(1, sizeof(*apart));

	apart->settings = imap->settings;
	imap_hand_over(imap, apart);
	return apart;
}

fiber_fn static void leave_main(void *arg)
{
	struct imap *apart = arg;

	imap_goodbye(apart);
	imap_drop(apart);
	free(apart);
	/* Who left it did so for the memory. */
	runtime_rest();
}

void imap_leave(struct imap *apart)
{
	(void)fiber_spawn("imap goodbye", leave_main, apart);
}

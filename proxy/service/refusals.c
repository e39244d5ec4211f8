#include "proxy/service/refusals.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proxy/runtime/shared.h"

#define RECORDS 256

/* turn: 0 never written; 2n+1 while the n-th record of all is written here; 2n+2 once it is. */
struct record {
	_Atomic uint64_t turn;
	struct refusal_view view;
};

static struct ring {
	_Atomic uint64_t next;
	struct record records[RECORDS];
} * ring;

void refusals_map(void)
{
	ring = shared_map(sizeof(*ring));
}

static void copy(char *to, size_t size, const char *text)
{
	(void)snprintf(to, size, "%s", text ? text : "");
}

void refusals_add(const struct refusal *refusal)
{
	struct record *record;
	struct refusal_view *view;
	uint64_t n, turn;

	if (!ring)
		return;
	n = atomic_fetch_add(&ring->next, 1);
	record = &ring->records[n % RECORDS];
	view = &record->view;
	/* Who is slower than a whole round of the ring keeps his record, and this one is dropped:
	 * two never write one. */
	turn = atomic_load(&record->turn);
	if (turn % 2 || !atomic_compare_exchange_strong(&record->turn, &turn, 2 * n + 1))
		return;
	view->what = refusal->what;
	view->at = (int64_t)time(NULL);
	copy(view->listener, sizeof(view->listener), refusal->listener);
	copy(view->address, sizeof(view->address), refusal->address);
	copy(view->tenant, sizeof(view->tenant), refusal->tenant);
	copy(view->login, sizeof(view->login), refusal->login);
	copy(view->reason, sizeof(view->reason), refusal->reason);
	atomic_store(&record->turn, 2 * n + 2);
}

/* Whether the n-th record of all is still there, whole. */
static bool read_record(uint64_t n, struct refusal_view *ret)
{
	const struct record *record = &ring->records[n % RECORDS];

	if (atomic_load(&record->turn) != 2 * n + 2)
		return false;
	memcpy(ret, &record->view, sizeof(*ret));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load(&record->turn) != 2 * n + 2)
		return false;
	/* Whoever wrote it: what follows relies on their ends. */
	ret->listener[sizeof(ret->listener) - 1] = '\0';
	ret->address[sizeof(ret->address) - 1] = '\0';
	ret->tenant[sizeof(ret->tenant) - 1] = '\0';
	ret->login[sizeof(ret->login) - 1] = '\0';
	ret->reason[sizeof(ret->reason) - 1] = '\0';
	return true;
}

size_t refusals_latest(struct refusal_view *ret, size_t most)
{
	uint64_t end = ring ? atomic_load(&ring->next) : 0;
	size_t n = 0;

	for (uint64_t back = 1; back <= end && back <= RECORDS && n < most; back++)
		if (read_record(end - back, &ret[n]))
			n++;
	return n;
}

#include "backends/imap/imap_warm.h"

#include <string.h>

#include "backends/imap/imap_leave.h"
#include "proxy/runtime/wait.h"

struct warm {
	struct digest digest;
	struct imap *apart;
	uint64_t until;
};

/* This worker's. In the order in which they were given. */
static struct {
	bool on;
	struct warm places[WARM_MAX];
	size_t n;
	struct fiber *keeper; /* NULL: nothing is kept */
} pool;

static struct imap *take_out(size_t place)
{
	struct imap *apart = pool.places[place].apart;

	pool.n--;
	memmove(&pool.places[place], &pool.places[place + 1],
		(pool.n - place) * sizeof(pool.places[0]));
	return apart;
}

/* pool.n: there is none. */
static size_t find(const struct digest *digest)
{
	size_t place = 0;

	while (place < pool.n && !digest_equal(&pool.places[place].digest, digest))
		place++;
	return place;
}

/* Those whose time is over leave; when the next one's is. */
static uint64_t expire(uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < pool.n;) {
		if (pool.places[i].until <= now) {
			imap_leave(take_out(i));
			continue;
		}
		if (pool.places[i].until < next)
			next = pool.places[i].until;
		i++;
	}
	return next;
}

/* Lives as long as something is kept, and perhaps a little longer. */
fiber_fn static void keeper_main(void *arg)
{
	(void)arg;
	while (pool.n > 0 && !failed(wait_check())) {
		uint64_t now = runtime_now(), next = expire(now);

		if (pool.n > 0) {
			deadline(next - now);
			(void)fiber_suspend();
		}
	}
	pool.keeper = NULL;
	(void)expire(UINT64_MAX);
}

static void wake_keeper(void)
{
	if (pool.keeper)
		fiber_wake(pool.keeper);
	else
		pool.keeper = fiber_spawn("imap keep_warm", keeper_main, NULL);
}

void imap_warm_keep(bool on)
{
	pool.on = on;
	if (on)
		return;
	(void)expire(UINT64_MAX);
	if (pool.keeper)
		fiber_wake(pool.keeper);
}

bool imap_warm_take(struct imap *imap)
{
	struct digest digest;
	struct imap *apart;
	size_t place;

	if (pool.n == 0 || !imap->keys.fit)
		return false;
	digest = imap_keys_digest(imap);
	place = find(&digest);
	if (place == pool.n || pool.places[place].until <= runtime_now())
		return false;
	apart = take_out(place);
	imap_hand_over(apart, imap);
	free(apart);
	return true;
}

/* When a connection that is given now has to go. */
static uint64_t end_of(const struct imap *imap)
{
	uint64_t keep = imap->settings->keep_warm, end = runtime_now() + keep;
	uint64_t login = imap->logged_in + (keep > WARM_LOGIN_MAX ? keep : WARM_LOGIN_MAX);

	return end < login ? end : login;
}

bool imap_warm_give(struct imap *imap)
{
	struct warm warm = { .until = end_of(imap) };
	size_t place;

	if (!pool.on || !imap->keys.fit || !imap_lasts(imap) || warm.until <= runtime_now())
		return false;
	warm.digest = imap_keys_digest(imap);
	place = find(&warm.digest);
	if (place < pool.n)
		imap_leave(take_out(place));
	else if (pool.n == WARM_MAX)
		imap_leave(take_out(0));
	warm.apart = imap_apart(imap);
	pool.places[pool.n++] = warm;
	wake_keeper();
	return true;
}

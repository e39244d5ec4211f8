/* shares of the thread pool: those that hang keep nobody else waiting for long. */
#include "fibers.h"

#include <string.h>

#include "proxy/runtime/pool.h"
#include "proxy/runtime/share.h"
#include "proxy/runtime/wait.h"

/* Jobs that wait until they are let go. */
static struct {
	uv_mutex_t mutex;
	uv_cond_t opened;
	bool open;
	unsigned inside;
} door;

static void hang(void *arg)
{
	(void)arg;
	uv_mutex_lock(&door.mutex);
	door.inside++;
	while (!door.open)
		uv_cond_wait(&door.opened, &door.mutex);
	uv_mutex_unlock(&door.mutex);
}

static void open_door(void)
{
	uv_mutex_lock(&door.mutex);
	door.open = true;
	uv_cond_broadcast(&door.opened);
	uv_mutex_unlock(&door.mutex);
}

static unsigned inside(void)
{
	unsigned n;

	uv_mutex_lock(&door.mutex);
	n = door.inside;
	uv_mutex_unlock(&door.mutex);
	return n;
}

static int door_setup(void **state)
{
	memset(&door, 0, sizeof(door));
	uv_mutex_init(&door.mutex);
	uv_cond_init(&door.opened);
	return loop_setup(state);
}

static int door_teardown(void **state)
{
	uv_mutex_destroy(&door.mutex);
	uv_cond_destroy(&door.opened);
	return loop_teardown(state);
}

static void hang_in(void *share)
{
	share_offload(share, hang, NULL);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Every thread there is and more would hang, if they could. */
static void spawn_hanging(struct share *share)
{
	for (unsigned i = 0; i < 2 * pool_threads(); i++)
		(void)fiber_spawn("hang", hang_in, share);
}

static void use_and_open(void *share)
{
	/* Those before have their places, or wait, by now. */
	assert_ok(wait_turn());
	for (int i = 0; i < 100; i++)
		share_offload(share, nothing, NULL);
	offload(nothing, NULL);
	note("served");
	open_door();
}

static void test_shares_that_hang_leave_some_to_others(void **state)
{
	struct share *hung[3] = { share_new(), share_new(), share_new() }, *other = share_new();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		spawn_hanging(hung[i]);
	(void)fiber_spawn("other", use_and_open, other);
	runtime_run();
	assert_string_equal(trace, "served ");
	assert_int_equal(inside(), 3 * 2 * pool_threads());
	for (size_t i = 0; i < 3; i++)
		share_free(hung[i]);
	share_free(other);
}

static void use_unshared_and_open(void *arg)
{
	(void)arg;
	assert_ok(wait_turn());
	offload(nothing, NULL);
	note("served");
	open_door();
}

static void test_all_shares_together_leave_some_to_the_rest(void **state)
{
	struct share *hung[32];

	(void)state;
	for (size_t i = 0; i < 32; i++)
		spawn_hanging(hung[i] = share_new());
	(void)fiber_spawn("rest", use_unshared_and_open, NULL);
	runtime_run();
	assert_string_equal(trace, "served ");
	for (size_t i = 0; i < 32; i++)
		share_free(hung[i]);
}

struct named {
	struct share *share;
	const char *name;
};

static void note_in(void *arg)
{
	const struct named *named = arg;

	share_offload(named->share, nothing, NULL);
	note(named->name);
}

static void open_soon(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		assert_ok(wait_turn());
	open_door();
}

/* Twenty wait of one share; the one of another, which came last, is not behind them all. */
static void test_who_waits_is_served_in_turn(void **state)
{
	struct named many = { share_new(), "a" }, one = { share_new(), "b" };
	struct share *hung[32];

	(void)state;
	for (size_t i = 0; i < 32; i++)
		spawn_hanging(hung[i] = share_new());
	for (int i = 0; i < 20; i++)
		(void)fiber_spawn("many", note_in, &many);
	(void)fiber_spawn("one", note_in, &one);
	(void)fiber_spawn("door", open_soon, NULL);
	runtime_run();
	assert_int_equal(strlen(trace), 42);
	assert_true(strchr(trace, 'b') < trace + 30);
	for (size_t i = 0; i < 32; i++)
		share_free(hung[i]);
	share_free(many.share);
	share_free(one.share);
}

#define door_test(fn) cmocka_unit_test_setup_teardown(fn, door_setup, door_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		door_test(test_shares_that_hang_leave_some_to_others),
		door_test(test_all_shares_together_leave_some_to_the_rest),
		door_test(test_who_waits_is_served_in_turn),
	};

	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}

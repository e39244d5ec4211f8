/* session_table in one process: limits, binding, what others see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/service/session_table.h"

#define MANY 1000

static int map_table(void **state)
{
	(void)state;
	session_table_map(100, 8);
	return 0;
}

static struct session_slot *enter(const char *address)
{
	struct session_slot *slot = NULL;

	assert_int_equal(session_table_enter(address, MANY, MANY, &slot), SESSION_ADMITTED);
	assert_non_null(slot);
	return slot;
}

static enum session_refusal enter_limited(const char *address, uint64_t max, uint64_t per_address)
{
	struct session_slot *slot = NULL;
	enum session_refusal refusal = session_table_enter(address, max, per_address, &slot);

	if (refusal == SESSION_ADMITTED)
		session_table_leave(slot);
	else
		assert_null(slot);
	return refusal;
}

static void test_sessions_are_limited(void **state)
{
	struct session_slot *one = enter("192.0.2.1"), *two = enter("192.0.2.2");

	(void)state;
	assert_int_equal(session_table_count(), 2);
	assert_int_equal(enter_limited("192.0.2.3", 2, MANY), SESSION_TABLE_FULL);
	assert_int_equal(session_table_count(), 2);
	assert_int_equal(enter_limited("192.0.2.3", 3, MANY), SESSION_ADMITTED);
	session_table_leave(one);
	assert_int_equal(enter_limited("192.0.2.3", 2, MANY), SESSION_ADMITTED);
	session_table_leave(two);
	assert_int_equal(session_table_count(), 0);
}

static void test_sessions_of_an_address_are_limited(void **state)
{
	struct session_slot *one = enter("192.0.2.1"), *two = enter("192.0.2.1");

	(void)state;
	assert_int_equal(enter_limited("192.0.2.1", MANY, 2), SESSION_ADDRESS_FULL);
	assert_int_equal(enter_limited("192.0.2.2", MANY, 2), SESSION_ADMITTED);
	assert_int_equal(enter_limited("::ffff:192.0.2.1", MANY, 2), SESSION_ADDRESS_FULL);
	assert_int_equal(session_table_count(), 2);
	session_table_leave(one);
	assert_int_equal(enter_limited("192.0.2.1", MANY, 2), SESSION_ADMITTED);
	session_table_leave(two);
}

static void test_ipv6_addresses_of_a_subscriber_count_as_one(void **state)
{
	struct session_slot *slot = enter("2001:db8:0:1::1");

	(void)state;
	assert_int_equal(enter_limited("2001:db8:0:1:ffff::2", MANY, 1), SESSION_ADDRESS_FULL);
	assert_int_equal(enter_limited("2001:db8:0:2::1", MANY, 1), SESSION_ADMITTED);
	session_table_leave(slot);
}

static void test_refusals_leave_nothing_behind(void **state)
{
	struct session_slot *slot = enter("192.0.2.1");

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(enter_limited("192.0.2.2", 1, MANY), SESSION_TABLE_FULL);
		assert_int_equal(enter_limited("192.0.2.1", MANY, 1), SESSION_ADDRESS_FULL);
	}
	session_table_leave(slot);
	assert_int_equal(enter_limited("192.0.2.1", 1, 1), SESSION_ADMITTED);
	assert_int_equal(enter_limited("192.0.2.2", 1, 1), SESSION_ADMITTED);
}

static void test_the_table_holds_what_it_was_mapped_for(void **state)
{
	struct session_slot *slots[100];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		slots[i] = enter("192.0.2.1");
	assert_int_equal(session_table_count(), 100);
	for (size_t i = 0; i < 100; i++)
		session_table_leave(slots[i]);
	assert_int_equal(session_table_count(), 0);
}

static void test_a_full_table_refuses(void **state)
{
	struct session_slot *slot = NULL;
	size_t n = 0;

	(void)state;
	while (n < MANY && session_table_enter("192.0.2.1", MANY, MANY, &slot) == SESSION_ADMITTED)
		n++;
	assert_in_range(n, 100, MANY - 1);
	assert_int_equal(session_table_sweep(getpid()), n);
}

static void test_sessions_of_a_user_are_limited(void **state)
{
	struct session_slot *one = enter("192.0.2.1"), *two = enter("192.0.2.2"),
			    *three = enter("192.0.2.3");

	(void)state;
	assert_true(session_table_bind(one, "acme", "joe", 2));
	assert_true(session_table_bind(two, "acme", "joe", 2));
	assert_false(session_table_bind(three, "acme", "joe", 2));
	assert_true(session_table_bind(three, "acme", "ann", 2));
	session_table_leave(one);
	assert_true(session_table_bind(three, "acme", "joe", 2));
	session_table_leave(two);
	session_table_leave(three);
}

static void test_the_same_login_of_two_tenants_is_two_users(void **state)
{
	struct session_slot *one = enter("192.0.2.1"), *two = enter("192.0.2.2");

	(void)state;
	assert_true(session_table_bind(one, "acme", "joe", 1));
	assert_true(session_table_bind(two, "other", "joe", 1));
	/* Nor do names meet that are the same when written one after the other. */
	assert_true(session_table_bind(one, "ab", "c", 1));
	assert_true(session_table_bind(two, "a", "bc", 1));
	session_table_leave(one);
	session_table_leave(two);
}

/* A slot keeps only the start of a long login; the limit knows all of it. */
static void test_long_logins_differ_at_their_end_too(void **state)
{
	struct session_slot *one = enter("192.0.2.1"), *two = enter("192.0.2.2");
	char a[400], b[400];

	(void)state;
	memset(a, 'x', sizeof(a));
	a[sizeof(a) - 1] = '\0';
	memcpy(b, a, sizeof(b));
	b[sizeof(b) - 2] = 'y';
	assert_true(session_table_bind(one, "acme", a, 1));
	assert_true(session_table_bind(two, "acme", b, 1));
	assert_false(session_table_bind(two, "acme", a, 1));
	session_table_leave(one);
	session_table_leave(two);
}

/* A login that fails after it was bound is followed by another on the same connection. */
static void test_binding_again_gives_the_first_user_up(void **state)
{
	struct session_slot *one = enter("192.0.2.1"), *two = enter("192.0.2.2");

	(void)state;
	assert_true(session_table_bind(one, "acme", "joe", 1));
	assert_true(session_table_bind(one, "acme", "joe", 1));
	assert_true(session_table_bind(one, "acme", "ann", 1));
	assert_true(session_table_bind(two, "acme", "joe", 1));
	assert_false(session_table_bind(one, "acme", "joe", 1));
	assert_true(session_table_bind(two, "acme", "ann", 1));
	session_table_leave(one);
	session_table_leave(two);
}

static void test_no_slot_is_no_trouble(void **state)
{
	(void)state;
	session_table_state(NULL, SESSION_OPEN);
	session_table_octets(NULL, 1, 2);
	session_table_describe(NULL, "1", "pop3");
	session_table_leave(NULL);
}

struct views {
	struct session_view views[4];
	size_t n;
};

static void collect(const struct session_view *view, void *arg)
{
	struct views *views = arg;

	assert_in_range(views->n, 0, 3);
	views->views[views->n++] = *view;
}

static void test_others_see_a_session(void **state)
{
	struct session_slot *slot = enter("192.0.2.1");
	struct views seen = { .n = 0 };

	(void)state;
	session_table_each(collect, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.views[0].worker, getpid());
	assert_int_equal(seen.views[0].state, SESSION_GREETED);
	assert_string_equal(seen.views[0].address, "192.0.2.1");
	assert_string_equal(seen.views[0].login, "");
	assert_true(seen.views[0].started > 0);

	assert_true(session_table_bind(slot, "acme", "joe@acme.example", 1));
	session_table_state(slot, SESSION_OPEN);
	session_table_octets(slot, 10, 20);
	session_table_octets(slot, 11, 22);
	session_table_describe(slot, "0badcafe-1", "pop3s");
	seen.n = 0;
	session_table_each(collect, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.views[0].state, SESSION_OPEN);
	assert_string_equal(seen.views[0].tenant, "acme");
	assert_string_equal(seen.views[0].login, "joe@acme.example");
	assert_int_equal(seen.views[0].octets_in, 11);
	assert_int_equal(seen.views[0].octets_out, 22);
	assert_string_equal(seen.views[0].id, "0badcafe-1");
	assert_string_equal(seen.views[0].listener, "pop3s");

	session_table_leave(slot);
	seen.n = 0;
	session_table_each(collect, &seen);
	assert_int_equal(seen.n, 0);
}

static void test_a_slot_used_again_shows_nothing_of_the_past(void **state)
{
	struct views seen = { .n = 0 };
	struct session_slot *slot = NULL;

	(void)state;
	for (int i = 0; i < 300; i++) { /* all slots, more than once */
		slot = enter("2001:db8::1");
		assert_true(session_table_bind(slot, "acme", "joe", 1));
		session_table_octets(slot, 1, 1);
		session_table_leave(slot);
	}
	slot = enter("192.0.2.9");
	session_table_each(collect, &seen);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.views[0].address, "192.0.2.9");
	assert_string_equal(seen.views[0].tenant, "");
	assert_int_equal(seen.views[0].octets_in, 0);
	session_table_leave(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sessions_are_limited, map_table),
		cmocka_unit_test_setup(test_sessions_of_an_address_are_limited, map_table),
		cmocka_unit_test_setup(test_ipv6_addresses_of_a_subscriber_count_as_one, map_table),
		cmocka_unit_test_setup(test_refusals_leave_nothing_behind, map_table),
		cmocka_unit_test_setup(test_the_table_holds_what_it_was_mapped_for, map_table),
		cmocka_unit_test_setup(test_a_full_table_refuses, map_table),
		cmocka_unit_test_setup(test_sessions_of_a_user_are_limited, map_table),
		cmocka_unit_test_setup(test_the_same_login_of_two_tenants_is_two_users, map_table),
		cmocka_unit_test_setup(test_long_logins_differ_at_their_end_too, map_table),
		cmocka_unit_test_setup(test_binding_again_gives_the_first_user_up, map_table),
		cmocka_unit_test_setup(test_no_slot_is_no_trouble, map_table),
		cmocka_unit_test_setup(test_others_see_a_session, map_table),
		cmocka_unit_test_setup(test_a_slot_used_again_shows_nothing_of_the_past, map_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

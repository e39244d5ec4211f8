/* refusals: the latest first, whole or not at all, from several processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/service/refusals.h"

static void test_nothing_without_a_ring(void **state)
{
	static struct refusal_view views[2];

	(void)state;
	refusals_add(&(struct refusal){ .reason = "x" });
	assert_int_equal(refusals_latest(views, 2), 0);
	refusals_map();
	assert_int_equal(refusals_latest(views, 2), 0);
}

static void test_the_latest_first(void **state)
{
	static struct refusal_view views[4];

	(void)state;
	refusals_add(&(struct refusal){ .what = REFUSED_TLS, .reason = "first" });
	refusals_add(&(struct refusal){ .what = REFUSED_LOGIN,
		.listener = "pop3",
		.address = "192.0.2.1",
		.tenant = "acme",
		.login = "joe",
		.reason = "second" });
	assert_int_equal(refusals_latest(views, 4), 2);
	assert_string_equal(views[0].reason, "second");
	assert_string_equal(views[0].login, "joe");
	assert_string_equal(views[0].tenant, "acme");
	assert_string_equal(views[0].address, "192.0.2.1");
	assert_int_equal(views[0].what, REFUSED_LOGIN);
	assert_true(views[0].at > 0);
	assert_string_equal(views[1].reason, "first");
	assert_string_equal(views[1].login, "");
	assert_int_equal(refusals_latest(views, 1), 1);
	assert_string_equal(views[0].reason, "second");
}

static void test_long_texts_are_cut(void **state)
{
	struct refusal_view view;
	char login[1000];

	(void)state;
	memset(login, 'a', sizeof(login) - 1);
	login[sizeof(login) - 1] = '\0';
	refusals_add(&(struct refusal){ .login = login, .reason = login });
	assert_int_equal(refusals_latest(&view, 1), 1);
	assert_int_equal(strlen(view.login), sizeof(view.login) - 1);
	assert_int_equal(strlen(view.reason), sizeof(view.reason) - 1);
}

static void write_many(char mark)
{
	char text[128];

	memset(text, mark, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 20000; i++)
		refusals_add(&(struct refusal){ .login = text, .reason = text });
	_exit(0);
}

/* Whoever reads while others write sees records of one of them, whole. */
static void test_no_record_of_two_halves(void **state)
{
	static struct refusal_view views[300];
	pid_t pids[2];
	int running = 2;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			write_many((char)('x' + i));
	}
	while (running > 0) {
		size_t n = refusals_latest(views, 20);

		for (size_t i = 0; i < n; i++) {
			char mark = views[i].login[0];

			if (mark == 'a' || mark == 'j' || mark == '\0')
				continue;
			for (size_t at = 0; at < 127; at++) {
				assert_int_equal(views[i].login[at], mark);
				assert_int_equal(views[i].reason[at], mark);
			}
		}
		if (waitpid(-1, NULL, WNOHANG) > 0)
			running--;
	}
	assert_in_range(refusals_latest(views, 300), 100, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_without_a_ring),
		cmocka_unit_test(test_the_latest_first),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_no_record_of_two_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* server_health: what workers find out about IMAP servers, told to all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/server_health.h"

static const char *names[] = { "imap.acme.example", "2001:db8::1" };
static struct tenant tenants[] = {
	{ .store = STORE_IMAP, .imap = { .servers = { names, 2 }, .port = 993 } },
	{ .store = STORE_IMAP, .imap = { .servers = { names, 1 }, .port = 993 } },
	{ .store = STORE_MAILDIR },
};
static const struct config config = { .tenants = tenants, .n_tenants = 3 };

static bool find(const char *name, struct server_view *ret)
{
	for (size_t i = 0; i < server_health_places(); i++)
		if (server_health_at(i, ret) && strcmp(ret->name, name) == 0)
			return true;
	return false;
}

static void test_without_a_table(void **state)
{
	(void)state;
	server_health_connected("imap.acme.example", 993, 1);
	server_health_failed("imap.acme.example", 993, 1);
	assert_int_equal(server_health_places(), 0);
}

static void test_what_another_process_found(void **state)
{
	struct server_view view;
	size_t n = 0;
	pid_t pid;

	(void)state;
	server_health_map(&config);
	for (size_t i = 0; i < server_health_places(); i++)
		n += server_health_at(i, &view);
	assert_int_equal(n, 2); /* one for both tenants */
	pid = fork();
	if (pid == 0) {
		server_health_connected("imap.acme.example", 993, 25);
		server_health_failed("2001:db8::1", 993, 60000);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(find("imap.acme.example:993", &view));
	assert_int_equal(view.connects, 1);
	assert_int_equal(view.took, 25);
	assert_true(view.connected_at > 0);
	assert_int_equal(view.avoided_until, 0);
	assert_true(find("[2001:db8::1]:993", &view));
	assert_int_equal(view.failures, 1);
	assert_int_equal(view.connected_at, 0);
	assert_true(view.avoided_until > view.fail_at);
	/* It is back. */
	server_health_connected("2001:db8::1", 993, 3);
	assert_true(find("[2001:db8::1]:993", &view));
	assert_int_equal(view.avoided_until, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_table),
		cmocka_unit_test(test_what_another_process_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

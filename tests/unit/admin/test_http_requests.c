/* http: which requests are those of this machine, and of a page of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/admin/http.h"

static void test_hosts(void **state)
{
	static const char *const ours[] = { "localhost", "LocalHost:9110", "127.0.0.1",
		"127.0.0.1:9110", "127.1.2.3:1", "[::1]", "[::1]:9110" };
	static const char *const others[] = { "", ":", "[]", "[", "example.org", "localhost.evil",
		"localhost@evil", "127.0.0.1.evil", "192.0.2.1", "[2001:db8::1]:1", "0.0.0.0",
		"localhost evil", "::1" };

	(void)state;
	assert_true(http_host_is_loopback(NULL));
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(http_host_is_loopback(ours[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(http_host_is_loopback(others[i]));
}

static void test_origins(void **state)
{
	(void)state;
	assert_true(http_same_origin("localhost:9110", NULL, NULL));
	assert_true(http_same_origin("localhost:9110", "http://localhost:9110", "same-origin"));
	assert_true(http_same_origin("localhost:9110", NULL, "none"));
	assert_false(http_same_origin("localhost:9110", "http://localhost", NULL));
	assert_false(http_same_origin("localhost:9110", "https://localhost:9110", NULL));
	assert_false(http_same_origin("localhost:9110", "null", NULL));
	assert_false(http_same_origin("localhost:9110", "http://evil.example", "same-origin"));
	assert_false(http_same_origin("localhost:9110", NULL, "cross-site"));
	assert_false(http_same_origin(NULL, "http://localhost:9110", NULL));
}

static void test_paths_that_close(void **state)
{
	static const char *const others[] = { "/api/sessions", "/api/sessions/",
		"/api/sessions//close", "/api/sessions/1/2/close", "/api/sessions/1/close/",
		"/api/sessions/1", "/api/sessions/12345678901234567890123456789/close" };
	char id[24];

	(void)state;
	assert_true(http_close_path("/api/sessions/0badcafe-1/close", id, sizeof(id)));
	assert_string_equal(id, "0badcafe-1");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(http_close_path(others[i], id, sizeof(id)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_paths_that_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* listener: binding, what stays over a reload, dual stack, and what it says when it cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/listener.h"

/* A configuration of one listener per text. */
struct fixture {
	const char *texts[4];
	struct listener_config listeners[4];
	struct config config;
};

static void configure(struct fixture *f, const char *first, const char *second)
{
	*f = (struct fixture){ .texts = { first, second } };
	f->config.listeners = f->listeners;
	f->config.n_listeners = second ? 2 : 1;
	for (size_t i = 0; i < f->config.n_listeners; i++)
		f->listeners[i] = (struct listener_config){
			.name = i ? "second" : "first",
			.listen = { &f->texts[i], 1 },
		};
}

/* A port that was free a moment ago, for which we have no use of our own. */
static uint16_t free_port(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	(void)close(fd);
	return ntohs(address.sin6_port);
}

static void text_of(char text[64], const char *host, uint16_t port)
{
	(void)snprintf(text, 64, "%s:%u", host, port);
}

static void assert_open(
	const struct config *config, const struct listen_set *old, struct listen_set *ret)
{
	struct err e = listen_open(config, old, ret);

	if (failed(e))
		fail_msg("%s", e.detail);
}

static void assert_refused(
	const struct config *config, const struct listen_set *old, const char *const *texts)
{
	struct listen_set set = { 0 };
	struct err e = listen_open(config, old, &set);

	assert_int_equal(e.scope, ERR_INVALID);
	assert_null(set.sockets);
	for (; *texts; texts++)
		if (!strstr(e.detail, *texts))
			fail_msg("\"%s\" lacks \"%s\"", e.detail, *texts);
}

/* Whether a connection to that address succeeds. */
static bool answers(const char *text)
{
	struct listen_address address;
	bool connected;
	int fd;

	assert_true(listen_address_parse(text, &address));
	fd = socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connected = connect(fd, (struct sockaddr *)&address.address, address.length) == 0;
	(void)close(fd);
	return connected;
}

static void test_binds_what_is_asked_for(void **state)
{
	char v4[64], v6[64];
	struct fixture f;
	struct listen_set set;

	(void)state;
	text_of(v4, "127.0.0.1", free_port());
	text_of(v6, "[::1]", free_port());
	configure(&f, v4, v6);
	assert_open(&f.config, NULL, &set);
	assert_int_equal(set.n, 2);
	assert_int_equal(set.sockets[0].listener, 0);
	assert_int_equal(set.sockets[1].listener, 1);
	assert_string_equal(set.sockets[0].text, v4);
	assert_string_equal(set.sockets[1].text, v6);
	assert_true(answers(v4));
	assert_true(answers(v6));
	listen_close(&set, NULL);
	assert_false(answers(v4));
	assert_false(answers(v6));
}

static void test_the_unspecified_address_serves_ipv4_too(void **state)
{
	static const char *const hosts[] = { "[::]", "*" };
	char text[64], v4[64], v6[64];
	struct listen_set set;
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint16_t port = free_port();

		text_of(text, hosts[i], port);
		text_of(v4, "127.0.0.1", port);
		text_of(v6, "[::1]", port);
		configure(&f, text, NULL);
		assert_open(&f.config, NULL, &set);
		assert_true(answers(v4));
		assert_true(answers(v6));
		listen_close(&set, NULL);
	}
}

static void test_but_not_where_ipv4_has_a_listener_of_its_own(void **state)
{
	uint16_t port = free_port();
	char any[64], v4[64], other[64];
	struct listen_set set;
	struct fixture f;

	(void)state;
	text_of(any, "[::]", port);
	text_of(v4, "127.0.0.1", port);
	text_of(other, "127.0.0.2", port);
	configure(&f, any, v4);
	assert_open(&f.config, NULL, &set);
	assert_true(set.sockets[0].v6_only);
	assert_true(answers(v4));
	assert_false(answers(other));
	listen_close(&set, NULL);

	/* The order does not matter. */
	configure(&f, v4, any);
	assert_open(&f.config, NULL, &set);
	assert_true(set.sockets[1].v6_only);
	listen_close(&set, NULL);
}

static void test_an_address_in_use_is_named(void **state)
{
	char text[64], fine[64];
	struct fixture f, both;
	struct listen_set set;

	(void)state;
	text_of(text, "127.0.0.1", free_port());
	text_of(fine, "127.0.0.1", free_port());
	configure(&f, text, NULL);
	assert_open(&f.config, NULL, &set);
	configure(&both, fine, text);
	assert_refused(&both.config, NULL,
		(const char *[]){ "listener second", text, "in use", "another port", NULL });
	/* Nothing stays bound of the attempt. */
	assert_false(answers(fine));
	listen_close(&set, NULL);
}

static void test_an_address_of_another_machine_is_named(void **state)
{
	struct fixture f;

	(void)state;
	configure(&f, "192.0.2.1:1110", NULL);
	assert_refused(&f.config, NULL,
		(const char *[]){ "listener first", "192.0.2.1:1110", "no interface", NULL });
}

static void test_what_is_no_address_is_named(void **state)
{
	struct fixture f;

	(void)state;
	configure(&f, "localhost:1110", NULL);
	assert_refused(
		&f.config, NULL, (const char *[]){ "listener first", "localhost:1110", NULL });
}

static void test_a_reload_keeps_what_stays(void **state)
{
	char stays[64], goes[64], comes[64];
	struct fixture before, after;
	struct listen_set old, new;
	int kept;

	(void)state;
	text_of(stays, "127.0.0.1", free_port());
	text_of(goes, "127.0.0.1", free_port());
	configure(&before, goes, stays);
	assert_open(&before.config, NULL, &old);
	kept = old.sockets[1].fd;
	text_of(comes, "127.0.0.1", free_port());
	configure(&after, stays, comes);
	assert_open(&after.config, &old, &new);
	assert_int_equal(new.sockets[0].fd, kept);
	assert_int_equal(new.sockets[0].listener, 0);
	assert_string_equal(new.sockets[0].text, stays);
	assert_true(answers(goes));
	listen_close(&old, &new);
	assert_true(answers(stays));
	assert_true(answers(comes));
	assert_false(answers(goes));
	listen_close(&new, NULL);
	assert_false(answers(stays));
}

static void test_a_reload_that_fails_changes_nothing(void **state)
{
	char stays[64];
	struct fixture before, after;
	struct listen_set old;

	(void)state;
	text_of(stays, "127.0.0.1", free_port());
	configure(&before, stays, NULL);
	assert_open(&before.config, NULL, &old);
	configure(&after, stays, "192.0.2.1:1110");
	assert_refused(&after.config, &old, (const char *[]){ "192.0.2.1:1110", NULL });
	assert_int_equal(old.n, 1);
	assert_true(answers(stays));
	listen_close(&old, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binds_what_is_asked_for),
		cmocka_unit_test(test_the_unspecified_address_serves_ipv4_too),
		cmocka_unit_test(test_but_not_where_ipv4_has_a_listener_of_its_own),
		cmocka_unit_test(test_an_address_in_use_is_named),
		cmocka_unit_test(test_an_address_of_another_machine_is_named),
		cmocka_unit_test(test_what_is_no_address_is_named),
		cmocka_unit_test(test_a_reload_keeps_what_stays),
		cmocka_unit_test(test_a_reload_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

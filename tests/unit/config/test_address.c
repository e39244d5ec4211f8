/* address: networks, addresses to listen on, domains, hosts. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/address.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct network network(const char *text)
{
	struct network n = { 0 };

	if (!network_parse(text, &n))
		fail_msg("%s is no network", text);
	return n;
}

static void networks_are_read_and_written(void **state)
{
	static const char *const good[] = { "192.0.2.0/24", "192.0.2.1", "0.0.0.0/0", "::/0",
		"2001:db8::/32", "2001:db8::1" };
	static const char *const bad[] = { "", "/", "/24", "192.0.2.0/", "192.0.2.0/33",
		"192.0.2.0/-1", "192.0.2.0/24/24", "192.0.2", "192.0.2.0 /24", "2001:db8::/129",
		"acme.example", "[::1]", "192.0.2.0/024x",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };
	char text[NETWORK_TEXT];
	struct network n;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		n = network(good[i]);
		assert_string_equal(network_text(&n, text), good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (network_parse(bad[i], &n))
			fail_msg("%s was taken", bad[i]);
	}
}

static void bits_behind_the_prefix_are_found(void **state)
{
	struct network n = network("192.0.2.129/25"), even = network("192.0.2.128/25");
	char text[NETWORK_TEXT];

	(void)state;
	assert_true(network_trim(&n));
	assert_string_equal(network_text(&n, text), "192.0.2.128/25");
	assert_false(network_trim(&even));
	n = network("2001:db8:ffff::/33");
	assert_true(network_trim(&n));
	assert_string_equal(network_text(&n, text), "2001:db8:8000::/33");
	n = network("::ffff:192.0.2.1/0");
	assert_true(network_trim(&n));
	assert_string_equal(network_text(&n, text), "::/0");
}

static bool covers(const char *outer, const char *inner)
{
	struct network a = network(outer), b = network(inner);

	return network_covers(&a, &b);
}

static void networks_cover_narrower_ones(void **state)
{
	(void)state;
	assert_true(covers("192.0.2.0/24", "192.0.2.0/24"));
	assert_true(covers("192.0.2.0/24", "192.0.2.64/26"));
	assert_true(covers("0.0.0.0/0", "192.0.2.0/24"));
	assert_true(covers("::/0", "192.0.2.0/24"));
	assert_false(covers("192.0.2.0/24", "192.0.3.0/24"));
	assert_false(covers("192.0.2.64/26", "192.0.2.0/24"));
	assert_false(covers("0.0.0.0/0", "2001:db8::/32"));
	assert_true(covers("2001:db8::/31", "2001:db9::/32"));
	assert_false(covers("2001:db8::/32", "2001:db9::/32"));
}

static void lists_contain_addresses_in_any_form(void **state)
{
	struct network items[] = { network("192.0.2.0/24"), network("fe80::/10"),
		network("198.51.100.7") };
	struct network_list list = { items, COUNT(items) }, empty = { NULL, 0 };

	(void)state;
	assert_true(network_list_contains(&list, "192.0.2.255"));
	assert_false(network_list_contains(&list, "192.0.3.0"));
	assert_true(network_list_contains(&list, "::ffff:192.0.2.1"));
	assert_true(network_list_contains(&list, "198.51.100.7"));
	assert_false(network_list_contains(&list, "198.51.100.8"));
	assert_true(network_list_contains(&list, "fe80::1%eth0"));
	assert_false(network_list_contains(&list, "fec0::1"));
	assert_false(network_list_contains(&list, ""));
	assert_false(network_list_contains(&list, "unknown"));
	assert_false(network_list_contains(&empty, "192.0.2.1"));
}

static void listen_addresses(void **state)
{
	static const char *const bad[] = { "", ":", "110", ":110", "[::]", "[::]:", "[::]:0",
		"[::]:65536", "[::]:-1", "[::]:11x", "::1:110", "127.0.0.1", "localhost:110",
		"[127.0.0.1]:110", "[*]:110", "[]:110", "]:110", "[:110", "127.0.0.1]:110",
		"[::1:110",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:110" };
	struct listen_address a, b;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a.address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a.address;

	(void)state;
	assert_true(listen_address_parse("127.0.0.1:1110", &a));
	assert_int_equal(a.address.ss_family, AF_INET);
	assert_int_equal(a.length, sizeof(*v4));
	assert_int_equal(ntohs(v4->sin_port), 1110);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_true(listen_address_parse("[::1]:65535", &a));
	assert_int_equal(a.address.ss_family, AF_INET6);
	assert_int_equal(a.length, sizeof(*v6));
	assert_int_equal(ntohs(v6->sin6_port), 65535);
	assert_memory_equal(&v6->sin6_addr, &in6addr_loopback, 16);
	assert_true(listen_address_parse("*:110", &a));
	assert_true(listen_address_parse("[::]:110", &b));
	assert_memory_equal(&a, &b, sizeof(a));
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (listen_address_parse(bad[i], &a))
			fail_msg("%s was taken", bad[i]);
	}
}

static void domains_and_hosts(void **state)
{
	static const char *const good[] = { "acme.example", "a", "xn--mnchen-3ya.example",
		"a_b-c.example", "m\xc3\xbcnchen.example" };
	static const char *const bad[] = { "", ".", ".example", "example.", "a..b", "a b", "a@b",
		"*.example", "a/b", "[::1]", "a:1",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		if (!domain_valid(good[i]))
			fail_msg("%s was refused", good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (domain_valid(bad[i]) || host_valid(bad[i]))
			fail_msg("%s was taken", bad[i]);
	}
	assert_true(host_valid("imap.acme.example"));
	assert_true(host_valid("192.0.2.1"));
	assert_true(host_valid("2001:db8::1"));
	assert_false(host_valid("imap.acme.example:993"));
	assert_false(host_valid("m\xc3\xbcnchen.example"));
}

static void loopback_hosts(void **state)
{
	static const char *const here[] = { "localhost", "LocalHost", "127.0.0.1", "127.9.9.9",
		"::1" };
	static const char *const elsewhere[] = { "127.0.0.1.example", "127.example", "128.0.0.1",
		"::", "localhost.example", "" };

	(void)state;
	for (size_t i = 0; i < COUNT(here); i++)
		assert_true(host_is_loopback(here[i]));
	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		if (host_is_loopback(elsewhere[i]))
			fail_msg("%s was taken", elsewhere[i]);
	}
}

static void urls(void **state)
{
	static const char *const good[] = { "https://login.example", "https://login.example/",
		"https://login.example:8443/a/b?c=d&e=%20", "https://[2001:db8::1]:443/jwks",
		"https://192.0.2.1/x", "http://localhost/x", "http://127.0.0.1:8080",
		"http://[::1]/", "https://login.example?x" };
	static const char *const bad[] = { "", "login.example", "https://", "https:///x",
		"http://login.example/", "http://127.0.0.1.example/", "http://192.0.2.1/",
		"ftp://localhost/", "HTTPS://login.example/", "https://user@login.example/",
		"https://user:secret@login.example/", "https://login.example:0/",
		"https://login.example:65536/", "https://login.example:x/",
		"https://login.example:/", "https://login.example/#top",
		"https://login.example/a b", "https://login.example/\xc3\xbc",
		"https://[2001:db8::1/", "https://2001:db8::1/", "https://[login.example]/",
		"https://login.example\\@localhost/", "https://[::1]x/", "https://a..b/",
		"https://login.example:123456789/" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		if (!url_valid(good[i]))
			fail_msg("%s was refused", good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (url_valid(bad[i]))
			fail_msg("%s was taken", bad[i]);
	}
}

static void patterns_fit_names(void **state)
{
	(void)state;
	assert_true(domain_fits("acme.example", "ACME.Example"));
	assert_false(domain_fits("acme.example", "www.acme.example"));
	assert_false(domain_fits("acme.example", "acme.exampl"));
	assert_true(domain_fits("*.acme.example", "www.Acme.example"));
	assert_true(domain_fits("*.acme.example", "a.b.acme.example"));
	assert_false(domain_fits("*.acme.example", "acme.example"));
	assert_false(domain_fits("*.acme.example", ".acme.example"));
	assert_false(domain_fits("*.acme.example", "notacme.example"));
	assert_false(domain_fits("*.acme.example", ""));
}

static void patterns_cover_patterns(void **state)
{
	(void)state;
	assert_true(domain_covers("acme.example", "acme.EXAMPLE"));
	assert_true(domain_covers("*.acme.example", "www.acme.example"));
	assert_true(domain_covers("*.acme.example", "*.ACME.example"));
	assert_true(domain_covers("*.acme.example", "*.www.acme.example"));
	assert_false(domain_covers("*.www.acme.example", "*.acme.example"));
	assert_false(domain_covers("acme.example", "*.acme.example"));
	assert_false(domain_covers("*.acme.example", "acme.example"));
}

static void mail_addresses(void **state)
{
	static const char *const good[] = { "a@b", "joe.doe@mail.example.org", "a+b-c_d@x",
		"!#$%&'*+-/=?^_`{|}~@x", "1@2" };
	static const char *const bad[] = { "", "@", "a", "a@", "@b", "a@@b", "a@b@c", ".a@b",
		"a.@b", "a..b@c", "a b@c", "\"a\"@b", "a@b c", "a@.b", "<a@b>", "a@b>",
		"\xc3\xa9@b", "a@\xc3\xa9", "a\r\n@b", "a,b@c",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!mail_address_valid(good[i]))
			fail_msg("%s is an address", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mail_address_valid(bad[i]))
			fail_msg("%s is none", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_are_read_and_written),
		cmocka_unit_test(bits_behind_the_prefix_are_found),
		cmocka_unit_test(networks_cover_narrower_ones),
		cmocka_unit_test(lists_contain_addresses_in_any_form),
		cmocka_unit_test(listen_addresses),
		cmocka_unit_test(domains_and_hosts),
		cmocka_unit_test(mail_addresses),
		cmocka_unit_test(loopback_hosts),
		cmocka_unit_test(urls),
		cmocka_unit_test(patterns_fit_names),
		cmocka_unit_test(patterns_cover_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

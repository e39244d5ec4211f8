/* proxy_protocol: good and malformed headers of both versions, in pieces, and what follows them. */
#include "tests/unit/runtime/fibers.h"

#include <string.h>
#include <unistd.h>

#include "proxy/proxy_protocol.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

struct v1_case {
	const char *line;
	const char *address; /* NULL: malformed */
};

#define LONGEST_V6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static const struct v1_case v1_cases[] = {
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\r\n", "192.0.2.7" },
	{ "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0" },
	{ "PROXY TCP6 2001:db8::7 ::1 4711 110\r\n", "2001:db8::7" },
	{ "PROXY TCP6 2001:DB8:0:0::7 ::1 4711 110\r\n", "2001:db8::7" },
	{ "PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 110\r\n", "192.0.2.7" },
	{ "PROXY TCP6 " LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n", LONGEST_V6 },
	{ "PROXY UNKNOWN\r\n", "" },
	{ "PROXY UNKNOWN " LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n", "" },
	{ "PROXY UNKNOWN whatever it may be\r\n", "" },

	{ "", NULL },
	{ "\r\n", NULL },
	{ "PROXY\r\n", NULL },
	{ "PROXY \r\n", NULL },
	{ "PROXY TCP4\r\n", NULL },
	{ "PROXY TCP4 \r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\r", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110 \r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110 1\r\n", NULL },
	{ "PROXY TCP4  192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP4\t192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY  TCP4 192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ " PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "proxy TCP4 192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY tcp4 192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP5 192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.256 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP4 localhost 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 localhost 4711 110\r\n", NULL },
	{ "PROXY TCP4 2001:db8::7 ::1 4711 110\r\n", NULL },
	{ "PROXY TCP6 192.0.2.7 127.0.0.1 4711 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 65536 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 65536\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 -1 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 +1 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 01 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 1x 110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1  110\r\n", NULL },
	{ "PROXY TCP4 192.0.2.7 127.0.0.1 184467440737095516160 110\r\n", NULL },
};

static void expect_header(
	struct err e, const struct proxy_header *header, const char *address, const char *what)
{
	if (!address) {
		if (e.scope != ERR_INVALID)
			fail_msg("%s: taken for good", what);
		return;
	}
	if (failed(e))
		fail_msg("%s: %s", what, e.detail);
	assert_string_equal(header->address, address);
}

/* assert_err takes a value, and looks at it twice. */
static void expect_error(struct err e, enum err_scope scope, const char *text)
{
	assert_err(e, scope, text);
}

static void test_lines_of_version_1(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(v1_cases) / sizeof(v1_cases[0]); i++) {
		const struct v1_case *c = &v1_cases[i];
		struct proxy_header header = { "untouched" };
		struct err e = proxy_protocol_parse_v1(c->line, strlen(c->line), &header);

		expect_header(e, &header, c->address, c->line);
		if (!c->address)
			assert_string_equal(header.address, "untouched");
	}
}

static void test_a_nul_in_a_line_of_version_1(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\0x\r\n";
	struct proxy_header header;

	(void)state;
	expect_error(proxy_protocol_parse_v1(line, sizeof(line) - 1, &header), ERR_INVALID, "NUL");
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x67\x00\x6e"
#define V6                                                                                         \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                               \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x00\x6e"
#define V6_MAPPED                                                                                  \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07"                                             \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x00\x6e"
#define OCTETS(literal) literal, sizeof(literal) - 1

struct v2_case {
	const char *name;
	const char *header;
	size_t length;
	const char *address; /* NULL: malformed */
};

/* LOCAL and families without an address of ours carry what they like; of local sockets 216. */
static const struct v2_case v2_cases[] = {
	{ "IPv4", OCTETS(SIGNATURE "\x21\x11\x00\x0c" V4), "192.0.2.7" },
	{ "IPv6", OCTETS(SIGNATURE "\x21\x21\x00\x24" V6), "2001:db8::7" },
	{ "IPv4 in IPv6", OCTETS(SIGNATURE "\x21\x21\x00\x24" V6_MAPPED), "192.0.2.7" },
	{ "IPv4 and a TLV", OCTETS(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\x00\x01x"), "192.0.2.7" },
	{ "LOCAL", OCTETS(SIGNATURE "\x20\x00\x00\x00"), "" },
	{ "LOCAL with an address", OCTETS(SIGNATURE "\x20\x11\x00\x0c" V4), "" },
	{ "LOCAL of any family", OCTETS(SIGNATURE "\x20\x99\x00\x01x"), "" },
	{ "unspecified", OCTETS(SIGNATURE "\x21\x00\x00\x00"), "" },
	{ "unspecified with octets", OCTETS(SIGNATURE "\x21\x00\x00\x03xyz"), "" },

	{ "version 1 in binary", OCTETS(SIGNATURE "\x11\x11\x00\x0c" V4), NULL },
	{ "version 3", OCTETS(SIGNATURE "\x31\x11\x00\x0c" V4), NULL },
	{ "command 2", OCTETS(SIGNATURE "\x22\x11\x00\x0c" V4), NULL },
	{ "command 15", OCTETS(SIGNATURE "\x2f\x11\x00\x0c" V4), NULL },
	{ "UDP", OCTETS(SIGNATURE "\x21\x12\x00\x0c" V4), NULL },
	{ "UDP over IPv6", OCTETS(SIGNATURE "\x21\x22\x00\x24" V6), NULL },
	{ "unknown family", OCTETS(SIGNATURE "\x21\x41\x00\x0c" V4), NULL },
	{ "IPv4 cut short",
		OCTETS(SIGNATURE "\x21\x11\x00\x0b\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x67\x00"),
		NULL },
	{ "IPv6 with the octets of IPv4", OCTETS(SIGNATURE "\x21\x21\x00\x0c" V4), NULL },
	{ "local socket cut short", OCTETS(SIGNATURE "\x21\x31\x00\x0c" V4), NULL },
};

/* The reading side and the raw socket of the peer. */
struct fixture {
	struct stream *stream;
	int peer;
};

static struct fixture fixture_open(void)
{
	struct fixture f;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f.stream = stream_new(ends[0]);
	f.peer = ends[1];
	return f;
}

static void fixture_close(struct fixture *f)
{
	stream_close(f->stream);
	if (f->peer >= 0)
		(void)close(f->peer);
}

static void say(const struct fixture *f, const char *text, size_t n)
{
	assert_int_equal(send(f->peer, text, n, MSG_NOSIGNAL), n);
}

fiber_fn static void expect_rest(const struct fixture *f, const char *text)
{
	char got[32] = "";
	size_t n = 0;

	assert_ok(stream_read(f->stream, got, sizeof(got) - 1, &n));
	got[n] = '\0';
	assert_string_equal(got, text);
}

fiber_fn static void read_v2_cases(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(v2_cases) / sizeof(v2_cases[0]); i++) {
		const struct v2_case *c = &v2_cases[i];
		struct fixture f = fixture_open();
		struct proxy_header header = { "untouched" };
		struct err e;

		say(&f, c->header, c->length);
		say(&f, "USER joe\r\n", 10);
		e = proxy_protocol_read(f.stream, &header);
		expect_header(e, &header, c->address, c->name);
		if (c->address)
			expect_rest(&f, "USER joe\r\n");
		fixture_close(&f);
	}
}

static void test_headers_of_version_2(void **state)
{
	(void)state;
	run_fiber(read_v2_cases, NULL);
}

fiber_fn static void read_v1_cases(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(v1_cases) / sizeof(v1_cases[0]); i++) {
		const struct v1_case *c = &v1_cases[i];
		struct fixture f = fixture_open();
		struct proxy_header header;

		if (c->address) {
			say(&f, c->line, strlen(c->line));
			say(&f, "CAPA\r\n", 6);
			assert_ok(proxy_protocol_read(f.stream, &header));
			assert_string_equal(header.address, c->address);
			expect_rest(&f, "CAPA\r\n");
		}
		fixture_close(&f);
	}
}

static void test_octets_behind_the_line_stay_for_the_session(void **state)
{
	(void)state;
	run_fiber(read_v1_cases, NULL);
}

struct pieces {
	const struct fixture *f;
	const char *data;
	size_t n;
	bool sent;
};

fiber_fn static void send_octet_by_octet(void *arg)
{
	struct pieces *pieces = arg;

	for (size_t i = 0; i < pieces->n; i++) {
		say(pieces->f, pieces->data + i, 1);
		assert_ok(wait_turn());
		assert_ok(wait_turn());
	}
	pieces->sent = true;
}

fiber_fn static void expect_in_pieces(const char *data, size_t n, const char *address)
{
	struct fixture f = fixture_open();
	struct pieces pieces = { &f, data, n, false };
	struct proxy_header header;

	fiber_spawn("peer", send_octet_by_octet, &pieces);
	assert_ok(proxy_protocol_read(f.stream, &header));
	assert_string_equal(header.address, address);
	expect_rest(&f, "Q");
	while (!pieces.sent)
		assert_ok(wait_turn());
	fixture_close(&f);
}

fiber_fn static void read_pieces(void *arg)
{
	(void)arg;
	expect_in_pieces(OCTETS("PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\r\nQ"), "192.0.2.7");
	expect_in_pieces(OCTETS(SIGNATURE "\x21\x21\x00\x27" V6 "\x04\x00\x00Q"), "2001:db8::7");
}

static void test_headers_in_pieces(void **state)
{
	(void)state;
	run_fiber(read_pieces, NULL);
}

fiber_fn static void refuse_what_is_no_header(void *arg)
{
	static const char *const inputs[] = {
		"USER joe@local.example\r\n",
		"QUIT\r\nQUIT\r\nQUIT\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03\x03xxxxxxxxxxx",
		"PROXYTCP4 192.0.2.7 127.0.0.1 4711 110\r\n",
		"PROXY\r\nQUIT\r\n",
		"\r\n\r\nxxxxxxxxxxxx",
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		struct fixture f = fixture_open();
		struct proxy_header header;

		say(&f, inputs[i], strlen(inputs[i]));
		expect_error(
			proxy_protocol_read(f.stream, &header), ERR_INVALID, "no PROXY header");
		fixture_close(&f);
	}
}

static void test_what_is_no_header(void **state)
{
	(void)state;
	run_fiber(refuse_what_is_no_header, NULL);
}

fiber_fn static void refuse_a_long_line(void *arg)
{
	struct fixture f = fixture_open();
	struct proxy_header header;
	char line[300];
	size_t n = 0;

	(void)arg;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	say(&f, line, sizeof(line));
	expect_error(proxy_protocol_read(f.stream, &header), ERR_INVALID, "107");
	/* Bounded: what is beyond was not read. */
	assert_ok(stream_read(f.stream, line, sizeof(line), &n));
	assert_int_equal(n, sizeof(line) - PROXY_V1_MAX);
	fixture_close(&f);
}

static void test_a_line_without_end(void **state)
{
	(void)state;
	run_fiber(refuse_a_long_line, NULL);
}

fiber_fn static void send_all(void *arg)
{
	const struct pieces *pieces = arg;
	struct stream *out = stream_new(pieces->f->peer);

	assert_ok(stream_write(out, pieces->data, pieces->n));
	stream_close(out);
}

fiber_fn static void skip_the_longest(void *arg)
{
	size_t n = PROXY_V2_FIXED + UINT16_MAX;
	char *data = mem_zalloc(n + 5, 1);
	struct fixture f = fixture_open();
	struct pieces pieces = { &f, data, n + 5, false };
	struct proxy_header header;

	(void)arg;
	memcpy(data, SIGNATURE "\x21\x11\xff\xff" V4, PROXY_V2_FIXED + 12);
	memcpy(data + n, "NOOP\n", 5);
	fiber_spawn("peer", send_all, &pieces);
	assert_ok(proxy_protocol_read(f.stream, &header));
	assert_string_equal(header.address, "192.0.2.7");
	expect_rest(&f, "NOOP\n");
	f.peer = -1; /* closed by its stream */
	fixture_close(&f);
	free(data);
}

static void test_tlvs_are_skipped_up_to_the_most_a_header_can_have(void **state)
{
	(void)state;
	run_fiber(skip_the_longest, NULL);
}

fiber_fn static void close_early(void *arg)
{
	static const char header_octets[] = SIGNATURE "\x21\x11\x00\x0c" V4;
	static const char line[] = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\r\n";

	(void)arg;
	for (size_t n = 0; n < sizeof(header_octets) - 1; n++) {
		struct fixture f = fixture_open();
		struct proxy_header header;

		say(&f, header_octets, n);
		(void)close(f.peer);
		f.peer = -1;
		expect_error(proxy_protocol_read(f.stream, &header), ERR_PEER, "closed");
		fixture_close(&f);
	}
	for (size_t n = 0; n < sizeof(line) - 1; n++) {
		struct fixture f = fixture_open();
		struct proxy_header header;

		say(&f, line, n);
		(void)close(f.peer);
		f.peer = -1;
		expect_error(proxy_protocol_read(f.stream, &header), ERR_PEER, "closed");
		fixture_close(&f);
	}
}

static void test_the_peer_closes_within_its_header(void **state)
{
	(void)state;
	run_fiber(close_early, NULL);
}

fiber_fn static void time_out(void *arg)
{
	struct fixture f = fixture_open();
	struct proxy_header header;

	(void)arg;
	say(&f, "PROXY TCP4 192", 14);
	deadline(1000);
	expect_error(proxy_protocol_read(f.stream, &header), ERR_TIMEOUT, "");
	fixture_close(&f);
}

fiber_fn static void move_the_clock(void *arg)
{
	(void)arg;
	assert_ok(wait_turn());
	clock_advance(1001);
}

static void test_a_header_that_never_ends_runs_into_the_deadline(void **state)
{
	(void)state;
	fiber_spawn("session", time_out, NULL);
	run_fiber(move_the_clock, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_version_1),
		cmocka_unit_test(test_a_nul_in_a_line_of_version_1),
		fiber_test(test_headers_of_version_2),
		fiber_test(test_octets_behind_the_line_stay_for_the_session),
		fiber_test(test_headers_in_pieces),
		fiber_test(test_what_is_no_header),
		fiber_test(test_a_line_without_end),
		fiber_test(test_tlvs_are_skipped_up_to_the_most_a_header_can_have),
		fiber_test(test_the_peer_closes_within_its_header),
		fiber_test(test_a_header_that_never_ends_runs_into_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

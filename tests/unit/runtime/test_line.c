/* line: what ends a line, limits, memory, pipelining, wiping. */
#include "fibers.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/runtime/line.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

/* The reader under test and the raw socket of its peer. */
struct fixture {
	struct stream *stream;
	struct line_reader *reader;
	int peer;
};

static struct fixture fixture_open(void)
{
	struct fixture f;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f.stream = stream_new(ends[0]);
	f.reader = line_reader_new(f.stream);
	f.peer = ends[1];
	return f;
}

static void fixture_close(struct fixture *f)
{
	line_reader_free(f->reader);
	stream_close(f->stream);
	(void)close(f->peer);
}

static void say(struct fixture *f, const char *text, size_t n)
{
	assert_int_equal(send(f->peer, text, n, MSG_NOSIGNAL), n);
}

#define SAY(f, literal) say((f), (literal), sizeof(literal) - 1)

static void expect_line(struct fixture *f, size_t max, const char *text, size_t n)
{
	struct line line;

	assert_ok(line_read(f->reader, max, &line));
	assert_int_equal(line.length, n);
	assert_memory_equal(line.text, text, n);
	assert_int_equal(line.text[n], '\0');
}

#define EXPECT(f, literal) expect_line((f), 512, (literal), sizeof(literal) - 1)

static void expect_error(struct fixture *f, size_t max, enum err_scope scope, const char *text)
{
	struct line line = { NULL, 77 };
	struct err e = line_read(f->reader, max, &line);

	assert_err(e, scope, text);
	assert_null(line.text);
}

struct table_case {
	const char *input;
	size_t input_length;
	const char *lines[4]; /* "!" stands for ERR_LIMIT; then the end */
	size_t lengths[4];
};

#define INPUT(literal) literal, sizeof(literal) - 1

/* With a limit of ten octets. */
static const struct table_case table[] = {
	{ INPUT(""), { NULL } },
	{ INPUT("NOOP\r\n"), { "NOOP" } },
	{ INPUT("NOOP\n"), { "NOOP" } },
	{ INPUT("\r\n\n"), { "", "" } },
	{ INPUT("a\rb\r\n"), { "a\rb" } },
	{ INPUT("a\r\r\n"), { "a\r" } },
	{ INPUT("a\0b\r\n"), { "a\0b" }, { 3 } },
	{ INPUT("\0\n"), { "\0" }, { 1 } },
	{ INPUT("one\r\ntwo\r\n3\n"), { "one", "two", "3" } },
	{ INPUT("12345678\r\n"), { "12345678" } },
	{ INPUT("123456789\r\n"), { "!" } },
	{ INPUT("123456789\n"), { "123456789" } },
	{ INPUT("1234567890\n"), { "!" } },
	{ INPUT("12345678901234567890\r\nnext\r\n"), { "!", "next" } },
	{ INPUT("12345678901\r\n12345678901\r\nc\r\n"), { "!", "!", "c" } },
	{ INPUT("NOOP\r\nQUI"), { "NOOP" } },
	{ INPUT("1234567890"), { "!" } },
	{ INPUT("123456789"), { NULL } },
};

/* What the reader must give for the case whose input comes at the other end. */
static void expect_case(struct fixture *f, const struct table_case *c)
{
	for (size_t i = 0; i < 4 && c->lines[i]; i++) {
		const char *text = c->lines[i];

		if (strcmp(text, "!") == 0)
			expect_error(f, 10, ERR_LIMIT, "more than 10 octets");
		else
			expect_line(f, 10, text, c->lengths[i] ? c->lengths[i] : strlen(text));
	}
	expect_error(f, 10, ERR_PEER, "connection closed");
	assert_true(line_ready(f->reader));
	expect_error(f, 10, ERR_PEER, "connection closed");
}

static void run_table(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fixture f = fixture_open();

		say(&f, table[i].input, table[i].input_length);
		(void)shutdown(f.peer, SHUT_WR);
		expect_case(&f, &table[i]);
		fixture_close(&f);
	}
}

static void test_table(void **state)
{
	(void)state;
	run_fiber(run_table, NULL);
}

struct feeder {
	struct fixture *f;
	const struct table_case *c;
};

static void feed_octets(void *arg)
{
	struct feeder *feeder = arg;

	for (size_t i = 0; i < feeder->c->input_length; i++) {
		say(feeder->f, feeder->c->input + i, 1);
		assert_ok(wait_turn());
		assert_ok(wait_turn());
	}
	(void)shutdown(feeder->f->peer, SHUT_WR);
}

/* The table again, octet by octet. */
static void run_table_in_octets(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fixture f = fixture_open();
		struct feeder feeder = { &f, &table[i] };

		(void)fiber_spawn("feeder", feed_octets, &feeder);
		expect_case(&f, &table[i]);
		fixture_close(&f);
	}
}

static void test_table_octet_by_octet(void **state)
{
	(void)state;
	run_fiber(run_table_in_octets, NULL);
}

static void pipelined(void *arg)
{
	struct fixture f = fixture_open();

	(void)arg;
	assert_false(line_ready(f.reader));
	SAY(&f, "one\r\ntwo\r\nthr");
	assert_false(line_ready(f.reader));
	EXPECT(&f, "one");
	assert_true(line_ready(f.reader));
	EXPECT(&f, "two");
	assert_false(line_ready(f.reader));
	SAY(&f, "ee\r\n");
	EXPECT(&f, "three");
	assert_false(line_ready(f.reader));
	fixture_close(&f);
}

static void test_pipelined_lines(void **state)
{
	(void)state;
	run_fiber(pipelined, NULL);
}

static void ready_while_discarding(void *arg)
{
	struct fixture f = fixture_open();
	char much[1400];

	(void)arg;
	memset(much, 'x', sizeof(much));
	say(&f, much, sizeof(much));
	expect_error(&f, 512, ERR_LIMIT, "");
	assert_false(line_ready(f.reader));
	SAY(&f, "x\nnext\r\nlast\r\n");
	EXPECT(&f, "next");
	assert_true(line_ready(f.reader));
	EXPECT(&f, "last");
	fixture_close(&f);
}

static void test_ready_while_discarding(void **state)
{
	(void)state;
	run_fiber(ready_while_discarding, NULL);
}

static void canceled_with_input(void *arg)
{
	struct fixture *f = arg;

	EXPECT(f, "one");
	fiber_cancel(fiber_current());
	assert_true(line_ready(f->reader));
	expect_error(f, 512, ERR_CANCELED, "");
}

static void test_cancel_fails_a_line_that_is_there(void **state)
{
	struct fixture f = fixture_open();

	(void)state;
	SAY(&f, "one\r\ntwo\r\n");
	run_fiber(canceled_with_input, &f);
	fixture_close(&f);
}

static void read_long_sasl_line(void *arg)
{
	struct fixture f = fixture_open();
	char *text cleanup(free_cleanup) = mem_alloc(65536);

	(void)arg;
	memset(text, 'A', 65536);
	say(&f, text, 65534);
	SAY(&f, "\r\nQUIT\r\n");
	expect_line(&f, 65536, text, 65534);
	EXPECT(&f, "QUIT");
	say(&f, text, 65535);
	SAY(&f, "\r\nQUIT\r\n");
	expect_error(&f, 65536, ERR_LIMIT, "");
	EXPECT(&f, "QUIT");
	fixture_close(&f);
}

static void test_sasl_line_of_64_kib(void **state)
{
	(void)state;
	run_fiber(read_long_sasl_line, NULL);
}

#define ENDLESS_MIB 64

static void send_endless_line(void *arg)
{
	struct stream *out = stream_new(dup(*(const int *)arg));
	char *text cleanup(free_cleanup) = mem_alloc(1 << 20);

	memset(text, 'x', 1 << 20);
	for (int i = 0; i < ENDLESS_MIB; i++)
		assert_ok(stream_write(out, text, 1 << 20));
	assert_ok(stream_write(out, "\r\nafter\r\n", 9));
	stream_close(out);
}

static long peak_kib(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void read_endless_line(void *arg)
{
	struct fixture *f = arg;
	long before = peak_kib();

	expect_error(f, 512, ERR_LIMIT, "more than 512 octets");
	EXPECT(f, "after");
	assert_true(peak_kib() - before < ENDLESS_MIB * 1024 / 4);
}

static void test_endless_line_costs_no_memory(void **state)
{
	struct fixture f = fixture_open();

	(void)state;
	(void)fiber_spawn("reader", read_endless_line, &f);
	run_fiber(send_endless_line, &f.peer);
	fixture_close(&f);
}

static void wipe_lines(void *arg)
{
	struct fixture f = fixture_open();
	struct line line;
	char *where;

	(void)arg;
	SAY(&f, "PASS secret\r\nSTAT\r\nPASS hidden\r\n");
	assert_ok(line_read(f.reader, 512, &line));
	where = line.text;
	assert_memory_equal(where, "PASS secret", 11);
	line_wipe(f.reader);
	for (int i = 0; i < 13; i++)
		assert_int_equal(where[i], 0);
	EXPECT(&f, "STAT");
	EXPECT(&f, "PASS hidden");
	/* All is consumed now: nothing of it may be left. */
	line_wipe(f.reader);
	for (int i = 0; i < 32; i++)
		assert_int_equal(where[i], 0);
	SAY(&f, "QUIT\r\n");
	EXPECT(&f, "QUIT");
	fixture_close(&f);
}

static void test_wipe(void **state)
{
	(void)state;
	run_fiber(wipe_lines, NULL);
}

/* Has the reader look at an incomplete line. */
static void fill_without_a_line(struct fixture *f)
{
	deadline(1);
	expect_error(f, 512, ERR_TIMEOUT, "");
}

static void discard_input(void *arg)
{
	struct fixture f = fixture_open();

	(void)arg;
	line_wipe(f.reader);
	line_discard_input(f.reader);
	SAY(&f, "STLS\r\nUSER injected\r\nPA");
	EXPECT(&f, "STLS");
	assert_true(line_ready(f.reader));
	line_discard_input(f.reader);
	assert_false(line_ready(f.reader));
	SAY(&f, "CAPA\r\n");
	EXPECT(&f, "CAPA");
	SAY(&f, "a line too long\r\nin");
	expect_error(&f, 10, ERR_LIMIT, "");
	fill_without_a_line(&f);
	line_discard_input(f.reader);
	SAY(&f, "NOOP\r\n");
	EXPECT(&f, "NOOP");
	SAY(&f, "a line too long, cut");
	expect_error(&f, 10, ERR_LIMIT, "");
	line_discard_input(f.reader);
	SAY(&f, "QUIT\r\n");
	EXPECT(&f, "QUIT");
	fixture_close(&f);
}

static void test_discard_input(void **state)
{
	(void)state;
	run_fiber(discard_input, NULL);
}

#define CROWD (LINE_LONG_OCTETS / 65536)

/* Most of a long line comes, but not its end. */
static void expect_unfinished(struct fixture *f, enum err_scope scope, const char *why)
{
	static char text[40000];
	struct line line;
	struct err e;

	memset(text, 'x', sizeof(text));
	say(f, text, sizeof(text));
	assert_int_equal(shutdown(f->peer, SHUT_WR), 0);
	e = line_read(f->reader, 65536, &line);
	assert_err(e, scope, why);
}

static void crowd(void *arg)
{
	static struct fixture readers[CROWD];
	struct fixture late;

	(void)arg;
	for (size_t i = 0; i < CROWD; i++) {
		readers[i] = fixture_open();
		expect_unfinished(&readers[i], ERR_PEER, "connection closed");
	}
	late = fixture_open();
	expect_unfinished(&late, ERR_LIMIT, "no room");
	fixture_close(&late);

	late = fixture_open();
	SAY(&late, "NOOP\r\n");
	EXPECT(&late, "NOOP");
	fixture_close(&readers[0]);
	expect_unfinished(&late, ERR_PEER, "connection closed");
	fixture_close(&late);
	for (size_t i = 1; i < CROWD; i++)
		fixture_close(&readers[i]);
}

/* Many peers that never end their long lines. */
static void test_long_lines_share_their_room(void **state)
{
	(void)state;
	run_fiber(crowd, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_table),
		fiber_test(test_table_octet_by_octet),
		fiber_test(test_pipelined_lines),
		fiber_test(test_ready_while_discarding),
		fiber_test(test_cancel_fails_a_line_that_is_there),
		fiber_test(test_sasl_line_of_64_kib),
		fiber_test(test_endless_line_costs_no_memory),
		fiber_test(test_long_lines_share_their_room),
		fiber_test(test_wipe),
		fiber_test(test_discard_input),
	};

	line_reader_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

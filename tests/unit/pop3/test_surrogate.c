/*
 * The sink that gives a client without UTF8 a header in ASCII, whatever the pieces a message comes
 * in: cases are run for each way to cut their octets into two pieces, and octet by octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/pop3/surrogate.h"

#define STORED 1000 /* the message's size as the listing has it */

/* A body that keeps what it gets. */
struct kept {
	struct body body;
	struct buffer octets;
	size_t enough; /* full from then on */
	bool broken;
};

static struct err keep(struct sink *sink, const void *data, size_t n)
{
	struct kept *kept = (struct kept *)sink;

	assert_true(n > 0);
	if (kept->broken)
		return err_make(ERR_PEER, "gone");
	buffer_append(&kept->octets, data, n);
	sink->full = kept->enough && buffer_used(&kept->octets) >= kept->enough;
	return ok();
}

static struct kept *kept_new(void)
{
	struct kept *kept = mem_zalloc(1, sizeof(*kept));

	kept->body.sink.write = keep;
	kept->body.size = STORED;
	return kept;
}

static void kept_free(struct kept *kept)
{
	buffer_done(&kept->octets);
	free(kept);
}

static void expect_octets(const struct kept *kept, const char *text, size_t n)
{
	assert_int_equal(buffer_used(&kept->octets), n);
	if (n)
		assert_memory_equal(kept->octets.data + kept->octets.start, text, n);
}

static void push(struct surrogate *s, const char *text, size_t n)
{
	assert_false(failed(s->sink.write(&s->sink, text, n)));
}

static const struct {
	const char *name, *message, *passed;
	int64_t gained; /* octets on the wire */
} cases[] = {
	{ "an ascii message", "A: b\r\n\r\nx\n", "A: b\r\n\r\nx\n", 0 },
	{ "crlf", "S: ü\r\nA: b\r\n\r\nü\r\n", "S: =?UTF-8?Q?=C3=BC?=\r\nA: b\r\n\r\nü\r\n", 16 },
	{ "bare lf", "S: ü\nA: b\n\nü\n\nü", "S: =?UTF-8?Q?=C3=BC?=\r\nA: b\n\nü\n\nü", 16 },
	{ "a body that looks like a header", "A: b\n\nS: ü\n", "A: b\n\nS: ü\n", 0 },
	{ "no header", "\r\nü\r\n", "\r\nü\r\n", 0 },
	{ "no body", "S: ü\r\n", "S: =?UTF-8?Q?=C3=BC?=\r\n", 16 },
	{ "no line end", "A: b\nS: ü", "A: b\nS: =?UTF-8?Q?=C3=BC?=\r\n", 16 },
	{ "a field is left out", "Date: ü\r\n\r\nx", "\r\nx", -10 },
	{ "a bare cr is no empty line", "A: b\r\n\rS: ü\r\n\r\nü",
		"A: b\r\n\rS: =?UTF-8?Q?=C3=BC?=\r\n\r\nü", 16 },
	{ "two crs are no empty line", "A: b\n\r\r\nS: ü\n\nü",
		"A: b\n\r\r\nS: =?UTF-8?Q?=C3=BC?=\r\n\nü", 16 },
	{ "an empty message", "", "", 0 },
};

/* cut 0: octet by octet. */
static void run(const char *message, size_t n, size_t cut, struct kept *kept)
{
	struct surrogate s;

	surrogate_init(&s, &kept->body);
	for (size_t at = 0; at < n;) {
		size_t piece = cut == 0 ? 1 : at < cut ? cut : n - at;

		push(&s, message + at, piece);
		at += piece;
	}
	assert_false(failed(surrogate_finish(&s)));
	assert_false(s.refused);
	surrogate_done(&s);
}

static void messages_in_all_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].message);

		for (size_t cut = 0; cut <= n; cut++) {
			struct kept *kept = kept_new();

			run(cases[i].message, n, cut, kept);
			expect_octets(kept, cases[i].passed, strlen(cases[i].passed));
			assert_int_equal(kept->body.gained, cases[i].gained);
			assert_int_equal((int64_t)kept->body.size, STORED + cases[i].gained);
			kept_free(kept);
		}
	}
}

/* A header line of n octets, of c, that ends in CRLF. */
static void long_line(struct buffer *message, size_t n, char c)
{
	memcpy(buffer_reserve(message, 2), "L:", 2);
	message->end += 2;
	memset(buffer_reserve(message, n - 4), c, n - 4);
	message->end += n - 4;
	buffer_append(message, "\r\n", 2);
}

/* Of a header that is long, in pieces of 1,000 octets. Whether it was refused. */
static bool run_long(const struct buffer *message, struct kept *kept)
{
	struct surrogate s;
	bool refused;

	surrogate_init(&s, &kept->body);
	for (size_t at = 0; at < message->end; at += 1000) {
		size_t left = message->end - at;

		push(&s, message->data + at, left < 1000 ? left : 1000);
		assert_true(buffer_used(&s.header) <= SURROGATE_HEADER_MAX);
	}
	assert_false(failed(surrogate_finish(&s)));
	refused = s.refused;
	surrogate_done(&s);
	return refused;
}

static void the_longest_header_is_downgraded(void **state)
{
	struct buffer message = { 0 };
	struct kept *kept = kept_new();

	(void)state;
	buffer_append(&message, "S: ü\r\n", 7);
	long_line(&message, SURROGATE_HEADER_MAX - 7 - 2, 'x');
	buffer_append(&message, "\r\nbody ü", 9);
	assert_false(run_long(&message, kept));
	assert_int_equal(buffer_used(&kept->octets), message.end + 16);
	assert_memory_equal(kept->octets.data, "S: =?UTF-8?Q?=C3=BC?=\r\nL:xxx", 28);
	buffer_done(&message);
	kept_free(kept);
}

static void a_longer_header_that_is_not_ascii_is_refused(void **state)
{
	struct buffer message = { 0 };
	struct kept *kept = kept_new();

	(void)state;
	buffer_append(&message, "S: ü\r\n", 7);
	long_line(&message, SURROGATE_HEADER_MAX - 7 - 1, 'x');
	buffer_append(&message, "\r\nbody", 6);
	assert_true(run_long(&message, kept));
	expect_octets(kept, "", 0);
	assert_int_equal(kept->body.gained, 0);
	buffer_done(&message);
	kept_free(kept);
}

static void a_longer_header_in_ascii_goes_through(void **state)
{
	struct buffer message = { 0 };
	struct kept *kept = kept_new();
	char *at;

	(void)state;
	for (int i = 0; i < 3; i++)
		long_line(&message, SURROGATE_HEADER_MAX, 'x');
	buffer_append(&message, "S: ü\r\n\r\nbody ü", 16);
	assert_false(run_long(&message, kept));
	/* Of the field behind the limit only the octets that are not ASCII differ. */
	at = message.data + message.end - 16;
	memcpy(at, "S: ??", 5);
	expect_octets(kept, message.data, message.end);
	assert_int_equal(kept->body.gained, 0);
	buffer_done(&message);
	kept_free(kept);
}

static void a_full_body_gets_no_more(void **state)
{
	struct kept *kept = kept_new();
	struct surrogate s;

	(void)state;
	kept->enough = 1;
	surrogate_init(&s, &kept->body);
	push(&s, "S: ü\r\n\r\nbody", 13);
	assert_true(s.sink.full);
	push(&s, "more", 4);
	assert_false(failed(surrogate_finish(&s)));
	surrogate_done(&s);
	expect_octets(kept, "S: =?UTF-8?Q?=C3=BC?=\r\n\r\n", 25);
	kept_free(kept);
}

static void an_error_of_the_body_is_handed_on(void **state)
{
	struct kept *kept = kept_new();
	struct surrogate s;

	(void)state;
	kept->broken = true;
	surrogate_init(&s, &kept->body);
	push(&s, "S: ü\r\n", 7);
	assert_int_equal(s.sink.write(&s.sink, "\r\nbody", 6).scope, ERR_PEER);
	surrogate_done(&s);
	surrogate_init(&s, &kept->body);
	push(&s, "S: ü\r\n", 7);
	assert_int_equal(surrogate_finish(&s).scope, ERR_PEER);
	surrogate_done(&s);
	kept_free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_in_all_pieces),
		cmocka_unit_test(the_longest_header_is_downgraded),
		cmocka_unit_test(a_longer_header_that_is_not_ascii_is_refused),
		cmocka_unit_test(a_longer_header_in_ascii_goes_through),
		cmocka_unit_test(a_full_body_gets_no_more),
		cmocka_unit_test(an_error_of_the_body_is_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

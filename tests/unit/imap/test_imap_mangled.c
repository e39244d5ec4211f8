/*
 * Whole sessions whose server's answers are mangled at random: whatever a server says, nothing
 * breaks, and what comes of it does not depend on the pieces in which the network brings it.
 *
 * POPGATE_TEST_SEED begins elsewhere, POPGATE_TEST_SEEDS goes on for longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

#define SEEDS    1500
#define MESSAGES 3
#define BODY     "Subject: x\r\n\r\nHello\r\n7 OK no status line\r\n* 9 EXISTS\r\n"

/* One source of chance for what is said, one for its pieces. */
struct chance {
	uint64_t state;
};
static struct chance words, pieces;

static unsigned draw(struct chance *chance, unsigned below)
{
	chance->state ^= chance->state << 13;
	chance->state ^= chance->state >> 7;
	chance->state ^= chance->state << 17;
	return (unsigned)(chance->state % below);
}

static void seed(struct chance *chance, uint64_t number)
{
	chance->state = number * 0x9e3779b97f4a7c15U + 1;
	for (int i = 0; i < 8; i++)
		(void)draw(chance, 2);
}

/* How often an answer is mangled, in a hundred. */
static unsigned rate;

/* A BYE is left out: whether the server closes before it is asked again is a matter of time. */
static const char *const insertions[] = { "\r\n", "\n", "\r", " ", "* ", " * ", "+ \r\n", "+", "(",
	")", "((((((", "{", "}", "{0}\r\n", "{3}\r\n", "{3}\r\nabc", "{4294967295}\r\n", "\"", "\\",
	"NIL", "[", "]", "* OK [", "* NO x\r\n", "* BAD\r\n", "* PREAUTH x\r\n", "* 3 EXISTS\r\n",
	"* 4294967295 EXISTS\r\n", "* 1 EXPUNGE\r\n", "* VANISHED 1:2\r\n",
	"* VANISHED (EARLIER) 1:300,5\r\n", "* SEARCH 1 2 3\r\n",
	"* ESEARCH (TAG \"3\") UID ALL 1:3\r\n", "* 1 FETCH (UID 1 FLAGS ())\r\n",
	"* 2 FETCH (UID 2 BODY[] {4}\r\nabc\n)\r\n", "BODY[]", "BODY[]<0>", "UID 2",
	"* CAPABILITY MOVE\r\n", "[CAPABILITY QRESYNC]", "4294967296", "-1", "1 OK\r\n",
	"7 OK [X] y\r\n", "* LIST () \"/\" {3}\r\nab\n\r\n", "* QUOTA \"\" (STORAGE 10 512)\r\n",
	"* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)))\r\n", "\xff",
	"\x01" };

/* Puts text in the place of n octets. */
static void replace(struct buffer *b, size_t at, size_t n, const char *text, size_t length)
{
	struct buffer result = { 0 };

	buffer_append(&result, buffer_data(b), at);
	buffer_append(&result, text, length);
	buffer_append(&result, buffer_data(b) + at + n, buffer_used(b) - at - n);
	buffer_done(b);
	*b = result;
}

static void mangle_once(struct buffer *b)
{
	size_t used = buffer_used(b), at, n;
	const char *text = insertions[draw(&words, sizeof(insertions) / sizeof(insertions[0]))];
	char octet = (char)draw(&words, 256);

	if (used == 0)
		return;
	at = draw(&words, (unsigned)used);
	n = 1 + draw(&words, 12);
	n = n < used - at ? n : used - at;
	switch (draw(&words, 5)) {
	case 0:
		replace(b, at, 1, &octet, 1);
		break;
	case 1: /* at the start of a line */
		while (at > 0 && buffer_data(b)[at - 1] != '\n')
			at--;
		replace(b, at, 0, text, strlen(text));
		break;
	case 2:
		replace(b, at, 0, text, strlen(text));
		break;
	case 3:
		replace(b, at, n, "", 0);
		break;
	default: /* said twice */
		replace(b, at + n, 0, buffer_data(b) + at, n);
		break;
	}
}

/* Says it, mangled or not, in pieces. */
fiber_fn static void say(struct peer *p, struct buffer *b)
{
	if (draw(&words, 100) < rate)
		for (unsigned i = 1 + draw(&words, 3); i > 0; i--)
			mangle_once(b);
	while (buffer_used(b) > 0) {
		size_t n = buffer_used(b);
		unsigned most = draw(&pieces, 3) ? 200 : 8;

		if (draw(&pieces, 2))
			n = 1 + draw(&pieces, most);
		n = n < buffer_used(b) ? n : buffer_used(b);
		peer_send_octets(p, buffer_data(b), n);
		buffer_consume(b, n);
		if (draw(&pieces, 2))
			peer_settle(p);
	}
	buffer_done(b);
}

static void put_messages(struct buffer *b, const char *command)
{
	unsigned from = 1, to = MESSAGES;
	bool bodies = strstr(command, "BODY.PEEK[]");

	if (sscanf(command, "UID FETCH %u:%u", &from, &to) == 1 && !strstr(command, ":*"))
		to = from;
	for (unsigned uid = from; uid <= to && uid <= MESSAGES; uid++) {
		if (draw(&words, 5) == 0)
			buffer_printf(b, "* %u FETCH (FLAGS (\\Seen))\r\n", uid);
		if (bodies)
			buffer_printf(b, "* %u FETCH (UID %u BODY[] {%zu}\r\n%s)\r\n", uid, uid,
				strlen(BODY), BODY);
		else
			buffer_printf(b,
				"* %u FETCH (UID %u RFC822.SIZE %zu INTERNALDATE "
				"\"17-Jul-1996 02:44:25 -0700\" FLAGS (\\Seen $x))\r\n",
				uid, uid, strlen(BODY));
	}
}

/* What a server says to a command, its OK left out. */
static void put_answer(struct buffer *b, const char *command)
{
	if (strncmp(command, "LOGIN", 5) == 0 || strcmp(command, "CAPABILITY") == 0)
		buffer_printf(b, "* CAPABILITY IMAP4rev1 UIDPLUS QUOTA QRESYNC\r\n");
	else if (strncmp(command, "ENABLE", 6) == 0)
		buffer_printf(b, "* ENABLED QRESYNC\r\n");
	else if (strncmp(command, "SELECT", 6) == 0)
		buffer_printf(b,
			"* FLAGS (\\Seen \\Deleted)\r\n* %u EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n"
			"* OK [UIDNEXT %u] n\r\n* OK [HIGHESTMODSEQ 5] h\r\n",
			MESSAGES, MESSAGES + 1);
	else if (strncmp(command, "UID FETCH", 9) == 0)
		put_messages(b, command);
	else if (strncmp(command, "GETQUOTA", 8) == 0)
		buffer_printf(
			b, "* QUOTAROOT INBOX {2}\r\nab\r\n* QUOTA {2}\r\nab (STORAGE 1 5)\r\n");
}

/* What the gateway made of it. */
struct outcome {
	struct buffer text;
	/* Whether it saw that something came behind an answer. That is a matter of time, and then
	 * it says one command more. */
	bool noop;
};
static struct outcome *outcome;

/* Whether the client says more; one that waits for the rest of an answer does not. */
fiber_fn static bool goes_on(struct peer *p)
{
	for (int i = 0; i < 8 && p->stream; i++) {
		if (line_ready(p->lines) || stream_readable(p->stream))
			return true;
		peer_settle(p);
	}
	return false;
}

fiber_fn static void mangled_server(struct peer *p)
{
	struct buffer b = { 0 };

	buffer_printf(&b, "* OK [CAPABILITY IMAP4rev1] ready\r\n");
	say(p, &b);
	while (goes_on(p)) {
		peer_command(p);
		if (p->failure)
			break;
		outcome->noop |= strcmp(p->command, "NOOP") == 0;
		put_answer(&b, p->command);
		buffer_printf(&b,
			draw(&words, 12) ? "%s OK done\r\n" : "%s NO [UNAVAILABLE] no\r\n", p->tag);
		say(p, &b);
	}
	free(steal(p->failure)); /* a client that closes is none */
	peer_close(p);
}

static void note(const char *what, struct err e)
{
	buffer_printf(&outcome->text, "%s: %s %s\n", what, err_scope_name(e.scope), e.detail);
}

fiber_fn static void act_session(struct world *w)
{
	static const size_t marked[] = { 0, 1 };
	const struct backend_update update = {
		.remove = marked, .n_remove = 2, .how = DELETE_EXPUNGE
	};
	enum removal_result results[2] = { REMOVAL_FAILED, REMOVAL_FAILED };
	struct collector collector;

	world_open(w);
	note("open", w->e);
	if (failed(w->e))
		return;
	world_list(w);
	note("list", w->e);
	for (size_t i = 0; !failed(w->e) && i < w->listing.n && i < MESSAGES; i++) {
		const struct backend_message *m = &w->listing.messages[i];

		buffer_printf(&outcome->text, "UID %u, %llu octets\n", m->uid,
			(unsigned long long)m->size);
		collector_init(&collector);
		note("fetch", w->backend->ops->fetch(w->backend, m, FETCH_ALL, 0, &collector.sink));
		buffer_append(
			&outcome->text, buffer_data(&collector.got), buffer_used(&collector.got));
		buffer_done(&collector.got);
	}
	if (!failed(w->e) && w->listing.n >= 2)
		note("update", w->backend->ops->update(w->backend, &update, results));
	buffer_printf(&outcome->text, "removed: %d %d\n", results[0], results[1]);
	world_close(w);
}

static void run(uint64_t number, uint64_t cut, struct outcome *ret)
{
	void *state = NULL;
	struct world *w;

	*ret = (struct outcome){ 0 };
	outcome = ret;
	seed(&words, number);
	seed(&pieces, 1000003 * number + cut);
	rate = draw(&words, 4) ? 2 + draw(&words, 20) : 100;
	assert_int_equal(world_new(&state), 0);
	w = state;
	w->tenant.imap.read_ahead = draw(&words, 2) ? 100000 : 0;
	w->account.ask_quota = draw(&words, 2);
	world_run(w, mangled_server, act_session);
	(void)world_free(&state);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void pieces_make_no_difference(void **state)
{
	uint64_t first = number_of("POPGATE_TEST_SEED", 1);
	uint64_t seeds = number_of("POPGATE_TEST_SEEDS", SEEDS), whole = 0;

	(void)state;
	for (uint64_t number = first; number < first + seeds; number++) {
		struct outcome a, b;

		run(number, 1, &a);
		run(number, 2, &b);
		buffer_append(&a.text, "", 1);
		buffer_append(&b.text, "", 1);
		if (!a.noop && !b.noop && strcmp(buffer_data(&a.text), buffer_data(&b.text)) != 0)
			fail_msg("seed %llu:\n%s-- but in other pieces:\n%s",
				(unsigned long long)number, buffer_data(&a.text),
				buffer_data(&b.text));
		whole += strstr(buffer_data(&a.text), "update: ok") != NULL;
		buffer_done(&a.text);
		buffer_done(&b.text);
	}
	/* Else it is the mangling that is tested. */
	assert_true(whole > seeds / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pieces_make_no_difference) };

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}

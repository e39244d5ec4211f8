#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

static const char *capabilities;
static struct backend_update update;
static enum removal_result results[16];
static unsigned listed = 9;

fiber_fn static void act_update(struct world *w)
{
	world_open(w);
	world_list(w);
	memset(results, 0x55, sizeof(results));
	if (!failed(w->e))
		w->e = w->backend->ops->update(w->backend, &update, results);
	world_close(w);
}

fiber_fn static void begin_update(struct peer *p)
{
	peer_greet(p);
	peer_login(p, capabilities);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, listed);
	peer_list(p, listed);
	p->wire.start = p->wire.end = 0;
}

/* Answers every command with OK, but those that a rule names; ends at LOGOUT. */
struct rule {
	const char *command; /* its beginning */
	const char *before;  /* untagged */
	const char *answer;  /* NULL: hang up */
};
static const struct rule *rules;

fiber_fn static void obey(struct peer *p)
{
	const struct rule *rule = rules;

	begin_update(p);
	while (p->stream) {
		const struct rule *r = rule && rule->command ? rule : NULL;

		peer_command(p);
		if (!p->stream || strcmp(p->command, "LOGOUT") == 0)
			break;
		if (r && strncmp(p->command, r->command, strlen(r->command)) == 0) {
			rule++;
			peer_send(p, "%s", r->before ? r->before : "");
			if (!r->answer)
				return;
			peer_answer(p, r->answer);
		} else {
			peer_answer(p, "OK done");
		}
	}
}

static void run(struct world *w, const char *with, const struct rule *r)
{
	capabilities = with;
	rules = r;
	world_run(w, obey, act_update);
}

static const size_t three[] = { 4, 1, 2 }; /* UIDs 5, 2, 3 */

static int update_new(void **state)
{
	update = (struct backend_update){ .remove = three, .n_remove = 3, .how = DELETE_EXPUNGE };
	return world_new(state);
}

static void assert_results(enum removal_result a, enum removal_result b, enum removal_result c)
{
	assert_int_equal(results[0], a);
	assert_int_equal(results[1], b);
	assert_int_equal(results[2], c);
}

static void assert_all(enum removal_result result)
{
	assert_results(result, result, result);
}

static void expunges_exactly_these(void **state)
{
	struct world *w = *state;

	run(w, "UIDPLUS MOVE", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)\nUID EXPUNGE 2:3,5\n"
		       "UID FETCH 2:3,5 (UID)\nLOGOUT\n");
	assert_all(REMOVAL_DONE);
}

static void marks_seen_first(void **state)
{
	static const size_t seen[] = { 8, 0, 1, 2 };
	struct world *w = *state;

	update.seen = seen;
	update.n_seen = 4;
	run(w, "UIDPLUS", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID STORE 1:3,9 +FLAGS.SILENT (\\Seen)\n"
		       "UID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)\nUID EXPUNGE 2:3,5\n"
		       "UID FETCH 2:3,5 (UID)\nLOGOUT\n");
}

static void only_seen(void **state)
{
	static const size_t seen[] = { 3 };
	static const struct rule no[] = { { "UID STORE", NULL, "NO read-only" }, { 0 } };
	struct world *w = *state;

	update = (struct backend_update){ .seen = seen, .n_seen = 1, .how = DELETE_EXPUNGE };
	run(w, "UIDPLUS", no);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID STORE 4 +FLAGS.SILENT (\\Seen)\nLOGOUT\n");
}

static void nothing_to_do(void **state)
{
	struct world *w = *state;

	update = (struct backend_update){ .how = DELETE_EXPUNGE };
	run(w, "UIDPLUS", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "LOGOUT\n");
}

static void tells_what_is_still_there(void **state)
{
	static const struct rule still[] = {
		{ "UID FETCH", "* 2 FETCH (UID 3)\r\n* 9 FETCH (FLAGS () UID 77)\r\n", "OK done" },
		{ 0 }
	};
	struct world *w = *state;

	run(w, "UIDPLUS", still);
	assert_error(w, ERR_OK, "");
	assert_results(REMOVAL_DONE, REMOVAL_DONE, REMOVAL_FAILED);
}

static void a_refused_expunge_is_checked(void **state)
{
	static const struct rule no[] = { { "UID EXPUNGE", NULL, "NO [NOPERM] hands off" },
		{ "UID FETCH", "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n", "OK done" }, { 0 } };
	struct world *w = *state;

	run(w, "UIDPLUS", no);
	assert_error(w, ERR_PERM, "hands off");
	assert_results(REMOVAL_DONE, REMOVAL_FAILED, REMOVAL_FAILED);
}

static void no_expunge_without_the_flag(void **state)
{
	static const struct rule no[] = { { "UID STORE", NULL, "NO [NOPERM] read-only" },
		{ "UID FETCH", "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 5 FETCH (UID 5)\r\n",
			"OK done" },
		{ 0 } };
	struct world *w = *state;

	run(w, "UIDPLUS", no);
	assert_error(w, ERR_PERM, "read-only");
	assert_wire(w, "UID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)\nUID FETCH 2:3,5 (UID)\n"
		       "LOGOUT\n");
	assert_all(REMOVAL_FAILED);
}

static void unverified_is_not_removed(void **state)
{
	static const struct rule no[] = { { "UID FETCH", NULL, "NO later" }, { 0 } };
	struct world *w = *state;

	run(w, "UIDPLUS", no);
	assert_error(w, ERR_TEMP, "later");
	assert_all(REMOVAL_FAILED);
}

static void the_server_vanishes(void **state)
{
	static const char *const at[] = { "UID STORE", "UID EXPUNGE", "UID FETCH" };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct rule vanish[] = { { at[i], NULL, NULL }, { 0 } };
		struct world *w = *state;

		run(w, "UIDPLUS", vanish);
		assert_error(w, ERR_TEMP, "closed");
		assert_all(REMOVAL_FAILED);
	}
}

static void moves_without_uidplus(void **state)
{
	struct world *w = *state;

	run(w, "MOVE", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID MOVE 2:3,5 \"Trash\"\nUID FETCH 2:3,5 (UID)\nLOGOUT\n");
	assert_all(REMOVAL_DONE);
}

static void only_flags_without_uidplus_and_move(void **state)
{
	struct world *w = *state;

	run(w, "UNSELECT", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)\nLOGOUT\n");
	assert_all(REMOVAL_FLAGGED);
}

static void trash_by_move(void **state)
{
	struct world *w = *state;

	update.how = DELETE_TRASH;
	w->tenant.maildrop.trash = "Gelöschte \"Mail\"";
	run(w, "UIDPLUS MOVE", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID MOVE 2:3,5 \"Gel&APY-schte \\\"Mail\\\"\"\nUID FETCH 2:3,5 (UID)\n"
		       "LOGOUT\n");
	assert_all(REMOVAL_DONE);
}

static void trash_is_made(void **state)
{
	static const struct rule missing[] = { { "UID MOVE", NULL, "NO [TRYCREATE] no Trash" },
		{ 0 } };
	struct world *w = *state;

	update.how = DELETE_TRASH;
	run(w, "UIDPLUS MOVE", missing);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID MOVE 2:3,5 \"Trash\"\nCREATE \"Trash\"\nUID MOVE 2:3,5 \"Trash\"\n"
		       "UID FETCH 2:3,5 (UID)\nLOGOUT\n");
	assert_all(REMOVAL_DONE);
}

static void trash_by_copy(void **state)
{
	struct world *w = *state;

	update.how = DELETE_TRASH;
	run(w, "UIDPLUS", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID COPY 2:3,5 \"Trash\"\nUID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)\n"
		       "UID EXPUNGE 2:3,5\nUID FETCH 2:3,5 (UID)\nLOGOUT\n");
	assert_all(REMOVAL_DONE);
}

static void no_removal_after_a_failed_copy(void **state)
{
	static const struct rule full[] = { { "UID COPY", NULL, "NO [OVERQUOTA] full" },
		{ "UID FETCH", "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 5 FETCH (UID 5)\r\n",
			"OK done" },
		{ 0 } };
	struct world *w = *state;

	update.how = DELETE_TRASH;
	run(w, "UIDPLUS", full);
	assert_error(w, ERR_PERM, "full");
	assert_wire(w, "UID COPY 2:3,5 \"Trash\"\nUID FETCH 2:3,5 (UID)\nLOGOUT\n");
	assert_all(REMOVAL_FAILED);
}

static void trash_by_copy_without_uidplus(void **state)
{
	struct world *w = *state;

	update.how = DELETE_TRASH;
	run(w, "UNSELECT", NULL);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "UID COPY 2:3,5 \"Trash\"\nUID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)\n"
		       "LOGOUT\n");
	assert_all(REMOVAL_FLAGGED);
}

/* 12,000 messages: no command names more than fit, each names its own, in order. */
static void splits_long_lists(void **state)
{
	enum { N = 12000 };
	struct world *w = *state;
	size_t *remove = mem_zalloc(N, sizeof(*remove));
	struct rule *none = mem_zalloc(1, sizeof(*none));
	unsigned commands = 0;
	size_t longest = 0;

	listed = 2 * N;
	for (size_t i = 0; i < N; i++)
		remove[i] = 2 * i;
	update = (struct backend_update){ .seen = remove, .n_seen = N, .how = DELETE_EXPUNGE };
	run(w, "UIDPLUS", none);
	listed = 9;
	assert_error(w, ERR_OK, "");
	buffer_append(&w->peer.wire, "", 1);
	for (char *line = w->peer.wire.data + w->peer.wire.start; *line; commands++) {
		size_t n = strcspn(line, "\n");

		longest = n > longest ? n : longest;
		line += n + 1;
	}
	assert_true(commands >= 9 && commands <= 10);
	assert_true(longest < 8192);
	free(none);
	free(remove);
}

/* Two folders, the first renumbered meanwhile. */

static const char *also[] = { "Junk" };

fiber_fn static void renumbered(struct peer *p)
{
	peer_begin(p, 2);
	peer_list(p, 2);
	peer_expect(p, "SELECT \"Junk\"");
	peer_send(p, "* 2 EXISTS\r\n* OK [UIDVALIDITY 8] ok\r\n");
	peer_answer(p, "OK [READ-WRITE] selected");
	peer_list(p, 2);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "* 2 EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\n");
	peer_answer(p, "OK [READ-WRITE] selected");
	peer_expect(p, "SELECT \"Junk\"");
	peer_send(p, "* 2 EXISTS\r\n* OK [UIDVALIDITY 8] ok\r\n");
	peer_answer(p, "OK [READ-WRITE] selected");
	peer_expect(p, "UID STORE 2 +FLAGS.SILENT (\\Deleted)");
	peer_answer(p, "OK done");
	peer_expect(p, "UID EXPUNGE 2");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 2 (UID)");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void touches_nothing_in_a_renumbered_folder(void **state)
{
	static const size_t both[] = { 3, 1 };
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 1 };
	update.remove = both;
	update.n_remove = 2;
	world_run(w, renumbered, act_update);
	assert_error(w, ERR_TEMP, "renumbered");
	assert_int_equal(results[0], REMOVAL_DONE);
	assert_int_equal(results[1], REMOVAL_FAILED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, update_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(expunges_exactly_these),
		TEST(marks_seen_first),
		TEST(only_seen),
		TEST(nothing_to_do),
		TEST(tells_what_is_still_there),
		TEST(a_refused_expunge_is_checked),
		TEST(no_expunge_without_the_flag),
		TEST(unverified_is_not_removed),
		TEST(the_server_vanishes),
		TEST(moves_without_uidplus),
		TEST(only_flags_without_uidplus_and_move),
		TEST(trash_by_move),
		TEST(trash_is_made),
		TEST(trash_by_copy),
		TEST(no_removal_after_a_failed_copy),
		TEST(trash_by_copy_without_uidplus),
		TEST(splits_long_lists),
		TEST(touches_nothing_in_a_renumbered_folder),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}

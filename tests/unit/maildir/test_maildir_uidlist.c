/* What Dovecot and Courier left beside the messages. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

static struct backend_legacy *found;

/* What is said of the message of this key. */
static const struct backend_legacy *of(const struct world *w, const char *key)
{
	return &found[index_of(w, key)];
}

static void look(struct world *w)
{
	list(w);
	found = arena_alloc(w->arena, w->listing.n * sizeof *found);
	if (failed(legacy(w, w->listing.messages, w->listing.n, found)))
		fail();
}

static void assert_text(const char *text, const char *expected)
{
	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
}

static void assert_legacy(const struct backend_legacy *legacy, uint32_t uidvalidity, uint32_t uid,
	const char *guid, const char *uidl)
{
	assert_int_equal(legacy->uidvalidity, uidvalidity);
	assert_int_equal(legacy->uid, uid);
	assert_text(legacy->guid, guid);
	assert_text(legacy->uidl, uidl);
}

static void without_a_file_nothing_is_told(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	look(w);
	assert_legacy(of(w, "1700000001.a"), 0, 0, NULL, NULL);
	put(w, "dovecot-uidlist", "");
	look(w);
	assert_legacy(of(w, "1700000001.a"), 0, 0, NULL, NULL);
}

static void dovecot_tells_uids_guids_and_saved_ids(void **state)
{
	struct world *w = *state;

	put(w, "dovecot-uidlist",
		"3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1 X?\n"
		"1 :1700000001.a,S=1:2,S\n"
		"7 W1394 S1355 P000065aa4c08d3ef G8a01b2 O3 :1700000002.b\n"
		"8 P Gg :1700000003.c:x:2,\n"
		"4294967295 :1700000004.d:2,FS\n");
	put(w, "cur/1700000001.a,S=1:2,", "x");
	put(w, "cur/1700000002.b:2,S", "x");
	put(w, "cur/1700000003.c:x:2,S", "x");
	put(w, "new/1700000004.d", "x");
	put(w, "new/1700000005.e", "x");
	look(w);
	assert_legacy(of(w, "1700000001.a,S=1"), 1275660208, 1, "1700000001.a,S=1", NULL);
	assert_legacy(of(w, "1700000002.b"), 1275660208, 7, "8a01b2", "000065aa4c08d3ef");
	assert_legacy(of(w, "1700000003.c:x"), 1275660208, 8, "g", "1700000003.c");
	assert_legacy(of(w, "1700000004.d"), 1275660208, UINT32_MAX, "1700000004.d", NULL);
	assert_legacy(of(w, "1700000005.e"), 0, 0, NULL, NULL);
}

static void dovecot_1_0_tells_uids(void **state)
{
	struct world *w = *state;

	put(w, "dovecot-uidlist", "1 1111 9\n3 1700000001.a:2,S\n8 1700000002.b c\n");
	put(w, "cur/1700000001.a:2,", "x");
	put(w, "cur/1700000002.b c:2,S", "x");
	look(w);
	assert_legacy(of(w, "1700000001.a"), 1111, 3, "1700000001.a", NULL);
	assert_legacy(of(w, "1700000002.b c"), 1111, 8, "1700000002.b c", NULL);
}

static void unknown_versions_tell_nothing(void **state)
{
	static const char *const texts[] = {
		"2 1111 9\n3 0 1700000001.a\n",
		"4 V1 N2\n3 :1700000001.a\n",
		"3 N2\n3 :1700000001.a\n",
		"3 V0 N2\n3 :1700000001.a\n",
		"3 Vx N2\n3 :1700000001.a\n",
		"3 V4294967296 N2\n3 :1700000001.a\n",
		"1 1111\n3 1700000001.a\n",
		"3\n3 :1700000001.a\n",
		"\n3 :1700000001.a\n",
		"\n\n\n",
	};
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put(w, "dovecot-uidlist", texts[i]);
		look(w);
		assert_legacy(of(w, "1700000001.a"), 0, 0, NULL, NULL);
		drop(w, "dovecot-uidlist");
	}
}

static void damaged_lines_are_left_out(void **state)
{
	static const char start[] = "3 V9 N99\n"
				    "\n"
				    "x :1700000001.a\n"
				    "0 :1700000001.a\n"
				    "4294967296 :1700000001.a\n"
				    "99999999999999999999999 :1700000001.a\n"
				    "3:1700000001.a\n"
				    "3 W5\n"
				    "4 W5 \n"
				    "5 :\n"
				    "6 W5\n"
				    ":1700000001.a:2,\n"
				    "7 :1700000001.a\0b\n"
				    "8 W1\0 :1700000001.a\n"
				    "20 :1700000002.b\n"
				    "19 :1700000001.a\n"
				    "30 :1700000003.c:2,\n"
				    "31 :1700000003.c:2,S\n"
				    "332 ";
	static const char end[] = "\n40 :1700000004.d\n41 :1700000001.a";
	struct world *w = *state;
	struct buffer text = { 0 };

	buffer_append(&text, start, sizeof start - 1);
	for (int i = 0; i < 100000; i++) /* longer than any line may be */
		buffer_append(&text, "444 ", 4);
	buffer_append(&text, ":1700000001.a", 13);
	buffer_append(&text, end, sizeof end - 1);
	put_octets(w, "dovecot-uidlist", buffer_data(&text), buffer_used(&text));
	buffer_done(&text);
	put(w, "new/1700000001.a", "x");
	put(w, "new/1700000002.b", "x");
	put(w, "new/1700000003.c", "x");
	put(w, "new/1700000004.d", "x");
	look(w);
	assert_legacy(of(w, "1700000001.a"), 0, 0, NULL, NULL);
	assert_legacy(of(w, "1700000002.b"), 9, 20, "1700000002.b", NULL);
	assert_legacy(of(w, "1700000003.c"), 9, 31, "1700000003.c", NULL);
	assert_legacy(of(w, "1700000004.d"), 9, 40, "1700000004.d", NULL);
}

static void courier_tells_its_unique_ids(void **state)
{
	struct world *w = *state;

	put(w, "courierpop3dsizelist",
		"/3 251 1275660208\n"
		"1700000001.a,S=5:2,S 1394 250:1275660208:0\n"
		"1700000002.b c 1394 17:1200000000:1\n"
		"1700000003.c 5 9:0:0\n"
		"1700000004.d+e:2, 5 0:0:0\n"
		"1700000005.f x 5:6:0\n"
		"1700000005.f 5 6\n"
		"1700000005.f 5x 5:6:0\n"
		"1700000005.f  5:6:0\n"
		"1700000005.f 5 :6:0\n"
		" 5 6:7:0\n"
		"1700000005.f\n"
		"5 6:7:0\n"
		"1700000006.g 5 4294967297:4294967298:0\n");
	put(w, "cur/1700000001.a,S=5:2,", "x");
	put(w, "cur/1700000002.b c:2,S", "x");
	put(w, "new/1700000003.c", "x");
	put(w, "new/1700000004.d+e", "x");
	put(w, "new/1700000005.f", "x");
	put(w, "new/1700000006.g", "x");
	look(w);
	assert_legacy(of(w, "1700000001.a,S=5"), 1275660208, 250, NULL, "UID250-1275660208");
	assert_legacy(of(w, "1700000002.b c"), 1200000000, 17, NULL, "UID17-1200000000");
	assert_legacy(of(w, "1700000003.c"), 0, 9, NULL, "UID9");
	assert_legacy(of(w, "1700000004.d+e"), 0, 0, NULL, "1700000004.d+2Be");
	assert_legacy(of(w, "1700000005.f"), 0, 0, NULL, NULL);
	assert_legacy(of(w, "1700000006.g"), 0, 0, NULL, "UID4294967297-4294967298");
}

static void courier_before_utf8_is_read_too(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	put(w, "courierpop3dsizelist", "/2 3 1275660208\n1700000001.a 5 2:1275660208\n");
	look(w);
	assert_legacy(of(w, "1700000001.a"), 1275660208, 2, NULL, "UID2-1275660208");
	drop(w, "courierpop3dsizelist");
	put(w, "courierpop3dsizelist", "/1 3\n1700000001.a 5 2:1275660208\n");
	look(w);
	assert_legacy(of(w, "1700000001.a"), 0, 0, NULL, NULL);
}

static void the_server_that_wrote_last_counts(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	put(w, "dovecot-uidlist", "3 V9 N99\n5 :1700000001.a\n");
	put(w, "courierpop3dsizelist", "/3 3 7\n1700000001.a 5 2:7:0\n");
	set_mtime(w, "dovecot-uidlist", 1700000000);
	set_mtime(w, "courierpop3dsizelist", 1700000000);
	look(w);
	assert_int_equal(of(w, "1700000001.a")->uid, 5);
	set_mtime(w, "courierpop3dsizelist", 1700000001);
	look(w);
	assert_int_equal(of(w, "1700000001.a")->uid, 2);
	set_mtime(w, "dovecot-uidlist", 1700000002);
	look(w);
	assert_int_equal(of(w, "1700000001.a")->uid, 5);
}

static void each_folder_has_its_own(void **state)
{
	static const char *also[] = { "Junk", "Not/There", "inbox" };
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 3 };
	make_maildir(w, ".Junk");
	put(w, "new/1700000001.a", "x");
	put(w, ".Junk/new/1700000001.a", "x");
	put(w, "dovecot-uidlist", "3 V1 N99\n5 :1700000001.a\n");
	put(w, ".Junk/dovecot-uidlist", "3 V2 N99\n6 :1700000001.a\n");
	look(w);
	assert_int_equal(w->listing.n, 2);
	assert_int_equal(found[0].uidvalidity, 1);
	assert_int_equal(found[0].uid, 5);
	assert_int_equal(found[1].uidvalidity, 2);
	assert_int_equal(found[1].uid, 6);
}

/* Going on without it would show other unique-ids. */
static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	struct world *w = *state;
	struct backend_legacy none[1];

	put(w, "new/1700000001.a", "x");
	list(w);
	assert_int_equal(mkdir(full(w, "dovecot-uidlist"), 0755), 0);
	assert_error(legacy(w, w->listing.messages, 1, none), ERR_TEMP, "dovecot-uidlist");
	assert_int_equal(rmdir(full(w, "dovecot-uidlist")), 0);
	assert_int_equal(mkfifo(full(w, "dovecot-uidlist"), 0644), 0);
	assert_error(legacy(w, w->listing.messages, 1, none), ERR_TEMP, "dovecot-uidlist");
	drop(w, "dovecot-uidlist");
	put(w, "elsewhere", "3 V9 N99\n5 :1700000001.a\n");
	assert_int_equal(symlink("elsewhere", full(w, "dovecot-uidlist")), 0);
	assert_error(legacy(w, w->listing.messages, 1, none), ERR_PERM, "dovecot-uidlist");
}

/* A file of many jobs, and some messages only, in another order than it has. */
static void a_large_file_is_read_in_slices(void **state)
{
	enum { N = 400000, SOME = 1000 };
	struct world *w = *state;
	struct backend_message *some = arena_zalloc(w->arena, SOME, sizeof *some);
	FILE *file = fopen(full(w, "dovecot-uidlist"), "w");

	assert_non_null(file);
	assert_true(fprintf(file, "3 V9 N%d\n", N + 1) > 0);
	for (int i = 1; i <= N; i++)
		assert_true(fprintf(file,
				    "%d W1000 S1000 Pp%d :17%08d.M123456P78901.mail.example.org,"
				    "S=1000,W=1000:2,S\n",
				    i, i, i) > 0);
	assert_int_equal(fclose(file), 0);
	list(w);
	for (size_t i = 0; i < SOME; i++)
		some[i].key = arena_printf(w->arena,
			"17%08zu.M123456P78901.mail.example.org,S=1000,W=1000",
			(i * 7919 + 1) * 399 % (N + 9));
	found = arena_alloc(w->arena, SOME * sizeof *found);
	assert_false(failed(legacy(w, some, SOME, found)));
	for (size_t i = 0; i < SOME; i++) {
		uint32_t uid = (uint32_t)((i * 7919 + 1) * 399 % (N + 9));

		if (uid > N || uid == 0)
			uid = 0;
		assert_legacy(&found[i], uid ? 9 : 0, uid, uid ? some[i].key : NULL,
			uid ? arena_printf(w->arena, "p%u", uid) : NULL);
	}
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(without_a_file_nothing_is_told),
		WORLD_TEST(dovecot_tells_uids_guids_and_saved_ids),
		WORLD_TEST(dovecot_1_0_tells_uids),
		WORLD_TEST(unknown_versions_tell_nothing),
		WORLD_TEST(damaged_lines_are_left_out),
		WORLD_TEST(courier_tells_its_unique_ids),
		WORLD_TEST(courier_before_utf8_is_read_too),
		WORLD_TEST(the_server_that_wrote_last_counts),
		WORLD_TEST(each_folder_has_its_own),
		WORLD_TEST(a_file_that_cannot_be_read_is_an_error),
		WORLD_TEST(a_large_file_is_read_in_slices),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}

/* The listing: which messages, in which order, with what sizes and flags. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

static void lists_new_and_cur_by_arrival(void **state)
{
	struct world *w = *state;
	static const char *const keys[] = { "1700000001.M5.h", "1700000002.M1.h",
		"1700000002.M2.h,S=9,W=10", "1700000002.M10.h", "1700000002.M10.i" };

	put(w, "cur/1700000002.M10.i:2,S", "x");
	put(w, "cur/1700000002.M2.h,S=9,W=10:2,FST", "x");
	put(w, "new/1700000002.M10.h", "x");
	put(w, "new/1700000001.M5.h", "x");
	put(w, "cur/1700000002.M1.h:2,T", "x");
	list(w);
	assert_int_equal(w->listing.n, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct backend_message *message = &w->listing.messages[i];

		assert_string_equal(message->key, keys[i]);
		assert_int_equal(message->arrival, 1700000001 + (i > 0));
		assert_int_equal(message->seen, i == 2 || i == 4);
		assert_int_equal(message->folder, 0);
		assert_int_equal(message->uid, 0);
		assert_true(message->exact);
	}
}

static void an_empty_maildir_is_an_empty_listing(void **state)
{
	struct world *w = *state;

	list(w);
	assert_int_equal(w->listing.n, 0);
}

static void lists_messages_only(void **state)
{
	struct world *w = *state;

	put(w, "cur/1700000001.a:2,", "x");
	put(w, "cur/.hidden", "x");
	put(w, "tmp/1700000002.b", "x");
	put(w, "dovecot-uidlist", "x");
	assert_int_equal(mkdir(full(w, "cur/1700000003.dir,W=1"), 0755), 0);
	assert_int_equal(mkfifo(full(w, "cur/1700000004.fifo,W=1"), 0644), 0);
	assert_int_equal(symlink("1700000001.a:2,", full(w, "cur/1700000005.link,W=1")), 0);
	list(w);
	assert_int_equal(w->listing.n, 1);
	assert_string_equal(w->listing.messages[0].key, "1700000001.a");
}

static void one_base_name_is_one_message(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "in new");
	put(w, "cur/1700000001.a:2,S", "in cur");
	put(w, "cur/1700000002.b:2,", "x");
	put(w, "cur/1700000002.b:2,S", "x");
	put(w, "new/odd", "x");
	put(w, "cur/odd:2,", "x");
	set_mtime(w, "new/odd", 5);
	list(w);
	assert_int_equal(w->listing.n, 3);
	assert_true(message_of(w, "1700000001.a")->seen);
	assert_fetches(w, "1700000001.a", "in cur");
}

static void names_without_a_time_are_sorted_in_by_the_files(void **state)
{
	struct world *w = *state;
	char name[NAME_MAX + 5] = "cur/";

	put(w, "cur/1700000005.a:2,", "x");
	put(w, "cur/1700000009.M5.b:2,", "x");
	put(w, "cur/1700000009.c:2,", "x");
	put(w, "new/mail.eml,W=3", "x");
	put(w, "cur/\xff\x01 strange:name", "x");
	memset(name + 4, 'z', NAME_MAX);
	put(w, name, "x");
	set_mtime(w, "new/mail.eml,W=3", 1700000009);
	set_mtime(w, "cur/\xff\x01 strange:name", 1700000001);
	set_mtime(w, name, 1700000001);
	list(w);
	assert_int_equal(w->listing.n, 6);
	assert_string_equal(w->listing.messages[0].key, name + 4);
	assert_string_equal(w->listing.messages[1].key, "\xff\x01 strange:name");
	assert_string_equal(w->listing.messages[2].key, "1700000005.a");
	assert_string_equal(w->listing.messages[3].key, "1700000009.c");
	assert_string_equal(w->listing.messages[4].key, "mail.eml,W=3");
	assert_int_equal(w->listing.messages[4].arrival, 1700000009);
	assert_string_equal(w->listing.messages[5].key, "1700000009.M5.b");
	assert_fetches(w, "\xff\x01 strange:name", "x");
	assert_fetches(w, name + 4, "x");
}

static void assert_listed_size(const struct world *w, const char *key, uint64_t size, bool exact)
{
	const struct backend_message *message = message_of(w, key);

	assert_int_equal(message->size, size);
	assert_int_equal(message->exact, exact);
}

static void exact_sizes_are_told_or_measured(void **state)
{
	static const char big_line[] = "x\r\n";
	struct world *w = *state;
	struct buffer big = { 0 };

	for (size_t i = 0; i < 100000; i++)
		buffer_append(&big, i % 2 ? big_line : "yy\n", 3);
	put_octets(w, "cur/1700000001.big:2,", big.data, buffer_used(&big));
	buffer_done(&big);
	put(w, "cur/1700000002.w,S=3,W=77:2,", "abc");
	put(w, "cur/1700000003.s,S=99:2,", "a\nb\n");
	put(w, "new/1700000004.open", "a\r\nb");
	put(w, "new/1700000005.empty", "");
	put_octets(w, "new/1700000006.nul", "\0\xff\r\0\n", 5);
	list(w);
	assert_listed_size(w, "1700000001.big", 350000, true);
	assert_listed_size(w, "1700000002.w,S=3,W=77", 77, true);
	assert_listed_size(w, "1700000003.s,S=99", 6, true);
	assert_listed_size(w, "1700000004.open", 6, true);
	assert_listed_size(w, "1700000005.empty", 0, true);
	assert_listed_size(w, "1700000006.nul", 6, true);
}

static void stored_sizes_do_where_exact_ones_are_not_wanted(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.exact_rfc822_size = false;
	put(w, "cur/1700000001.a,S=99,W=100:2,", "a\nb\n");
	put(w, "cur/1700000002.b:2,", "a\nb\n");
	list(w);
	assert_listed_size(w, "1700000001.a,S=99,W=100", 99, false);
	assert_listed_size(w, "1700000002.b", 4, false);
}

static void overwrite(const struct world *w, const char *path, const char *text)
{
	int fd = open(full(w, path), O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

/* Seen by a change that only reading would notice. */
static void measures_a_message_once(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "a\n\n\n");
	set_mtime(w, "new/1700000001.a", 1700000001);
	list(w);
	assert_listed_size(w, "1700000001.a", 7, true);
	overwrite(w, "new/1700000001.a", "abc\n");
	set_mtime(w, "new/1700000001.a", 1700000001);
	move(w, "new/1700000001.a", "cur/1700000001.a:2,S");
	list(w);
	assert_listed_size(w, "1700000001.a", 7, true);
	set_mtime(w, "cur/1700000001.a:2,S", 1700000002);
	list(w);
	assert_listed_size(w, "1700000001.a", 5, true);
}

static void further_folders_follow_by_number(void **state)
{
	static const char *also[] = { "Junk", "Not/There", "inbox", "Entw\xc3\xbcrfe/A" };
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 4 };
	make_maildir(w, ".Junk");
	make_maildir(w, ".Entw&APw-rfe.A");
	put(w, "cur/1700000003.a:2,", "inbox");
	put(w, ".Junk/new/1700000002.b", "junk");
	put(w, ".Junk/new/1700000003.a", "the same name");
	put(w, ".Entw&APw-rfe.A/cur/1700000001.c:2,", "draft");
	list(w);
	assert_int_equal(w->listing.n, 4);
	assert_int_equal(w->listing.messages[0].folder, 0);
	assert_int_equal(w->listing.messages[1].folder, 1);
	assert_string_equal(w->listing.messages[1].key, "1700000002.b");
	assert_int_equal(w->listing.messages[2].folder, 1);
	assert_int_equal(w->listing.messages[3].folder, 4);
	assert_fetches(w, "1700000002.b", "junk");
	assert_fetches(w, "1700000001.c", "draft");
}

static void a_subfolder_can_be_the_maildrop_in_both_layouts(void **state)
{
	struct world *w = *state;

	make_maildir(w, ".Sub.Folder");
	put(w, ".Sub.Folder/new/1700000001.a", "maildir++");
	assert_int_equal(mkdir(full(w, "Sub"), 0755), 0);
	make_maildir(w, "Sub/Folder");
	put(w, "Sub/Folder/new/1700000001.a", "fs");
	w->account.folder = "Sub/Folder";
	list(w);
	assert_fetches(w, "1700000001.a", "maildir++");
	w->account.folder = "Sub.Folder";
	list(w);
	assert_fetches(w, "1700000001.a", "maildir++");
	w->tenant.maildir.folder_layout = LAYOUT_FS;
	w->account.folder = "Sub/Folder";
	list(w);
	assert_fetches(w, "1700000001.a", "fs");
}

static void lists_many(void **state)
{
	struct world *w = *state;
	char name[64];

	for (int i = 0; i < 20000; i++) {
		(void)snprintf(
			name, sizeof name, "cur/17%08d.M%d.host,S=1,W=3:2,", i * 7919 % 20000, i);
		put(w, name, "");
	}
	list(w);
	assert_int_equal(w->listing.n, 20000);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(w->listing.messages[i].arrival, 1700000000 + i);
		assert_int_equal(w->listing.messages[i].size, 3);
	}
}

static void a_lost_disk_is_no_empty_maildrop(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	assert_false(failed(world_open(w)));
	move(w, "new", "away");
	assert_error(world_list(w), ERR_PERM, "No such file");
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(lists_new_and_cur_by_arrival),
		WORLD_TEST(an_empty_maildir_is_an_empty_listing),
		WORLD_TEST(lists_messages_only),
		WORLD_TEST(one_base_name_is_one_message),
		WORLD_TEST(names_without_a_time_are_sorted_in_by_the_files),
		WORLD_TEST(exact_sizes_are_told_or_measured),
		WORLD_TEST(stored_sizes_do_where_exact_ones_are_not_wanted),
		WORLD_TEST(measures_a_message_once),
		WORLD_TEST(further_folders_follow_by_number),
		WORLD_TEST(a_subfolder_can_be_the_maildrop_in_both_layouts),
		WORLD_TEST(lists_many),
		WORLD_TEST(a_lost_disk_is_no_empty_maildrop),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}

/* Messages that are new beside known ones, and known ones that are fetched and removed. */
#include <stdio.h>

#include "backends/fingerprint.h"
#include "memory.h"

/* Header fields before a Message-ID, and what follows the headers. */
static void put_message(
	const struct world *w, const char *path, const char *id, size_t before, size_t after)
{
	char *text = mem_zalloc(1, before + after + 256), *at = text;

	for (size_t n = 0; n + 10 <= before; n += 10)
		at = stpcpy(at, "X-F: 3456\n");
	at += sprintf(at, "Message-ID: <%s>\n\nbody\n", id);
	memset(at, 'b', after);
	put_octets(w, path, text, (size_t)(at - text) + after);
	free(text);
}

static uint64_t fingerprint_of_id(const char *id)
{
	char line[128];
	int n = snprintf(line, sizeof line, "Message-ID: <%s>\r\n", id);

	return fingerprint_of_headers(line, (size_t)n);
}

/* Both where the file is read for its size and where the name tells it. */
static void new_messages_are_identified(void **state)
{
	struct world *w = *state;
	struct memory memory;

	w->request.identify = true;
	put_message(w, "new/1700000001.a", "a", 0, 0);
	put_message(w, "new/1700000002.b,W=1", "b", 0, 200000);
	put_message(w, "new/1700000003.c", "c", 60000, 200000);
	put_message(w, "cur/1700000004.d,W=1:2,S", "d", 60000, 0);
	put_message(w, "new/1700000005.e", "e", 70000, 0);
	put_message(w, "new/1700000006.f,W=1", "f", 70000, 0);
	put(w, "new/1700000007.g,W=1", "");
	rest(w);
	list(w);
	assert_int_equal(w->listing.messages[0].fingerprint, fingerprint_of_id("a"));
	assert_int_equal(w->listing.messages[1].fingerprint, fingerprint_of_id("b"));
	assert_int_equal(w->listing.messages[2].fingerprint, fingerprint_of_id("c"));
	assert_int_equal(w->listing.messages[3].fingerprint, fingerprint_of_id("d"));
	for (size_t i = 4; i < 7; i++)
		assert_int_equal(w->listing.messages[i].fingerprint, 0);
	assert_int_equal(w->listing.messages[0].size, 25);
	assert_true(w->listing.messages[2].exact);
	memory = remembered(w);
	memory.messages[0].fingerprint = 0;
	put_message(w, "new/1700000008.h,W=1", "h", 0, 0);
	list_on(w, &memory);
	assert_int_equal(w->listing.messages[0].fingerprint, 0);
	assert_int_equal(w->listing.messages[1].fingerprint, fingerprint_of_id("b"));
	assert_int_equal(w->listing.messages[7].fingerprint, fingerprint_of_id("h"));
	put_message(w, "new/1700000009.i", "i", 0, 0);
	w->request.identify = false;
	list_on(w, &memory);
	assert_int_equal(w->listing.messages[8].fingerprint, 0);
}

static void a_first_sight_of_many_is_not_identified(void **state)
{
	struct world *w = *state;
	char name[64];

	w->request.identify = true;
	for (int i = 0; i < 10001; i++) {
		(void)snprintf(name, sizeof name, "new/17%08d.a%s", i, i > 0 ? ",W=1" : "");
		put(w, name, "Message-ID: <a>\n\n");
	}
	list(w);
	assert_int_equal(w->listing.n, 10001);
	assert_int_equal(w->listing.messages[0].size, 19);
	assert_int_equal(w->listing.messages[0].fingerprint, 0);
	assert_int_equal(w->listing.messages[10000].fingerprint, 0);
	drop(w, "new/1700000000.a");
	list(w);
	assert_int_equal(w->listing.messages[0].fingerprint, fingerprint_of_id("a"));
}

static void known_messages_are_found_by_their_names(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "in new");
	put(w, "cur/1700000002.b:2,", "without flags");
	put(w, "cur/1700000003.c:2,S", "seen");
	put(w, "cur/1700000004.d:2,RST", "odd flags");
	put(w, "cur/1700000005.e", "no info");
	put(w, "new/1700000006.f", "gone");
	rest(w);
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_ptr_equal(w->listing.messages, memory.messages);
	drop(w, "new/1700000006.f");
	assert_fetches(w, "1700000001.a", "in new");
	assert_fetches(w, "1700000002.b", "without flags");
	assert_fetches(w, "1700000003.c", "seen");
	assert_int_equal(reads, 0);
	assert_fetches(w, "1700000004.d", "odd flags");
	assert_fetches(w, "1700000005.e", "no info");
	move(w, "new/1700000001.a", "cur/1700000001.a:2,F");
	assert_fetches(w, "1700000001.a", "in new");
	assert_error(fetch(w, "1700000006.f", FETCH_ALL, &(struct collector){ 0 }), ERR_GONE, "");
	mark_seen(w, "1700000004.d");
	mark_seen(w, "1700000002.b");
	assert_true(exists(w, "cur/1700000002.b:2,S"));
	remove_one(w, "1700000003.c", DELETE_EXPUNGE);
	remove_one(w, "1700000005.e", DELETE_TRASH);
	assert_false(exists(w, "cur/1700000003.c:2,S"));
	assert_true(exists(w, ".Trash/cur/1700000005.e:2,"));
	assert_int_equal(count_names(w, "cur"), 3);
}

static void a_folder_is_searched_once_for_all_of_its_messages(void **state)
{
	enum { N = 1000 };
	struct world *w = *state;
	size_t *remove = arena_alloc(w->arena, N * sizeof *remove);
	enum removal_result *results = arena_alloc(w->arena, N * sizeof *results);
	struct backend_update what = { .remove = remove, .n_remove = N, .how = DELETE_EXPUNGE };
	struct memory memory;
	char name[64];

	for (size_t i = 0; i < N; i++) {
		(void)snprintf(name, sizeof name, "cur/17%08zu.a,W=3:2,RS", i);
		put(w, name, "x");
		remove[i] = i;
	}
	rest(w);
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	for (size_t i = 0; i < N; i++)
		assert_fetches(w, w->listing.messages[i].key, "x");
	assert_int_equal(reads, 2);
	assert_false(failed(update(w, &what, results)));
	for (size_t i = 0; i < N; i++)
		assert_int_equal(results[i], REMOVAL_DONE);
	assert_int_equal(count_names(w, "cur"), 0);
	assert_int_equal(reads, 3); /* the last by count_names */
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, memory_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(new_messages_are_identified),
		WORLD_TEST(a_first_sight_of_many_is_not_identified),
		WORLD_TEST(known_messages_are_found_by_their_names),
		WORLD_TEST(a_folder_is_searched_once_for_all_of_its_messages),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}

/*
 * Listings that build on an earlier one. readdir, the clock and fstatfs are wrapped at link time:
 * to see whether a folder is read, to let time pass, and to be on a file server.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "backends/fingerprint.h"
#include "backends/maildir/state.h"
#include "world.h"

#define TICK_MS 20 /* what the backend takes for the coarsest, twice */

struct dirent *__real_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream);
int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);

static unsigned reads;   /* directories read to their end */
static int64_t later_ms; /* how much later it is for the backend than it is */
static bool on_server;

struct dirent *__wrap_readdir(DIR *stream)
{
	struct dirent *entry = __real_readdir(stream);

	reads += !entry;
	return entry;
}

static void add_ms(struct timespec *t, int64_t ms)
{
	int64_t ns = t->tv_nsec + ms % 1000 * 1000000;

	t->tv_sec += ms / 1000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_REALTIME)
		add_ms(ret, later_ms);
	return rc;
}

int __wrap_fstatfs(int fd, struct statfs *ret)
{
	int rc = __real_fstatfs(fd, ret);

	if (on_server)
		ret->f_type = NFS_SUPER_MAGIC;
	return rc;
}

/* What somebody remembers of a listing: nothing in it is the listing's. */
struct memory {
	struct backend_message *messages;
	struct backend_known known[4];
};

static struct memory remembered(const struct world *w)
{
	const struct backend_listing *l = &w->listing;
	struct memory memory = {
		.messages = arena_alloc(w->arena, l->n * sizeof *memory.messages),
	};

	for (size_t i = 0; i < l->n; i++) {
		memory.messages[i] = l->messages[i];
		memory.messages[i].key = arena_strdup(w->arena, l->messages[i].key);
		memory.messages[i].seen = false;
	}
	for (size_t i = 0; i <= w->tenant.maildrop.also.n; i++)
		memory.known[i] = (struct backend_known){
			.mark = arena_strdup(w->arena, l->folders[i].mark),
			.messages = memory.messages + l->folders[i].first,
			.n = l->folders[i].n,
		};
	return memory;
}

static void reverse(struct memory *memory)
{
	struct backend_message *messages = memory->messages;

	for (size_t i = 0, j = memory->known[0].n; i + 1 < j; i++) {
		struct backend_message m = messages[i];

		messages[i] = messages[--j];
		messages[j] = m;
	}
}

static void list_on(struct world *w, const struct memory *memory)
{
	w->request.known = memory->known;
	reads = 0;
	list(w);
}

static void list_anew(struct world *w)
{
	w->request.known = NULL;
	list(w);
}

/* Waits for the file system's clock to have moved on since the last change of the folders, so that
 * the next one gets another time. */
static void wait_for_tick(const struct world *w)
{
	char *probe = mem_printf("%s/probe", w->dir);
	struct stat subs[2], st;

	assert_int_equal(stat(full(w, "new"), &subs[0]), 0);
	assert_int_equal(stat(full(w, "cur"), &subs[1]), 0);
	do {
		int fd = open(probe, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(close(fd), 0);
		assert_int_equal(unlink(probe), 0);
	} while (memcmp(&st.st_ctim, &subs[0].st_ctim, sizeof st.st_ctim) == 0 ||
		 memcmp(&st.st_ctim, &subs[1].st_ctim, sizeof st.st_ctim) == 0);
	free(probe);
}

/* From now on a listing can be built on. */
static void rest(const struct world *w)
{
	wait_for_tick(w);
	later_ms = 2 * TICK_MS;
}

static void assert_same(const struct world *w, const struct backend_listing *expected)
{
	assert_int_equal(w->listing.n, expected->n);
	for (size_t i = 0; i < expected->n; i++) {
		const struct backend_message *a = &w->listing.messages[i];
		const struct backend_message *b = &expected->messages[i];

		assert_string_equal(a->key, b->key);
		assert_int_equal(a->size, b->size);
		assert_int_equal(a->exact, b->exact);
		assert_int_equal(a->arrival, b->arrival);
		assert_int_equal(a->folder, b->folder);
	}
	for (size_t i = 0; i <= w->tenant.maildrop.also.n; i++) {
		assert_int_equal(w->listing.folders[i].first, expected->folders[i].first);
		assert_int_equal(w->listing.folders[i].n, expected->folders[i].n);
		assert_int_equal(w->listing.folders[i].absent, expected->folders[i].absent);
	}
}

static void an_unchanged_folder_is_not_read(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "cur/1700000002.b:2,S", "x");
	put(w, "new/1700000001.a", "x\n");
	rest(w);
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_string_equal(w->listing.folders[0].mark, memory.known[0].mark);
	assert_ptr_equal(w->listing.messages, memory.messages);
	assert_int_equal(w->listing.n, 2);
	assert_int_equal(w->listing.folders[0].n, 2);
}

static void an_empty_folder_is_not_read_again(void **state)
{
	struct world *w = *state;
	struct memory memory;

	rest(w);
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_int_equal(w->listing.n, 0);
}

static void known_messages_may_come_in_any_order(void **state)
{
	struct world *w = *state;
	struct backend_listing before;
	struct memory memory;

	put(w, "cur/1700000002.M7.b:2,S", "x");
	put(w, "cur/1700000002.M70.a:2,S", "xx");
	put(w, "new/1700000002.M7.c", "xxx");
	put(w, "new/odd", "xxxx");
	set_mtime(w, "new/odd", 1800000000);
	rest(w);
	list(w);
	before = w->listing;
	memory = remembered(w);
	reverse(&memory);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_same(w, &before);
	put(w, "new/1700000003.d", "x");
	list_on(w, &memory);
	assert_false(w->listing.folders[0].unchanged);
	assert_int_equal(w->listing.n, 5);
	assert_string_equal(w->listing.messages[4].key, "odd");
	assert_int_equal(w->listing.messages[4].arrival, 1800000000);
}

/* Seen by what is remembered being wrong. */
static void only_new_messages_are_looked_at(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "cur/1700000001.a:2,", "x");
	put(w, "new/odd", "x");
	put(w, "cur/1700000009.c:2,", "x");
	rest(w);
	list(w);
	memory = remembered(w);
	for (size_t i = 0; i < 3; i++) {
		memory.messages[i].size = 4711;
		memory.messages[i].fingerprint = 42;
	}
	memory.messages[2].arrival = 1700000002;
	move(w, "cur/1700000001.a:2,", "cur/1700000001.a:2,S");
	drop(w, "cur/1700000009.c:2,");
	put(w, "new/1700000003.b", "abc");
	list_on(w, &memory);
	assert_int_equal(w->listing.n, 3);
	assert_string_equal(w->listing.messages[0].key, "1700000001.a");
	assert_true(w->listing.messages[0].seen);
	assert_string_equal(w->listing.messages[1].key, "odd");
	assert_int_equal(w->listing.messages[1].arrival, 1700000002);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(w->listing.messages[i].size, 4711);
		assert_int_equal(w->listing.messages[i].fingerprint, 42);
	}
	assert_int_equal(w->listing.messages[2].size, 5);
	assert_int_equal(w->listing.messages[2].fingerprint, 0);
}

static void what_is_not_known_exactly_is_measured(void **state)
{
	struct world *w = *state;
	struct memory memory;

	w->tenant.maildrop.exact_rfc822_size = false;
	put(w, "cur/1700000001.a:2,RS", "a\n");
	put(w, "new/1700000002.b,W=77", "b\n");
	put(w, "new/1700000003.c", "c\n");
	rest(w);
	list(w);
	assert_int_equal(message_of(w, "1700000001.a")->size, 2);
	memory = remembered(w);
	memory.messages[2].size = 4711;
	memory.messages[2].exact = true;
	list_on(w, &memory);
	assert_true(w->listing.folders[0].unchanged);
	w->tenant.maildrop.exact_rfc822_size = true;
	list_on(w, &memory);
	assert_false(w->listing.folders[0].unchanged);
	assert_int_equal(message_of(w, "1700000001.a")->size, 3);
	assert_true(message_of(w, "1700000001.a")->exact);
	assert_int_equal(message_of(w, "1700000002.b,W=77")->size, 77);
	assert_true(message_of(w, "1700000002.b,W=77")->exact);
	assert_int_equal(message_of(w, "1700000003.c")->size, 4711);
	memory = remembered(w);
	list_on(w, &memory);
	assert_ptr_equal(w->listing.messages, memory.messages);
}

/* Until a tick has passed, a mark would not tell of another change. What was learned counts. */
static void a_change_of_this_moment_leaves_no_trust(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	later_ms = -60000; /* the folder's times lie ahead */
	list(w);
	memory = remembered(w);
	assert_string_not_equal(memory.known[0].mark, "");
	memory.messages[0].size = 4711;
	rest(w);
	list_on(w, &memory);
	assert_int_equal(reads, 2);
	assert_false(w->listing.folders[0].unchanged);
	assert_int_equal(w->listing.messages[0].size, 4711);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
}

static void a_servers_clock_is_trusted_later(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	rest(w);
	on_server = true;
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 2);
	later_ms = 61000;
	list_on(w, &memory);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
}

static void no_mark_means_nothing_is_known(void **state)
{
	static const char *const marks[] = { NULL, "" };
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	rest(w);
	list(w);
	memory = remembered(w);
	memory.messages[0].size = 4711;
	for (size_t i = 0; i < 2; i++) {
		memory.known[0].mark = marks[i];
		list_on(w, &memory);
		assert_int_equal(w->listing.messages[0].size, 3);
	}
}

/* Mail that came from an IMAP server is known by other names. */
static void messages_without_a_name_are_no_match(void **state)
{
	struct world *w = *state;
	struct backend_message messages[] = { { .uid = 1, .size = 4711, .exact = true } };
	struct memory memory = { .known = { { "imap 1", messages, 1 } } };

	put(w, "new/1700000001.a", "x");
	list_on(w, &memory);
	assert_int_equal(w->listing.n, 1);
	assert_int_equal(w->listing.messages[0].size, 3);
}

static void a_mark_tells_maildirs_apart(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	set_mtime(w, "new", 1700000000);
	set_mtime(w, "cur", 1700000000);
	rest(w);
	list(w);
	memory = remembered(w);
	/* Another with the same times, as a restored one has. */
	assert_int_equal(rename(w->maildir, arena_printf(w->arena, "%s/old", w->dir)), 0);
	assert_int_equal(mkdir(w->maildir, 0755), 0);
	make_maildir(w, ".");
	put(w, "cur/1700000001.a:2,", "x");
	set_mtime(w, "new", 1700000000);
	set_mtime(w, "cur", 1700000000);
	rest(w);
	list_on(w, &memory);
	assert_int_equal(reads, 2);
	/* A message put back in place, and the time too. */
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	put(w, "cur/1700000002.b:2,", "x");
	set_mtime(w, "cur", 1700000000);
	rest(w);
	list_on(w, &memory);
	assert_int_equal(w->listing.n, 2);
}

/* Alike in all but their identity: made within one tick. */
static void twins_are_told_apart(void **state)
{
	const struct world *w = *state;
	struct maildir_dirs dirs = { .fd = { -1, -1 } };
	struct maildir_state a, b;

	for (int i = 0;; i++) {
		const char *one = arena_printf(w->arena, "one%d", i);
		const char *two = arena_printf(w->arena, "two%d", i);

		make_maildir(w, one);
		make_maildir(w, two);
		assert_int_equal(maildir_dirs_open(w->maildir, one, &dirs), 0);
		assert_int_equal(maildir_state_read(&dirs, &a), 0);
		maildir_dirs_close(&dirs);
		assert_int_equal(maildir_dirs_open(w->maildir, two, &dirs), 0);
		assert_int_equal(maildir_state_read(&dirs, &b), 0);
		maildir_dirs_close(&dirs);
		if (memcmp(&a.subs[0].changed, &b.subs[1].changed, sizeof a.subs[0].changed) == 0)
			break;
	}
	assert_false(maildir_state_equal(&a, &b));
	for (int sub = 0; sub < MAILDIR_SUBS; sub++)
		b.subs[sub].inode = a.subs[sub].inode;
	assert_true(maildir_state_equal(&a, &b));
}

static void folders_count_one_by_one(void **state)
{
	static const char *also[] = { "Junk", "Later", "inbox" };
	struct world *w = *state;
	struct backend_listing before;
	struct memory memory;

	w->tenant.maildrop.also = (struct string_list){ also, 3 };
	make_maildir(w, ".Junk");
	put(w, "cur/1700000003.a:2,", "inbox");
	put(w, ".Junk/new/1700000002.b", "junk");
	rest(w);
	list(w);
	before = w->listing;
	memory = remembered(w);
	assert_true(before.folders[2].absent);
	list_on(w, &memory);
	assert_same(w, &before);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_true(w->listing.folders[1].unchanged);
	assert_false(w->listing.folders[2].unchanged);
	assert_fetches(w, "1700000002.b", "junk");
	put(w, ".Junk/new/1700000001.c", "more");
	make_maildir(w, ".Later");
	put(w, ".Later/new/1700000000.d", "later");
	rest(w);
	list_on(w, &memory);
	assert_true(w->listing.folders[0].unchanged);
	assert_false(w->listing.folders[1].unchanged);
	assert_false(w->listing.folders[2].absent);
	before = w->listing;
	list_anew(w);
	assert_int_equal(w->listing.n, 4);
	assert_same(w, &before);
	assert_fetches(w, "1700000001.c", "more");
	list_on(w, &memory);
	reads = 0;
	assert_fetches(w, "1700000003.a", "inbox");
	assert_int_equal(reads, 0);
	assert_fetches(w, "1700000000.d", "later");
}

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

static void times_are_past_when_a_tick_is_over(void **state)
{
	struct maildir_state s = { 0 };
	struct timespec now;
	static const struct {
		struct timespec changed;
		int64_t ms;
		bool past;
	} cases[] = {
		{ { 1700000000, 999999999 }, 20, false },
		{ { 1700000000, 999999999 }, 21, true },
		{ { 1700000000, 1 }, -1, false },
		{ { 1700000000, 1 }, -100000, false },
		{ { 1700000000, 1 }, 1000, true },
		{ { 1700000000, 0 }, 1000, false }, /* whole seconds: a coarse clock */
		{ { 1700000000, 0 }, 2020, false },
		{ { 1700000000, 0 }, 2021, true },
		{ { INT64_MAX, 999999999 }, -100, false },
		{ { 0, 1 }, 0, false },
		{ { 0, 1 }, 99999999999, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool past;

		s.subs[MAILDIR_CUR].changed = cases[i].changed;
		now = cases[i].changed;
		add_ms(&now, cases[i].ms);
		s.subs[MAILDIR_CUR].modified = s.subs[MAILDIR_NEW].changed =
			s.subs[MAILDIR_NEW].modified = (struct timespec){ now.tv_sec - 100, 5 };
		past = maildir_state_is_past(&s, &now);
		if (past != cases[i].past)
			fail_msg("case %zu", i);
	}
}

/* A random history, the same in every run. */
static uint32_t seed;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

/* A file of new/ or cur/, or NULL. */
static const char *any_file(const struct world *w)
{
	const char *sub = any(2) ? "new" : "cur", *found = NULL;
	DIR *dir = opendir(full(w, sub));
	uint32_t seen = 0;

	for (struct dirent *d; (d = __real_readdir(dir)) != NULL;)
		if (d->d_name[0] != '.' && any(++seen) == 0)
			found = arena_printf(w->arena, "%s/%s", sub, d->d_name);
	assert_int_equal(closedir(dir), 0);
	return found;
}

static void deliver(const struct world *w)
{
	static const char *const forms[][2] = { { "new/1700000", "P1.test" },
		{ "cur/1700000", "P1.test,S=2,W=3:2,S" }, { "cur/odd", ":2," }, { "new/odd", "" } };
	static int count;
	uint32_t form = any(4);
	const char *path = arena_printf(
		w->arena, "%s%03u.M%d%s", forms[form][0], any(30), count++, forms[form][1]);

	put_octets(w, path, "x\n\n\n\n\n\n\n\n", 1 + any(9));
	if (form >= 2)
		set_mtime(w, path, 1700000000 + any(30));
}

static void change_flags(const struct world *w)
{
	static const char *const infos[] = { ":2,", ":2,S", ":2,RS", ":2,FRT", "" };
	const char *file = any_file(w), *info;

	if (!file)
		return;
	info = strstr(file, ":2,");
	move(w, file,
		arena_printf(w->arena, "cur/%.*s%s", (int)(info ? info - file - 4 : NAME_MAX),
			file + 4, infos[any(5)]));
}

/* All of it copied, with names and times, as from a backup, in place of what is there. */
static void restore(const struct world *w)
{
	int rc;
	char *command = mem_printf("cd '%s' && cp -a Maildir copy && rm -r Maildir && "
				   "mv copy Maildir",
		arena_printf(w->arena, "%s/..", w->maildir));

	rc = system(command); /* NOLINT: the path is this test's own */
	assert_int_equal(rc, 0);
	free(command);
}

static void anything(const struct world *w)
{
	const char *file;

	switch (any(10)) {
	case 0:
	case 1:
	case 2:
		deliver(w);
		break;
	case 3:
	case 4:
		if ((file = any_file(w)) != NULL)
			drop(w, file);
		break;
	case 5:
	case 6:
		change_flags(w);
		break;
	case 7: /* gone again at once, within one tick */
		deliver(w);
		if ((file = any_file(w)) != NULL)
			drop(w, file);
		break;
	case 8: /* nothing */
		break;
	default:
		if (any(10) == 0)
			restore(w);
	}
}

static void any_history_lists_as_from_scratch(void **state)
{
	struct world *w = *state;
	struct memory memory = { 0 };
	unsigned unread = 0;

	for (seed = 20261121; unread < 30 || any(300); anything(w)) {
		struct backend_listing delta;

		/* In haste, a change may share its tick with the one before and the one after. */
		later_ms = 0;
		if (any(2))
			rest(w);
		list_on(w, &memory);
		unread += reads == 0;
		if (any(3) == 0)
			assert_int_equal(
				w->listing.n, count_names(w, "new") + count_names(w, "cur"));
		delta = w->listing;
		memory = remembered(w);
		if (any(3) == 0)
			reverse(&memory);
		list_anew(w);
		assert_same(w, &delta);
	}
}

static int delta_setup(void **state)
{
	reads = 0;
	later_ms = 0;
	on_server = false;
	return world_setup(state);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, delta_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_unchanged_folder_is_not_read),
		WORLD_TEST(an_empty_folder_is_not_read_again),
		WORLD_TEST(known_messages_may_come_in_any_order),
		WORLD_TEST(only_new_messages_are_looked_at),
		WORLD_TEST(what_is_not_known_exactly_is_measured),
		WORLD_TEST(a_change_of_this_moment_leaves_no_trust),
		WORLD_TEST(a_servers_clock_is_trusted_later),
		WORLD_TEST(no_mark_means_nothing_is_known),
		WORLD_TEST(messages_without_a_name_are_no_match),
		WORLD_TEST(a_mark_tells_maildirs_apart),
		WORLD_TEST(twins_are_told_apart),
		WORLD_TEST(folders_count_one_by_one),
		WORLD_TEST(new_messages_are_identified),
		WORLD_TEST(a_first_sight_of_many_is_not_identified),
		WORLD_TEST(known_messages_are_found_by_their_names),
		WORLD_TEST(a_folder_is_searched_once_for_all_of_its_messages),
		cmocka_unit_test(times_are_past_when_a_tick_is_over),
		WORLD_TEST(any_history_lists_as_from_scratch),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}

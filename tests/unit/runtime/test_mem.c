/* mem, err, secret, shared: what everything else stands on. */
#include "fibers.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/secret.h"
#include "proxy/runtime/shared.h"

static void test_err_details(void **state)
{
	struct err e = err_make(ERR_TEMP, "server %s", "a");

	(void)state;
	assert_err(e, ERR_TEMP, "server a");
	e = err_context(e, "tenant %d", 7);
	assert_string_equal(e.detail, "tenant 7: server a");
	assert_int_equal(e.scope, ERR_TEMP);
	e = err_errno(ERR_PERM, ENOENT, "open %s", "x");
	assert_string_equal(e.detail, "open x: No such file or directory");
	e = err_errno(ERR_PERM, 99999, "open");
	assert_string_equal(e.detail, "open: unknown error");
	assert_false(failed(err_context(ok(), "nothing")));
}

static void test_err_details_are_cut(void **state)
{
	char text[ERR_DETAIL_MAX * 2];
	struct err e;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	e = err_make(ERR_TEMP, "%s", text);
	assert_int_equal(strlen(e.detail), ERR_DETAIL_MAX - 1);
	e = err_context(e, "first");
	assert_int_equal(strlen(e.detail), ERR_DETAIL_MAX - 1);
	assert_memory_equal(e.detail, "first: xx", 9);
	e = err_context(e, "%s", text);
	assert_int_equal(strlen(e.detail), ERR_DETAIL_MAX - 1);
	e = err_errno(ERR_TEMP, ENOENT, "%s", text);
	assert_int_equal(strlen(e.detail), ERR_DETAIL_MAX - 1);
}

static void test_every_scope_has_a_name(void **state)
{
	(void)state;
	for (enum err_scope scope = ERR_OK; scope <= ERR_CANCELED; scope++)
		assert_string_not_equal(err_scope_name(scope), "unknown");
	assert_string_equal(err_scope_name(ERR_CANCELED), "canceled");
}

static void test_arena_pieces_are_separate_and_aligned(void **state)
{
	struct arena *arena cleanup(arena_cleanup) = arena_new();
	char *pieces[100];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		pieces[i] = arena_alloc(arena, i);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		memset(pieces[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < 100; i++) {
		for (size_t k = 0; k < i; k++)
			assert_int_equal((unsigned char)pieces[i][k], i & 0xff);
	}
}

static void test_arena_large_piece_leaves_the_block_in_use(void **state)
{
	struct arena *arena cleanup(arena_cleanup) = arena_new();
	char *before = arena_alloc(arena, 16), *after;

	(void)state;
	memset(arena_alloc(arena, 1 << 20), 'x', 1 << 20);
	after = arena_alloc(arena, 16);
	assert_ptr_equal(after, before + 16);
}

static void test_arena_reset_uses_memory_again(void **state)
{
	struct arena *arena cleanup(arena_cleanup) = arena_new();
	char *first = arena_alloc(arena, 100);

	(void)state;
	arena_reset(arena);
	assert_ptr_equal(arena_alloc(arena, 100), first);
	arena_reset(arena);
	(void)arena_alloc(arena, 1 << 20);
	arena_reset(arena);
	memset(arena_alloc(arena, 1 << 20), 1, 1 << 20);
}

static void test_arena_strings(void **state)
{
	struct arena *arena cleanup(arena_cleanup) = arena_new();
	char long_text[1500];
	const int *zeroes;

	(void)state;
	memset(long_text, 'y', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_string_equal(arena_strdup(arena, "abc"), "abc");
	assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(arena, "ab", 30), "ab");
	assert_string_equal(arena_printf(arena, "%s-%d", "n", 5), "n-5");
	assert_string_equal(arena_printf(arena, "%s", long_text), long_text);
	zeroes = arena_zalloc(arena, 100, sizeof(int));
	for (int i = 0; i < 100; i++)
		assert_int_equal(zeroes[i], 0);
}

static void overflowing_zalloc(void)
{
	(void)mem_zalloc(SIZE_MAX / 2, 3);
}

static void overflowing_resize(void)
{
	(void)mem_resize(NULL, SIZE_MAX / 2, 3);
}

static void overflowing_arena(void)
{
	(void)arena_alloc(arena_new(), SIZE_MAX - 2);
}

static void test_overflow_is_out_of_memory(void **state)
{
	(void)state;
	assert_fatal(overflowing_zalloc, "out of memory");
	assert_fatal(overflowing_resize, "out of memory");
	assert_fatal(overflowing_arena, "out of memory");
}

static void test_buffer_keeps_octets_in_order(void **state)
{
	struct buffer b = { 0 };
	unsigned char next = 0, expected = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < round % 37; i++)
			buffer_append(&b, &next, 1), next++;
		for (int i = 0; i < round % 31 && buffer_used(&b) > 0; i++) {
			assert_int_equal((unsigned char)b.data[b.start], expected);
			expected++;
			buffer_consume(&b, 1);
		}
	}
	assert_true(b.size < 65536);
	buffer_done(&b);
	assert_null(b.data);
}

static void test_buffer_takes_pieces_of_any_size(void **state)
{
	char *text cleanup(free_cleanup) = mem_alloc(70000);
	struct buffer b = { 0 };

	(void)state;
	memset(text, 'z', 70000);
	for (size_t n = 1; n < 70000; n = n * 3 + 1) {
		buffer_append(&b, text, n);
		buffer_consume(&b, n - 1);
		buffer_append(&b, text, n);
		assert_int_equal(buffer_used(&b), n + 1);
		assert_memory_equal(b.data + b.start, text, n + 1);
		buffer_consume(&b, n + 1);
	}
	buffer_wipe(&b);
}

static void test_buffer_printf(void **state)
{
	struct buffer b = { 0 };

	(void)state;
	buffer_printf(&b, "%s", "");
	assert_int_equal(buffer_used(&b), 0);
	for (int i = 0; i < 1000; i++)
		buffer_printf(&b, "%03d,", i);
	assert_int_equal(buffer_used(&b), 4000);
	assert_memory_equal(b.data + b.start + 3996, "999,", 4);
	buffer_append(&b, NULL, 0);
	assert_int_equal(buffer_used(&b), 4000);
	buffer_wipe(&b);
}

static void consume_too_much(void)
{
	struct buffer b = { 0 };

	buffer_append(&b, "ab", 2);
	buffer_consume(&b, 3);
}

static void test_buffer_consume_is_checked(void **state)
{
	(void)state;
	assert_fatal(consume_too_much, "buffer_consume: 3 of 2");
}

static void test_secret_holds_octets(void **state)
{
	struct secret *a cleanup(secret_cleanup) = secret_new("p\0w", 3);
	struct secret *same cleanup(secret_cleanup) = secret_copy(a);
	struct secret *other cleanup(secret_cleanup) = secret_new("p\0x", 3);
	struct secret *shorter cleanup(secret_cleanup) = secret_new("p\0", 2);
	struct secret *empty cleanup(secret_cleanup) = secret_new(NULL, 0);

	(void)state;
	assert_int_equal(secret_length(a), 3);
	assert_memory_equal(secret_data(a), "p\0w\0", 4);
	assert_true(secret_equal(a, same));
	assert_false(secret_equal(a, other));
	assert_false(secret_equal(a, shorter));
	assert_int_equal(secret_length(empty), 0);
	assert_string_equal(secret_data(empty), "");
	secret_free(NULL);
}

static void test_secret_is_bounded(void **state)
{
	char *big cleanup(free_cleanup) = mem_zalloc(SECRET_MAX + 1, 1);
	struct secret *most cleanup(secret_cleanup) = secret_new(big, SECRET_MAX);

	(void)state;
	assert_non_null(most);
	assert_null(secret_new(big, SECRET_MAX + 1));
}

/* A file of n octets, or of the string when n is 0. */
static void write_file(const char *path, const char *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n ? n : strlen(data)), n ? n : strlen(data));
	(void)close(fd);
}

static void test_secret_from_file(void **state)
{
	static const struct {
		const char *content, *secret;
	} cases[] = {
		{ "word", "word" },
		{ "word\n", "word" },
		{ "word\r\n", "word" },
		{ "word\n\n", "word\n" },
		{ " two words ", " two words " },
	};
	char path[] = "/tmp/popgate-secret-XXXXXX";
	char *big cleanup(free_cleanup) = mem_zalloc(SECRET_MAX + 2, 1);
	struct secret *secret = NULL;
	struct err e;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(path, cases[i].content, 0);
		assert_ok(secret_from_file(path, &secret));
		assert_string_equal(secret_data(secret), cases[i].secret);
		secret_free(secret);
	}
	write_file(path, "\n", 0);
	e = secret_from_file(path, &secret);
	assert_err(e, ERR_INVALID, "the file is empty");
	assert_err(e, ERR_INVALID, path);
	memset(big, 'x', SECRET_MAX + 1);
	big[SECRET_MAX] = '\n';
	write_file(path, big, SECRET_MAX + 1);
	assert_ok(secret_from_file(path, &secret));
	assert_int_equal(secret_length(secret), SECRET_MAX);
	secret_free(secret);
	big[SECRET_MAX] = 'x';
	write_file(path, big, SECRET_MAX + 1);
	e = secret_from_file(path, &secret);
	assert_err(e, ERR_INVALID, "more than 65536 octets");
	(void)unlink(path);
	e = secret_from_file(path, &secret);
	assert_err(e, ERR_INVALID, "No such file");
	e = secret_from_file("/tmp", &secret);
	assert_err(e, ERR_INVALID, "Is a directory");
}

static void test_shared_memory_is_shared(void **state)
{
	int *number = shared_map(4096), status;
	pid_t pid;

	(void)state;
	assert_int_equal(*number, 0);
	pid = fork();
	if (pid == 0) {
		*number = 42;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(*number, 42);
	(void)munmap(number, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_details),
		cmocka_unit_test(test_err_details_are_cut),
		cmocka_unit_test(test_every_scope_has_a_name),
		cmocka_unit_test(test_arena_pieces_are_separate_and_aligned),
		cmocka_unit_test(test_arena_large_piece_leaves_the_block_in_use),
		cmocka_unit_test(test_arena_reset_uses_memory_again),
		cmocka_unit_test(test_arena_strings),
		cmocka_unit_test(test_overflow_is_out_of_memory),
		cmocka_unit_test(test_buffer_keeps_octets_in_order),
		cmocka_unit_test(test_buffer_takes_pieces_of_any_size),
		cmocka_unit_test(test_buffer_printf),
		cmocka_unit_test(test_buffer_consume_is_checked),
		cmocka_unit_test(test_secret_holds_octets),
		cmocka_unit_test(test_secret_is_bounded),
		cmocka_unit_test(test_secret_from_file),
		cmocka_unit_test(test_shared_memory_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* log_output: no line waits for its reader, none is lost that had room, the others are counted. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/runtime/log_output.h"
#include "proxy/runtime/mem.h"

static unsigned lost, begun;

static void on_loss(void)
{
	lost++;
}

static void on_pending(void)
{
	begun++;
}

/* The log goes to a pipe whose other end is returned. */
static int pipe_log(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	log_output_adopt(ends[1]);
	log_output_on_loss(on_loss);
	log_output_on_pending(on_pending);
	lost = begun = 0;
	return ends[0];
}

static int over(void **state)
{
	(void)state;
	log_output_forget();
	log_output_on_loss(NULL);
	return failed(log_output_open("")) ? -1 : 0;
}

static void put(unsigned n)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "%08u %0*d\n", n, 190, 0);

	log_output_put(line, (size_t)length);
}

/* Reads what there is: lines of put, in order, from `next` on. Others (the log's own) are left to
 * *other. */
static unsigned take(int fd, unsigned next, struct buffer *rest, struct buffer *other)
{
	ssize_t n;
	char *end;

	while ((n = read(fd, buffer_reserve(rest, 65536), 65536)) > 0)
		rest->end += (size_t)n;
	while (buffer_used(rest) > 0 &&
		(end = memchr(buffer_data(rest), '\n', buffer_used(rest)))) {
		size_t length = (size_t)(end - buffer_data(rest)) + 1;

		if (length == 200) {
			assert_int_equal(strtoul(buffer_data(rest), NULL, 10), next);
			next++;
		} else {
			buffer_append(other, buffer_data(rest), length);
		}
		buffer_consume(rest, length);
	}
	return next;
}

static void test_a_stalled_reader_loses_nothing_that_has_room(void **state)
{
	struct buffer rest = { 0 }, other = { 0 };
	int fd = pipe_log();
	unsigned next = 0;

	(void)state;
	for (unsigned n = 0; n < 10000; n++) /* 2 MB; a pipe holds 64 KiB */
		put(n);
	assert_true(log_pending());
	assert_int_equal(begun, 1);
	while (log_pending()) {
		next = take(fd, next, &rest, &other);
		log_flush();
	}
	assert_int_equal(take(fd, next, &rest, &other), 10000);
	assert_int_equal(lost, 0);
	assert_int_equal(buffer_used(&other), 0);
	buffer_done(&rest);
	buffer_done(&other);
	(void)close(fd);
}

static void test_what_has_no_room_is_counted_and_told(void **state)
{
	struct buffer rest = { 0 }, other = { 0 };
	int fd = pipe_log();
	unsigned n = 0, next = 0, told = 0;

	(void)state;
	while (lost < 3)
		put(n++);
	assert_true(n > LOG_PENDING_MAX / 200);
	while (log_pending()) {
		next = take(fd, next, &rest, &other);
		log_flush();
	}
	assert_int_equal(take(fd, next, &rest, &other), n - 3);
	buffer_append(&other, "", 1);
	assert_non_null(strstr(buffer_data(&other), "log lines lost"));
	assert_int_equal(sscanf(strstr(buffer_data(&other), "lines="), "lines=%u", &told), 1);
	assert_int_equal(told, 3);
	buffer_done(&rest);
	buffer_done(&other);
	(void)close(fd);
}

static void test_no_reader_at_all(void **state)
{
	int fd = pipe_log();

	(void)state;
	(void)close(fd);
	put(0);
	put(1);
	assert_int_equal(lost, 2);
	/* There is nobody to be told, so there is nothing to wait for. */
	assert_false(log_pending());
}

static void test_a_child_does_not_repeat(void **state)
{
	int fd = pipe_log();

	(void)state;
	while (!log_pending())
		put(0);
	log_output_forget();
	assert_false(log_pending());
	(void)close(fd);
}

static void test_a_file_is_appended_to_and_opened_anew(void **state)
{
	char folder[] = "/tmp/popgate-log-XXXXXX", path[64], moved[64], text[64] = { 0 };
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/log", folder);
	(void)snprintf(moved, sizeof(moved), "%s/log.1", folder);
	assert_int_equal(log_output_file(), -1);
	assert_false(failed(log_output_open(path)));
	assert_true(log_output_file() >= 0);
	log_output_put("one\n", 4);
	assert_int_equal(rename(path, moved), 0);
	log_output_put("two\n", 4);
	assert_false(failed(log_output_open(path)));
	log_output_put("three\n", 6);
	assert_false(failed(log_output_open(path)));
	log_output_put("four\n", 5);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 11);
	assert_string_equal(text, "three\nfour\n");
	(void)close(fd);
	assert_true(failed(log_output_open("/nowhere/log")));
	assert_true(log_output_file() >= 0);
	(void)unlink(path);
	(void)unlink(moved);
	(void)rmdir(folder);
}

#define TEST(name) cmocka_unit_test_teardown(name, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_stalled_reader_loses_nothing_that_has_room),
		TEST(test_what_has_no_room_is_counted_and_told),
		TEST(test_no_reader_at_all),
		TEST(test_a_child_does_not_repeat),
		TEST(test_a_file_is_appended_to_and_opened_anew),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

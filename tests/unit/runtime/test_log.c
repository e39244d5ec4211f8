/* log: both formats, quoting, cutting, one write(2) per line. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/runtime/fiber.h"
#include "proxy/runtime/log.h"

#define TIME_LENGTH 24 /* 2026-01-31T12:34:56.789Z */

static char captured[8192];
static unsigned lines;

static void capture(const char *line, void *arg)
{
	assert_ptr_equal(arg, &lines);
	assert_true(strlen(line) < sizeof(captured));
	strcpy(captured, line);
	lines++;
}

static int setup(void **state)
{
	(void)state;
	captured[0] = '\0';
	lines = 0;
	log_setup(LOG_LOGFMT, LOG_INFO);
	log_capture(capture, &lines);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_capture(NULL, NULL);
	return 0;
}

/* What follows the time, which is checked for its form. */
static const char *after_time(const char *before)
{
	const char *p = captured;

	assert_memory_equal(p, before, strlen(before));
	p += strlen(before);
	for (const char *form = "dddd-dd-ddTdd:dd:dd.dddZ"; *form; form++, p++) {
		if (*form == 'd')
			assert_in_range(*p, '0', '9');
		else
			assert_int_equal(*p, *form);
	}
	return p;
}

static void logfmt_line_holds_the_fields_in_order(void **state)
{
	struct err e = err_make(ERR_TEMP, "no route");

	(void)state;
	log_info("login", f_text("login", "anna@acme.example"), f_uint("messages", UINT64_MAX),
		f_int("delta", INT64_MIN), f_ms("took", 1.23456), f_bool("tls", true), f_err(e));
	assert_string_equal(after_time("time="),
		" level=info event=login login=anna@acme.example messages=18446744073709551615"
		" delta=-9223372036854775808 took=1.235 tls=true error=temp detail=\"no route\"");
}

static void json_line_holds_the_fields_in_order(void **state)
{
	(void)state;
	log_setup(LOG_JSON, LOG_INFO);
	log_warning("session closed", f_text("login", "a\"b\\c"), f_uint("messages", 7),
		f_int("delta", -1), f_ms("took", 2), f_bool("tls", false));
	assert_string_equal(after_time("{\"time\":\""),
		"\",\"level\":\"warning\",\"event\":\"session closed\",\"login\":\"a\\\"b\\\\c\","
		"\"messages\":7,\"delta\":-1,\"took\":2.000,\"tls\":false}");
}

static void event_without_fields(void **state)
{
	(void)state;
	log_error("stopped");
	assert_string_equal(after_time("time="), " level=error event=stopped");
}

static void levels_below_the_set_one_are_silent(void **state)
{
	(void)state;
	log_debug("quiet");
	assert_int_equal(lines, 0);
	log_setup(LOG_LOGFMT, LOG_ERROR);
	log_warning("quiet");
	assert_int_equal(lines, 0);
	log_error("loud");
	assert_int_equal(lines, 1);
	log_setup(LOG_LOGFMT, LOG_DEBUG);
	assert_true(log_enabled(LOG_DEBUG));
}

static void arguments_of_a_silent_level_are_not_evaluated(void **state)
{
	int evaluated = 0;

	(void)state;
	log_debug("quiet", f_int("n", ++evaluated));
	assert_int_equal(evaluated, 0);
}

static void null_text_is_left_out(void **state)
{
	(void)state;
	log_info("x", f_text("a", NULL), f_text("b", ""));
	assert_string_equal(after_time("time="), " level=info event=x b=\"\"");
}

static void text_cannot_forge_a_line_or_a_field(void **state)
{
	(void)state;
	log_info("x", f_text("a", "1 b=2"), f_text("c", "x\r\ntime=0 level=error"),
		f_text("d", "q\"\\\t\x7f"), f_text("e", "k=v"));
	assert_string_equal(after_time("time="),
		" level=info event=x a=\"1 b=2\" c=\"x\\u000d\\u000atime=0 level=error\""
		" d=\"q\\\"\\\\\\u0009\\u007f\" e=\"k=v\"");
	log_setup(LOG_JSON, LOG_INFO);
	log_info("x", f_text("a", "\",\"level\":\"error\n"));
	assert_string_equal(after_time("{\"time\":\""),
		"\",\"level\":\"info\",\"event\":\"x\",\"a\":\"\\\","
		"\\\"level\\\":\\\"error\\u000a\"}");
}

static void text_that_is_not_utf8_or_steers_a_terminal(void **state)
{
	(void)state;
	log_info("x", f_text("ok", "J\xc3\xbcrgen"), f_text("latin1", "J\xfcrgen"),
		f_text("overlong", "\xc0\xaf"), f_text("surrogate", "\xed\xa0\x80"),
		f_text("c1", "\xc2\x9b"), f_text("bidi", "\xe2\x80\xae"),
		f_text("short", "\xe2\x80"));
	assert_string_equal(after_time("time="),
		" level=info event=x ok=\"J\xc3\xbcrgen\" latin1=\"J\\ufffdrgen\""
		" overlong=\"\\ufffd\\ufffd\" surrogate=\"\\ufffd\\ufffd\\ufffd\" c1=\"\\u009b\""
		" bidi=\"\\u202e\" short=\"\\ufffd\\ufffd\"");
}

static void long_text_is_cut_between_characters(void **state)
{
	char text[LOG_TEXT_MAX + 8], expected[LOG_TEXT_MAX + 64];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[LOG_TEXT_MAX] = '\0';
	log_info("x", f_text("a", text));
	snprintf(expected, sizeof(expected), " level=info event=x a=%s", text);
	assert_string_equal(after_time("time="), expected);

	/* The last character that begins before the limit ends behind it. */
	memcpy(text + LOG_TEXT_MAX - 1, "\xc3\xbc", 3);
	log_info("x", f_text("a", text));
	text[LOG_TEXT_MAX - 1] = '\0';
	snprintf(expected, sizeof(expected), " level=info event=x a=\"%s...\"", text);
	assert_string_equal(after_time("time="), expected);
}

static void fields_that_do_not_fit_are_left_out_whole(void **state)
{
	char text[LOG_TEXT_MAX + 1];
	struct log_field fields[32];

	(void)state;
	memset(text, 1, LOG_TEXT_MAX);
	text[LOG_TEXT_MAX] = '\0';
	for (size_t i = 0; i < 31; i++)
		fields[i] = f_text("field", text);
	fields[31] = (struct log_field){ 0 };
	log_event(LOG_INFO, "x", fields);
	assert_in_range(strlen(captured), 3000, PIPE_BUF - 1);
	assert_string_equal(strrchr(captured, ' '), " truncated=true");
	assert_int_equal(captured[strlen(captured) - strlen(" truncated=true") - 1], '"');

	log_setup(LOG_JSON, LOG_INFO);
	log_event(LOG_INFO, "x", fields);
	assert_in_range(strlen(captured), 3000, PIPE_BUF - 1);
	assert_string_equal(captured + strlen(captured) - 19, "\",\"truncated\":true}");
}

static void numbers_that_json_cannot_hold(void **state)
{
	(void)state;
	log_setup(LOG_JSON, LOG_INFO);
	log_info("x", f_ms("a", NAN), f_ms("b", INFINITY));
	assert_non_null(strstr(captured, "\"a\":0.000,\"b\":0.000}"));
}

static void a_line_is_one_write_and_keeps_errno(void **state)
{
	int pair[2], saved = dup(STDERR_FILENO);
	static char data[PIPE_BUF];
	ssize_t n;

	(void)state;
	log_capture(NULL, NULL);
	/* A datagram socket keeps the borders between writes. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	dup2(pair[1], STDERR_FILENO);
	errno = ENOENT;
	log_info("one", f_text("a", "b"));
	assert_int_equal(errno, ENOENT);
	log_info("two");
	dup2(saved, STDERR_FILENO);
	n = recv(pair[0], data, sizeof(data), 0);
	assert_true(n > TIME_LENGTH);
	assert_memory_equal(data + n - 14, "event=one a=b\n", 14);
	n = recv(pair[0], data, sizeof(data), 0);
	assert_memory_equal(data + n - 10, "event=two\n", 10);
	assert_int_equal(recv(pair[0], data, sizeof(data), 0), -1);
	close(pair[0]);
	close(pair[1]);
	close(saved);
}

static void tagged(void *arg)
{
	(void)arg;
	fiber_set_tag("s-42");
	log_info("x");
}

static void lines_of_a_fiber_carry_its_tag(void **state)
{
	(void)state;
	runtime_init();
	fiber_spawn("tagged", tagged, NULL);
	runtime_run();
	runtime_close();
	assert_string_equal(after_time("time="), " level=info event=x session=s-42");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(logfmt_line_holds_the_fields_in_order),
		TEST(json_line_holds_the_fields_in_order),
		TEST(event_without_fields),
		TEST(levels_below_the_set_one_are_silent),
		TEST(arguments_of_a_silent_level_are_not_evaluated),
		TEST(null_text_is_left_out),
		TEST(text_cannot_forge_a_line_or_a_field),
		TEST(text_that_is_not_utf8_or_steers_a_terminal),
		TEST(long_text_is_cut_between_characters),
		TEST(fields_that_do_not_fit_are_left_out_whole),
		TEST(numbers_that_json_cannot_hold),
		TEST(a_line_is_one_write_and_keeps_errno),
		TEST(lines_of_a_fiber_carry_its_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

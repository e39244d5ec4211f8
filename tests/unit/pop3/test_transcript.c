/* What of a session goes into the log, and in which lines of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/pop3/transcript.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"

static struct buffer logged; /* what follows "event=transcript " of each line, and an LF */

static void on_line(const char *line, void *arg)
{
	const char *text = strstr(line, "event=transcript ");

	(void)arg;
	assert_non_null(text);
	text += strlen("event=transcript ");
	buffer_append(&logged, text, strlen(text));
	buffer_append(&logged, "\n", 1);
}

static int begin(void **state)
{
	static const char *items[] = { "joe" };
	static const struct string_list logins = { (void *)items, 1 };

	log_setup(LOG_LOGFMT, LOG_ERROR);
	log_capture(on_line, NULL);
	*state = transcript_new(&logins);
	return 0;
}

static int end(void **state)
{
	transcript_free(*state);
	log_capture(NULL, NULL);
	buffer_done(&logged);
	return 0;
}

static void assert_logged(const char *text)
{
	buffer_append(&logged, "", 1);
	assert_string_equal(buffer_data(&logged), text);
	buffer_done(&logged);
}

static void client(struct transcript *t, const char *line)
{
	transcript_client(t, line, strlen(line), false);
}

static void server(struct transcript *t, const char *octets)
{
	transcript_server(t, octets, strlen(octets));
}

static const char *const joe[] = { "Joe", NULL }, *const ann[] = { "ann", NULL };

static void nothing_without_a_list(void **state)
{
	const struct string_list none = { 0 };

	(void)state;
	assert_null(transcript_new(&none));
	client(NULL, "USER joe");
	server(NULL, "+OK\r\n");
	transcript_login(NULL, joe, true);
	transcript_free(NULL);
	assert_logged("");
}

/* Also at log.level error. */
static void what_came_before_follows(void **state)
{
	server(*state, "+OK hello\r\n");
	client(*state, "USER joe");
	server(*state, "+OK\r");
	assert_logged("");
	transcript_login(*state, joe, true);
	server(*state, "\n+ is text\r\n\r\n.\r\n");
	assert_logged("server=\"+OK hello\"\nclient=\"USER joe\"\nserver=+OK\n"
		      "server=\"+ is text\"\nserver=\"\"\nserver=.\n");
}

static void what_another_said_is_forgotten(void **state)
{
	client(*state, "USER ann");
	transcript_login(*state, ann, false);
	client(*state, "USER joe");
	transcript_login(*state, joe, false);
	server(*state, "+ challenge\r\n");
	transcript_login(*state, ann, true);
	client(*state, "STAT");
	server(*state, "+OK 0 0\r\n");
	assert_logged("client=\"USER joe\"\nserver=\"+ ****\"\n");
}

static void pieces_end_between_characters(void **state)
{
	char line[512], *at = line;

	transcript_login(*state, joe, true);
	*at++ = 'x';
	for (int i = 0; i < 100; i++, at += 3)
		memcpy(at, "€", 3);
	memcpy(at, "\r\n", 3);
	server(*state, line);
	buffer_append(&logged, "", 1);
	assert_null(strstr(buffer_data(&logged), "ufffd"));
	assert_non_null(strstr(buffer_data(&logged), "€\" goes_on=true\nserver=\"€"));
}

/* Nor where the network cuts a line that does not end. */
static void characters_of_an_endless_line_are_whole(void **state)
{
	static char octets[3 * 4001];
	size_t characters = 0;

	transcript_login(*state, joe, true);
	for (size_t i = 0; i < sizeof(octets); i += 3)
		memcpy(octets + i, "€", 3);
	for (size_t i = 0; i < sizeof(octets); i += 8200)
		transcript_server(
			*state, octets + i, sizeof(octets) - i < 8200 ? sizeof(octets) - i : 8200);
	server(*state, "\r\n");
	buffer_append(&logged, "", 1);
	assert_null(strstr(buffer_data(&logged), "ufffd"));
	for (const char *at = buffer_data(&logged); (at = strstr(at, "€")); at += 3)
		characters++;
	assert_int_equal(characters, 4001);
}

static void octets_that_are_no_text(void **state)
{
	transcript_login(*state, joe, true);
	transcript_server(*state, "a\0b\xff\r\n", 6);
	transcript_client(*state, "STAT\0x", 6, false);
	assert_logged("server=\"a?b\\ufffd\"\nclient=****\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_without_a_list),
		TEST(what_came_before_follows),
		TEST(what_another_said_is_forgotten),
		TEST(pieces_end_between_characters),
		TEST(characters_of_an_endless_line_are_whole),
		TEST(octets_that_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

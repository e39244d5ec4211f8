/* id_file, id_block: what is written is read again; what is malformed is found, with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/adoption/id_block.h"

static FILE *file_of(const char *text, size_t n)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	rewind(file);
	return file;
}

static struct id_row full_row(void)
{
	struct id_row row;

	id_row_clear(&row);
	row.tenant = "acme";
	row.login = "anna\t\\x\n@acme.example";
	row.folder = "Junk\r";
	row.entry = (struct registry_entry){
		.key = "1700000000.M1P2.h\xff,S=3",
		.unique_id = "~.a~2D",
		.emailid = "EM12\xc3\xa4",
		.fingerprint = INT64_MAX,
		.size = 0,
		.measured = 17,
		.arrival = -5,
		.missing = 1700000000,
		.uidvalidity = UINT32_MAX,
		.uid = 1,
		.exact = true,
		.hidden = true,
	};
	return row;
}

static void assert_same(const struct id_row *a, const struct id_row *b, unsigned files)
{
	struct arena *arena = arena_new();

	for (size_t i = 0; i < id_column_count; i++) {
		if (!(id_columns[i].files & files))
			continue;
		assert_int_equal(id_is_clear(a, &id_columns[i]), id_is_clear(b, &id_columns[i]));
		assert_string_equal(id_value_text(a, &id_columns[i], arena),
			id_value_text(b, &id_columns[i], arena));
	}
	arena_free(arena);
}

static void what_is_written_is_read(void **state)
{
	struct id_row rows[3] = { full_row() }, read;
	struct arena *arena = arena_new();

	(void)state;
	id_row_clear(&rows[1]);
	rows[1].login = "bob";
	rows[1].kind = ID_MAILDROP;
	rows[1].next = INT64_MAX;
	rows[1].numbers = true;
	rows[1].seen = 3;
	id_row_clear(&rows[2]);
	rows[2].login = "bob";
	rows[2].kind = ID_END;
	for (int json = 0; json < 2; json++) {
		struct buffer out = { 0 };
		struct id_reader *reader;
		bool more;
		FILE *in;

		if (!json)
			id_tsv_header(ID_EXPORT, &out);
		for (size_t i = 0; i < 3; i++)
			(json ? id_json_row : id_tsv_row)(ID_EXPORT, &rows[i], &out);
		in = file_of(buffer_data(&out), buffer_used(&out));
		assert_false(failed(id_reader_new(in, &reader)));
		for (size_t i = 0; i < 3; i++) {
			assert_false(failed(id_read(reader, arena, &read, &more)));
			assert_true(more);
			assert_same(&read, &rows[i], ID_EXPORT);
			assert_int_equal(id_reader_line(reader), i + (json ? 1 : 2));
		}
		assert_false(failed(id_read(reader, arena, &read, &more)));
		assert_false(more);
		assert_true(id_reader_kinds(reader));
		id_reader_free(reader);
		fclose(in);
		buffer_done(&out);
	}
	arena_free(arena);
}

/* The first error of a file, or "" . */
static const char *trouble(const char *text, struct arena *arena)
{
	FILE *in = file_of(text, strlen(text));
	struct id_reader *reader = NULL;
	struct err e = id_reader_new(in, &reader);
	struct id_row row;
	bool more = true;

	while (!failed(e) && more)
		e = id_read(reader, arena, &row, &more);
	id_reader_free(reader);
	fclose(in);
	return arena_strdup(arena, e.detail);
}

static void mistakes_are_found_with_their_line(void **state)
{
	static const char *const examples[][2] = {
		{ "login\told_id\na\tb\n", "" },
		{ "login\told_id\tcolour\r\na\tb\tred\r\n\n", "" },
		{ "{\"login\":\"a\",\"old_id\":\"b\",\"colour\":1}\n\n", "" },
		{ "", "the file is empty" },
		{ "anna b\n", "line 1: expected the names of the columns" },
		{ "login\n", "line 1: there is no column old_id" },
		{ "login\told_id\tlogin\n", "line 1: a column stands there twice" },
		{ "login\told_id\n\nanna\tb\tc\n", "line 3: more cells than columns" },
		{ "login\told_id\n\tb\n", "line 2: no login" },
		{ "login\told_id\na\t\\x\n", "line 2: old_id: a backslash" },
		{ "login\told_id\na\tb\\\n", "line 2: old_id: a backslash" },
		{ "login\told_id\tsize\na\tb\t12x\n", "line 2: size: not valid" },
		{ "login\told_id\tsize\na\tb\t-1\n", "line 2: size: not valid" },
		{ "login\told_id\tsize\na\tb\t9223372036854775808\n", "line 2: size: not valid" },
		{ "login\told_id\tuid\na\tb\t4294967296\n", "line 2: uid: not valid" },
		{ "login\told_id\thidden\na\tb\t2\n", "line 2: hidden: not valid" },
		{ "login\told_id\tkind\na\tb\tfolder\n", "line 2: kind: not valid" },
		{ "{\"login\":\"a\"\n", "line 1: not a JSON object" },
		{ "{\"login\":\"a\"}\n[]\n", "line 2: not a JSON object" },
		{ "{\"login\":1}\n", "line 1: login: not valid" },
		{ "{\"login\":\"a\",\"size\":\"1\"}\n", "line 1: size: not valid" },
		{ "{\"login\":\"a\",\"size\":1.5}\n", "line 1: size: not valid" },
		{ "{\"login\":\"a\",\"key\":{\"hex\":\"f\"}}\n", "line 1: key: not valid" },
		{ "{\"login\":\"a\",\"key\":{\"hex\":\"00\"}}\n", "line 1: key: not valid" },
		{ "{\"login\":\"a\",\"login\":\"b\"}\n", "line 1: not a JSON object: duplicate" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const char *found = trouble(examples[i][0], arena);

		if (strncmp(found, examples[i][1], strlen(examples[i][1])) != 0 ||
			(*found && !*examples[i][1]))
			fail_msg("%s: %s, expected %s", examples[i][0], found, examples[i][1]);
	}
	arena_free(arena);
}

/* "login:n complete" of each block. */
static const char *blocks_of(const char *text, struct arena *arena)
{
	FILE *in = file_of(text, strlen(text));
	struct buffer out = { 0 };
	struct id_reader *reader;
	struct id_blocks *blocks;
	struct id_block block;
	const char *result;
	bool more;

	assert_false(failed(id_reader_new(in, &reader)));
	blocks = id_blocks_new(reader);
	for (;;) {
		assert_false(failed(id_blocks_next(blocks, &block, &more)));
		if (!more)
			break;
		buffer_printf(&out, "%s%s%s:", block.tenant, *block.tenant ? "/" : "", block.login);
		for (size_t i = 0; i < block.n; i++)
			buffer_printf(&out, " %s", block.messages[i].old_id);
		buffer_printf(&out, "%s\n", block.complete ? "." : " ?");
	}
	buffer_append(&out, "", 1);
	result = arena_strdup(arena, buffer_data(&out));
	buffer_done(&out);
	id_blocks_free(blocks);
	id_reader_free(reader);
	fclose(in);
	return result;
}

static void blocks_are_maildrops(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_string_equal(blocks_of("login\told_id\n", arena), "");
	assert_string_equal(blocks_of("login\told_id\na\t1\na\t2\nb\t3\na\t4\n", arena),
		"a: 1 2.\nb: 3.\na: 4.\n");
	assert_string_equal(blocks_of("tenant\tlogin\told_id\nt\ta\t1\nu\ta\t2\n", arena),
		"t/a: 1.\nu/a: 2.\n");
	assert_string_equal(blocks_of("kind\tlogin\told_id\tmessages\n"
				      "message\ta\t1\t\n"
				      "message\ta\t2\t\n"
				      "end\ta\t\t2\n"
				      "message\tb\t1\t\n"
				      "end\tb\t\t2\n"
				      "end\tc\t\t\n"
				      "message\td\t1\t\n"
				      "message\ta\t3\t\n"
				      "end\ta\t\t1\n"
				      "message\ta\t4\t\n"
				      "end\ta\t\t1",
				    arena),
		"a: 1 2.\nb: 1 ?\nc:.\nd: 1 ?\na: 3.\na: 4 ?\n");
	arena_free(arena);
}

static void numbers_are_left_behind(void **state)
{
	(void)state;
	assert_int_equal(id_number_behind("1"), 2);
	assert_int_equal(id_number_behind("0"), 0);
	assert_int_equal(id_number_behind("01"), 0);
	assert_int_equal(id_number_behind("1a"), 0);
	assert_int_equal(id_number_behind(""), 1);
	assert_int_equal(id_number_behind("9223372036854775806"), INT64_MAX);
	assert_int_equal(id_number_behind("9223372036854775807"), 0);
	/* 2^64 and 2^64 + 41, then 2^65 */
	assert_int_equal(id_number_behind("18446744073709551616"), 1);
	assert_int_equal(id_number_behind("18446744073709551657"), 42);
	assert_int_equal(id_number_behind("36893488147419103232"), 0);
	assert_int_equal(id_number_behind("99999999999999999999999999999999999999999999999999"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(mistakes_are_found_with_their_line),
		cmocka_unit_test(blocks_are_maildrops),
		cmocka_unit_test(numbers_are_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* transfer: what goes out of one store comes into another as the same; what is adopted. */
#include <stdio.h>
#include <string.h>

#include "proxy/adoption/transfer.h"
#include "proxy/maildrop/unique_id.h"
#include "tests/unit/maildrop/stores.h"

#define NOW 1700000000

/* What the first store gave, for the others. */
static struct buffer exported[2];
static char *first_record;

static void fill(void)
{
	const struct registry_entry entries[] = {
		{ .key = "",
			.unique_id = "",
			.emailid = "EM1",
			.fingerprint = 7,
			.size = 10,
			.measured = 12,
			.arrival = 5,
			.uidvalidity = 9,
			.uid = 1,
			.folder = 0 },
		{ .key = "",
			.unique_id = "18446744073709551657",
			.emailid = "",
			.size = 0,
			.measured = REGISTRY_NO_SIZE,
			.uidvalidity = 9,
			.uid = 2,
			.hidden = true },
		{ .key = "1700.M\xff\t.host",
			.unique_id = "~.a~20",
			.emailid = "",
			.size = REGISTRY_NO_SIZE,
			.measured = REGISTRY_NO_SIZE,
			.missing = 44,
			.exact = true,
			.folder = 1 },
		{ .key = ADOPTED_KEY "1",
			.unique_id = "old.1",
			.emailid = "",
			.size = REGISTRY_SIZE_MAX,
			.measured = REGISTRY_NO_SIZE,
			.arrival = -1,
			.missing = 44,
			.folder = 0 },
	};

	write_record((struct registry_change){ .next = 100,
		.flags = REGISTRY_NUMBERS,
		.seen = 33,
		.keep = entries,
		.n_keep = sizeof(entries) / sizeof(entries[0]) });
}

static void add_tsv(const struct id_row *row, void *arg)
{
	id_tsv_row(ID_EXPORT, row, arg);
}

static void add_json(const struct id_row *row, void *arg)
{
	id_json_row(ID_EXPORT, row, arg);
}

static const struct registry_maildrop whole = { "tenant", "user", NULL, 0 };

static const char *record_now(struct arena *arena)
{
	struct registry_record record;

	assert_ok(load_record(registry, &whole, arena, &record));
	return arena_printf(arena, "next=%llu flags=%u seen=%lld %s",
		(unsigned long long)record.next, record.flags, (long long)record.seen,
		record_as_text(&record, arena));
}

static void export_all(struct buffer out[2])
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;

	assert_ok(load_record(registry, &whole, arena, &record));
	id_tsv_header(ID_EXPORT, &out[0]);
	id_rows_of_record(&whole, &record, "INBOX", add_tsv, &out[0]);
	id_rows_of_record(&whole, &record, "INBOX", add_json, &out[1]);
}

struct call {
	struct import import;
	const struct id_block *block;
	struct err e;
};

static void call_import(void *arg)
{
	struct call *call = arg;

	call->e = import_block(&call->import, call->block);
}

/* Imports the only maildrop of a file. */
static struct import import_text(const char *text, size_t n, bool replace, bool dry)
{
	struct call call = { .import = { .registry = registry,
				     .tenant = "tenant",
				     .login = "user",
				     .main_folder = "INBOX",
				     .now = NOW,
				     .replace = replace,
				     .dry = dry } };
	struct id_reader *reader;
	struct id_blocks *blocks;
	struct id_block block;
	FILE *in = tmpfile();
	bool more;

	assert_int_equal(fwrite(text, 1, n, in), n);
	rewind(in);
	assert_ok(id_reader_new(in, &reader));
	blocks = id_blocks_new(reader);
	assert_ok(id_blocks_next(blocks, &block, &more));
	assert_true(more && block.complete);
	call.block = &block;
	in_fiber(call_import, &call);
	assert_ok(call.e);
	id_blocks_free(blocks);
	id_reader_free(reader);
	fclose(in);
	return call.import;
}

static struct import import(const char *text)
{
	return import_text(text, strlen(text), false, false);
}

static void what_goes_out_comes_in(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct buffer out[2] = { { 0 }, { 0 } };

	(void)state;
	fake_clock = 50;
	fill();
	if (!first_record)
		first_record = mem_strdup(record_now(arena));
	export_all(out);
	for (int i = 0; i < 2; i++) {
		if (buffer_used(&exported[i]) == 0)
			buffer_append(&exported[i], buffer_data(&out[i]), buffer_used(&out[i]));
		/* Every store says the same. */
		assert_int_equal(buffer_used(&out[i]), buffer_used(&exported[i]));
		assert_memory_equal(
			buffer_data(&out[i]), buffer_data(&exported[i]), buffer_used(&out[i]));
		buffer_done(&out[i]);
	}
	for (int i = 0; i < 2; i++) {
		struct import done;

		place_tear_down(NULL);
		place_set_up(NULL);
		done = import_text(
			buffer_data(&exported[i]), buffer_used(&exported[i]), false, false);
		assert_int_equal(done.outcome, IMPORT_DONE);
		assert_int_equal(done.n_entries, 4);
		assert_string_equal(record_now(arena), first_record);
	}
}

static void shown_ids_are_those_of_clients(void **state)
{
	(void)state;
	fake_clock = 50;
	fill();
	for (int i = 0; i < 2; i++) {
		struct buffer out[2] = { { 0 }, { 0 } };

		export_all(out);
		buffer_append(&out[i], "", 1);
		/* 9 * 2^32 + 1 */
		assert_non_null(strstr(buffer_data(&out[i]), "38654705665"));
		buffer_done(&out[0]);
		buffer_done(&out[1]);
	}
}

static void old_ids_are_adopted(void **state)
{
	struct import done = import("login\told_id\tsize\tfingerprint\tarrival\n"
				    "u\t17\t100\t5\t\n"
				    "u\ta b\t\t\t9\n"
				    "u\t17\t300\t\t\n"
				    "u\t18446744073709552616\t\t\t\n");

	(void)state;
	assert_int_equal(done.outcome, IMPORT_DONE);
	assert_int_equal(done.n_entries, 3);
	assert_int_equal(done.n_doubles, 1);
	{
		cleanup(arena_cleanup) struct arena *arena = arena_new();
		struct registry_record record;

		assert_ok(load_record(registry, &whole, arena, &record));
		assert_int_equal(record.n_entries, 3);
		assert_true(record.next >= 1001);
		assert_string_equal(record.folders[0].name, "INBOX");
		for (size_t i = 0; i < 3; i++) {
			assert_true(entry_adopted(&record.entries[i]));
			assert_int_equal(record.entries[i].missing, NOW);
		}
		/* In the order of the file. */
		assert_string_equal(record.entries[0].unique_id, "17");
		assert_int_equal(record.entries[0].size, 100);
		assert_int_equal(record.entries[0].fingerprint, 5);
		assert_string_equal(record.entries[1].unique_id, "~.a~20b");
		assert_int_equal(record.entries[1].arrival, 9);
		assert_true(record.entries[1].size == REGISTRY_NO_SIZE);
		assert_string_equal(record.entries[2].unique_id, "18446744073709552616");
	}
}

static void unmet_ones_are_replaced_and_others_not(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	static const char old4[] = "login\told_id\nu\told4\n";
	const char *before;
	struct import done;

	(void)state;
	import("login\told_id\nu\told1\nu\told2\n");
	assert_int_equal(import("login\told_id\nu\told3\n").outcome, IMPORT_DONE);
	assert_null(strstr(record_now(arena), "old1"));
	assert_non_null(strstr(record_now(arena), "old3"));
	keep(imap_entry(9, 1));
	before = record_now(arena);
	assert_int_equal(import(old4).outcome, IMPORT_KNOWN);
	assert_string_equal(record_now(arena), before);
	done = import_text(old4, strlen(old4), true, true);
	assert_int_equal(done.outcome, IMPORT_DONE);
	assert_string_equal(record_now(arena), before);
	done = import_text(old4, strlen(old4), true, false);
	assert_int_equal(done.outcome, IMPORT_DONE);
	assert_non_null(strstr(record_now(arena), "old4"));
	assert_null(strstr(record_now(arena), "old3"));
}

static void what_is_no_record_is_refused(void **state)
{
	static const char *const examples[][2] = {
		{ "login\tunique_id\nu\t1\n", "line 2: neither uid nor key" },
		{ "login\tunique_id\tkey\nu\t\tk\n", "line 2: no unique_id" },
		{ "login\tunique_id\tkey\nu\ta b\tk\n", "line 2: unique_id: not 1 to 70" },
		{ "login\tunique_id\tkey\nu\t~ \tk\n", "line 2: unique_id: not 1 to 70" },
		{ "login\tunique_id\tkey\nu\ta\tk\nu\tb\tk\n", "line 2: a message" },
		{ "login\tunique_id\tkey\nu\ta\tk\nu\ta\tl\n", "line 2: a unique-id" },
		{ "login\tunique_id\tkey\told_id\nu\ta\tk\t\nu\t\t\ta\n", "line 2: a unique-id" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct import done = import(examples[i][0]);

		assert_int_equal(done.outcome, IMPORT_REFUSED);
		if (strncmp(done.why, examples[i][1], strlen(examples[i][1])) != 0)
			fail_msg("%s, expected %s", done.why, examples[i][1]);
	}
	assert_int_equal(revision_of(registry, &whole), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(what_goes_out_comes_in),
		store_test(shown_ids_are_those_of_clients),
		store_test(old_ids_are_adopted),
		store_test(unmet_ones_are_replaced_and_others_not),
		store_test(what_is_no_record_is_refused),
	};
	static const struct test_store *const stores[] = { &sqlite_store,
#ifdef POPGATE_POSTGRESQL
		&postgresql_store
#endif
	};
	int failures = run_on_stores("transfer", tests, sizeof(tests) / sizeof(tests[0]), stores,
		sizeof(stores) / sizeof(stores[0]));

	buffer_done(&exported[0]);
	buffer_done(&exported[1]);
	free(first_record);
	return failures;
}

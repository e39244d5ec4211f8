#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/maildrop/unique_id.h"

static const char *imap(uint32_t hash, uint32_t uidvalidity, uint32_t uid)
{
	static struct unique_id id;

	unique_id_imap(&id, hash, uidvalidity, uid);
	return id.text;
}

static const char *name(const char *folder, const char *base)
{
	static struct unique_id ids[2];
	static unsigned turn;
	struct unique_id *id = &ids[turn++ % 2];

	unique_id_name(id, folder, base);
	return id->text;
}

static void assert_sendable(const char *id)
{
	size_t n = strlen(id);

	assert_in_range(n, 1, 70);
	for (size_t i = 0; i < n; i++)
		assert_in_range((unsigned char)id[i], 0x2e, 0x7e);
}

static void imap_main_folder(void **state)
{
	(void)state;
	assert_string_equal(imap(0, 0, 1), "1");
	assert_string_equal(imap(0, 1, 0), "4294967296");
	assert_string_equal(imap(0, 1700000000, 42), "7301444403200000042");
	assert_string_equal(imap(0, UINT32_MAX, UINT32_MAX), "18446744073709551615");
}

static void imap_other_folders(void **state)
{
	(void)state;
	/* 2 * 2^64 + 2^32 + 1 is the least hash; the range from 2^64 to 2^65 stays free. */
	assert_string_equal(imap(1, 1, 1), "36893488151714070529");
	assert_string_equal(
		imap(0x7fffffff, UINT32_MAX, UINT32_MAX), "39614081275578912870481526783");
}

static void folder_hashes(void **state)
{
	(void)state;
	/* printf Junk | sha256sum: 16d70c1c… */
	assert_int_equal(unique_id_folder_hash("Junk"), 0x16d70c1c);
	assert_int_not_equal(unique_id_folder_hash("Junk"), unique_id_folder_hash("junk"));
	assert_in_range(unique_id_folder_hash(""), 1, 0x7fffffff);
}

static void registry_numbers(void **state)
{
	struct unique_id id;

	(void)state;
	unique_id_number(&id, 1);
	assert_string_equal(id.text, "1");
	unique_id_number(&id, INT64_MAX);
	assert_string_equal(id.text, "9223372036854775807");
}

static void names_are_encoded(void **state)
{
	(void)state;
	assert_string_equal(name(NULL, "1700000000.M1P2.host"), "1700000000.M1P2.host");
	assert_string_equal(name(NULL, "17.a-b,S=3"), "17.a~2Db~2CS=3");
	assert_string_equal(name(NULL, "~2D"), "~7E2D");
	assert_string_equal(name(NULL, "a b\x01\xff"), "a~20b~01~FF");
	assert_string_equal(name(NULL, "a/b"), "a~2Fb");
	assert_string_equal(name("Sent/2024", "x"), "Sent~2F2024/x");
}

static void long_names_are_hashed(void **state)
{
	static const char seventy[] =
		"0123456789012345678901234567890123456789012345678901234567890123456789";
	char longer[80];

	(void)state;
	assert_string_equal(name(NULL, seventy), seventy);
	strcpy(longer, seventy);
	strcat(longer, "x");
	/* printf '%s' 0123…9x | sha256sum */
	assert_string_equal(name(NULL, longer),
		"~~F806B0314D0F7375E7A599723D831A5D2DD04C1A11765D7208454D0FBBFE47BF");
	assert_sendable(name(NULL, longer));
	/* With a folder before it even the one of 70 is too long. */
	assert_int_equal(strlen(name("F", seventy)), 66);
	assert_string_not_equal(name("F", longer), name("G", longer));
	assert_string_not_equal(name("F", longer), name(NULL, longer));
}

/* Pairs that a careless encoding takes for one. */
static void names_never_collide(void **state)
{
	static const struct {
		const char *folder, *name;
	} cases[] = {
		{ NULL, "a" },
		{ NULL, "~a" },
		{ NULL, "~~a" },
		{ NULL, "~7Ea" },
		{ NULL, "," },
		{ NULL, "~2C" },
		{ NULL, "F/a" },
		{ NULL, "F~2Fa" },
		{ "F", "a" },
		{ "F/a", "" },
		{ "", "F/a" },
		{ "", "a" },
		{ NULL, "" },
		{ NULL, "~~0123456789012345678901234567890123456789012345678901234567890123" },
		{ NULL, "------------------------" },
		{ NULL, "-----------------------" },
		{ "-----------------------", "-" },
		{ "----------------------", "--" },
	};
	size_t n = sizeof(cases) / sizeof(cases[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_sendable(name(cases[i].folder, cases[i].name));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name(cases[i].folder, cases[i].name),
				name(cases[j].folder, cases[j].name));
	}
}

static const char *adopted(const char *text)
{
	static struct unique_id ids[2];
	static unsigned turn;
	struct unique_id *id = &ids[turn++ % 2];

	unique_id_adopted(id, text);
	return id->text;
}

static const char seventy[] =
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij";

static void legal_ids_are_adopted_as_they_are(void **state)
{
	static const char *const legal[] = { "1", ".", "}", "a~", "a~2D", "0000002a6553f100",
		"1700000000.42", "1700000000.M1P2.host/x", seventy };

	(void)state;
	for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
		assert_string_equal(adopted(legal[i]), legal[i]);
}

static void other_ids_are_encoded(void **state)
{
	(void)state;
	assert_string_equal(adopted("UID1-2"), "~.UID1~2D2");
	assert_string_equal(adopted("~"), "~.~7E");
	assert_string_equal(adopted("~.a"), "~.~7E.a");
	assert_string_equal(adopted(""), "~.");
	assert_string_equal(adopted("a b\x7f\xff/~"), "~.a~20b~7F~FF/~7E");
}

/* printf '%s' abc…jx | sha256sum */
static void long_ids_are_hashed(void **state)
{
	char longer[80];

	(void)state;
	strcpy(longer, seventy);
	strcat(longer, "x");
	assert_string_equal(adopted(longer),
		"~~AA16E784E8B146419FEEFCDC8F67D92614009CB192DAE1CC0DA0A1C02930BD49");
	/* Legal octets only, but encoded it has 71: 2 for the mark, 3 for the escape, 66 more. */
	snprintf(longer, sizeof(longer), "~%.65s", seventy);
	assert_int_equal(strlen(adopted(longer)), 70);
	snprintf(longer, sizeof(longer), "~%.66s", seventy);
	assert_memory_equal(adopted(longer), "~~", 2);
}

static void adopted_ids_never_collide(void **state)
{
	static const char *const texts[] = { "", "a", "a-", "a~2D", "~.a~2D", "~.a-", "~a-", "~",
		"~~", "~.", "~.~7E", "~7E", " ", "~20", "~.~20", "~.~.", "~~.",
		"~~AA16E784E8B146419FEEFCDC8F67D92614009CB192DAE1CC0DA0A1C02930BD49" };
	size_t n = sizeof(texts) / sizeof(texts[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_sendable(adopted(texts[i]));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(adopted(texts[i]), adopted(texts[j]));
		/* Nor with what stands for a name. */
		assert_true(*adopted(texts[i]) != '~' ||
			    strcmp(adopted(texts[i]), name(NULL, texts[i])) != 0);
	}
}

static void templates_become_ids(void **state)
{
	const struct uidl_values values = { .uid = 42, .uidvalidity = 7 };
	struct unique_id id;

	(void)state;
	assert_true(unique_id_template(&id, "%{uid:hex8}%{uidvalidity:hex8}", &values));
	assert_string_equal(id.text, "0000002a00000007");
	assert_true(unique_id_template(&id, "UID%{uid}-%{uidvalidity}", &values));
	assert_string_equal(id.text, "~.UID42~2D7");
	assert_false(unique_id_template(&id, "%{emailid}", &values));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(imap_main_folder),
		cmocka_unit_test(imap_other_folders),
		cmocka_unit_test(folder_hashes),
		cmocka_unit_test(registry_numbers),
		cmocka_unit_test(names_are_encoded),
		cmocka_unit_test(long_names_are_hashed),
		cmocka_unit_test(names_never_collide),
		cmocka_unit_test(legal_ids_are_adopted_as_they_are),
		cmocka_unit_test(other_ids_are_encoded),
		cmocka_unit_test(long_ids_are_hashed),
		cmocka_unit_test(adopted_ids_never_collide),
		cmocka_unit_test(templates_become_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

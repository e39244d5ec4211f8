/* What file names, folder names and octets tell, without a Maildir. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/maildir/folder.h"
#include "backends/maildir/measure.h"
#include "backends/maildir/name.h"
#include "backends/maildir/size_cache.h"

static void base_ends_at_the_info_part(void **state)
{
	(void)state;
	assert_int_equal(maildir_name_base("123.M1.host,S=5:2,FS"), 15);
	assert_int_equal(maildir_name_base("123.M1.host"), 11);
	assert_int_equal(maildir_name_base("123.host:1,x"), 12);
	assert_int_equal(maildir_name_base("123.host:2"), 10);
	assert_int_equal(maildir_name_base(""), 0);
}

static void time_is_what_the_name_begins_with(void **state)
{
	static const struct {
		const char *base;
		int64_t seconds;
		uint32_t microseconds;
	} cases[] = {
		{ "1700000000.M123456P789.host,S=1", 1700000000, 123456 },
		{ "1700000000.P789M42Q1.host", 1700000000, 42 },
		{ "1700000000.789.host", 1700000000, 0 },
		{ "1700000000.MX.M7", 1700000000, 0 },
		{ "1700000000.M99999999999.host", 1700000000, UINT32_MAX },
		{ "100000000.x", 100000000, 0 },
		{ "12345678.x", 0, 0 }, /* too short for a time */
		{ "202401011230.x", 0, 0 },
		{ "1700000000", 0, 0 },
		{ "1700000000,S=3", 0, 0 },
		{ "99999999999999999999999.x", 0, 0 },
		{ "mail.eml", 0, 0 },
		{ "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct maildir_time time = maildir_name_time(cases[i].base);

		assert_int_equal(time.seconds, cases[i].seconds);
		assert_int_equal(time.microseconds, cases[i].microseconds);
	}
}

static void assert_size(const char *base, char key, bool told, uint64_t size)
{
	uint64_t value = 0;

	assert_int_equal(maildir_name_size(base, key, &value), told);
	assert_int_equal(value, size);
}

static void sizes_are_fields_of_the_base_name(void **state)
{
	(void)state;
	assert_size("1.host,S=12,W=34", 'S', true, 12);
	assert_size("1.host,S=12,W=34", 'W', true, 34);
	assert_size("1.host,W=0", 'W', true, 0);
	assert_size("1.host,S=18446744073709551615", 'S', true, UINT64_MAX);
	assert_size("1.host,S=18446744073709551616", 'S', false, 0);
	assert_size("1.host,S=,W=1", 'S', false, 0);
	assert_size("1.host,S=1x,S=2", 'S', true, 2);
	assert_size("1.host,S=-1", 'S', false, 0);
	assert_size("S=1.host", 'S', false, 0);
	assert_size("1.host,S", 'S', false, 0);
	assert_size("1.host,", 'S', false, 0);
}

static void flags_are_added_in_order_and_others_kept(void **state)
{
	static const struct {
		const char *info, *flagged;
	} cases[] = {
		{ "", "1.x:2,S" },
		{ ":2,", "1.x:2,S" },
		{ ":2,FR", "1.x:2,FRS" },
		{ ":2,FTab", "1.x:2,FSTab" },
		{ ":2,S", "1.x:2,S" },
		{ ":2,F,S=1", "1.x:2,FS,S=1" },
	};
	char out[MAILDIR_NAME_SIZE], base[MAILDIR_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(maildir_name_flagged("1.x", cases[i].info, 'S', out));
		assert_string_equal(out, cases[i].flagged);
		assert_true(maildir_name_has_flag(strchr(out, ':'), 'S'));
	}
	assert_true(maildir_name_flagged("1.x", "", '\0', out));
	assert_string_equal(out, "1.x:2,");
	assert_true(maildir_name_flagged("1.x", ":2,F", '\0', out));
	assert_string_equal(out, "1.x:2,F");
	assert_false(maildir_name_has_flag("", 'S'));
	assert_false(maildir_name_has_flag(":2,F,S", 'S'));

	memset(base, 'x', sizeof base);
	base[NAME_MAX - 4] = '\0';
	assert_true(maildir_name_flagged(base, "", 'S', out));
	base[NAME_MAX - 4] = 'x';
	base[NAME_MAX - 3] = '\0';
	assert_false(maildir_name_flagged(base, "", 'S', out));
}

static void assert_folder(const char *name, enum folder_layout layout, const char *path)
{
	char *ret = NULL;
	struct err e = maildir_folder_path(name, layout, &ret);

	if (path) {
		assert_false(failed(e));
		assert_string_equal(ret, path);
	} else {
		assert_int_equal(e.scope, ERR_PERM);
		assert_null(ret);
	}
	free(ret);
}

static void folders_stay_inside_the_maildir(void **state)
{
	static const char *const never[] = { "", "/", ".", "..", "../x", "/etc", "x/", "x//y",
		"x/..", "x/../y", "x/./y", ".x", "x\ny", "\xff" };
	static const char *const not_in_fs[] = { "x/.y", "cur", "new", "tmp", "x/cur" };

	(void)state;
	assert_folder("INBOX", LAYOUT_MAILDIRPP, ".");
	assert_folder("inbox", LAYOUT_FS, ".");
	assert_folder("Sub/Folder", LAYOUT_MAILDIRPP, ".Sub.Folder");
	assert_folder("Sub.Folder", LAYOUT_MAILDIRPP, ".Sub.Folder");
	assert_folder("Sub/Folder", LAYOUT_FS, "Sub/Folder");
	assert_folder("Sub.Folder", LAYOUT_FS, "Sub.Folder");
	assert_folder("Entw\xc3\xbcrfe/A&B", LAYOUT_MAILDIRPP, ".Entw&APw-rfe.A&-B");
	assert_folder("Entw\xc3\xbcrfe/A&B", LAYOUT_FS, "Entw&APw-rfe/A&-B");
	assert_folder("x..y", LAYOUT_MAILDIRPP, NULL);
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		assert_folder(never[i], LAYOUT_MAILDIRPP, NULL);
		assert_folder(never[i], LAYOUT_FS, NULL);
	}
	for (size_t i = 0; i < sizeof not_in_fs / sizeof *not_in_fs; i++)
		assert_folder(not_in_fs[i], LAYOUT_FS, NULL);
}

static void assert_root(const char *text, const char *user, const char *domain, const char *root)
{
	struct tenant tenant = { .maildir = { .path = text } };
	struct account account = {
		.tenant = &tenant, .login = "joe@example.org", .user = user, .domain = domain
	};
	char *ret = NULL;
	struct err e = maildir_root_path(&account, &ret);

	if (root) {
		assert_false(failed(e));
		assert_string_equal(ret, root);
	} else {
		assert_int_equal(e.scope, ERR_PERM);
		assert_null(ret);
	}
	free(ret);
}

static void logins_stay_inside_the_template(void **state)
{
	(void)state;
	assert_root("/m/%{domain}/%{user}", "joe", "example.org", "/m/example.org/joe");
	assert_root("/m/%{login}/", "joe", "", "/m/joe@example.org");
	assert_root("/m/%{user}.d", "..", "", "/m/...d");
	assert_root("/m/%{domain}/%{user}", "joe", "", NULL);
	assert_root("/m/%{domain}/%{user}", "..", "example.org", NULL);
	assert_root("/m/%{domain}/%{user}", ".", "example.org", NULL);
	assert_root("/m/%{domain}/%{user}", "a/b", "example.org", NULL);
	assert_root("/m/%{domain}/%{user}", "../../etc", "example.org", NULL);
	assert_root("/m/%{user}/", "", "", NULL);
	assert_root("m/%{user}", "joe", "", NULL);
}

/* The octets as a sender would put them on the wire, one after the other. */
static uint64_t reference(const char *data, size_t n)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < n; i++)
		octets += data[i] == '\n' && (i == 0 || data[i - 1] != '\r') ? 2 : 1;
	return octets + (n > 0 && data[n - 1] != '\n' ? 2 : 0);
}

/* Every text of up to six of these octets, cut in every place. */
static void measured_sizes_are_those_sent(void **state)
{
	static const char alphabet[] = { '\r', '\n', 'a', '\0' };
	char text[6];

	(void)state;
	for (size_t n = 0; n <= sizeof text; n++) {
		for (size_t code = 0; code < 1UL << 2 * n; code++) {
			for (size_t i = 0; i < n; i++)
				text[i] = alphabet[code >> 2 * i & 3];
			for (size_t cut = 0; cut <= n; cut++) {
				struct measure measure = { 0 };

				measure_add(&measure, text, cut);
				measure_add(&measure, text + cut, n - cut);
				assert_int_equal(measure_end(&measure), reference(text, n));
			}
		}
	}
}

static void the_size_cache_is_bounded_and_exact(void **state)
{
	struct stat st = { .st_dev = 1, .st_ino = 7, .st_size = 10, .st_mtim = { 5, 6 } };
	struct size_key key = size_key_of(&st, "base"), other;
	uint64_t octets = 0;
	size_t kept = 0;

	(void)state;
	assert_false(size_cache_get(&key, &octets));
	size_cache_put(&key, 42);
	assert_true(size_cache_get(&key, &octets));
	assert_int_equal(octets, 42);
	other = size_key_of(&st, "other");
	assert_false(size_cache_get(&other, &octets));
	st.st_mtim.tv_nsec++;
	other = size_key_of(&st, "base");
	assert_false(size_cache_get(&other, &octets));
	for (size_t i = 0; i < 2 * SIZE_CACHE_ENTRIES; i++) {
		st.st_ino = 1000 + i;
		other = size_key_of(&st, "base");
		size_cache_put(&other, i);
		assert_true(size_cache_get(&other, &octets));
		assert_int_equal(octets, i);
	}
	for (size_t i = 0; i < 2 * SIZE_CACHE_ENTRIES; i++) {
		st.st_ino = 1000 + i;
		other = size_key_of(&st, "base");
		kept += size_cache_get(&other, &octets);
	}
	assert_in_range(kept, SIZE_CACHE_ENTRIES / 2, SIZE_CACHE_ENTRIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_ends_at_the_info_part),
		cmocka_unit_test(time_is_what_the_name_begins_with),
		cmocka_unit_test(sizes_are_fields_of_the_base_name),
		cmocka_unit_test(flags_are_added_in_order_and_others_kept),
		cmocka_unit_test(folders_stay_inside_the_maildir),
		cmocka_unit_test(logins_stay_inside_the_template),
		cmocka_unit_test(measured_sizes_are_those_sent),
		cmocka_unit_test(the_size_cache_is_bounded_and_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

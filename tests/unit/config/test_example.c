/* config: popgate.example.yaml holds every key of the table, with its default, and no other. */
#include "tests/unit/config/fixture.h"

#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "config/load.h"
#include "config/value.h"

static const char example_file[] = EXAMPLE_FILE;

/* Keys of the example that say something else than their default, as its comments tell. */
static const char *const exceptions[] = { "name", "listen", "tls", "certificate", "key",
	"match.domains", "match.server_names", "match.listeners", "match.addresses", "imap.servers",
	"maildir.path", "maildrop.notice_from", "auth.users_file", "imap.oauth2.token_url",
	"imap.oauth2.device_url", "imap.oauth2.scope", NULL };

static char *read_example(void)
{
	FILE *file = fopen(example_file, "r");
	char *text = mem_zalloc(1, 65536);

	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) > 1000);
	fclose(file);
	return text;
}

/* In place: a path outside of the test becomes one of the fixture's folder. */
static void point(char *text, const char *path, const char *name)
{
	char *found = strstr(text, path);

	assert_non_null(found);
	assert_true(strlen(name) <= strlen(path));
	memset(found, ' ', strlen(path));
	memcpy(found, name, strlen(name));
}

/* The example as popgate.yaml of the fixture's folder, with files that exist. */
static void write_example(void)
{
	char *text = read_example();

	fixture_certificate("one");
	point(text, "/etc/popgate/tls/cert.pem", "one.pem");
	point(text, "/etc/popgate/tls/key.pem", "one.key");
	point(text, "/etc/popgate/local.users", "one.pem");
	fixture_write("popgate.yaml", text);
	free(text);
}

static void the_example_loads(void **state)
{
	const struct config *c;

	(void)state;
	write_example();
	c = fixture_load(NULL);
	/* No mistake and no warning; what it shows of later versions is noted. */
	assert_null(strstr(fixture_reports(), "error "));
	assert_null(strstr(fixture_reports(), "warning "));
	assert_non_null(c);
	assert_int_equal(c->n_tenants, 2);
	assert_int_equal(c->n_listeners, 2);
	assert_int_equal(c->tenants[0].imap.oauth2.flow, OAUTH2_DEVICE);
	assert_int_equal(c->tenants[1].store, STORE_MAILDIR);
}

static bool list_gives(const struct block_list *list, const struct key *key)
{
	for (size_t i = 0; i < list->n; i++) {
		if ((list->items[i]->scopes & key->scope) &&
			list->items[i]->marks[key - config_keys].file)
			return true;
	}
	return false;
}

static void every_key_stands_in_the_example(void **state)
{
	struct loader loader = { 0 };

	(void)state;
	write_example();
	loader_begin(&loader, fixture_path("popgate.yaml"));
	loader_run(&loader, fixture_path("popgate.yaml"));
	assert_int_equal(loader.reports.errors, 0);
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];
		bool given = (loader.root.scopes & key->scope) && loader.root.marks[i].file;

		if (!given && !list_gives(&loader.listeners, key) &&
			!list_gives(&loader.certificates, key) && !list_gives(&loader.tenants, key))
			fail_msg("%s is not in the example", key->path);
		/* What tenants share is explained at the top level. */
		if (key->scope == SCOPE_SHARED && !given)
			fail_msg("%s is not at the top level of the example", key->path);
	}
	config_free(loader.config);
	loader_end(&loader);
}

static bool is_exception(const char *path)
{
	for (size_t i = 0; exceptions[i]; i++) {
		if (strcmp(exceptions[i], path) == 0)
			return true;
	}
	return false;
}

static void check_standard(const struct key *key, const void *base, struct arena *arena)
{
	struct buffer given = { 0 }, usual = { 0 };
	void *standard;

	if (key->size == 0 || key->type == KEY_STATE || is_exception(key->path))
		return;
	standard = arena_zalloc(arena, 1, key->size);
	value_set_standard(key, standard, arena);
	value_format(key, (const char *)base + key->offset, &given);
	value_format(key, standard, &usual);
	buffer_append(&given, "", 1);
	buffer_append(&usual, "", 1);
	if (strcmp(given.data + given.start, usual.data + usual.start) != 0)
		fail_msg("%s: the example says %s, the default is %s", key->path,
			given.data + given.start, usual.data + usual.start);
	buffer_done(&given);
	buffer_done(&usual);
}

static void the_example_says_the_defaults(void **state)
{
	struct arena *arena = arena_new();
	const struct config *c;

	(void)state;
	write_example();
	c = fixture_load(NULL);
	assert_non_null(c);
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		switch (key->scope) {
		case SCOPE_CONFIG:
			check_standard(key, c, arena);
			break;
		case SCOPE_LISTENER:
			check_standard(key, &c->listeners[0], arena);
			break;
		case SCOPE_CERTIFICATE:
			break;
		case SCOPE_SHARED:
		case SCOPE_TENANT:
			check_standard(key, &c->tenants[0], arena);
			break;
		}
	}
	assert_string_equal(c->state, "/var/lib/popgate/state.db");
	arena_free(arena);
}

static void the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];
		struct buffer expected = { 0 };

		/* Found by its own name, so no two keys can be mistaken for each other. */
		assert_ptr_equal(key_find_path(key->scope, key->path), key);
		assert_non_null(key->help);
		key_expected(key, &expected);
		assert_true(buffer_used(&expected) > 0);
		buffer_done(&expected);
		if (key_section_length(key) > 0) {
			char *section = mem_strdup(key->path);
			const struct key *outer;

			section[key_section_length(key)] = '\0';
			outer = key_find_path(key->scope, section);
			if (!outer || outer > key || outer->type != KEY_SECTION)
				fail_msg("%s has no section before it", key->path);
			free(section);
		}
		if ((key->flags & KEY_REQUIRED) == 0 && key->size > 0 && !key->standard)
			fail_msg("%s has no default and is not required", key->path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_example_loads),
		TEST(every_key_stands_in_the_example),
		TEST(the_example_says_the_defaults),
		TEST(the_table_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

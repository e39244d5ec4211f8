/* reference - the order of the text, and what is said beside the table. */
#include "config/reference/reference.h"

#include <string.h>

#include "config/config.h"
#include "config/keys.h"
#include "config/value.h"

static const char *const introduction[] = {
	"`popgate.yaml` says where popgate listens, who may log in, and which mail store serves "
	"whom. It is YAML; `popgate check` reports every mistake in it at once, with line and "
	"column, and prints what is in effect. `popgate serve` does not start with mistakes, and "
	"a reload (`SIGHUP`) with mistakes changes nothing.",
	"Every key has a default unless it is marked as required, so a file holds only what "
	"differs. Unknown keys are mistakes. The smallest useful file has one tenant:",
	NULL,
};

static const char least[] = "hostname: pop.example.org\n"
			    "tenants:\n"
			    "  - name: everyone\n"
			    "    imap: {servers: [imap.example.org]}\n";

static const char *const forms[] = {
	"Durations are `250ms`, `10s`, `5m`, `2h` or `30d`; sizes are `512`, `64K`, `20M` or `1G`. "
	"Networks are `192.0.2.0/24`, `2001:db8::/32`, or one address.",
	"A relative path belongs to the folder of the file that it stands in. A file that begins "
	"with `${CREDENTIALS_DIRECTORY}/` is one that systemd gives the service by "
	"`LoadCredential=`. Secrets come from files, never from the YAML itself.",
	"In templates `%{login}` is what the client sent, read by the rules of `login_name`; "
	"`%{user}` and `%{domain}` are its halves.",
	NULL,
};

static const char *const gateway[] = {
	"These keys stand at the top level of the file.",
	NULL,
};

static const char *const shared[] = {
	"These keys stand at the top level, for all tenants, and again in a tenant that wants it "
	"otherwise, key by key: what the tenant leaves out is as at the top level.",
	NULL,
};

static const char *const tenants[] = {
	"`tenants` is a list. The first one, in its order, whose `match` fits serves a login; when "
	"none fits, the login fails as a wrong password would. A file in `tenants_dir` holds what "
	"an item of this list holds. Each tenant has either `imap` or `maildir`, and any of the "
	"keys of the chapter before this one.",
	NULL,
};

static void write_paragraphs(
	const struct reference_format *format, FILE *out, const char *const *paragraphs)
{
	for (; *paragraphs; paragraphs++)
		format->paragraph(out, *paragraphs);
}

/* The default as YAML, to be freed; NULL where there is none. */
static char *standard_text(const struct key *key)
{
	cleanup(arena_cleanup) struct arena *arena = NULL;
	struct buffer text = { 0 };
	void *member;
	char *copy;

	if (!key->standard)
		return NULL;
	/* Its member is two, the one of the table and the kind. */
	if (key->type == KEY_STATE)
		return mem_strdup(key->standard);
	arena = arena_new();
	member = arena_zalloc(arena, 1, key->size);
	value_set_standard(key, member, arena);
	value_format(key, member, &text);
	copy = mem_printf("%.*s", (int)buffer_used(&text), buffer_data(&text));
	buffer_done(&text);
	return copy;
}

static void write_key(const struct reference_format *format, FILE *out, const struct key *key)
{
	cleanup(free_cleanup) char *standard = standard_text(key), *expected = NULL;
	struct buffer text = { 0 };

	key_expected(key, &text);
	expected = mem_printf("%.*s", (int)buffer_used(&text), buffer_data(&text));
	buffer_done(&text);
	format->key(out, &(struct reference_key){ .name = key->path,
				 .expected = expected,
				 .standard = key->flags & KEY_REQUIRED ? NULL : standard,
				 .help = key->help,
				 .not_yet = (key->flags & KEY_NOT_YET) != 0 });
}

static bool is_plain_key(const struct key *key)
{
	return key->type != KEY_SECTION && key->type != KEY_BLOCKS;
}

/* Whether the key stands in that section ("": in none) of that scope. */
static bool belongs(const struct key *key, enum key_scope scope, const char *section)
{
	size_t n = key_section_length(key);

	return key->scope == scope && is_plain_key(key) && strlen(section) == n &&
	       memcmp(key->path, section, n) == 0;
}

static void write_keys(
	const struct reference_format *format, FILE *out, enum key_scope scope, const char *section)
{
	bool begun = false;

	for (size_t i = 0; i < config_key_count; i++) {
		if (!belongs(&config_keys[i], scope, section))
			continue;
		if (!begun)
			format->keys_begin(out);
		begun = true;
		write_key(format, out, &config_keys[i]);
	}
	if (begun)
		format->keys_end(out);
}

static void write_section(const struct reference_format *format, FILE *out, const struct key *key)
{
	format->section(out, key->path);
	format->paragraph(out, key->help);
	if (key->type == KEY_BLOCKS)
		write_keys(format, out, key->block, "");
	else
		write_keys(format, out, key->scope, key->path);
}

/* The keys of a scope: first those in no section. Tenants have a chapter of their own. */
static void write_chapter(const struct reference_format *format, FILE *out, const char *title,
	const char *const *paragraphs, enum key_scope scope)
{
	format->chapter(out, title);
	write_paragraphs(format, out, paragraphs);
	write_keys(format, out, scope, "");
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if (key->scope == scope && !is_plain_key(key) && key->block != SCOPE_TENANT)
			write_section(format, out, key);
	}
}

void reference_write(const struct reference_format *format, FILE *out)
{
	format->begin(out);
	write_paragraphs(format, out, introduction);
	format->example(out, least);
	write_paragraphs(format, out, forms);
	write_chapter(format, out, "The gateway", gateway, SCOPE_CONFIG);
	write_chapter(format, out, "All tenants, or one", shared, SCOPE_SHARED);
	write_chapter(format, out, "Tenants", tenants, SCOPE_TENANT);
	format->end(out);
}

/* key_lookup - finding keys in the table, and what may have been meant where there is none. */
#include <inttypes.h>
#include <string.h>

#include "config/keys.h"
#include "config/units.h"

#define NAME_MAX_OCTETS 64

size_t key_section_length(const struct key *key)
{
	const char *dot = strrchr(key->path, '.');

	return dot ? (size_t)(dot - key->path) : 0;
}

const char *key_leaf(const struct key *key)
{
	const char *dot = strrchr(key->path, '.');

	return dot ? dot + 1 : key->path;
}

static bool in_section(const struct key *key, unsigned scopes, const char *section)
{
	size_t n = key_section_length(key);

	return (key->scope & scopes) != 0 && strlen(section) == n &&
	       memcmp(section, key->path, n) == 0;
}

const struct key *key_find(unsigned scopes, const char *section, const char *name)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if (in_section(key, scopes, section) && strcmp(key_leaf(key), name) == 0)
			return key;
	}
	return NULL;
}

const struct key *key_find_path(unsigned scopes, const char *path)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if ((key->scope & scopes) != 0 && strcmp(key->path, path) == 0)
			return key;
	}
	return NULL;
}

size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_OCTETS + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	size_t na = strlen(a), nb = strlen(b);

	if (na > NAME_MAX_OCTETS || nb > NAME_MAX_OCTETS)
		return SIZE_MAX;
	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *spare = before;

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

bool edit_is_near(size_t distance, size_t length)
{
	return distance <= 1 + length / 4;
}

/* How the path of a key of another scope begins, seen from the whole file. */
static const char *scope_prefix(enum key_scope scope)
{
	switch (scope) {
	case SCOPE_LISTENER:
		return "listeners[].";
	case SCOPE_CERTIFICATE:
		return "certificates[].";
	case SCOPE_TENANT:
		return "tenants[].";
	default:
		return "";
	}
}

/* A key of that name anywhere else, one that this mapping may hold before all others. */
static const struct key *find_elsewhere(unsigned scopes, const char *name)
{
	const struct key *found = NULL;

	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if (strcmp(key_leaf(key), name) != 0)
			continue;
		if (key->scope & scopes)
			return key;
		if (!found)
			found = key;
	}
	return found;
}

const char *key_suggest(unsigned scopes, const char *section, const char *name, struct arena *arena)
{
	const struct key *nearest = NULL, *elsewhere;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];
		size_t distance;

		if (!in_section(key, scopes, section))
			continue;
		distance = edit_distance(name, key_leaf(key));
		if (distance < least) {
			least = distance;
			nearest = key;
		}
	}
	if (nearest && edit_is_near(least, strlen(name)))
		return key_leaf(nearest);
	elsewhere = find_elsewhere(scopes, name);
	if (!elsewhere)
		return NULL;
	return arena_printf(arena, "%s%s",
		elsewhere->scope & scopes ? "" : scope_prefix(elsewhere->scope), elsewhere->path);
}

static void list_choices(const struct key *key, const char *before, struct buffer *out)
{
	for (const struct choice *c = key->choices; c->name; c++) {
		const char *comma = c == key->choices ? "" : c[1].name ? ", " : " or ";

		buffer_printf(out, "%s%s%s%s", comma, before, c->name, *before ? "}" : "");
	}
}

static void number_range(const struct key *key, const char *what, const char *example,
	void (*format)(uint64_t n, struct buffer *out), struct buffer *out)
{
	buffer_printf(out, "%s from ", what);
	format(key->min, out);
	buffer_printf(out, " to ");
	format(key->max, out);
	buffer_printf(out, "%s", example);
	if (key->choices) {
		buffer_printf(out, ", or ");
		list_choices(key, "", out);
	}
}

static void number_format(uint64_t n, struct buffer *out)
{
	buffer_printf(out, "%" PRIu64, n);
}

void key_expected(const struct key *key, struct buffer *out)
{
	static const char *const texts[KEY_TYPE_COUNT_] = {
		[KEY_SECTION] = "a mapping of further keys",
		[KEY_BLOCKS] = "a list of mappings, each after a \"-\"",
		[KEY_NAME] = "a name of at most 64 letters, digits, \".\", \"_\" and \"-\"",
		[KEY_DOMAIN] = "a domain such as acme.example",
		[KEY_ACCOUNT] = "an account of this machine",
		[KEY_FILE] = "a file that can be read",
		[KEY_FOLDER] = "a folder that can be read",
		[KEY_NEW_FILE] = "the path of a file in a folder that is there",
		[KEY_ADDRESS] =
			"an address with a port, such as \"127.0.0.1:9110\" or \"[::1]:9110\"",
		[KEY_URL] = "a URL that begins with https:// (or http://, to a loopback address)",
		[KEY_STATE] = "sqlite:PATH, postgresql://USER@HOST/DATABASE or none",
		[KEY_BOOL] = "true or false",
		[KEY_TEXTS] = "a list such as [a, b]",
		[KEY_DOMAINS] = "a list of domains such as [acme.example, \"*.acme.example\"]",
		[KEY_HOSTS] = "a list of server names or addresses such as [imap.acme.example]",
		[KEY_ADDRESSES] =
			"a list of addresses with ports such as [\"[::]:110\", \"127.0.0.1:1110\"]",
		[KEY_NETWORKS] = "a list of networks such as [192.0.2.0/24, \"2001:db8::/32\"]",
	};

	switch (key->type) {
	case KEY_TEXT:
		buffer_printf(out, "a text");
		if (key->max > 0)
			buffer_printf(
				out, " of %" PRIu64 " to %" PRIu64 " octets", key->min, key->max);
		break;
	case KEY_UIDL_FORMAT:
		buffer_printf(out, "decimal, or a text with ");
		list_choices(key, "%{", out);
		buffer_printf(out, "; numbers also as %%{uid:hex8}, %%{uid:HEX8} or %%{uid:dec10}");
		break;
	case KEY_TEMPLATE:
	case KEY_PATH_TEMPLATE:
		buffer_printf(out, "a text with ");
		list_choices(key, "%{", out);
		break;
	case KEY_NUMBER:
		number_range(key, "a number", "", number_format, out);
		break;
	case KEY_PERCENT:
		number_range(key, "a percentage", "", number_format, out);
		break;
	case KEY_DURATION:
		number_range(
			key, "a duration", ", such as 10s, 5m, 2h or 30d", duration_format, out);
		break;
	case KEY_SIZE:
		number_range(key, "a size", ", such as 512, 64K or 20M", size_format, out);
		break;
	case KEY_FLAGS:
		buffer_printf(out, "a list of ");
		__attribute__((fallthrough));
	case KEY_CHOICE:
		list_choices(key, "", out);
		break;
	default:
		buffer_printf(out, "%s", texts[key->type]);
		break;
	}
}

/* value - scalars and lists into members. What each type accepts is in key_expected's words. */
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/address.h"
#include "config/database.h"
#include "config/template.h"
#include "config/uidl_format.h"
#include "config/units.h"
#include "proxy/runtime/account.h"

#define TEXT_MAX 4096

/* Reports what is wrong with a value, and what is expected. */
__attribute__((format(printf, 3, 4))) static bool refuse(
	const struct setting *s, struct place at, const char *format, ...)
{
	struct buffer expected = { 0 };
	va_list ap;
	char *what;

	va_start(ap, format);
	what = report_text(format, ap);
	va_end(ap);
	key_expected(s->key, &expected);
	buffer_append(&expected, "", 1);
	report(s->reports, CONFIG_ERROR, at, s->path, "%s, expected %s", what,
		expected.data + expected.start);
	buffer_done(&expected);
	free(what);
	return false;
}

static bool refuse_text(const struct setting *s, const struct scalar *v)
{
	if (v->length == 0)
		return refuse(s, v->at, "nothing is given");
	return refuse(s, v->at, "%s is not valid", quoted(s->arena, v->text));
}

static void store_text(const struct setting *s, const char *text)
{
	*(const char **)s->member = arena_strdup(s->arena, text);
}

/* Enums, bools and integers of any width. */
static void store_number(const struct setting *s, uint64_t n)
{
	switch (s->key->size) {
	case 1:
		*(uint8_t *)s->member = (uint8_t)n;
		break;
	case 2:
		*(uint16_t *)s->member = (uint16_t)n;
		break;
	case 4:
		*(uint32_t *)s->member = (uint32_t)n;
		break;
	default:
		*(uint64_t *)s->member = n;
		break;
	}
}

/* Length and characters; every text passes here before its type looks at it. */
static bool check_text(const struct setting *s, const struct scalar *v)
{
	for (size_t i = 0; i < v->length; i++) {
		if ((unsigned char)v->text[i] < 0x20 || v->text[i] == 0x7f)
			return refuse(s, v->at, "the text holds a control character");
	}
	if (v->length > TEXT_MAX)
		return refuse(s, v->at, "the text is longer than %d octets", TEXT_MAX);
	return true;
}

static bool set_text(const struct setting *s, const struct scalar *v)
{
	if (v->length < s->key->min || (s->key->max > 0 && v->length > s->key->max))
		return refuse(s, v->at, "%zu octets long", v->length);
	store_text(s, v->text);
	return true;
}

static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._-") == strlen(text);
}

static bool set_name(const struct setting *s, const struct scalar *v)
{
	if (!is_name(v->text) || v->length > s->key->max)
		return refuse_text(s, v);
	store_text(s, v->text);
	return true;
}

static bool set_domain(const struct setting *s, const struct scalar *v)
{
	if (v->length > 0 && !domain_valid(v->text))
		return refuse_text(s, v);
	store_text(s, v->text);
	return true;
}

static bool set_account(const struct setting *s, const struct scalar *v)
{
	if (v->length > 0 && !getpwnam(v->text))
		return refuse(s, v->at, "there is no account %s", quoted(s->arena, v->text));
	store_text(s, v->text);
	return true;
}

/* A path as it is used: relative ones belong to the folder of their file. */
static const char *resolve(const struct setting *s, const char *path)
{
	if (*path == '\0' || *path == '/' || *s->folder == '\0')
		return path;
	return arena_printf(s->arena, "%s/%s", strcmp(s->folder, "/") == 0 ? "" : s->folder, path);
}

/* Why path cannot be read as a file, or a folder, as an errno value; 0 when it can. */
static int unreadable(const char *path, bool folder)
{
	struct stat st;
	int why = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (folder ? O_DIRECTORY : 0));

	if (fd < 0)
		return errno;
	if (!folder && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		why = EISDIR;
	close(fd);
	return why;
}

/* What systemd gives a service by LoadCredential=, in a folder that only the service knows. */
#define CREDENTIALS "${CREDENTIALS_DIRECTORY}/"

static bool set_path(const struct setting *s, const struct scalar *v)
{
	const char *path = resolve(s, v->text), *folder;
	char account[ACCOUNT_TEXT];
	int why;

	if (v->length < s->key->min)
		return refuse_text(s, v);
	if (strncmp(v->text, CREDENTIALS, strlen(CREDENTIALS)) == 0) {
		folder = getenv("CREDENTIALS_DIRECTORY");
		if (!folder)
			return refuse(s, v->at,
				"CREDENTIALS_DIRECTORY is not set, as systemd does for a service");
		path = arena_printf(s->arena, "%s/%s", folder, v->text + strlen(CREDENTIALS));
	}
	why = *path ? unreadable(path, s->key->type == KEY_FOLDER) : 0;
	if (why == EACCES)
		return refuse(s, v->at, "%s cannot be read by the account %s (%s)", path,
			account_name(account), strerror(why));
	if (why)
		return refuse(s, v->at, "%s cannot be read (%s)", path, strerror(why));
	store_text(s, path);
	return true;
}

static bool set_new_path(const struct setting *s, const struct scalar *v)
{
	bool word = strcmp(v->text, s->key->standard) == 0;
	const char *path = word ? v->text : resolve(s, v->text);
	const char *slash = strrchr(path, '/');
	const char *folder = !slash ? "."
			     : slash == path
				     ? "/"
				     : arena_strndup(s->arena, path, (size_t)(slash - path));
	struct stat st;

	if (!word && *path && (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)))
		return refuse(s, v->at, "there is no folder %s", folder);
	store_text(s, path);
	return true;
}

static bool set_template(const struct setting *s, const struct scalar *v)
{
	const char *text = s->key->type == KEY_PATH_TEMPLATE ? resolve(s, v->text) : v->text;
	const char *bad;

	if (v->length < s->key->min)
		return refuse_text(s, v);
	if (s->key->type == KEY_UIDL_FORMAT && strcmp(text, "decimal") != 0 && !strstr(text, "%{"))
		return refuse_text(s, v);
	bad = s->key->type == KEY_UIDL_FORMAT ? uidl_format_unknown(text, s->arena)
					      : template_unknown(text, s->key->choices, s->arena);
	if (bad)
		return refuse(s, v->at, "%s is not known", quoted(s->arena, bad));
	store_text(s, text);
	return true;
}

static bool set_url(const struct setting *s, const struct scalar *v)
{
	if (v->length > 0 && !url_valid(v->text))
		return refuse_text(s, v);
	store_text(s, v->text);
	return true;
}

static bool set_address(const struct setting *s, const struct scalar *v)
{
	struct listen_address address;

	if (v->length > 0 && !listen_address_parse(v->text, &address))
		return refuse_text(s, v);
	store_text(s, v->text);
	return true;
}

static bool set_database(const struct setting *s, const struct scalar *v)
{
	struct config *config = (struct config *)((char *)s->member - s->key->offset);
	const char *trouble = database_uri_trouble(v->text);

#ifndef POPGATE_POSTGRESQL
	trouble = "this popgate was built without PostgreSQL";
#endif
	if (trouble)
		return refuse(s, v->at, "%s", trouble);
	config->state_kind = STATE_POSTGRESQL;
	store_text(s, v->text);
	return true;
}

static bool set_state(const struct setting *s, const struct scalar *v)
{
	struct config *config = (struct config *)((char *)s->member - s->key->offset);

	if (database_uri_is(v->text))
		return set_database(s, v);
	if (strcmp(v->text, "none") == 0) {
		config->state_kind = STATE_NONE;
		config->state = "";
	} else if (strncmp(v->text, "sqlite:", 7) == 0 && v->text[7]) {
		config->state_kind = STATE_SQLITE;
		store_text(s, resolve(s, v->text + 7));
	} else {
		return refuse_text(s, v);
	}
	return true;
}

static bool set_bool(const struct setting *s, const struct scalar *v)
{
	bool on = strcmp(v->text, "true") == 0;

	if (!on && strcmp(v->text, "false") != 0)
		return refuse_text(s, v);
	store_number(s, on);
	return true;
}

static const struct choice *find_choice(const struct key *key, const char *text)
{
	for (const struct choice *c = key->choices; c && c->name; c++) {
		if (strcmp(c->name, text) == 0)
			return c;
	}
	return NULL;
}

static bool parse_number(enum key_type type, const char *text, uint64_t *ret)
{
	char digits[8];
	size_t n = strlen(text);

	switch (type) {
	case KEY_DURATION:
		return duration_parse(text, ret);
	case KEY_SIZE:
		return size_parse(text, ret);
	case KEY_PERCENT:
		if (n == 0 || n >= sizeof(digits))
			return false;
		memcpy(digits, text, n + 1);
		if (digits[n - 1] == '%')
			digits[n - 1] = '\0';
		return number_parse(digits, ret);
	default:
		return number_parse(text, ret);
	}
}

static bool set_number(const struct setting *s, const struct scalar *v)
{
	const struct choice *word = find_choice(s->key, v->text);
	uint64_t n = 0;

	if (word) {
		n = word->value;
	} else {
		if (!parse_number(s->key->type, v->text, &n))
			return refuse_text(s, v);
		if (n < s->key->min || n > s->key->max)
			return refuse(s, v->at, "%s is out of range", quoted(s->arena, v->text));
	}
	store_number(s, n);
	return true;
}

static bool set_choice(const struct setting *s, const struct scalar *v)
{
	const struct choice *choice = find_choice(s->key, v->text);

	if (!choice)
		return refuse_text(s, v);
	store_number(s, choice->value);
	return true;
}

/* Mechanisms that are not in effect are left out of the bits, so that nobody offers them. */
static bool set_flags(const struct setting *s, const struct value *value)
{
	uint64_t bits = 0, seen = 0;

	for (size_t i = 0; i < value->n; i++) {
		const struct scalar *v = &value->items[i];
		const struct choice *choice = find_choice(s->key, v->text);

		if (!choice)
			return refuse_text(s, v);
		if (seen & choice->value)
			return refuse(s, v->at, "%s is named twice", choice->name);
		seen |= choice->value;
		if (!choice->not_yet)
			bits |= choice->value;
		else
			report(s->reports, CONFIG_NOT_YET, v->at, s->path,
				"%s is accepted, but not in effect in this version", choice->name);
	}
	if (bits == 0)
		return refuse(s, value->at,
			"none of these is in effect in this version: nobody could log in");
	store_number(s, bits);
	return true;
}

static bool check_item(const struct setting *s, const struct scalar *v)
{
	struct listen_address address;

	switch (s->key->type) {
	case KEY_DOMAINS:
		return domain_valid(strncmp(v->text, "*.", 2) == 0 ? v->text + 2 : v->text);
	case KEY_HOSTS:
		return host_valid(v->text);
	case KEY_ADDRESSES:
		return listen_address_parse(v->text, &address);
	default:
		return v->length > 0;
	}
}

static bool set_texts(const struct setting *s, const struct value *value)
{
	const char **items = arena_alloc(s->arena, (value->n + 1) * sizeof(items[0]));

	for (size_t i = 0; i < value->n; i++) {
		if (!check_item(s, &value->items[i]))
			return refuse_text(s, &value->items[i]);
		items[i] = arena_strdup(s->arena, value->items[i].text);
	}
	*(struct string_list *)s->member = (struct string_list){ items, value->n };
	return true;
}

static bool set_networks(const struct setting *s, const struct value *value)
{
	struct network *items = arena_alloc(s->arena, (value->n + 1) * sizeof(items[0]));
	char fixed[NETWORK_TEXT];

	for (size_t i = 0; i < value->n; i++) {
		const struct scalar *v = &value->items[i];

		if (!network_parse(v->text, &items[i]))
			return refuse_text(s, v);
		if (network_trim(&items[i]))
			return refuse(s, v->at, "%s has address bits behind its prefix (%s?)",
				quoted(s->arena, v->text), network_text(&items[i], fixed));
	}
	*(struct network_list *)s->member = (struct network_list){ items, value->n };
	return true;
}

static bool (*const scalar_setters[KEY_TYPE_COUNT_])(
	const struct setting *s, const struct scalar *v) = {
	[KEY_TEXT] = set_text,
	[KEY_NAME] = set_name,
	[KEY_DOMAIN] = set_domain,
	[KEY_ACCOUNT] = set_account,
	[KEY_FILE] = set_path,
	[KEY_FOLDER] = set_path,
	[KEY_NEW_FILE] = set_new_path,
	[KEY_TEMPLATE] = set_template,
	[KEY_PATH_TEMPLATE] = set_template,
	[KEY_UIDL_FORMAT] = set_template,
	[KEY_URL] = set_url,
	[KEY_ADDRESS] = set_address,
	[KEY_STATE] = set_state,
	[KEY_BOOL] = set_bool,
	[KEY_NUMBER] = set_number,
	[KEY_PERCENT] = set_number,
	[KEY_DURATION] = set_number,
	[KEY_SIZE] = set_number,
	[KEY_CHOICE] = set_choice,
};

static bool (*const list_setters[KEY_TYPE_COUNT_])(
	const struct setting *s, const struct value *value) = {
	[KEY_FLAGS] = set_flags,
	[KEY_TEXTS] = set_texts,
	[KEY_DOMAINS] = set_texts,
	[KEY_HOSTS] = set_texts,
	[KEY_ADDRESSES] = set_texts,
	[KEY_NETWORKS] = set_networks,
};

bool value_is_list(enum key_type type)
{
	return list_setters[type] != NULL;
}

bool value_set(const struct setting *s, const struct value *value)
{
	const struct key *key = s->key;

	for (size_t i = 0; i < value->n; i++) {
		if (!check_text(s, &value->items[i]))
			return false;
	}
	if (value_is_list(key->type)) {
		if (!value->list)
			return refuse(s, value->at, "not a list");
		if (value->n < key->min)
			return refuse(s, value->at, "the list is empty");
		if (key->max > 0 && value->n > key->max)
			return refuse(
				s, value->at, "the list has more than %" PRIu64 " items", key->max);
		return list_setters[key->type](s, value);
	}
	if (value->list)
		return refuse(s, value->at, "a list");
	return scalar_setters[key->type](s, &value->items[0]);
}

/* Members of these types are a const char *. */
static bool is_text(enum key_type type)
{
	return type >= KEY_TEXT && type <= KEY_STATE;
}

#define STANDARD_WORDS 8

void value_set_standard(const struct key *key, void *member, struct arena *arena)
{
	struct reports reports = { 0 };
	struct setting s = { key, member, key->path, "", arena, &reports };
	struct scalar words[STANDARD_WORDS];
	struct value value = { .items = words, .list = value_is_list(key->type) };
	char *copy, *rest;

	memset(member, 0, key->size);
	if (is_text(key->type))
		*(const char **)member = "";
	if (!key->standard)
		return;
	copy = rest = arena_strdup(arena, key->standard);
	if (value.list) {
		for (char *word; (word = strsep(&rest, " ")) && value.n < STANDARD_WORDS;) {
			if (*word)
				words[value.n++] = (struct scalar){ word, strlen(word), { 0 } };
		}
	} else {
		words[value.n++] = (struct scalar){ copy, strlen(copy), { 0 } };
	}
	value_set(&s, &value);
	reports_done(&reports);
}

/* value - scalars and lists into members. What each type accepts is in key_expected's words. */
#include "config/value_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "config/address.h"
#include "config/units.h"

#define TEXT_MAX 4096

bool value_refuse(const struct setting *s, struct place at, const char *format, ...)
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

bool value_refuse_text(const struct setting *s, const struct scalar *v)
{
	if (v->length == 0)
		return value_refuse(s, v->at, "nothing is given");
	return value_refuse(s, v->at, "%s is not valid", quoted(s->arena, v->text));
}

void value_store_text(const struct setting *s, const char *text)
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
			return value_refuse(s, v->at, "the text holds a control character");
	}
	if (v->length > TEXT_MAX)
		return value_refuse(s, v->at, "the text is longer than %d octets", TEXT_MAX);
	return true;
}

static bool set_bool(const struct setting *s, const struct scalar *v)
{
	bool on = strcmp(v->text, "true") == 0;

	if (!on && strcmp(v->text, "false") != 0)
		return value_refuse_text(s, v);
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
			return value_refuse_text(s, v);
		if (n < s->key->min || n > s->key->max)
			return value_refuse(
				s, v->at, "%s is out of range", quoted(s->arena, v->text));
	}
	store_number(s, n);
	return true;
}

static bool set_choice(const struct setting *s, const struct scalar *v)
{
	const struct choice *choice = find_choice(s->key, v->text);

	if (!choice)
		return value_refuse_text(s, v);
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
			return value_refuse_text(s, v);
		if (seen & choice->value)
			return value_refuse(s, v->at, "%s is named twice", choice->name);
		seen |= choice->value;
		if (!choice->not_yet)
			bits |= choice->value;
		else
			report(s->reports, CONFIG_NOT_YET, v->at, s->path,
				"%s is accepted, but not in effect in this version", choice->name);
	}
	if (bits == 0)
		return value_refuse(s, value->at,
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
			return value_refuse_text(s, &value->items[i]);
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
			return value_refuse_text(s, v);
		if (network_trim(&items[i]))
			return value_refuse(s, v->at, "%s has address bits behind its prefix (%s?)",
				quoted(s->arena, v->text), network_text(&items[i], fixed));
	}
	*(struct network_list *)s->member = (struct network_list){ items, value->n };
	return true;
}

static bool (*const scalar_setters[KEY_TYPE_COUNT_])(
	const struct setting *s, const struct scalar *v) = {
	[KEY_TEXT] = value_set_text,
	[KEY_NAME] = value_set_name,
	[KEY_DOMAIN] = value_set_domain,
	[KEY_ACCOUNT] = value_set_account,
	[KEY_FILE] = value_set_path,
	[KEY_FOLDER] = value_set_path,
	[KEY_NEW_FILE] = value_set_new_path,
	[KEY_TEMPLATE] = value_set_template,
	[KEY_PATH_TEMPLATE] = value_set_template,
	[KEY_UIDL_FORMAT] = value_set_template,
	[KEY_URL] = value_set_url,
	[KEY_ADDRESS] = value_set_address,
	[KEY_STATE] = value_set_state,
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
			return value_refuse(s, value->at, "not a list");
		if (value->n < key->min)
			return value_refuse(s, value->at, "the list is empty");
		if (key->max > 0 && value->n > key->max)
			return value_refuse(
				s, value->at, "the list has more than %" PRIu64 " items", key->max);
		return list_setters[key->type](s, value);
	}
	if (value->list)
		return value_refuse(s, value->at, "a list");
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

/* value_format - members as YAML text, and their defaults. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "config/address.h"
#include "config/units.h"
#include "config/value.h"

static uint64_t load_number(const struct key *key, const void *member)
{
	switch (key->size) {
	case 1:
		return *(const uint8_t *)member;
	case 2:
		return *(const uint16_t *)member;
	case 4:
		return *(const uint32_t *)member;
	default:
		return *(const uint64_t *)member;
	}
}

static bool is_plain(const char *text)
{
	static const char *const reserved[] = { "true", "false", "yes", "no", "on", "off", "null",
		"y", "n", NULL };
	size_t n = strlen(text);

	for (size_t i = 0; reserved[i]; i++) {
		if (strcasecmp(text, reserved[i]) == 0)
			return false;
	}
	return n > 0 && ((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z') &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._/+-") == n;
}

void value_format_text(const char *text, struct buffer *out)
{
	if (is_plain(text)) {
		buffer_append(out, text, strlen(text));
		return;
	}
	buffer_append(out, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buffer_append(out, "\\", 1);
		buffer_append(out, text, 1);
	}
	buffer_append(out, "\"", 1);
}

static void format_choice(const struct key *key, uint64_t n, struct buffer *out)
{
	for (const struct choice *c = key->choices; c && c->name; c++) {
		if (c->value == n) {
			value_format_text(c->name, out);
			return;
		}
	}
}

static void format_number(const struct key *key, uint64_t n, struct buffer *out)
{
	for (const struct choice *word = key->choices; word && word->name; word++) {
		if (word->value == n) {
			buffer_printf(out, "%s", word->name);
			return;
		}
	}
	if (key->type == KEY_DURATION)
		duration_format(n, out);
	else if (key->type == KEY_SIZE)
		size_format(n, out);
	else
		buffer_printf(out, "%" PRIu64, n);
}

static void format_flags(const struct key *key, uint64_t bits, struct buffer *out)
{
	const char *comma = "";

	buffer_printf(out, "[");
	for (const struct choice *c = key->choices; c->name; c++) {
		if ((bits & c->value) == 0)
			continue;
		buffer_printf(out, "%s%s", comma, c->name);
		comma = ", ";
	}
	buffer_printf(out, "]");
}

static void format_texts(const struct string_list *list, struct buffer *out)
{
	buffer_printf(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		buffer_printf(out, "%s", i > 0 ? ", " : "");
		value_format_text(list->items[i], out);
	}
	buffer_printf(out, "]");
}

static void format_networks(const struct network_list *list, struct buffer *out)
{
	char text[NETWORK_TEXT];

	buffer_printf(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		buffer_printf(out, "%s", i > 0 ? ", " : "");
		value_format_text(network_text(&list->items[i], text), out);
	}
	buffer_printf(out, "]");
}

static void format_state(const struct key *key, const void *member, struct buffer *out)
{
	const struct config *config = (const struct config *)((const char *)member - key->offset);
	char *text;

	if (config->state_kind == STATE_NONE) {
		buffer_printf(out, "none");
		return;
	}
	if (config->state_kind == STATE_POSTGRESQL) {
		value_format_text(config->state, out);
		return;
	}
	text = mem_printf("sqlite:%s", config->state);
	value_format_text(text, out);
	free(text);
}

void value_format(const struct key *key, const void *member, struct buffer *out)
{
	switch (key->type) {
	case KEY_SECTION:
	case KEY_BLOCKS:
	case KEY_TYPE_COUNT_:
		break;
	case KEY_STATE:
		format_state(key, member, out);
		break;
	case KEY_BOOL:
		buffer_printf(out, "%s", load_number(key, member) ? "true" : "false");
		break;
	case KEY_NUMBER:
	case KEY_PERCENT:
	case KEY_DURATION:
	case KEY_SIZE:
		format_number(key, load_number(key, member), out);
		break;
	case KEY_CHOICE:
		format_choice(key, load_number(key, member), out);
		break;
	case KEY_FLAGS:
		format_flags(key, load_number(key, member), out);
		break;
	case KEY_TEXTS:
	case KEY_DOMAINS:
	case KEY_HOSTS:
	case KEY_ADDRESSES:
		format_texts(member, out);
		break;
	case KEY_NETWORKS:
		format_networks(member, out);
		break;
	default:
		value_format_text(*(const char *const *)member, out);
		break;
	}
}

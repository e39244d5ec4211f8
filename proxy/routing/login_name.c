#include "proxy/routing/login_name.h"

#include <string.h>

#include "proxy/runtime/utf8.h"

static bool has_control(const char *text)
{
	size_t n = strlen(text);
	uint32_t c;

	for (size_t i = 0; i < n; i += utf8_decode(text + i, n - i, &c)) {
		if (utf8_decode(text + i, n - i, &c) == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return true;
	}
	return false;
}

static const char *malformed(const char *text)
{
	if (!*text)
		return "the login is empty";
	if (strlen(text) > LOGIN_NAME_MAX_OCTETS)
		return "the login is too long";
	if (!utf8_valid(text, strlen(text)))
		return "the login is not UTF-8";
	if (has_control(text))
		return "the login holds a control character";
	return NULL;
}

static const char *last_separator(const struct login_name_settings *settings, const char *text)
{
	for (const char *p = text + strlen(text); p-- > text;) {
		if (*p == '@' || strchr(settings->separators, *p))
			return p;
	}
	return NULL;
}

static const char *lower(struct arena *arena, const char *text, size_t n, bool wanted)
{
	char *copy = arena_strndup(arena, text, n);

	for (char *p = copy; wanted && *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	}
	return copy;
}

const char *login_name_parse(const struct login_name_settings *settings, const char *text,
	struct arena *arena, struct login_name *ret)
{
	const char *wrong = malformed(text);
	const char *at, *domain, *plus = NULL;
	size_t user_length;

	if (wrong)
		return wrong;
	at = last_separator(settings, text);
	user_length = at ? (size_t)(at - text) : strlen(text);
	if (*settings->folder_separator)
		plus = memmem(text, user_length, settings->folder_separator,
			strlen(settings->folder_separator));
	ret->folder = "";
	if (plus) {
		const char *folder = plus + strlen(settings->folder_separator);

		ret->folder = arena_strndup(arena, folder, (size_t)(text + user_length - folder));
		user_length = (size_t)(plus - text);
	}
	if (user_length == 0)
		return "the login names no user";
	ret->user = lower(arena, text, user_length, settings->lower_case);
	domain = at && at[1] ? at + 1 : settings->default_domain;
	ret->domain = lower(arena, domain, strlen(domain), settings->lower_case);
	ret->login =
		*ret->domain ? arena_printf(arena, "%s@%s", ret->user, ret->domain) : ret->user;
	return NULL;
}

/* One component of a path, neither hidden nor a way out. */
static bool is_component(const char *text, size_t n)
{
	return n > 0 && text[0] != '.' && !memchr(text, '/', n) && !memmem(text, n, "..", 2);
}

static bool is_relative_path(const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "/");

		if (!is_component(text, n))
			return false;
		if (!text[n])
			return true;
		text += n + 1;
	}
}

const char *login_name_unsafe_in_path(const struct login_name *name, bool domain_needed)
{
	if (!is_component(name->user, strlen(name->user)))
		return "its user is no name for a folder";
	if (domain_needed && !*name->domain)
		return "it has no domain, and the path needs one";
	if (*name->domain && !is_component(name->domain, strlen(name->domain)))
		return "its domain is no name for a folder";
	if (*name->folder && !is_relative_path(name->folder))
		return "the folder it names leads elsewhere";
	return NULL;
}

#include "proxy/routing/delegate.h"

#include <string.h>

/* "domain/user" as a login; what holds no "/" is one already. */
static const char *actor_login(const char *text, size_t n, struct arena *arena)
{
	const char *slash = memchr(text, '/', n);
	size_t domain = slash ? (size_t)(slash - text) : 0;

	if (!slash)
		return arena_strndup(arena, text, n);
	return arena_printf(
		arena, "%.*s@%.*s", (int)(n - domain - 1), slash + 1, (int)domain, text);
}

/* Who stands before the first "/" and behind it, or before the last one, and whether all are there.
 */
static bool is_delegate(const char *text, const char *last)
{
	const char *first = strchr(text, '/');

	if (!last || last == text || !last[1])
		return false;
	if (first == last)
		return true;
	return first > text && first + 1 < last &&
	       !memchr(first + 1, '/', (size_t)(last - first - 1));
}

bool delegate_parse(const struct login_name_settings *settings, const char *text,
	struct arena *arena, struct delegate *ret)
{
	const char *last = settings->delegate ? strrchr(text, '/') : NULL;
	const char *domain;

	if (!is_delegate(text, last))
		return false;
	ret->actor = actor_login(text, (size_t)(last - text), arena);
	domain = strrchr(ret->actor, '@');
	if (strchr(last + 1, '@') || !domain)
		ret->owner = arena_strdup(arena, last + 1);
	else
		ret->owner = arena_printf(arena, "%s%s", last + 1, domain);
	return true;
}

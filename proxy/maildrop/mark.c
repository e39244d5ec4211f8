/* mark - see the header. */
#include "proxy/maildrop/mark.h"

#include <inttypes.h>
#include <stdbool.h>

/* A number below 2^32 and the octet behind it. */
static bool take_number(const char **text, char behind, uint32_t *ret)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > UINT32_MAX)
			return false;
	}
	if (*p != behind)
		return false;
	*ret = (uint32_t)n;
	*text = p + 1;
	return true;
}

struct mark mark_parse(const char *text)
{
	struct mark mark = { .store = "" };

	if (!take_number(&text, '.', &mark.uidvalidity) || !take_number(&text, ' ', &mark.uidnext))
		return (struct mark){ .store = "" };
	mark.store = text;
	return mark;
}

const char *mark_text(struct mark mark, struct arena *arena)
{
	return arena_printf(
		arena, "%" PRIu32 ".%" PRIu32 " %s", mark.uidvalidity, mark.uidnext, mark.store);
}

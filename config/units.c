#include "config/units.h"

#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Smallest first. */
static const struct unit durations[] = { { "ms", 1 }, { "s", SECOND }, { "m", MINUTE },
	{ "h", HOUR }, { "d", DAY }, { 0 } };
static const struct unit sizes[] = { { "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 },
	{ "G", 1 << 30 }, { 0 } };

/* Reads digits; returns what follows them, NULL when there are none or too many. */
static const char *digits(const char *text, uint64_t *ret)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return NULL;
	}
	if (p == text)
		return NULL;
	*ret = n;
	return p;
}

static bool parse(const struct unit *units, const char *text, uint64_t *ret)
{
	uint64_t n;
	const char *rest = digits(text, &n);

	if (!rest)
		return false;
	for (const struct unit *unit = units; unit->name; unit++) {
		if (strcmp(rest, unit->name) == 0)
			return !__builtin_mul_overflow(n, unit->factor, ret);
	}
	return false;
}

bool number_parse(const char *text, uint64_t *ret)
{
	uint64_t n;
	const char *rest = digits(text, &n);

	if (!rest || *rest)
		return false;
	*ret = n;
	return true;
}

bool duration_parse(const char *text, uint64_t *ret)
{
	return parse(durations, text, ret);
}

bool size_parse(const char *text, uint64_t *ret)
{
	return parse(sizes, text, ret);
}

static void format(const struct unit *units, uint64_t n, struct buffer *out)
{
	const struct unit *best = units;

	for (const struct unit *unit = units; unit->name; unit++) {
		if (n > 0 && n % unit->factor == 0)
			best = unit;
	}
	buffer_printf(out, "%" PRIu64 "%s", n / best->factor, best->name);
}

void duration_format(uint64_t milliseconds, struct buffer *out)
{
	/* 0 has no largest unit that divides it; seconds read best. */
	format(milliseconds == 0 ? durations + 1 : durations, milliseconds, out);
}

void size_format(uint64_t octets, struct buffer *out)
{
	format(sizes, octets, out);
}

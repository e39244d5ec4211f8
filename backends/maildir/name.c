#include "backends/maildir/name.h"

#include <string.h>

/* Seconds since 1970 had nine digits from 1973 on; fewer is somebody's own numbering, more than
 * eleven a date or a serial number. */
#define SECONDS_DIGITS_MIN 9
#define SECONDS_DIGITS_MAX 11

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t maildir_parse_digits(const char *s, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; is_digit(s[n]); n++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(s[n] - '0'), &value))
			return 0;
	*ret = value;
	return n;
}

size_t maildir_name_base(const char *name)
{
	const char *info = strstr(name, ":2,");

	return info ? (size_t)(info - name) : strlen(name);
}

static uint32_t parse_microseconds(const char *unique)
{
	uint64_t value;

	for (const char *p = unique; *p && *p != '.'; p++)
		if (*p == 'M' && maildir_parse_digits(p + 1, &value))
			return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
	return 0;
}

struct maildir_time maildir_name_time(const char *base)
{
	struct maildir_time none = { 0, 0 };
	uint64_t seconds;
	size_t n = maildir_parse_digits(base, &seconds);

	if (n < SECONDS_DIGITS_MIN || n > SECONDS_DIGITS_MAX || base[n] != '.')
		return none;
	return (struct maildir_time){
		.seconds = (int64_t)seconds,
		.microseconds = parse_microseconds(base + n + 1),
	};
}

int maildir_name_compare(const struct maildir_time *time_a, const char *base_a,
	const struct maildir_time *time_b, const char *base_b)
{
	if (time_a->seconds != time_b->seconds)
		return time_a->seconds < time_b->seconds ? -1 : 1;
	if (time_a->microseconds != time_b->microseconds)
		return time_a->microseconds < time_b->microseconds ? -1 : 1;
	return strcmp(base_a, base_b);
}

bool maildir_name_size(const char *base, char key, uint64_t *ret)
{
	uint64_t value;

	for (const char *p = strchr(base, ','); p; p = strchr(p + 1, ',')) {
		size_t n;

		if (p[1] != key || p[2] != '=')
			continue;
		n = maildir_parse_digits(p + 3, &value);
		if (n > 0 && (p[3 + n] == '\0' || p[3 + n] == ',')) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* The end of the letters; Dovecot puts a comma and more of its own behind them. */
static const char *letters_end(const char *letters)
{
	return letters + strcspn(letters, ",");
}

bool maildir_name_has_flag(const char *info, char flag)
{
	const char *letters = info + 3;

	return *info && memchr(letters, flag, (size_t)(letters_end(letters) - letters));
}

bool maildir_name_flagged(
	const char *base, const char *info, char flag, char out[static MAILDIR_NAME_SIZE])
{
	const char *letters = *info ? info + 3 : "", *end = letters_end(letters), *at = letters;
	bool add = flag && !maildir_name_has_flag(info, flag);
	size_t length = strlen(base) + 3 + strlen(letters) + add;
	char *p = out;

	if (length >= MAILDIR_NAME_SIZE)
		return false;
	while (at < end && (!add || *at < flag))
		at++;
	p = stpcpy(stpcpy(p, base), ":2,");
	p = mempcpy(p, letters, (size_t)(at - letters));
	if (add)
		*p++ = flag;
	memcpy(p, at, strlen(at) + 1);
	return true;
}

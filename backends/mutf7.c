#include "backends/mutf7.h"

#include "proxy/runtime/utf8.h"

/* The bits of an open "&…-" run that did not fill a digit yet. */
struct run {
	bool open;
	uint32_t bits;
	unsigned n_bits;
};

static void put(struct buffer *out, char c)
{
	buffer_append(out, &c, 1);
}

static void put_digit(struct buffer *out, uint32_t value)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

	put(out, digits[value & 0x3f]);
}

static void put_unit(struct buffer *out, struct run *run, uint32_t unit)
{
	if (!run->open) {
		*run = (struct run){ .open = true };
		put(out, '&');
	}
	run->bits = run->bits << 16 | unit;
	run->n_bits += 16;
	while (run->n_bits >= 6) {
		run->n_bits -= 6;
		put_digit(out, run->bits >> run->n_bits);
	}
}

static void close_run(struct buffer *out, struct run *run)
{
	if (!run->open)
		return;
	if (run->n_bits > 0)
		put_digit(out, run->bits << (6 - run->n_bits));
	put(out, '-');
	run->open = false;
}

static void put_character(struct buffer *out, struct run *run, uint32_t c)
{
	if (c < 0x80) {
		close_run(out, run);
		put(out, (char)c);
		if (c == '&')
			put(out, '-');
	} else if (c < 0x10000) {
		put_unit(out, run, c);
	} else { /* UTF-16: a surrogate pair */
		put_unit(out, run, 0xd800 + ((c - 0x10000) >> 10));
		put_unit(out, run, 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}

bool mutf7_append(struct buffer *out, const char *text, size_t n)
{
	struct run run = { 0 };
	uint32_t c;

	for (size_t i = 0, length; i < n; i += length) {
		length = utf8_decode(text + i, n - i, &c);
		if (length == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
		put_character(out, &run, c);
	}
	close_run(out, &run);
	return true;
}

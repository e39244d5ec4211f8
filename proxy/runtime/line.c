#include "proxy/runtime/line.h"

#include <string.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

/* The least room for a read. The buffer is twice that, so that with POP3's limit it never grows. */
#define ROOM_MIN 1024
/* A buffer that grew beyond this for a long line is given back after it. */
#define KEEP_MAX 8192

struct line_reader {
	struct stream *stream;
	struct buffer input;
	size_t scanned;  /* octets of the input known to hold no LF */
	size_t charged;  /* octets of the input's memory among long_octets */
	bool discarding; /* the rest of a line too long */
	bool ended;      /* the peer sends no more */
};

/* The memory of all buffers that grew beyond KEEP_MAX. */
static size_t long_octets;

static void charge(struct line_reader *reader)
{
	long_octets -= reader->charged;
	reader->charged = reader->input.size > KEEP_MAX ? reader->input.size : 0;
	long_octets += reader->charged;
}

/* Whether what is there of a line would need memory that others have taken. */
static bool is_crowded(const struct line_reader *reader)
{
	return buffer_used(&reader->input) > KEEP_MAX - ROOM_MIN &&
	       long_octets - reader->charged >= LINE_LONG_OCTETS;
}

struct line_reader *line_reader_new(struct stream *stream)
{
	struct line_reader *reader = mem_zalloc(1, sizeof(*reader));

	reader->stream = stream;
	return reader;
}

void line_reader_free(struct line_reader *reader)
{
	if (!reader)
		return;
	buffer_wipe(&reader->input);
	charge(reader);
	free(reader);
}

static void consume(struct line_reader *reader, size_t n)
{
	buffer_consume(&reader->input, n);
	reader->scanned = 0;
}

static fiber_fn struct err fill(struct line_reader *reader)
{
	struct buffer *input = &reader->input;
	struct err e;
	size_t n;

	if (reader->ended)
		return err_make(ERR_PEER, "connection closed");
	if (buffer_used(input) == 0 && input->size > KEEP_MAX)
		buffer_wipe(input);
	(void)buffer_reserve(input, input->data ? ROOM_MIN : 2 * ROOM_MIN);
	charge(reader);
	e = stream_read(reader->stream, input->data + input->end, input->size - input->end, &n);
	if (failed(e))
		return e;
	input->end += n;
	reader->ended = n == 0;
	return ok();
}

/* The octets of the first line with its LF; 0: it is not complete. */
static size_t first_line(struct line_reader *reader)
{
	const struct buffer *input = &reader->input;
	const char *lf;

	if (buffer_used(input) == reader->scanned)
		return 0;
	lf = memchr(input->data + input->start + reader->scanned, '\n',
		buffer_used(input) - reader->scanned);
	if (lf)
		return (size_t)(lf - (input->data + input->start)) + 1;
	reader->scanned = buffer_used(input);
	return 0;
}

static struct line take(struct line_reader *reader, size_t size)
{
	struct line line = { reader->input.data + reader->input.start, size - 1 };

	if (line.length > 0 && line.text[line.length - 1] == '\r')
		line.length--;
	line.text[line.length] = '\0';
	consume(reader, size);
	return line;
}

static struct err too_long(size_t max)
{
	return err_make(
		ERR_LIMIT, "a line of more than %zu octets, or no room for a long one", max);
}

fiber_fn struct err line_read(struct line_reader *reader, size_t max, struct line *ret)
{
	struct err e = wait_check();

	while (!failed(e)) {
		size_t size = first_line(reader);

		if (reader->discarding) {
			consume(reader, size ? size : buffer_used(&reader->input));
			reader->discarding = size == 0;
		} else if (size > max) {
			consume(reader, size);
			return too_long(max);
		} else if (size > 0) {
			*ret = take(reader, size);
			return ok();
		} else if (buffer_used(&reader->input) >= max || is_crowded(reader)) {
			consume(reader, buffer_used(&reader->input));
			reader->discarding = true;
			return too_long(max);
		}
		if (size == 0)
			e = fill(reader);
	}
	return e;
}

bool line_ready(const struct line_reader *reader)
{
	const struct buffer *input = &reader->input;
	const char *at;
	size_t left = buffer_used(input);

	if (reader->ended)
		return true;
	if (left == 0)
		return false;
	at = input->data + input->start;
	if (reader->discarding) {
		const char *lf = memchr(at, '\n', left);

		left = lf ? left - (size_t)(lf + 1 - at) : 0;
		at = lf ? lf + 1 : at;
	}
	return left > 0 && memchr(at, '\n', left);
}

void line_wipe(struct line_reader *reader)
{
	struct buffer *input = &reader->input;

	if (!input->data)
		return;
	explicit_bzero(input->data, input->start);
	explicit_bzero(input->data + input->end, input->size - input->end);
}

void line_discard_input(struct line_reader *reader)
{
	buffer_wipe(&reader->input);
	charge(reader);
	reader->scanned = 0;
	reader->discarding = false;
}

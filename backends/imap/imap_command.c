#include <string.h>

#include "backends/imap/imap.h"

void imap_begin(struct imap *imap)
{
	char tag[16];
	int n = snprintf(tag, sizeof(tag), "%u ", ++imap->tag);

	imap_stream_expect(imap->stream);
	imap_send(imap, tag, (size_t)n);
}

void imap_send(struct imap *imap, const char *data, size_t n)
{
	buffer_append(&imap->stream->out, data, n);
}

/* Sends what was put together, and waits for the line that somebody waits for. */
fiber_fn static struct err exchange(struct imap *imap, enum answer_kind *ret)
{
	*ret = ANSWER_IGNORED;
	if (failed(imap_stream_flush(imap->stream)) || failed(imap_stream_peek(imap->stream, ret)))
		return imap_lost(imap, "no answer");
	return ok();
}

fiber_fn struct err imap_finish(struct imap *imap, enum imap_step step)
{
	enum answer_kind kind;
	struct err e = exchange(imap, &kind);

	if (!failed(e) && imap->consumer)
		return imap_parse(imap, step);
	while (!failed(e) && kind != ANSWER_TAGGED) {
		(void)imap_stream_take(imap->stream);
		e = exchange(imap, &kind);
	}
	if (failed(e))
		return e;
	(void)imap_stream_take(imap->stream);
	return imap_verdict(imap, step);
}

fiber_fn struct err imap_finish_after(struct imap *imap, enum imap_step step, const char *answer)
{
	enum answer_kind kind;
	struct err e = exchange(imap, &kind);

	if (failed(e))
		return e;
	if (kind == ANSWER_CONTINUE) {
		(void)imap_stream_take(imap->stream);
		imap_send(imap, answer, strlen(answer));
	}
	return imap_finish(imap, step);
}

fiber_fn struct err imap_continue(struct imap *imap, enum imap_step step)
{
	const char *text;

	return imap_challenge(imap, step, &text);
}

fiber_fn struct err imap_challenge(struct imap *imap, enum imap_step step, const char **ret)
{
	enum answer_kind kind;
	struct err e = exchange(imap, &kind);
	const char *line;

	if (failed(e))
		return e;
	line = imap_stream_take(imap->stream);
	if (kind == ANSWER_CONTINUE) {
		*ret = line + 1 + strspn(line + 1, " ");
		return ok();
	}
	e = imap_verdict(imap, step);
	return failed(e) ? e : imap_lost(imap, "malformed answer");
}

/* A whole command, to be sent with the next wait. */
static void put_command(struct imap *imap, const char *text)
{
	imap_begin(imap);
	imap_send(imap, text, strlen(text));
	imap_send(imap, "\r\n", 2);
}

fiber_fn struct err imap_command(struct imap *imap, enum imap_step step, const char *text)
{
	put_command(imap, text);
	return imap_finish(imap, step);
}

fiber_fn struct err imap_command_after(struct imap *imap, const char *first, enum imap_step step,
	const char *text, struct err *ret)
{
	put_command(imap, first);
	put_command(imap, text);
	imap->tag--;
	*ret = imap_finish(imap, IMAP_STEP_OTHER);
	imap->tag++;
	if (!imap_alive(imap))
		return *ret;
	imap_stream_expect(imap->stream);
	return imap_finish(imap, step);
}

fiber_fn struct err imap_fetch_into(
	struct imap *imap, struct imap_consumer *consumer, uint64_t text_max, const char *command)
{
	struct imap_stream *s = imap->stream;
	struct err e;

	put_command(imap, command);
	s->text_left = text_max;
	s->fetch_wanted = true;
	s->bodies_wanted = consumer->bodies;
	imap->consumer = consumer;
	e = imap_finish(imap, IMAP_STEP_MESSAGE);
	imap->consumer = NULL;
	s->bodies_wanted = IMAP_BODIES_NONE;
	s->fetch_wanted = false;
	return e;
}

void imap_forget_capabilities(struct imap *imap)
{
	imap->capabilities = 0;
	imap->stream->capabilities.told = false;
}

fiber_fn struct err imap_capabilities(struct imap *imap)
{
	const struct imap_capabilities *capabilities = &imap->stream->capabilities;
	struct err e = ok();

	if (!capabilities->told)
		e = imap_command(imap, IMAP_STEP_OTHER, "CAPABILITY");
	if (!failed(e) && capabilities->told)
		imap->capabilities = capabilities->bits;
	return e;
}

fiber_fn struct err imap_greet(struct imap *imap)
{
	enum answer_kind kind;

	if (failed(imap_stream_peek(imap->stream, &kind)))
		return imap_lost(imap, "no greeting");
	(void)imap_stream_take(imap->stream);
	/* Who is let in unasked is not who logs in here. */
	if (kind == ANSWER_PREAUTH) {
		imap_stream_fail(imap->stream,
			err_make(
				ERR_PERM, "the server greets with PREAUTH: it checks no password"));
		return imap_lost(imap, "PREAUTH");
	}
	if (kind != ANSWER_OK)
		return imap_lost(imap, "the server does not greet as an IMAP server does");
	return imap_capabilities(imap);
}

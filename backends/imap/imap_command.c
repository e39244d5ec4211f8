#include <string.h>

#include "backends/imap/imap.h"

/* A write that fails is kept by the stream. */
static struct err sent(struct imap *imap, bool good)
{
	return good ? ok() : imap_error(imap, MAILIMAP_ERROR_STREAM, IMAP_STEP_OTHER);
}

fiber_fn struct err imap_begin(struct imap *imap)
{
	imap_stream_expect(imap->stream, IMAP_TEXT_MAX);
	return sent(imap, mailimap_send_current_tag(imap->session) == MAILIMAP_NO_ERROR);
}

fiber_fn struct err imap_send(struct imap *imap, const char *data, size_t n)
{
	return sent(imap, n == 0 || mailstream_write(imap->over, data, n) == (ssize_t)n);
}

fiber_fn static struct err flush(struct imap *imap)
{
	bool good = mailstream_flush(imap->over) == 0;

	explicit_bzero(imap->over->write_buffer, imap->over->buffer_max_size);
	return sent(imap, good);
}

/* The rest of an answer whose first line was read. */
fiber_fn static struct err parse(struct imap *imap, enum imap_step step)
{
	struct mailimap_response *response = NULL;
	int code = mailimap_parse_response(imap->session, &response);
	int type;

	if (code == MAILIMAP_NO_ERROR) {
		type = response->rsp_resp_done->rsp_data.rsp_tagged->rsp_cond_state->rsp_type;
		mailimap_response_free(response);
		if (type != MAILIMAP_RESP_COND_STATE_OK)
			code = MAILIMAP_ERROR_CUSTOM_COMMAND;
	}
	return imap_error(imap, code, step);
}

fiber_fn struct err imap_finish(struct imap *imap, enum imap_step step)
{
	struct err e = flush(imap);

	if (failed(e))
		return e;
	if (!mailimap_read_line(imap->session))
		return imap_error(imap, MAILIMAP_ERROR_STREAM, step);
	return parse(imap, step);
}

fiber_fn struct err imap_finish_after(struct imap *imap, enum imap_step step, const char *answer)
{
	enum answer_kind kind;
	struct err e = flush(imap);

	if (failed(e))
		return e;
	if (failed(imap_stream_peek(imap->stream, &kind)))
		return imap_error(imap, MAILIMAP_ERROR_STREAM, step);
	if (kind == ANSWER_TEXT && *buffer_data(&imap->stream->in) == '+') {
		if (!mailimap_read_line(imap->session))
			return imap_error(imap, MAILIMAP_ERROR_STREAM, step);
		if (failed(e = imap_send(imap, answer, strlen(answer))))
			return e;
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
	struct err e = flush(imap);
	char *line;

	if (failed(e))
		return e;
	do {
		line = mailimap_read_line(imap->session);
		if (!line)
			return imap_error(imap, MAILIMAP_ERROR_STREAM, step);
	} while (line[0] == '*');
	if (line[0] == '+') {
		line[strcspn(line, "\r\n")] = '\0';
		*ret = line + 1 + strspn(line + 1, " ");
		return ok();
	}
	e = parse(imap, step);
	return failed(e) ? e : imap_error(imap, MAILIMAP_ERROR_PROTOCOL, step);
}

fiber_fn struct err imap_command(struct imap *imap, enum imap_step step, const char *text)
{
	struct err e = imap_begin(imap);

	if (!failed(e))
		e = imap_send(imap, text, strlen(text));
	if (!failed(e))
		e = imap_send(imap, "\r\n", 2);
	return failed(e) ? e : imap_finish(imap, step);
}

fiber_fn struct err imap_fetch_into(
	struct imap *imap, struct imap_consumer *consumer, uint64_t text_max, const char *command)
{
	struct err e = imap_begin(imap);

	if (!failed(e))
		e = imap_send(imap, command, strlen(command));
	if (!failed(e))
		e = imap_send(imap, "\r\n", 2);
	if (failed(e))
		return e;
	imap->stream->text_left = text_max;
	imap->stream->bodies_wanted = consumer->bodies;
	imap->consumer = consumer;
	e = imap_finish(imap, IMAP_STEP_MESSAGE);
	imap->consumer = NULL;
	imap->stream->bodies_wanted = IMAP_BODIES_NONE;
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
	struct err e = imap_stream_peek(imap->stream, &kind);
	int code;

	if (failed(e))
		return imap_error(imap, MAILIMAP_ERROR_STREAM, IMAP_STEP_GREETING);
	/* Who is let in unasked is not who logs in here. A BYE, which libetpan would leak, is told
	 * in the server's own words by imap_error. */
	if (kind == ANSWER_PREAUTH)
		e = err_make(ERR_PERM, "the server greets with PREAUTH: it checks no password");
	else if (kind != ANSWER_TEXT)
		e = err_make(ERR_TEMP, "the server does not greet as an IMAP server does");
	if (failed(e)) {
		imap_stream_fail(imap->stream, e);
		return imap_error(imap, MAILIMAP_ERROR_STREAM, IMAP_STEP_GREETING);
	}
	code = mailimap_connect(imap->session, imap->over);
	if (code != MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
		return imap_error(imap, MAILIMAP_ERROR_PARSE, IMAP_STEP_GREETING);
	return imap_capabilities(imap);
}

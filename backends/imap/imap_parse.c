/* FETCH answers, by libetpan: it has a session for each answer, since nothing of one is of use for
 * the next, and most sessions need none. */
#include "backends/imap/imap.h"
#include "proxy/runtime/fatal.h"

static void no_progress(size_t current, size_t maximum, void *context)
{
	(void)current;
	(void)maximum;
	(void)context;
}

static void on_attributes(struct mailimap_msg_att *att, void *context)
{
	struct imap_consumer *consumer = context;

	consumer->attributes(consumer, att);
}

fiber_fn static bool on_body(int type, struct mailimap_msg_att_body_section *section,
	const char *data, size_t n, void *context)
{
	struct imap_consumer *consumer = context;

	(void)type;
	(void)section;
	return !consumer->body || consumer->body(consumer, data, n);
}

/* A session that has answers to this command from the stream. */
static mailimap *parser_new(struct imap *imap)
{
	mailimap *parser = mailimap_new(0, NULL);

	if (!parser)
		fatal("out of memory: an IMAP session");
	/* libetpan calls the other two only where there is a progress function. */
	mailimap_set_progress_callback(parser, no_progress, no_progress, NULL);
	mailimap_set_msg_att_handler(parser, on_attributes, imap->consumer);
	mailimap_set_msg_body_handler(parser, on_body, imap->consumer);
	parser->imap_stream = imap_stream_open(imap->stream);
	parser->imap_tag = (int)imap->tag;
	return parser;
}

static void parser_free(mailimap *parser)
{
	mailstream_close(parser->imap_stream);
	parser->imap_stream = NULL; /* else it would say LOGOUT */
	mailimap_free(parser);
}

fiber_fn struct err imap_parse(struct imap *imap, enum imap_step step)
{
	mailimap *parser = parser_new(imap);
	struct mailimap_response *response = NULL;
	int code = MAILIMAP_ERROR_STREAM;

	if (mailimap_read_line(parser))
		code = mailimap_parse_response(parser, &response);
	if (code == MAILIMAP_NO_ERROR)
		mailimap_response_free(response);
	parser_free(parser);
	/* libetpan has one code for BAD and for an answer to another command. */
	if (code == MAILIMAP_NO_ERROR || code == MAILIMAP_ERROR_PROTOCOL)
		return imap_verdict(imap, step);
	return imap_lost(imap,
		code == MAILIMAP_ERROR_PARSE ? "malformed answer" : "the answer was given up");
}

#include "backends/pop3/pop3_source.h"

#include <string.h>
#include <strings.h>

#include "backends/fingerprint.h"
#include "backends/pop3/pop3_client.h"

/* A field of a header block, unfolded, in arena; "" where there is none. block ends in a NUL. */
static const char *field_of(const char *block, const char *name, struct arena *arena)
{
	size_t length = strlen(name);

	for (const char *line = block; *line; line += *line == '\n') {
		if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
			const char *text = line + length + 1;
			const char *end = text + strcspn(text, "\r\n");

			text += strspn(text, " \t");
			return arena_strndup(arena, text, end > text ? (size_t)(end - text) : 0);
		}
		line += strcspn(line, "\n");
	}
	return "";
}

static void take_headers(const char *block, size_t n, struct arena *arena, struct pop3_message *ret)
{
	ret->fingerprint = fingerprint_of_headers(block, n);
	ret->message_id = field_of(block, "Message-ID", arena);
	ret->date = field_of(block, "Date", arena);
}

/* Headers of all messages, if the server knows TOP: a first refusal says that it does not. One
 * message that cannot be had is left without. */
fiber_fn static struct err read_headers(struct pop3_client *client, pop3_source_progress *progress,
	void *arg, struct arena *arena, struct pop3_maildrop *ret)
{
	ret->has_headers = !client->has_capa || client->capabilities & POP3_CAN_TOP;
	client->stream->pipelining = client->capabilities & POP3_CAN_PIPELINE;
	for (size_t i = 0; i < ret->n && ret->has_headers; i++) {
		char *block = NULL;
		size_t n = 0;
		int result = mailpop3_top(client->session, (unsigned)i + 1, 0, &block, &n);

		if (failed(client->stream->link.error))
			return err_context(client->stream->link.error, "TOP");
		if (result == MAILPOP3_NO_ERROR) {
			take_headers(block, n, arena, &ret->messages[i]);
			mailpop3_top_free(block);
		} else if (i == 0 && !client->has_capa) {
			ret->has_headers = false;
		}
		if (progress)
			progress(i + 1, ret->n, arg);
	}
	return ok();
}

fiber_fn static struct err read_list(
	struct pop3_client *client, struct arena *arena, struct pop3_maildrop *ret)
{
	carray *table = NULL;
	struct err e = pop3_result(client, mailpop3_list(client->session, &table), "LIST");

	/* It asks for UIDL too, and is silent about what became of that. */
	if (!failed(e) && failed(client->stream->link.error))
		e = err_context(client->stream->link.error, "UIDL");
	if (failed(e))
		return e;
	ret->n = carray_count(table);
	ret->messages = arena_zalloc(arena, ret->n + 1, sizeof(ret->messages[0]));
	ret->has_ids = ret->n == 0;
	for (uint32_t i = 0; i < ret->n; i++) {
		const struct mailpop3_msg_info *info = carray_get(table, i);

		ret->has_ids = ret->has_ids || info->msg_uidl;
		ret->messages[i] = (struct pop3_message){
			.unique_id = arena_strdup(arena, info->msg_uidl ? info->msg_uidl : ""),
			.size = pop3_stream_size(client->stream, i + 1),
			.message_id = "",
			.date = "",
		};
	}
	return ok();
}

fiber_fn struct err pop3_source_read(const struct pop3_server *server, const char *login,
	const struct secret *password, pop3_source_progress *progress, void *arg,
	struct arena *arena, struct pop3_maildrop *ret)
{
	struct pop3_client client = { .server = server };
	struct err e = pop3_connect(&client);

	if (failed(e))
		return e;
	*ret = (struct pop3_maildrop){ 0 };
	e = pop3_login(&client, login, password);
	if (!failed(e))
		e = read_list(&client, arena, ret);
	if (!failed(e) && ret->has_ids)
		e = read_headers(&client, progress, arg, arena, ret);
	pop3_drop(&client);
	return e;
}

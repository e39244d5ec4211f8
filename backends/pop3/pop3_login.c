/* pop3_login - from a connection to an open maildrop. */
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "backends/base64.h"
#include "backends/pop3/pop3_client.h"
#include "proxy/runtime/fatal.h"
#include "proxy/runtime/wait.h"

/* A command of libetpan's is 512 octets with its CRLF. */
#define ARGUMENT_MAX 400
/* The state of libetpan's that its PASS leads to; it has no PLAIN without a library of its own. */
#define STATE_TRANSACTION 2

static const struct {
	const char *name;
	unsigned bit;
} capability_names[] = {
	{ "TOP", POP3_CAN_TOP },
	{ "UIDL", POP3_CAN_UIDL },
	{ "USER", POP3_CAN_USER },
	{ "STLS", POP3_CAN_STLS },
	{ "PIPELINING", POP3_CAN_PIPELINE },
};

struct err pop3_result(const struct pop3_client *client, int result, const char *what)
{
	const char *words = client->session->pop3_response;
	enum err_scope scope = ERR_TEMP;

	if (result == MAILPOP3_NO_ERROR)
		return ok();
	if (failed(client->stream->link.error))
		return err_context(client->stream->link.error, "%s", what);
	if (result == MAILPOP3_ERROR_BAD_USER || result == MAILPOP3_ERROR_BAD_PASSWORD ||
		result == MAILPOP3_ERROR_DENIED)
		scope = ERR_AUTH;
	/* "[IN-USE]", "[SYS/TEMP]": not the password's fault (RFC 2449 section 8.1.1). */
	if (scope == ERR_AUTH && words && *words == '[' && strncasecmp(words, "[AUTH]", 6) != 0)
		scope = ERR_TEMP;
	return err_make(scope, "%s: %s", what, words && *words ? words : "refused");
}

static void note_capability(struct pop3_client *client, const struct mailpop3_capa *capa)
{
	for (size_t i = 0; i < sizeof(capability_names) / sizeof(capability_names[0]); i++)
		if (strcasecmp(capa->cap_name, capability_names[i].name) == 0)
			client->capabilities |= capability_names[i].bit;
	if (strcasecmp(capa->cap_name, "SASL") != 0)
		return;
	for (clistiter *i = clist_begin(capa->cap_param); i; i = clist_next(i))
		if (strcasecmp(i->data, "PLAIN") == 0)
			client->capabilities |= POP3_CAN_PLAIN;
}

/* An old server has no CAPA; that is no failure. */
fiber_fn static struct err ask_capabilities(struct pop3_client *client)
{
	clist *list = NULL;
	int result = mailpop3_capa(client->session, &list);

	client->has_capa = result == MAILPOP3_NO_ERROR && list;
	client->capabilities = 0;
	if (!list)
		return client->stream->link.error;
	for (clistiter *i = clist_begin(list); i; i = clist_next(i))
		note_capability(client, i->data);
	mailpop3_capa_resp_free(list);
	return ok();
}

fiber_fn static struct err starttls(struct pop3_client *client)
{
	const struct pop3_server *server = client->server;
	struct err e;

	if (client->has_capa && !(client->capabilities & POP3_CAN_STLS))
		return err_make(ERR_PERM, "the server has no STLS");
	e = pop3_result(client, mailpop3_stls(client->session), "STLS");
	if (!failed(e))
		e = pop3_stream_starttls(
			client->stream, client->over, server->context, server->host);
	return failed(e) ? e : ask_capabilities(client);
}

/* The stream is the client's from here on. */
fiber_fn static struct err greet(struct pop3_client *client, struct stream *stream)
{
	struct err e;

	client->stream = pop3_stream_new(stream, client->server->timeout);
	client->over = etpan_link_open(&client->stream->link);
	client->session = mailpop3_new(0, NULL);
	if (!client->session)
		fatal("out of memory: a POP3 session");
	e = pop3_result(client, mailpop3_connect(client->session, client->over), "greeting");
	if (!failed(e))
		e = ask_capabilities(client);
	if (!failed(e) && client->server->tls == TLS_STARTTLS)
		e = starttls(client);
	if (failed(e))
		pop3_drop(client);
	return e;
}

fiber_fn struct err pop3_connect(struct pop3_client *client)
{
	const struct pop3_server *server = client->server;
	uint64_t start = runtime_now();
	struct stream *stream = NULL;
	struct err e;

	deadline(server->timeout);
	e = stream_connect(server->host, server->port, &stream);
	if (!failed(e) && server->tls == TLS_IMPLICIT)
		e = err_context(stream_tls_connect(stream, server->context, server->host), "TLS");
	if (e.scope == ERR_PEER)
		e.scope = ERR_TEMP;
	if (failed(e)) {
		stream_close(stream);
		return etpan_own_timeout(e, start, server->timeout, "no connection");
	}
	return greet(client, stream);
}

void pop3_drop(struct pop3_client *client)
{
	/* libetpan would say QUIT. */
	etpan_link_fail(&client->stream->link, err_make(ERR_TEMP, "the connection is closed"));
	mailpop3_free(client->session);
	pop3_stream_free(client->stream);
	client->session = NULL;
	client->stream = NULL;
	client->over = NULL;
}

static bool is_sendable(const char *text, size_t n)
{
	return n > 0 && n <= ARGUMENT_MAX && !memchr(text, '\0', n) && !memchr(text, '\r', n) &&
	       !memchr(text, '\n', n);
}

fiber_fn static struct err login_user(
	struct pop3_client *client, const char *login, const struct secret *password)
{
	struct err e = pop3_result(client, mailpop3_user(client->session, login), "USER");

	return failed(e) ? e
			 : pop3_result(client,
				   mailpop3_pass(client->session, secret_data(password)), "PASS");
}

/* "AUTH PLAIN" and base64 of \0login\0password (RFC 4616, RFC 5034 section 4). Rooms are made
 * before, so that no copy is left behind. */
static void plain_command(struct buffer *out, const char *login, const struct secret *password)
{
	static const char command[] = "AUTH PLAIN ";
	size_t n = strlen(login) + secret_length(password) + 2;
	struct buffer message = { 0 };

	buffer_reserve(&message, n);
	buffer_append(&message, "", 1);
	buffer_append(&message, login, strlen(login) + 1);
	buffer_append(&message, secret_data(password), secret_length(password));
	buffer_reserve(out, sizeof(command) + base64_size(n) + 2);
	buffer_append(out, command, strlen(command));
	base64_encode(out, buffer_data(&message), n);
	buffer_append(out, "\r\n", 2);
	buffer_wipe(&message);
}

/* A login that is one line, which libetpan cannot send; wipes it. */
fiber_fn static struct err login_line(
	struct pop3_client *client, const char *what, struct buffer *command)
{
	mailpop3 *session = client->session;
	const char *line = NULL;
	bool sent = mailstream_write(session->pop3_stream, buffer_data(command),
			    buffer_used(command)) >= 0 &&
		    mailstream_flush(session->pop3_stream) >= 0;

	buffer_wipe(command);
	if (sent)
		line = mailstream_read_line_remove_eol(
			session->pop3_stream, session->pop3_stream_buffer);
	if (!line)
		return err_context(client->stream->link.error, "%s", what);
	if (strncmp(line, "+OK", 3) != 0)
		return err_make(ERR_AUTH, "%s: %s", what, line);
	session->pop3_state = STATE_TRANSACTION;
	return ok();
}

/* The MD5 of the greeting's timestamp and the password, in hex (RFC 1939 section 7); libetpan's own
 * is wrong where long has 64 bits. false: there is no MD5 in this OpenSSL. */
static bool apop_command(
	struct buffer *out, const char *timestamp, const char *login, const struct secret *password)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned n = 0;
	bool done = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) &&
		    EVP_DigestUpdate(context, timestamp, strlen(timestamp)) &&
		    EVP_DigestUpdate(context, secret_data(password), secret_length(password)) &&
		    EVP_DigestFinal_ex(context, digest, &n);

	EVP_MD_CTX_free(context);
	buffer_printf(out, "APOP %s ", login);
	for (unsigned i = 0; i < n; i++)
		buffer_printf(out, "%02x", digest[i]);
	buffer_append(out, "\r\n", 2);
	return done;
}

fiber_fn struct err pop3_login(
	struct pop3_client *client, const char *login, const struct secret *password)
{
	const char *timestamp = client->session->pop3_timestamp;
	struct buffer command = { 0 };
	struct err e = ok();

	if (!is_sendable(login, strlen(login)) ||
		!is_sendable(secret_data(password), secret_length(password)))
		return err_make(ERR_AUTH, "a login or password that POP3 cannot carry");
	if (client->server->tls == TLS_NONE && timestamp &&
		apop_command(&command, timestamp, login, password)) {
		e = login_line(client, "APOP", &command);
		if (!failed(e) || failed(client->stream->link.error))
			return e;
	}
	buffer_wipe(&command);
	if (!client->has_capa || client->capabilities & POP3_CAN_USER)
		return login_user(client, login, password);
	if (!(client->capabilities & POP3_CAN_PLAIN))
		return failed(e) ? e
				 : err_make(ERR_PERM,
					   "the server offers no way to log in by password");
	plain_command(&command, login, password);
	return login_line(client, "AUTH PLAIN", &command);
}

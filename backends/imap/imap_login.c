#include <string.h>

#include "backends/base64.h"
#include "backends/imap/imap.h"
#include "proxy/runtime/secret.h"

/* A quoted string of more is sent as a literal, which any server takes. */
#define QUOTED_MAX 512

/* Octets that are no string of ours to wipe: a login, or what a secret lends. */
struct text {
	const char *data;
	size_t n;
};

static struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

static struct text text_of_secret(const struct secret *secret)
{
	return (struct text){ secret_data(secret), secret_length(secret) };
}

/* Neither quoted strings nor SASL PLAIN can hold them (RFC 3501 section 9, RFC 4616). */
static bool is_sendable(struct text text)
{
	return !memchr(text.data, '\0', text.n) && !memchr(text.data, '\r', text.n) &&
	       !memchr(text.data, '\n', text.n);
}

static bool is_quotable(struct text text)
{
	if (text.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			return false;
	return true;
}

const char *imap_login_name(
	const struct imap *imap, const struct account *account, struct arena *arena)
{
	const char *const pairs[] = { "login", account->login, "user", account->user, "domain",
		account->domain, NULL };

	return template_fill(arena, imap->settings->login, pairs);
}

/* authzid NUL authcid NUL password, in base64 (RFC 4616), and a line end. */
static void plain_response(
	struct buffer *ret, struct text authorize, struct text login, struct text password)
{
	struct buffer message = { 0 };
	size_t n = authorize.n + login.n + password.n + 2;

	buffer_reserve(&message, n);
	buffer_append(&message, authorize.data, authorize.n);
	buffer_append(&message, "", 1);
	buffer_append(&message, login.data, login.n);
	buffer_append(&message, "", 1);
	buffer_append(&message, password.data, password.n);
	buffer_reserve(ret, base64_size(n) + 2);
	base64_encode(ret, message.data + message.start, n);
	buffer_append(ret, "\r\n", 2);
	buffer_wipe(&message);
}

fiber_fn static struct err authenticate_plain(
	struct imap *imap, struct text authorize, struct text login, struct text password)
{
	static const char command[] = "AUTHENTICATE PLAIN";
	bool initial = imap->capabilities & IMAP_SASL_IR;
	cleanup(buffer_wipe) struct buffer response = { 0 };
	struct err e;

	plain_response(&response, authorize, login, password);
	imap_begin(imap);
	imap_send(imap, command, sizeof(command) - 1);
	imap_send(imap, initial ? " " : "\r\n", initial ? 1 : 2);
	if (!initial && failed(e = imap_continue(imap, IMAP_STEP_LOGIN)))
		return e;
	imap_send(imap, buffer_data(&response), buffer_used(&response));
	return imap_finish(imap, IMAP_STEP_LOGIN);
}

static void send_quoted(struct imap *imap, struct text text)
{
	imap_send(imap, "\"", 1);
	for (size_t i = 0; i < text.n; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			imap_send(imap, "\\", 1);
		imap_send(imap, &text.data[i], 1);
	}
	imap_send(imap, "\"", 1);
}

fiber_fn static struct err send_string(struct imap *imap, struct text text)
{
	char mark[32];
	struct err e;
	int n;

	if (is_quotable(text)) {
		send_quoted(imap, text);
		return ok();
	}
	n = snprintf(mark, sizeof(mark), "{%zu}\r\n", text.n);
	imap_send(imap, mark, (size_t)n);
	e = imap_continue(imap, IMAP_STEP_LOGIN);
	if (!failed(e))
		imap_send(imap, text.data, text.n);
	return e;
}

fiber_fn static struct err login_command(struct imap *imap, struct text login, struct text password)
{
	struct err e;

	imap_begin(imap);
	imap_send(imap, "LOGIN ", 6);
	if (failed(e = send_string(imap, login)))
		return e;
	imap_send(imap, " ", 1);
	if (failed(e = send_string(imap, password)))
		return e;
	imap_send(imap, "\r\n", 2);
	return imap_finish(imap, IMAP_STEP_LOGIN);
}

/* Tells the server for whom we come (RFC 2971). Its opinion of that does not matter. */
fiber_fn static struct err identify(struct imap *imap)
{
	const char *address = imap->account->client_address;
	char command[160];
	struct err e;

	if (!imap->settings->send_client_address || !(imap->capabilities & IMAP_ID) || !address ||
		!is_quotable(text_of(address)) || strpbrk(address, "\"\\"))
		return ok();
	(void)snprintf(command, sizeof(command),
		"ID (\"name\" \"popgate\" \"x-originating-ip\" \"%.64s\")", address);
	e = imap_command(imap, IMAP_STEP_OTHER, command);
	return imap_alive(imap) ? ok() : e;
}

/* As the master user, on behalf of login. */
fiber_fn static struct err login_as_master(struct imap *imap, struct text login)
{
	const struct imap_settings *settings = imap->settings;
	struct text master = text_of(settings->master_user);
	struct text password = text_of_secret(settings->master_password);

	if (!(imap->capabilities & IMAP_AUTH_PLAIN))
		return err_make(ERR_PERM, "%s: the server has no AUTH=PLAIN for the master user",
			imap->server);
	if (!is_sendable(login) || !is_sendable(master) || !is_sendable(password))
		return err_make(ERR_AUTH, "a login or password that IMAP cannot express");
	return authenticate_plain(imap, login, master, password);
}

fiber_fn static struct err login_as_user(
	struct imap *imap, struct text login, const struct secret *secret)
{
	struct text password;
	bool plain = imap->capabilities & IMAP_AUTH_PLAIN;
	bool disabled = imap->capabilities & IMAP_LOGINDISABLED;

	if (!secret)
		return err_make(ERR_PERM, "%s: no password for the server, and no master_user",
			imap->server);
	password = text_of_secret(secret);
	if (!is_sendable(login) || !is_sendable(password))
		return err_make(ERR_AUTH, "a login or password that IMAP cannot express");
	if (disabled && !plain)
		return err_make(
			ERR_PERM, "%s: the server refuses passwords (LOGINDISABLED)", imap->server);
	if (plain && (disabled || !is_quotable(login) || !is_quotable(password)))
		return authenticate_plain(imap, text_of(""), login, password);
	return login_command(imap, login, password);
}

#ifdef POPGATE_GSSAPI
/* With what the client handed on; on behalf of login when that is another than whose it is. */
fiber_fn static struct err login_as_delegate(
	struct imap *imap, const char *login, const struct store_credentials *credentials)
{
	if (!(imap->capabilities & IMAP_AUTH_GSSAPI))
		return err_make(ERR_PERM,
			"%s: the server has no AUTH=GSSAPI for the credentials that the client "
			"handed on",
			imap->server);
	return imap_authenticate_gssapi(
		imap, credentials->delegated, credentials->actor ? login : "");
}
#endif

/* As the actor, on behalf of login. */
fiber_fn static struct err login_as_actor(
	struct imap *imap, struct text login, struct text actor, const struct secret *secret)
{
	struct text password = secret ? text_of_secret(secret) : text_of("");

	if (!(imap->capabilities & IMAP_AUTH_PLAIN))
		return err_make(ERR_PERM,
			"%s: the server has no AUTH=PLAIN to open another's mailbox", imap->server);
	if (!is_sendable(login) || !is_sendable(actor) || !is_sendable(password) || !password.n)
		return err_make(ERR_AUTH, "a login or password that IMAP cannot express");
	return authenticate_plain(imap, login, actor, password);
}

fiber_fn struct err imap_login(struct imap *imap, const struct store_credentials *credentials)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct text login = text_of(imap_login_name(imap, imap->account, arena));
	struct err e = identify(imap);
	unsigned before = imap->capabilities;

	if (failed(e))
		return e;
	imap_forget_capabilities(imap);
	imap->capabilities = before;
	if (imap->settings->master_user[0])
		e = login_as_master(imap, login);
#ifdef POPGATE_GSSAPI
	else if (credentials->delegated)
		e = login_as_delegate(imap, login.data, credentials);
#endif
	else if (credentials->token)
		e = imap_authenticate_token(imap, login.data, credentials->token);
	else if (credentials->actor)
		e = login_as_actor(imap, login,
			text_of(imap_login_name(imap, credentials->actor, arena)),
			credentials->password);
	else
		e = login_as_user(imap, login, credentials->password);
	return failed(e) ? e : imap_capabilities(imap);
}

#include "proxy/login/sasl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <gsasl.h>

#include "proxy/runtime/mem.h"

#define INPUT_MAX    65536 /* octets of base64 in one step */
#define IDENTITY_MAX 1024  /* octets of a login or an authorization identity */

struct mechanism {
	unsigned bit;
	const char *name;
	const char *const *prompts; /* sent instead of libgsasl's challenges; NULL: those */
	bool server_first;          /* an initial response answers the first prompt */
	bool takes_empty;           /* an empty response means something */
	/* Fills in the credentials of a finished exchange; message is its last one. */
	struct err (*collect)(Gsasl_session *session, const char *message, size_t n,
		struct credentials *credentials);
};

struct sasl {
	const struct mechanism *mechanism;
	const struct sasl_peer *peer;
	Gsasl_session *session;
	unsigned steps; /* challenges given so far */
	bool started, over;
	char *output; /* libgsasl's memory */
};

static struct err collect(Gsasl_session *session, const char *authorization, const char *password,
	size_t n, struct credentials *credentials)
{
	const char *login = gsasl_property_fast(session, GSASL_AUTHID);

	/* RFC 4616 section 2: authcid and passwd have at least one octet */
	if (!login || login[0] == '\0' || n == 0)
		return err_make(ERR_INVALID, "SASL: empty login or password");
	if (strlen(login) > IDENTITY_MAX || strlen(authorization) > IDENTITY_MAX)
		return err_make(
			ERR_INVALID, "SASL: an identity of more than %d octets", IDENTITY_MAX);
	credentials->login = mem_strdup(login);
	credentials->authorization = mem_strdup(authorization);
	credentials->secret = secret_new(password, n);
	credentials->kind = CREDENTIAL_PASSWORD;
	return ok();
}

/* libgsasl has found the message to be authzid NUL authcid NUL passwd. The password is taken as it
 * was sent, not as SASLprep changed it: PASS gives it so, and the hashes and IMAP servers that it
 * is compared with were never prepared. */
static struct err collect_plain(
	Gsasl_session *session, const char *message, size_t n, struct credentials *credentials)
{
	const char *password = (const char *)memrchr(message, '\0', n) + 1;
	/* libgsasl gives the login where there is none */
	const char *authorization =
		message[0] == '\0' ? "" : gsasl_property_fast(session, GSASL_AUTHZID);

	return collect(
		session, authorization, password, (size_t)(message + n - password), credentials);
}

static struct err collect_login(
	Gsasl_session *session, const char *message, size_t n, struct credentials *credentials)
{
	return collect(session, "", message, n, credentials);
}

/* What Exchange and Dovecot say; libgsasl's "User Name" is what the draft says, and clients that
 * look at the text know the former only. */
static const char *const login_prompts[] = { "Username:", "Password:", NULL };

/* bit, name, prompts, server_first, takes_empty, collect */
static const struct mechanism mechanisms[] = {
	{ MECH_PLAIN, "PLAIN", NULL, false, false, collect_plain },
	{ MECH_LOGIN, "LOGIN", login_prompts, true, false, collect_login },
	{ 0, NULL, NULL, false, false, NULL },
};

unsigned sasl_mechanism(const char *name, unsigned allowed)
{
	for (const struct mechanism *m = mechanisms; m->name; m++)
		if ((m->bit & allowed) != 0 && strcasecmp(m->name, name) == 0)
			return m->bit;
	return 0;
}

const char *sasl_names(unsigned allowed, char *buffer, size_t n)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (const struct mechanism *m = mechanisms; m->name; m++)
		if ((m->bit & allowed) != 0 && used < n)
			used += (size_t)snprintf(
				buffer + used, n - used, "%s%s", used > 0 ? " " : "", m->name);
	return buffer;
}

/* The credentials are collected, not judged. */
static int accept_any(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	(void)library;
	(void)session;
	return property == GSASL_VALIDATE_SIMPLE ? GSASL_OK : GSASL_NO_CALLBACK;
}

/* Once per process, on first use: after the fork. */
static struct err library_get(Gsasl **ret)
{
	static Gsasl *library;
	int status;

	if (!library) {
		if ((status = gsasl_init(&library)) != GSASL_OK) {
			library = NULL;
			return err_make(ERR_TEMP, "libgsasl: %s", gsasl_strerror(status));
		}
		gsasl_callback_set(library, accept_any);
	}
	*ret = library;
	return ok();
}

struct err sasl_new(unsigned mechanism, const struct sasl_peer *peer, struct sasl **ret)
{
	const struct mechanism *m = mechanisms;
	Gsasl_session *session;
	Gsasl *library = NULL;
	struct err e;
	int status;

	while (m->name && m->bit != mechanism)
		m++;
	if (!m->name)
		return err_make(ERR_INVALID, "SASL: no such mechanism");
	if (failed(e = library_get(&library)))
		return e;
	if ((status = gsasl_server_start(library, m->name, &session)) != GSASL_OK)
		return err_make(ERR_TEMP, "libgsasl: %s: %s", m->name, gsasl_strerror(status));
	*ret = mem_zalloc(1, sizeof(**ret));
	(*ret)->mechanism = m;
	(*ret)->session = session;
	(*ret)->peer = peer;
	return ok();
}

void sasl_free(struct sasl *sasl)
{
	char *password;

	if (!sasl)
		return;
	/* libgsasl frees its copy without wiping it */
	password = (char *)(uintptr_t)gsasl_property_fast(sasl->session, GSASL_PASSWORD);
	if (password)
		explicit_bzero(password, strlen(password));
	gsasl_finish(sasl->session);
	gsasl_free(sasl->output);
	free(sasl);
}

static void wipe_and_free(char *data, size_t n)
{
	if (data)
		explicit_bzero(data, n);
	gsasl_free(data);
}

/* Base64 of RFC 4648 section 4 and nothing else: whatever is not exactly what encoding the result
 * gives (white space, missing or wrong padding, spare bits) is refused. */
static struct err decode(const char *input, struct secret **ret)
{
	char *data = NULL, *again = NULL;
	size_t n = 0, again_length = 0;
	bool strict;

	if (strlen(input) > INPUT_MAX)
		return err_make(ERR_INVALID, "SASL: a response of more than %d octets", INPUT_MAX);
	strict = gsasl_base64_from(input, strlen(input), &data, &n) == GSASL_OK &&
		 gsasl_base64_to(data, n, &again, &again_length) == GSASL_OK &&
		 strcmp(again, input) == 0;
	if (strict)
		*ret = secret_new(data, n); /* ends in the NUL that libgsasl looks for */
	wipe_and_free(again, again_length);
	wipe_and_free(data, n);
	return strict ? ok() : err_make(ERR_INVALID, "SASL: the response is not base64");
}

/* Keeps a challenge, in base64, as the output. */
static struct err put_output(struct sasl *sasl, const char *data, size_t n)
{
	gsasl_free(sasl->output);
	sasl->output = NULL;
	if (gsasl_base64_to(data, n, &sasl->output, NULL) != GSASL_OK)
		return err_make(ERR_TEMP, "libgsasl: a challenge cannot be encoded");
	return ok();
}

/* Hands libgsasl one message. */
static struct err advance(struct sasl *sasl, const char *message, size_t n, bool *done)
{
	const char *const *prompts = sasl->mechanism->prompts;
	char *challenge = NULL;
	size_t length = 0;
	int status = gsasl_step(sasl->session, message, n, &challenge, &length);
	struct err e;

	if (status != GSASL_OK && status != GSASL_NEEDS_MORE) {
		gsasl_free(challenge);
		return err_make(
			ERR_INVALID, "SASL %s: %s", sasl->mechanism->name, gsasl_strerror(status));
	}
	*done = status == GSASL_OK;
	if (prompts && !*done)
		e = put_output(sasl, prompts[sasl->steps], strlen(prompts[sasl->steps]));
	else
		e = put_output(sasl, challenge, length);
	sasl->steps++;
	gsasl_free(challenge);
	return e;
}

static struct err respond(struct sasl *sasl, bool initial, const struct secret *message, bool *done,
	struct credentials *credentials)
{
	const char *data = secret_data(message);
	size_t n = secret_length(message);
	struct err e;

	if (n == 0 && !sasl->mechanism->takes_empty)
		return err_make(ERR_INVALID, "SASL %s: an empty response", sasl->mechanism->name);
	if (initial && sasl->mechanism->server_first && failed(e = advance(sasl, "", 0, done)))
		return e;
	if (failed(e = advance(sasl, data, n, done)) || !*done)
		return e;
	return sasl->mechanism->collect(sasl->session, data, n, credentials);
}

/* Decodes one response, hands it on, and wipes it. */
static struct err take(struct sasl *sasl, bool initial, const char *input, bool *done,
	struct credentials *credentials)
{
	bool empty = initial && strcmp(input, "=") == 0; /* RFC 5034 section 4 */
	cleanup(secret_cleanup) struct secret *message = NULL;
	struct err e;

	if (failed(e = decode(empty ? "" : input, &message)))
		return e;
	return respond(sasl, initial, message, done, credentials);
}

fiber_fn struct err sasl_step(struct sasl *sasl, const char *input, const char **output,
	enum sasl_state *state, struct credentials *credentials)
{
	bool initial = !sasl->started, done = false;
	struct err e;

	if (sasl->over)
		return err_make(ERR_INVALID, "SASL: the exchange is over");
	sasl->started = true;
	if (initial && input[0] == '\0')
		e = advance(sasl, "", 0, &done);
	else
		e = take(sasl, initial, input, &done, credentials);
	sasl->over = failed(e) || done;
	credentials->mechanism = sasl->mechanism->bit;
	if (failed(e))
		return e;
	*output = sasl->output;
	*state = done ? SASL_DONE : SASL_CONTINUE;
	return ok();
}

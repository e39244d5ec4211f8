/* GSSAPI (RFC 4752) with the credentials that the client handed on; no security layer. */
#include <string.h>

#include "backends/base64.h"
#include "backends/imap/imap.h"
#include "proxy/runtime/gss.h"
#include "proxy/runtime/wait.h"

#define NO_LAYER 1 /* the bit of RFC 4752 section 3.3 */

struct exchange {
	struct imap *imap;
	struct gss *gss;
	struct buffer challenge; /* the server's last one, decoded */
};

static void send_line(struct imap *imap, const struct buffer *octets)
{
	base64_encode(&imap->stream->out, buffer_data(octets), buffer_used(octets));
	imap_send(imap, "\r\n", 2);
}

fiber_fn static struct err next_challenge(struct exchange *x)
{
	const char *text;
	struct err e = imap_challenge(x->imap, IMAP_STEP_LOGIN, &text);

	if (failed(e))
		return e;
	buffer_consume(&x->challenge, buffer_used(&x->challenge));
	if (!base64_decode(&x->challenge, text))
		return err_make(ERR_TEMP, "%s: a challenge that is not base64", x->imap->server);
	return ok();
}

/* Tokens until both sides have proved themselves; then the last challenge is the server's offer. */
fiber_fn static struct err establish(struct exchange *x, void *credential)
{
	cleanup(free_cleanup) char *target = mem_printf("imap@%s", x->imap->server);
	bool done = false;
	struct err e = ok();

	while (!done && !failed(e)) {
		cleanup(buffer_done) struct buffer token = { 0 };

		e = gss_initiate_token(x->gss, credential, target, buffer_data(&x->challenge),
			buffer_used(&x->challenge), &token, &done);
		if (!failed(e)) {
			send_line(x->imap, &token);
			e = next_challenge(x);
		}
	}
	return e;
}

/* Takes no layer, and says as whom. */
fiber_fn static struct err choose(struct exchange *x, const char *authorize)
{
	static const char layer[4] = { NO_LAYER, 0, 0, 0 };
	cleanup(buffer_done) struct buffer offer = { 0 }, choice = { 0 }, wrapped = { 0 };
	struct err e = gss_unwrap_message(
		x->gss, buffer_data(&x->challenge), buffer_used(&x->challenge), &offer);

	if (failed(e))
		return err_make(ERR_TEMP, "%s: %s", x->imap->server, e.detail);
	if (buffer_used(&offer) != sizeof(layer) || !(*buffer_data(&offer) & NO_LAYER))
		return err_make(
			ERR_PERM, "%s: the server insists on a security layer", x->imap->server);
	buffer_append(&choice, layer, sizeof(layer));
	buffer_append(&choice, authorize, strlen(authorize));
	e = gss_wrap_message(x->gss, buffer_data(&choice), buffer_used(&choice), &wrapped);
	if (!failed(e))
		send_line(x->imap, &wrapped);
	return e;
}

fiber_fn static struct err exchange(struct exchange *x, void *credential, const char *authorize)
{
	static const char command[] = "AUTHENTICATE GSSAPI\r\n";
	struct err e;

	/* No initial response: a ticket can be longer than a server takes a command. */
	imap_begin(x->imap);
	imap_send(x->imap, command, sizeof(command) - 1);
	if (failed(e = next_challenge(x)) || failed(e = establish(x, credential)) ||
		failed(e = choose(x, authorize)))
		return e;
	return imap_finish(x->imap, IMAP_STEP_LOGIN);
}

fiber_fn struct err imap_authenticate_gssapi(
	struct imap *imap, void *credential, const char *authorize)
{
	deadline(imap->settings->command_timeout);
	cleanup(gss_cleanup) struct gss *gss = gss_new();
	struct exchange x = { .imap = imap, .gss = gss };
	struct err e = exchange(&x, credential, authorize);

	buffer_done(&x.challenge);
	return e;
}

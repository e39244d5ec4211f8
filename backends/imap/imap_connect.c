#include <string.h>

#include "backends/imap/imap.h"
#include "backends/server_health.h"
#include "proxy/runtime/wait.h"

/* A server that failed is tried last for so long. */
#define AVOID_MS    60000
#define AVOID_SLOTS 64

/* This worker's memory of servers that failed. Touched between suspends only. */
static struct avoided {
	char server[256];
	uint16_t port;
	uint64_t until;
} avoided[AVOID_SLOTS];

static struct avoided *find_avoided(const char *server, uint16_t port)
{
	for (size_t i = 0; i < AVOID_SLOTS; i++)
		if (avoided[i].port == port && strcmp(avoided[i].server, server) == 0)
			return &avoided[i];
	return NULL;
}

static bool is_avoided(const char *server, uint16_t port)
{
	const struct avoided *a = find_avoided(server, port);

	return a && a->until > runtime_now();
}

static void avoid(const char *server, uint16_t port)
{
	struct avoided *a = find_avoided(server, port);

	for (size_t i = 0; !a && i < AVOID_SLOTS; i++)
		if (avoided[i].until <= runtime_now())
			a = &avoided[i];
	if (!a || strlen(server) >= sizeof(a->server))
		return;
	memcpy(a->server, server, strlen(server) + 1);
	a->port = port;
	a->until = runtime_now() + AVOID_MS;
}

static void forgive(const char *server, uint16_t port)
{
	struct avoided *a = find_avoided(server, port);

	if (a)
		a->until = 0;
}

/* The TLS contexts of this worker, one for each set of settings, kept until it ends. */
struct context {
	struct context *next;
	struct tls_context *tls;
	char *ca_file, *certificate, *key;
	bool verify;
};
static struct context *contexts;

static bool context_fits(const struct context *c, const struct imap_settings *settings)
{
	return c->verify == settings->verify && strcmp(c->ca_file, settings->ca_file) == 0 &&
	       strcmp(c->certificate, settings->client_certificate) == 0 &&
	       strcmp(c->key, settings->client_key) == 0;
}

static struct err context_for(const struct imap_settings *settings, struct tls_context **ret)
{
	struct tls_context *tls;
	struct context *c = contexts;
	struct err e;

	while (c && !context_fits(c, settings))
		c = c->next;
	if (!c) {
		e = tls_client_new(settings->ca_file, settings->verify,
			settings->client_certificate, settings->client_key, &tls);
		if (failed(e)) {
			e.scope = ERR_PERM;
			return e;
		}
		c = mem_zalloc(1, sizeof(*c));
		*c = (struct context){ .next = contexts,
			.tls = tls,
			.ca_file = mem_strdup(settings->ca_file),
			.certificate = mem_strdup(settings->client_certificate),
			.key = mem_strdup(settings->client_key),
			.verify = settings->verify };
		contexts = c;
	}
	*ret = c->tls;
	return ok();
}

static void attach(struct imap *imap, struct stream *stream, const char *server)
{
	imap->server = server;
	imap->folder = IMAP_NO_FOLDER;
	imap->resync_tried = false;
	imap->stream = imap_stream_new(stream, imap->settings->command_timeout);
	imap->tag = 0;
}

void imap_hand_over(struct imap *from, struct imap *to)
{
	if (!from->stream)
		return;
	to->server = from->server;
	to->stream = steal(from->stream);
	to->tag = from->tag;
	to->capabilities = from->capabilities;
	to->logged_in = from->logged_in;
	to->resync_tried = from->resync_tried;
	from->folder = to->folder = IMAP_NO_FOLDER;
}

void imap_drop(struct imap *imap)
{
	imap_ahead_free(imap);
	imap_stream_free(steal(imap->stream));
}

fiber_fn static struct err starttls(struct imap *imap)
{
	struct tls_context *context;
	struct err e;

	if (!(imap->capabilities & IMAP_STARTTLS))
		return err_make(ERR_PERM, "%s: the server has no STARTTLS", imap->server);
	if (failed(e = context_for(imap->settings, &context)))
		return e;
	if (failed(e = imap_command(imap, IMAP_STEP_OTHER, "STARTTLS")))
		return e;
	imap_forget_capabilities(imap);
	e = imap_stream_starttls(imap->stream, context, imap->server);
	if (failed(e))
		return err_context(e, "%s: STARTTLS", imap->server);
	return imap_capabilities(imap);
}

fiber_fn struct err imap_start(struct imap *imap, struct stream *stream, const char *server)
{
	struct tls_context *context;
	struct err e = ok();

	if (imap->settings->tls == TLS_IMPLICIT) {
		if (!failed(e = context_for(imap->settings, &context)))
			e = stream_tls_connect(stream, context, server);
		if (e.scope == ERR_PEER)
			e.scope = ERR_TEMP;
		if (failed(e)) {
			stream_close(stream);
			return err_context(e, "%s: TLS", server);
		}
	}
	attach(imap, stream, server);
	e = imap_greet(imap);
	if (!failed(e) && imap->settings->tls == TLS_STARTTLS)
		e = starttls(imap);
	if (failed(e))
		imap_drop(imap);
	return e;
}

fiber_fn static struct err connect_to(struct imap *imap, const char *server)
{
	const struct imap_settings *settings = imap->settings;
	uint64_t start = runtime_now();
	struct stream *stream = NULL;
	struct err e;

	deadline(settings->connect_timeout);
	e = stream_connect(server, settings->port, &stream);
	if (e.scope == ERR_PEER)
		e.scope = ERR_TEMP;
	if (!failed(e))
		e = imap_start(imap, stream, server);
	if (e.scope != ERR_TIMEOUT)
		return e;
	e = etpan_own_timeout(e, start, settings->connect_timeout, "no connection");
	return err_context(e, "%s", server);
}

/* Tries those servers whose bit is set; whether there is no need to try others. */
fiber_fn static bool connect_among(struct imap *imap, uint64_t which, struct err *e)
{
	const struct string_list *servers = &imap->settings->servers;
	uint16_t port = imap->settings->port;
	uint64_t start;

	for (size_t i = 0; i < servers->n && i < 64; i++) {
		if (!(which >> i & 1))
			continue;
		start = uv_hrtime();
		*e = connect_to(imap, servers->items[i]);
		if (!failed(*e)) {
			forgive(servers->items[i], port);
			server_health_connected(
				servers->items[i], port, (uv_hrtime() - start) / 1000000);
		}
		if (!failed(*e) || e->scope == ERR_CANCELED || e->scope == ERR_TIMEOUT)
			return true;
		avoid(servers->items[i], port);
		server_health_failed(servers->items[i], port, AVOID_MS);
	}
	return false;
}

fiber_fn struct err imap_connect(struct imap *imap)
{
	const struct string_list *servers = &imap->settings->servers;
	struct err e = err_make(ERR_PERM, "the tenant has no IMAP server");
	uint64_t bad = 0;

	for (size_t i = 0; i < servers->n && i < 64; i++)
		if (is_avoided(servers->items[i], imap->settings->port))
			bad |= UINT64_C(1) << i;
	if (!connect_among(imap, ~bad, &e))
		(void)connect_among(imap, bad, &e);
	return e;
}

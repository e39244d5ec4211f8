#include "proxy/admin/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "config/address.h"
#include "proxy/admin/endpoint.h"
#include "proxy/admin/metrics.h"
#include "proxy/admin/page.h"
#include "proxy/admin/ready.h"
#include "proxy/admin/sessions.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"

/* Nothing that is asked for here has a body; a form's is a few octets. */
#define BODY_MAX   4096
#define NONCE_SIZE 33
#define ID_SIZE    24

static const struct admin_master *master;

/* What a request needs from its first octet to its answer. */
struct request {
	size_t body;
};

struct answer {
	unsigned status;
	const char *type;
	const char *name, *value; /* one header more; name NULL: none */
	const char *nonce;        /* of the page's own style and script; NULL: it has none */
	struct buffer body;
};

void http_set_master(const struct admin_master *m)
{
	master = m;
}

/* Answers */

static void refuse(struct answer *answer, unsigned status, const char *why)
{
	answer->status = status;
	answer->type = "text/plain; charset=utf-8";
	buffer_printf(&answer->body, "%s\n", why);
}

static void refuse_method(struct answer *answer, const char *allowed)
{
	refuse(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
	answer->name = MHD_HTTP_HEADER_ALLOW;
	answer->value = allowed;
}

static void add_headers(struct MHD_Response *response, const struct answer *answer)
{
	static const char *const always[][2] = {
		{ "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
	};
	char policy[512];

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		(void)MHD_add_response_header(response, always[i][0], always[i][1]);
	(void)snprintf(policy, sizeof(policy),
		"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action %s",
		answer->nonce ? "'self'" : "'none'");
	if (answer->nonce)
		(void)snprintf(policy + strlen(policy), sizeof(policy) - strlen(policy),
			"; style-src 'nonce-%s'; script-src 'nonce-%s'; connect-src 'self'; "
			"img-src data:",
			answer->nonce, answer->nonce);
	(void)MHD_add_response_header(response, "Content-Security-Policy", policy);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	if (answer->name)
		(void)MHD_add_response_header(response, answer->name, answer->value);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		buffer_used(&answer->body), buffer_data(&answer->body), MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_NO;

	buffer_done(&answer->body);
	if (!response)
		return MHD_NO;
	add_headers(response, answer);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Who may ask */

bool http_host_is_loopback(const char *host)
{
	char name[256];
	size_t n;

	if (!host)
		return true;
	if (*host == '[') {
		host++;
		n = strcspn(host, "]");
	} else {
		n = strcspn(host, ":");
	}
	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	return host_valid(name) && host_is_loopback(name);
}

bool http_same_origin(const char *host, const char *origin, const char *site)
{
	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return false;
	if (!origin)
		return true;
	return host && strncmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0;
}

bool http_close_path(const char *url, char *id, size_t size)
{
	static const char before[] = "/api/sessions/", after[] = "/close";
	size_t n;

	if (strncmp(url, before, sizeof(before) - 1) != 0)
		return false;
	url += sizeof(before) - 1;
	n = strcspn(url, "/");
	if (n == 0 || n >= size || strcmp(url + n, after) != 0)
		return false;
	memcpy(id, url, n);
	id[n] = '\0';
	return true;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Answering */

static void make_nonce(char nonce[NONCE_SIZE])
{
	unsigned char octets[(NONCE_SIZE - 1) / 2] = { 0 };

	(void)!getrandom(octets, sizeof(octets), 0);
	for (size_t i = 0; i < sizeof(octets); i++)
		(void)snprintf(nonce + 2 * i, 3, "%02x", octets[i]);
}

/* What may be read, by its path; false: there is no such thing. */
static bool read_path(const struct endpoint *endpoint, const char *url, struct answer *answer,
	char nonce[NONCE_SIZE])
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct admin_gateway gateway = { 0 };

	master->describe(&gateway, arena, master->arg);
	answer->status = MHD_HTTP_OK;
	if (strcmp(url, "/") == 0) {
		make_nonce(nonce);
		answer->nonce = nonce;
		answer->type = "text/html; charset=utf-8";
		page_write(&answer->body, &gateway, nonce, endpoint->local);
	} else if (strcmp(url, "/metrics") == 0) {
		answer->type = METRICS_TYPE;
		metrics_write(&answer->body, &gateway);
	} else if (strcmp(url, "/healthz") == 0) {
		answer->type = "text/plain; charset=utf-8";
		buffer_append(&answer->body, "ok\n", 3);
	} else if (strcmp(url, "/readyz") == 0) {
		answer->type = "text/plain; charset=utf-8";
		if (!ready_write(&answer->body, &gateway))
			answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	} else if (strcmp(url, "/api/sessions") == 0) {
		answer->type = "application/json";
		sessions_write(&answer->body);
	} else {
		return false;
	}
	return true;
}

static void close_session(struct MHD_Connection *connection, const struct endpoint *endpoint,
	const char *id, struct answer *answer)
{
	const char *accept = header(connection, MHD_HTTP_HEADER_ACCEPT);
	pid_t worker;

	if (!endpoint->local) {
		refuse(answer, MHD_HTTP_FORBIDDEN,
			"sessions are closed over admin.socket only: popgate who --close ID");
	} else if (!http_same_origin(header(connection, MHD_HTTP_HEADER_HOST),
			   header(connection, "Origin"), header(connection, "Sec-Fetch-Site"))) {
		refuse(answer, MHD_HTTP_FORBIDDEN, "this request came from another page");
	} else if ((worker = sessions_worker_of(id)) == 0) {
		refuse(answer, MHD_HTTP_NOT_FOUND, "there is no such session");
	} else if (!master->close_session(worker, id, master->arg)) {
		refuse(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "its worker cannot be told");
	} else if (accept && strstr(accept, "text/html")) {
		log_info("session closed by the administrator", f_text("session", id));
		refuse(answer, MHD_HTTP_SEE_OTHER, "closing");
		answer->name = MHD_HTTP_HEADER_LOCATION;
		answer->value = "/";
	} else {
		log_info("session closed by the administrator", f_text("session", id));
		refuse(answer, MHD_HTTP_ACCEPTED, "closing");
	}
}

static enum MHD_Result answer_request(struct MHD_Connection *connection,
	const struct endpoint *endpoint, const char *url, const char *method, size_t body)
{
	bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
		     strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	struct answer answer = { 0 };
	char nonce[NONCE_SIZE], id[ID_SIZE];

	if (!endpoint->named && !http_host_is_loopback(header(connection, MHD_HTTP_HEADER_HOST)))
		refuse(&answer, MHD_HTTP_MISDIRECTED_REQUEST,
			"this is not the host that you asked for");
	else if (body > BODY_MAX)
		refuse(&answer, MHD_HTTP_CONTENT_TOO_LARGE, "the request is too large");
	else if (http_close_path(url, id, sizeof(id)) && strcmp(method, "POST") == 0)
		close_session(connection, endpoint, id, &answer);
	else if (http_close_path(url, id, sizeof(id)))
		refuse_method(&answer, "POST");
	else if (!reads)
		refuse_method(&answer, "GET, HEAD");
	else if (!read_path(endpoint, url, &answer, nonce))
		refuse(&answer, MHD_HTTP_NOT_FOUND, "there is nothing here");
	return send_answer(connection, &answer);
}

enum MHD_Result http_answer(void *arg, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *n, void **context)
{
	struct request *request = *context;

	(void)version;
	(void)data;
	if (!request) {
		*context = mem_zalloc(1, sizeof(*request));
		return MHD_YES;
	}
	if (*n > 0) {
		request->body += *n;
		*n = 0;
		/* Nobody has to read on for ever. */
		return request->body > 16 * BODY_MAX ? MHD_NO : MHD_YES;
	}
	return answer_request(connection, arg, url, method, request->body);
}

void http_completed(void *arg, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code)
{
	(void)arg;
	(void)connection;
	(void)code;
	free(*context);
	*context = NULL;
}

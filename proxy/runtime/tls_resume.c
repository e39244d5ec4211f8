#include "proxy/runtime/tls_resume.h"

#include <string.h>
#include <time.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"

struct known {
	char *name;
	SSL_SESSION *session;
	time_t since; /* when the server last showed its certificate */
};

/* What one context knows: the last session of each server. */
struct servers {
	struct known known[TLS_RESUME_SERVERS];
	size_t n, next; /* next: the one that gives way when all places are taken */
};

static int of_context = -1, of_ssl = -1;

static void servers_free(
	void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	struct servers *servers = ptr;

	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	for (size_t i = 0; servers && i < servers->n; i++) {
		SSL_SESSION_free(servers->known[i].session);
		free(servers->known[i].name);
	}
	free(servers);
}

static void name_free(
	void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	free(ptr);
}

static struct known *find(struct servers *servers, const char *name)
{
	for (size_t i = 0; i < servers->n; i++)
		if (strcmp(servers->known[i].name, name) == 0)
			return &servers->known[i];
	return NULL;
}

static struct known *place_for(struct servers *servers, const char *name)
{
	struct known *known = find(servers, name);

	if (!known && servers->n < TLS_RESUME_SERVERS)
		known = &servers->known[servers->n++];
	else if (!known)
		known = &servers->known[servers->next++ % TLS_RESUME_SERVERS];
	if (!known->name || strcmp(known->name, name) != 0) {
		free(known->name);
		known->name = mem_strdup(name);
	}
	return known;
}

/* 1: the session is ours now. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	const char *name = SSL_get_ex_data(ssl, of_ssl);
	struct known *known;

	if (!name)
		return 0;
	known = place_for(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), of_context), name);
	SSL_SESSION_free(known->session);
	known->session = session;
	if (!SSL_session_reused(ssl))
		known->since = time(NULL);
	return 1;
}

void tls_resume_prepare(SSL_CTX *context)
{
	if (of_context < 0) {
		of_context = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, servers_free);
		of_ssl = SSL_get_ex_new_index(0, NULL, NULL, NULL, name_free);
	}
	if (of_context < 0 || of_ssl < 0 ||
		SSL_CTX_set_ex_data(context, of_context, mem_zalloc(1, sizeof(struct servers))) !=
			1)
		fatal("no place for TLS sessions");
	(void)SSL_CTX_set_session_cache_mode(
		context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
}

void tls_resume_offer(SSL *ssl, const char *name)
{
	struct servers *servers = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), of_context);
	const struct known *known = find(servers, name);

	if (SSL_set_ex_data(ssl, of_ssl, mem_strdup(name)) != 1)
		fatal("SSL_set_ex_data failed");
	if (known && known->session && time(NULL) - known->since <= TLS_RESUME_AGE &&
		SSL_SESSION_is_resumable(known->session))
		(void)SSL_set_session(ssl, known->session);
}

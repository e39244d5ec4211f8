#include "proxy/runtime/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/tls_error.h"
#include "proxy/runtime/tls_resume.h"

/* For minimum versions below 1.2: what old devices can do, still nothing anonymous or in clear. It
 * also sets the context's security level, without which OpenSSL refuses these versions. */
#define LEGACY_CIPHERS "ALL:!aNULL:!eNULL:@SECLEVEL=0"

/* The fastest of three that are all as strong as anyone needs comes first. */
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* Tickets are good only for servers of the same context name. */
#define SESSION_ID_CONTEXT "popgate"

struct tls_context {
	SSL_CTX **contexts; /* one per certificate; clients have one */
	size_t n;
	bool client, verify;
};

static bool is_set(const char *s)
{
	return s && *s;
}

/* OpenSSL's own texts for a missing file do not name it. */
static struct err check_readable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_errno(ERR_INVALID, errno, "%s", path);
	(void)close(fd);
	return ok();
}

/* Whether the queue says that the file holds nothing of the kind. */
static bool nothing_found(void)
{
	unsigned long code = ERR_peek_error();

	return (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) ||
	       (ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER &&
		       ERR_GET_REASON(code) == ERR_R_UNSUPPORTED);
}

static struct err file_error(const char *path, const char *what)
{
	char text[128];

	if (nothing_found()) {
		ERR_clear_error();
		return err_make(ERR_INVALID, "%s: no PEM %s in it", path, what);
	}
	return err_make(ERR_INVALID, "%s: %s: %s", path, what, tls_queue_text(text, sizeof(text)));
}

/* Without it OpenSSL asks for the passphrase on the terminal. arg: a bool that learns of it. */
static int no_passphrase(char *data, int size, int writing, void *arg)
{
	(void)data;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static struct err use_certificate(SSL_CTX *context, const char *certificate, const char *key)
{
	struct err e = check_readable(certificate);
	bool encrypted = false;

	if (!failed(e))
		e = check_readable(key);
	if (failed(e))
		return e;
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return file_error(certificate, "certificate");
	/* A key that does not fit the certificate fails here, or below when it is of another
	 * type. */
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 &&
		ERR_GET_LIB(ERR_peek_error()) != ERR_LIB_X509) {
		if (!encrypted)
			return file_error(key, "private key");
		ERR_clear_error();
		return err_make(ERR_INVALID, "%s: the key is under a passphrase", key);
	}
	SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
	ERR_clear_error();
	if (SSL_CTX_check_private_key(context) != 1) {
		ERR_clear_error();
		return err_make(ERR_INVALID, "%s: the key does not fit the certificate %s", key,
			certificate);
	}
	return ok();
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *context;

	ERR_clear_error();
	context = SSL_CTX_new(method);
	if (!context)
		fatal("SSL_CTX_new failed");
	/* An end without close_notify is an end: many peers never send one, and the protocols
	 * above know by themselves whether an answer is complete. */
	(void)SSL_CTX_set_options(context,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
			SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
						SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One read per record instead of two. */
	SSL_CTX_set_read_ahead(context, 1);
	return context;
}

static int version_number(enum tls_version version)
{
	switch (version) {
	case TLS_V1_0:
		return TLS1_VERSION;
	case TLS_V1_1:
		return TLS1_1_VERSION;
	case TLS_V1_2:
		return TLS1_2_VERSION;
	case TLS_V1_3:
		return TLS1_3_VERSION;
	}
	fatal("unknown TLS version %d", (int)version);
}

/* Chooses the certificate for the client's server name. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_context *context = arg;

	(void)alert;
	for (size_t i = 0; is_set(name) && i < context->n; i++) {
		X509 *certificate = SSL_CTX_get0_certificate(context->contexts[i]);

		if (X509_check_host(certificate, name, strlen(name), 0, NULL) == 1) {
			(void)SSL_set_SSL_CTX(ssl, context->contexts[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* A file may hold revocation lists beside the authorities; then they count, for every certificate
 * of a chain. */
static void use_revocation_lists(SSL_CTX *context)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
		if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL) {
			(void)X509_STORE_set_flags(
				store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
			return;
		}
}

static struct err ask_for_client_certificates(SSL_CTX *context, const char *ca_file)
{
	struct err e = check_readable(ca_file);
	STACK_OF(X509_NAME) * names;

	if (failed(e))
		return e;
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(context, ca_file) != 1)
		return file_error(ca_file, "certificate");
	names = SSL_load_client_CA_file(ca_file);
	if (!names)
		return file_error(ca_file, "certificate");
	SSL_CTX_set_client_CA_list(context, names);
	use_revocation_lists(context);
	tls_explain_verification(context, SSL_VERIFY_PEER);
	return ok();
}

static bool has_cipher(const SSL_CTX *context, const char *name)
{
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)), name) == 0)
			return true;
	return false;
}

/* Of TLS 1.3 all are as strong as anyone needs. What the system's policy (openssl.cnf) leaves out
 * stays out. */
static void prefer_the_fastest(SSL_CTX *context)
{
	static const char *const names[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
		"TLS_CHACHA20_POLY1305_SHA256" };
	char list[128];
	size_t used = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (has_cipher(context, names[i]))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
				used > 0 ? ":" : "", names[i]);
	if (used > 0)
		(void)SSL_CTX_set_ciphersuites(context, list);
}

static struct err server_context(const struct tls_certificate *certificate,
	enum tls_version minimum, const char *client_ca_file, SSL_CTX **ret)
{
	SSL_CTX *context = context_new(TLS_server_method());
	struct err e;

	*ret = context;
	(void)SSL_CTX_set_min_proto_version(context, version_number(minimum));
	if (minimum < TLS_V1_2)
		(void)SSL_CTX_set_cipher_list(context, LEGACY_CIPHERS);
	prefer_the_fastest(context);
	(void)SSL_CTX_set_dh_auto(context, 1);
	/* A client of ours makes one connection at a time, and gets a new one there. */
	(void)SSL_CTX_set_num_tickets(context, 1);
	/* Sessions live in tickets, whose keys all workers have from before the fork. */
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_session_id_context(
		context, (const unsigned char *)SESSION_ID_CONTEXT, sizeof(SESSION_ID_CONTEXT) - 1);
	tls_explain_verification(context, SSL_VERIFY_NONE);
	e = use_certificate(context, certificate->certificate, certificate->key);
	if (!failed(e) && is_set(client_ca_file))
		e = ask_for_client_certificates(context, client_ca_file);
	return e;
}

struct err tls_server_new(const struct tls_certificate *certificates, size_t n,
	enum tls_version minimum, const char *client_ca_file, struct tls_context **ret)
{
	struct tls_context *context;

	if (n == 0)
		return err_make(ERR_INVALID, "TLS needs a certificate");
	context = mem_zalloc(1, sizeof(*context));
	context->contexts = mem_zalloc(n, sizeof(*context->contexts));
	for (; context->n < n; context->n++) {
		struct err e = server_context(&certificates[context->n], minimum, client_ca_file,
			&context->contexts[context->n]);

		if (failed(e)) {
			context->n++;
			tls_context_free(context);
			return e;
		}
	}
	(void)SSL_CTX_set_tlsext_servername_callback(context->contexts[0], on_server_name);
	(void)SSL_CTX_set_tlsext_servername_arg(context->contexts[0], context);
	*ret = context;
	return ok();
}

static struct err trust(SSL_CTX *context, const char *ca_file)
{
	struct err e;

	if (!is_set(ca_file)) {
		if (SSL_CTX_set_default_verify_paths(context) != 1)
			fatal("SSL_CTX_set_default_verify_paths failed");
		return ok();
	}
	e = check_readable(ca_file);
	if (failed(e))
		return e;
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(context, ca_file) != 1)
		return file_error(ca_file, "certificate");
	return ok();
}

struct err tls_client_new(const char *ca_file, bool verify, const char *client_certificate,
	const char *client_key, struct tls_context **ret)
{
	struct tls_context *context = mem_zalloc(1, sizeof(*context));
	struct err e = ok();

	context->client = true;
	context->verify = verify;
	context->n = 1;
	context->contexts = mem_zalloc(1, sizeof(*context->contexts));
	context->contexts[0] = context_new(TLS_client_method());
	(void)SSL_CTX_set_min_proto_version(context->contexts[0], TLS1_2_VERSION);
	tls_resume_prepare(context->contexts[0]);
	tls_explain_verification(context->contexts[0], verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE);
	if (verify)
		e = trust(context->contexts[0], ca_file);
	if (!failed(e) && is_set(client_certificate))
		e = use_certificate(context->contexts[0], client_certificate,
			is_set(client_key) ? client_key : client_certificate);
	if (failed(e)) {
		tls_context_free(context);
		return e;
	}
	*ret = context;
	return ok();
}

void tls_context_free(struct tls_context *context)
{
	if (!context)
		return;
	for (size_t i = 0; i < context->n; i++)
		SSL_CTX_free(context->contexts[i]);
	free(context->contexts);
	free(context);
}

static bool is_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* Sends the name and has it verified. */
static bool set_peer_name(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct err tls_new_ssl(struct tls_context *context, const char *server_name, SSL **ret)
{
	SSL *ssl;

	/* An empty name would switch the check of names off. */
	if (context->client && context->verify && !is_set(server_name))
		return err_make(ERR_INVALID, "TLS: no server name to verify");
	ERR_clear_error();
	ssl = SSL_new(context->contexts[0]);
	if (!ssl)
		fatal("SSL_new failed");
	if (!context->client) {
		SSL_set_accept_state(ssl);
	} else {
		SSL_set_connect_state(ssl);
		if (is_set(server_name) && !set_peer_name(ssl, server_name)) {
			SSL_free(ssl);
			ERR_clear_error();
			return err_make(
				ERR_INVALID, "TLS: %s cannot be a server name", server_name);
		}
		if (is_set(server_name))
			tls_resume_offer(ssl, server_name);
	}
	*ret = ssl;
	return ok();
}

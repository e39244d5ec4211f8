#include "proxy/runtime/tls_error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "proxy/runtime/mem.h"

#define REASON_MAX 160
#define NAMES_MAX  72

/* Where an SSL keeps the reason of a failed verification: a malloc'ed text. */
static int reason_index = -1;

static const char *errno_text(int errnum)
{
	const char *text = strerrordesc_np(errnum);

	return text ? text : "unknown error";
}

const char *tls_queue_text(char *text, size_t size)
{
	unsigned long code = ERR_peek_error();
	const char *reason = NULL;

	if (ERR_SYSTEM_ERROR(code))
		reason = errno_text(ERR_GET_REASON(code));
	else if (code != 0)
		reason = ERR_reason_error_string(code);
	(void)snprintf(text, size, "%s", reason ? reason : "unknown error");
	ERR_clear_error();
	return text;
}

/* What a handshake that found no TLS at the other end fails with. */
static const char *plain_text_hint(unsigned long code)
{
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return "";
	switch (ERR_GET_REASON(code)) {
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return " (the peer spoke no TLS, but HTTP)";
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
		return " (the peer spoke no TLS, but plain text)";
	default:
		return "";
	}
}

struct err tls_error(SSL *ssl, int errnum)
{
	unsigned long code = ERR_peek_error();
	const char *verification = SSL_get_ex_data(ssl, reason_index);
	const char *hint = SSL_is_init_finished(ssl) ? "" : plain_text_hint(code);
	char text[REASON_MAX];

	if (verification && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		ERR_clear_error();
		return err_make(ERR_PEER, "certificate verify failed: %s", verification);
	}
	if (code != 0)
		return err_make(ERR_PEER, "%s%s", tls_queue_text(text, sizeof(text)), hint);
	if (errnum != 0 && errnum != EAGAIN)
		return err_make(ERR_PEER, "%s", errno_text(errnum));
	return err_make(ERR_PEER, "connection closed");
}

/* The names that the certificate is good for: subjectAltName, else the subject. */
static void names_of(X509 *certificate, char *text, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		int n;

		if (name->type != GEN_DNS)
			continue;
		n = snprintf(text + used, size - used, "%s%.*s", used > 0 ? ", " : "",
			ASN1_STRING_length(name->d.dNSName),
			(const char *)ASN1_STRING_get0_data(name->d.dNSName));
		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	GENERAL_NAMES_free(names);
	if (used == 0)
		(void)X509_NAME_oneline(X509_get_subject_name(certificate), text, (int)size);
}

static void issuer_of(X509 *certificate, char *text, size_t size)
{
	X509_NAME *issuer = X509_get_issuer_name(certificate);

	if (X509_NAME_get_text_by_NID(issuer, NID_commonName, text, (int)size) < 0)
		(void)X509_NAME_oneline(issuer, text, (int)size);
}

/* "; wanted NAME" where the name is what was wrong. */
static char *wanted(SSL *ssl, int error)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char *address, *text;

	if (error == X509_V_ERR_HOSTNAME_MISMATCH)
		return mem_printf("; wanted %s", X509_VERIFY_PARAM_get0_host(param, 0));
	if (error != X509_V_ERR_IP_ADDRESS_MISMATCH)
		return mem_strdup("");
	address = X509_VERIFY_PARAM_get1_ip_asc(param);
	text = mem_printf("; wanted %s", address);
	OPENSSL_free(address);
	return text;
}

static int on_verification(int good, X509_STORE_CTX *store)
{
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	char names[NAMES_MAX] = "?", issuer[NAMES_MAX] = "?";
	int error = X509_STORE_CTX_get_error(store);
	char *expected cleanup(free_cleanup) = NULL;
	SSL *ssl;

	if (good)
		return good;
	ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	if (certificate) {
		names_of(certificate, names, sizeof(names));
		issuer_of(certificate, issuer, sizeof(issuer));
	}
	expected = wanted(ssl, error);
	free(SSL_get_ex_data(ssl, reason_index));
	(void)SSL_set_ex_data(ssl, reason_index,
		mem_printf("%s%s; the certificate is for %s, issued by %s",
			X509_verify_cert_error_string(error), expected, names, issuer));
	return good;
}

static void free_reason(
	void *parent, void *reason, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	free(reason);
}

void tls_explain_verification(SSL_CTX *context, int mode)
{
	if (reason_index < 0)
		reason_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_reason);
	SSL_CTX_set_verify(context, mode, mode == SSL_VERIFY_NONE ? NULL : on_verification);
}

#include "proxy/runtime/stream.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "proxy/runtime/stream_private.h"

/* RFC 9266 section 2 */
#define EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EXPORTER_SIZE  32

static size_t exporter(SSL *ssl, unsigned char *ret)
{
	bool done;

	if (SSL_version(ssl) < TLS1_3_VERSION)
		return 0;
	done = SSL_export_keying_material(ssl, ret, EXPORTER_SIZE, EXPORTER_LABEL,
		       sizeof(EXPORTER_LABEL) - 1, (const unsigned char *)"", 0, 1) == 1;
	ERR_clear_error();
	return done ? EXPORTER_SIZE : 0;
}

/* The first Finished message of the handshake: the client's, but in a resumed one the server's (RFC
 * 5929 section 3.1). */
static size_t unique(const SSL *ssl, unsigned char *ret)
{
	bool own = SSL_is_server(ssl) == (SSL_session_reused(ssl) != 0);
	size_t n;

	if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support((SSL *)(uintptr_t)ssl) != 1)
		return 0;
	n = own ? SSL_get_finished(ssl, ret, STREAM_BINDING_MAX)
		: SSL_get_peer_finished(ssl, ret, STREAM_BINDING_MAX);
	return n <= STREAM_BINDING_MAX ? n : 0;
}

/* RFC 5929 section 4.1: by the hash of its own signature, but nothing weaker than SHA-256. One that
 * names no hash (Ed25519) has no such binding. */
static size_t server_end_point(SSL *ssl, unsigned char *ret)
{
	const X509 *certificate =
		SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	int hash = NID_undef, key;
	const EVP_MD *md;
	unsigned n = 0;

	if (!certificate ||
		OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &hash, &key) != 1)
		return 0;
	if (hash == NID_md5 || hash == NID_sha1)
		hash = NID_sha256;
	md = EVP_get_digestbynid(hash);
	if (!md || EVP_MD_get_size(md) > STREAM_BINDING_MAX ||
		X509_digest(certificate, md, ret, &n) != 1)
		n = 0;
	ERR_clear_error();
	return n;
}

size_t stream_tls_binding(const struct stream *stream, enum stream_binding type,
	unsigned char ret[STREAM_BINDING_MAX])
{
	if (!stream->ssl || !SSL_is_init_finished(stream->ssl))
		return 0;
	switch (type) {
	case STREAM_TLS_EXPORTER:
		return exporter(stream->ssl, ret);
	case STREAM_TLS_UNIQUE:
		return unique(stream->ssl, ret);
	case STREAM_TLS_SERVER_END_POINT:
		break;
	}
	return server_end_point(stream->ssl, ret);
}

/* Nothing that a log or a path could choke on, and no NUL that hides the rest of a name. */
static bool take_name(const unsigned char *name, int n, char *ret)
{
	if (n <= 0 || n >= STREAM_PEER_NAME_MAX)
		return false;
	for (int i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] == 0x7f)
			return false;
	memcpy(ret, name, (size_t)n);
	ret[n] = '\0';
	return true;
}

static bool email_of(const X509 *certificate, char *ret)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const ASN1_STRING *email = NULL;
	bool found;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !email; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL)
			email = name->d.rfc822Name;
	}
	found = email && take_name(ASN1_STRING_get0_data(email), ASN1_STRING_length(email), ret);
	GENERAL_NAMES_free(names);
	return found;
}

static bool common_name_of(const X509 *certificate, char *ret)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int last = -1, n;
	unsigned char *text = NULL;
	bool found;

	for (int i = last; (i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0;)
		last = i;
	if (last < 0)
		return false;
	n = ASN1_STRING_to_UTF8(
		&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
	found = take_name(text, n, ret);
	OPENSSL_free(text);
	return found;
}

bool stream_tls_peer_name(
	const struct stream *stream, enum stream_peer_name which, char ret[STREAM_PEER_NAME_MAX])
{
	const X509 *certificate;
	bool found;

	if (!stream->ssl || !SSL_is_init_finished(stream->ssl) ||
		SSL_get_verify_result(stream->ssl) != X509_V_OK)
		return false;
	certificate = SSL_get0_peer_certificate(stream->ssl);
	if (!certificate)
		return false;
	found = which == STREAM_PEER_EMAIL ? email_of(certificate, ret)
					   : common_name_of(certificate, ret);
	ERR_clear_error();
	return found;
}

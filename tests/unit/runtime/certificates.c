#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY (24L * 3600)

struct issued {
	X509 *certificate;
	EVP_PKEY *key;
};

struct request {
	const char *file, *common_name, *names; /* names: subjectAltName, or NULL */
	const char *issuer;                     /* its file; the same: self-signed */
	long expires;                           /* seconds from now */
};

/* An authority stands before what it issues. */
static const struct request requests[] = {
	{ "ca", "Test CA", NULL, "ca", DAY },
	{ "server", "pop.example", "DNS:pop.example,DNS:*.wild.example,IP:127.0.0.1", "ca", DAY },
	{ "second", "second.example", "DNS:second.example", "ca", DAY },
	{ "common", "common.example", NULL, "ca", DAY },
	{ "client", "client.example", "DNS:client.example", "ca", DAY },
	{ "person", "J\xc3\xb6rg", "DNS:x.example,email:ann@local.example,email:b@local.example",
		"ca", DAY },
	{ "odd-person", "two\nlines", NULL, "ca", DAY },
	{ "expired", "expired.example", "DNS:expired.example", "ca", -DAY },
	{ "other-ca", "Other CA", NULL, "other-ca", DAY },
	{ "stranger", "pop.example", "DNS:pop.example", "other-ca", DAY },
	{ "alone", "pop.example", "DNS:pop.example", "alone", DAY },
};
#define COUNT (sizeof(requests) / sizeof(requests[0]))

static struct issued all[COUNT];
static char folder[] = "/tmp/popgate-tls-XXXXXX";

const char *certificate_path(const char *file)
{
	static char ring[8][64];
	static unsigned next;
	char *path = ring[next++ % 8];

	(void)snprintf(path, sizeof(ring[0]), "%s/%s", folder, file);
	return path;
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static const struct issued *issuer_of(const struct request *request)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(requests[i].file, request->issuer) == 0)
			return &all[i];
	}
	fail_msg("no issuer %s", request->issuer);
	return NULL;
}

static void issue(const struct request *request, struct issued *issued)
{
	const struct issued *issuer = issuer_of(request);
	bool authority = strstr(request->file, "ca") != NULL;
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	issued->key = EVP_EC_gen("P-256");
	issued->certificate = certificate;
	(void)X509_set_version(certificate, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)(issued - all) + 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * DAY);
	(void)X509_gmtime_adj(X509_getm_notAfter(certificate), request->expires);
	(void)X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)request->common_name, -1, -1, 0);
	(void)X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate));
	(void)X509_set_pubkey(certificate, issued->key);
	extend(certificate, issuer->certificate, NID_basic_constraints,
		authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (request->names)
		extend(certificate, issuer->certificate, NID_subject_alt_name, request->names);
	assert_true(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
}

static FILE *create(const char *name, const char *suffix)
{
	char file[32];
	FILE *out;

	(void)snprintf(file, sizeof(file), "%s.%s", name, suffix);
	out = fopen(certificate_path(file), "w");
	assert_non_null(out);
	return out;
}

static void save(const char *name, const struct issued *issued)
{
	FILE *out = create(name, "pem");

	(void)PEM_write_X509(out, issued->certificate);
	(void)fclose(out);
	out = create(name, "key");
	(void)PEM_write_PrivateKey(out, issued->key, NULL, NULL, 0, NULL, NULL);
	(void)fclose(out);
}

int certificates_setup(void **state)
{
	char passphrase[] = "open sesame";
	FILE *out;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < COUNT; i++) {
		issue(&requests[i], &all[i]);
		save(requests[i].file, &all[i]);
	}
	out = create("encrypted", "key");
	(void)PEM_write_PrivateKey(out, all[1].key, EVP_aes_128_cbc(), NULL, 0, NULL, passphrase);
	(void)fclose(out);
	return 0;
}

static void remove_file(const char *name, const char *suffix)
{
	char file[32];

	(void)snprintf(file, sizeof(file), "%s.%s", name, suffix);
	(void)unlink(certificate_path(file));
}

int certificates_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		X509_free(all[i].certificate);
		EVP_PKEY_free(all[i].key);
		remove_file(requests[i].file, "pem");
		remove_file(requests[i].file, "key");
	}
	remove_file("encrypted", "key");
	return rmdir(folder);
}

#include "tests/unit/imap/certificate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char certificate_path[] = "/tmp/popgate-test-cert-XXXXXX";
static char key_path[] = "/tmp/popgate-test-key-XXXXXX";
static struct tls_certificate files = { certificate_path, key_path };

static FILE *create(char *path)
{
	int fd = mkstemp(path);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	assert(file);
	return file;
}

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert(extension);
	X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *self_signed(EVP_PKEY *key, const char *name)
{
	X509 *x509 = X509_new();
	X509_NAME *subject = X509_get_subject_name(x509);
	char alt[128];

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_set_pubkey(x509, key);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x509, subject);
	(void)snprintf(alt, sizeof(alt), "DNS:%s", name);
	add_extension(x509, NID_subject_alt_name, alt);
	add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
	assert(X509_sign(x509, key, EVP_sha256()) > 0);
	return x509;
}

const struct tls_certificate *certificate_make(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x509 = self_signed(key, name);
	FILE *file = create(certificate_path);

	PEM_write_X509(file, x509);
	(void)fclose(file);
	file = create(key_path);
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	(void)fclose(file);
	X509_free(x509);
	EVP_PKEY_free(key);
	return &files;
}

const char *certificate_file(void)
{
	return certificate_path;
}

void certificate_remove(void)
{
	(void)unlink(certificate_path);
	(void)unlink(key_path);
}

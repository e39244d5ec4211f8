#include "tests/unit/config/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

static struct {
	char folder[64];
	char *path;
	char *reports;
	struct config *config;
} fixture;

static char *printed_stream(FILE *stream, char **text)
{
	assert_int_equal(fclose(stream), 0);
	return *text;
}

/* text with the folder's name replaced by "@"; frees text. */
static char *without_folder(char *text)
{
	char *result;
	size_t size;
	FILE *out = open_memstream(&result, &size);
	const char *rest = text, *found;

	while ((found = strstr(rest, fixture.folder))) {
		fprintf(out, "%.*s@", (int)(found - rest), rest);
		rest = found + strlen(fixture.folder);
	}
	fputs(rest, out);
	free(text);
	return printed_stream(out, &result);
}

int fixture_setup(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	strcpy(fixture.folder, "/tmp/popgate-config-XXXXXX");
	assert_non_null(mkdtemp(fixture.folder));
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void forget(void)
{
	config_free(fixture.config);
	free(fixture.reports);
	fixture.config = NULL;
	fixture.reports = NULL;
}

int fixture_teardown(void **state)
{
	(void)state;
	forget();
	free(fixture.path);
	return nftw(fixture.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fixture_path(const char *name)
{
	free(fixture.path);
	fixture.path = mem_printf("%s/%s", fixture.folder, name);
	return fixture.path;
}

void fixture_write_octets(const char *name, const void *data, size_t n)
{
	FILE *file = fopen(fixture_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

void fixture_write(const char *name, const char *text)
{
	fixture_write_octets(name, text, strlen(text));
}

void fixture_mkdir(const char *name)
{
	assert_int_equal(mkdir(fixture_path(name), 0700), 0);
}

static void write_key(const char *name, EVP_PKEY *key)
{
	char *file = mem_printf("%s.key", name);
	FILE *out = fopen(fixture_path(file), "w");

	assert_non_null(out);
	assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
	free(file);
}

static void write_certificate(const char *name, X509 *certificate)
{
	char *file = mem_printf("%s.pem", name);
	FILE *out = fopen(fixture_path(file), "w");

	assert_non_null(out);
	assert_int_equal(PEM_write_X509(out, certificate), 1);
	fclose(out);
	free(file);
}

void fixture_certificate(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)"pop.test", -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	write_key(name, key);
	write_certificate(name, certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void collect(enum config_severity severity, const char *text, void *arg)
{
	static const char *const names[] = { "error", "warning", "note" };

	fprintf(arg, "%s %s\n", names[severity], text);
}

struct config *fixture_load(const char *text)
{
	char *reports;
	size_t size;
	FILE *out;
	struct err e;

	forget();
	if (text)
		fixture_write("popgate.yaml", text);
	out = open_memstream(&reports, &size);
	e = config_load(fixture_path("popgate.yaml"), collect, out, &fixture.config);
	fixture.reports = without_folder(printed_stream(out, &reports));
	if (failed(e)) {
		assert_int_equal(e.scope, ERR_INVALID);
		assert_null(fixture.config);
	}
	/* There is a configuration if and only if there was no error. */
	assert_int_equal(failed(e),
		strncmp(fixture.reports, "error", 5) == 0 || strstr(fixture.reports, "\nerror"));
	return fixture.config;
}

struct config *fixture_load_good(const char *text)
{
	struct config *config = fixture_load(text);

	if (!config || strstr(fixture.reports, "warning "))
		fail_msg("reported:\n%s", fixture.reports);
	return config;
}

const char *fixture_reports(void)
{
	return fixture.reports;
}

void fixture_expect(const char *text, const char *reports)
{
	fixture_load(text);
	if (strcmp(fixture.reports, reports) == 0)
		return;
	/* cmocka cuts long texts. */
	fprintf(stderr, "expected:\n%sreported:\n%s", reports, fixture.reports);
	fail();
}

char *fixture_print(const struct config *config)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	config_print(config, out);
	return printed_stream(out, &text);
}

/*
 * fixture - a temporary folder with configuration files, and what loading them reports.
 */
#ifndef POPGATE_TESTS_CONFIG_FIXTURE_H
#define POPGATE_TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"

/* A service that needs no certificate, and a tenant: two lines, so that a test's own begin in the
 * third. */
#define LISTENER                                                                                   \
	"listeners: [{name: p, listen: ['127.0.0.1:1110'], tls: none, plaintext_login: true}]\n"
#define TENANT "tenants: [{name: t, imap: {servers: [imap.test]}}]\n"
#define BASE   LISTENER TENANT

/* For cmocka: makes and removes the folder. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The absolute path of a file in the folder. Valid until the next call. */
const char *fixture_path(const char *name);
void fixture_write(const char *name, const char *text);
void fixture_write_octets(const char *name, const void *data, size_t n);
void fixture_mkdir(const char *name);
/* Makes NAME.pem and NAME.key, self-signed and fitting each other. */
void fixture_certificate(const char *name);

/* Loads popgate.yaml of the folder, after writing text into it unless NULL. NULL when there were
 * errors. The fixture frees the configuration at the next load or the end. */
struct config *fixture_load(const char *text);
/* As fixture_load; fails the test when anything but notices is reported. */
struct config *fixture_load_good(const char *text);
/* What the last load reported: a line each, "error", "warning" or "note" and the text, the folder
 * replaced by "@". */
const char *fixture_reports(void);
/* Loads text and compares the reports. */
void fixture_expect(const char *text, const char *reports);
/* The configuration as config_print shows it. The caller frees it. */
char *fixture_print(const struct config *config);

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif

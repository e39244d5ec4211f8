/* The verbs check and route: exit status, and what goes to which stream. */
#include "tests/unit/config/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/verbs/verbs.h"

static char out[16384], err[16384];

static void read_back(const char *name, char *text, size_t size)
{
	FILE *file = fopen(fixture_path(name), "r");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

static int redirect(int fd, const char *name)
{
	int saved = dup(fd);
	int file = open(fixture_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && file >= 0);
	dup2(file, fd);
	close(file);
	return saved;
}

static void restore(int saved, int fd)
{
	dup2(saved, fd);
	close(saved);
}

/* Runs a verb with popgate.yaml of the fixture's folder; what it prints is in out and err. */
static int run(int (*verb)(int argc, char **argv), ...)
{
	char *argv[16] = { NULL };
	int argc = 0, status, saved_out, saved_err;
	va_list ap;

	va_start(ap, verb);
	while ((argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	fflush(stdout);
	saved_out = redirect(STDOUT_FILENO, "out");
	saved_err = redirect(STDERR_FILENO, "err");
	status = verb(argc, argv);
	fflush(stdout);
	restore(saved_out, STDOUT_FILENO);
	restore(saved_err, STDERR_FILENO);
	read_back("out", out, sizeof(out));
	read_back("err", err, sizeof(err));
	return status;
}

/* The name of the file for argv, which may change it. */
static char *config_file(const char *text)
{
	static char file[128];

	fixture_write("popgate.yaml", text);
	snprintf(file, sizeof(file), "%s", fixture_path("popgate.yaml"));
	return file;
}

static void check_prints_what_is_in_effect(void **state)
{
	char *file = config_file(LISTENER
		"tenants: [{name: t, imap: {servers: [imap.test],\n"
		"  oauth2: {token_url: 'https://t.test', client_id: a}}}]\nhostname: pop.test\n");

	(void)state;
	assert_int_equal(run(verb_check, "check", "-c", file, NULL), 0);
	assert_non_null(strstr(out, "hostname: pop.test\n"));
	assert_non_null(strstr(out, "    sessions_per_user: 16\n"));
	assert_memory_equal(err, "note: ", 6);
	assert_non_null(strstr(err, ":3:3: tenants[t].imap.oauth2: is accepted"));
	assert_int_equal(run(verb_check, "check", "--quiet", "--config", file, NULL), 0);
	assert_string_equal(out, "");
}

static void check_prints_mistakes(void **state)
{
	char *file = config_file(BASE "hostnam: x\nworkers: 0\ntimeouts: {idle: 1m}\n");

	(void)state;
	assert_int_equal(run(verb_check, "check", "-c", file, NULL), 2);
	assert_string_equal(out, "");
	assert_memory_equal(err, file, strlen(file));
	assert_non_null(strstr(err, ":3:1: hostnam: unknown key"));
	assert_non_null(strstr(err, ":4:10: workers: "));
	assert_non_null(strstr(err, "\nwarning: "));
	assert_non_null(strstr(err, ": 2 mistakes\n"));
}

static void wrong_usage_has_status_2(void **state)
{
	char *file = config_file(BASE);

	(void)state;
	assert_int_equal(run(verb_check, "check", "--nonsense", NULL), 2);
	assert_int_equal(run(verb_check, "check", "-c", NULL), 2);
	assert_int_equal(run(verb_check, "check", "-c", file, "more", NULL), 2);
	assert_non_null(strstr(err, "popgate check: unexpected argument 'more'\n"));
	assert_non_null(strstr(err, "popgate check --help"));
	assert_int_equal(run(verb_check, "check", "-c", "/nowhere/popgate.yaml", NULL), 2);
	assert_non_null(strstr(
		err, "there is no file /nowhere/popgate.yaml: name the configuration by -c FILE"));
	assert_int_equal(run(verb_route, "route", "-c", file, NULL), 2);
	assert_int_equal(run(verb_route, "route", "-c", file, "a", "b", NULL), 2);
	assert_int_equal(run(verb_route, "route", "-c", file, "-a", "home", "a", NULL), 2);
	assert_non_null(strstr(err, "'home' is no address"));
	assert_int_equal(run(verb_route, "route", "-c", file, "-l", "q", "a", NULL), 2);
	assert_non_null(strstr(err, "there is no listener 'q'"));
}

static void help_goes_to_standard_output(void **state)
{
	(void)state;
	assert_int_equal(run(verb_check, "check", "--help", NULL), 0);
	assert_memory_equal(out, "Usage: popgate check", 20);
	assert_string_equal(err, "");
	assert_int_equal(run(verb_route, "route", "-h", NULL), 0);
	assert_memory_equal(out, "Usage: popgate route", 20);
}

static void the_file_is_found_without_the_option(void **state)
{
	char *here = getcwd(NULL, 0);

	(void)state;
	config_file(BASE "hostname: found.test\n");
	assert_int_equal(chdir(fixture_path("")), 0);
	assert_int_equal(run(verb_check, "check", NULL), 0);
	assert_int_equal(chdir(here), 0);
	assert_non_null(strstr(out, "hostname: found.test\n"));
	free(here);
}

static void route_tells_who_serves_and_why_not_others(void **state)
{
	char *file = config_file(
		LISTENER "tenants:\n"
			 "- {name: a, match: {domains: [a.test], addresses: [192.0.2.0/24]},\n"
			 "   imap: {servers: ['::1', h], login: 'x-%{user}'}}\n"
			 "- {name: m, auth: {pam_service: x}, maildir: {path: '/m/%{login}'}}\n");

	(void)state;
	assert_int_equal(
		run(verb_route, "route", "-c", file, "--address", "192.0.2.1", "Bob@A.test", NULL),
		0);
	assert_non_null(strstr(out, "login     bob@a.test\n"));
	assert_non_null(strstr(out, "tenant    a (/"));
	assert_non_null(strstr(out, "popgate.yaml:3)\n"));
	assert_non_null(strstr(out, "store     imap: [::1]:993, then h:993 (TLS)\n"));
	assert_non_null(strstr(out, "user      x-bob\n"));
	assert_non_null(strstr(out, "folder    INBOX\n"));
	assert_null(strstr(out, "not "));

	assert_int_equal(run(verb_route, "route", "-c", file, "bob@a.test", NULL), 0);
	assert_non_null(strstr(
		out, "not       a: addresses: not known here, must be one of 192.0.2.0/24\n"));
	assert_non_null(strstr(out, "store     maildir: /m/bob@a.test (maildir++)\n"));

	assert_int_equal(run(verb_route, "route", "-c", file, "../x@b.test", NULL), 1);
	assert_non_null(strstr(out, "not       m: its user is no name for a folder\n"));
	assert_non_null(strstr(out, "nobody serves ../x@b.test\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(check_prints_what_is_in_effect),
		TEST(check_prints_mistakes),
		TEST(wrong_usage_has_status_2),
		TEST(help_goes_to_standard_output),
		TEST(the_file_is_found_without_the_option),
		TEST(route_tells_who_serves_and_why_not_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

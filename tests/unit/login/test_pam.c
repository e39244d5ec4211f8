#include "tests/unit/login/fixture.h"

#include <string.h>
#include <sys/stat.h>

#include "proxy/login/pam.h"
#include "proxy/runtime/mem.h"

struct question {
	struct pam_request request;
	const char *password;
	size_t length;
	struct err error;
};

static void ask(void *arg)
{
	struct question *q = arg;
	cleanup(secret_cleanup) struct secret *password = secret_new(q->password, q->length);

	q->request.password = password;
	q->error = pam_verify(&q->request);
}

static struct err verify(const char *service, const char *login, const char *password, size_t n)
{
	struct question q = { .request = { .service = service,
				      .directory = folder(),
				      .login = login,
				      .address = "192.0.2.1" },
		.password = password,
		.length = n };

	in_fiber(ask, &q);
	return q.error;
}

#ifdef HAVE_PAM

/* A service whose module hands user, address and password to a script. */
static int services_setup(void **state)
{
	cleanup(free_cleanup) char *service = NULL;
	const char *script;

	if (folder_setup(state) != 0)
		return -1;
	script = path_of("check");
	write_file(script, "#!/bin/sh\n"
			   "[ \"$PAM_USER\" = ann ] && [ \"$PAM_RHOST\" = 192.0.2.1 ] &&\n"
			   "[ \"$(tr -d '\\000')\" = 'correct horse' ]\n");
	chmod(script, 0700);
	/* whatever makes the script fail, pam_exec calls it a system error */
	service = mem_printf("auth [success=1 default=ignore] pam_exec.so expose_authtok quiet %s\n"
			     "auth requisite pam_deny.so\n"
			     "auth required pam_permit.so\n"
			     "account required pam_permit.so\n",
		script);
	write_file(path_of("good"), service);
	write_file(path_of("open"), "auth required pam_permit.so\n"
				    "account required pam_permit.so\n");
	write_file(path_of("expired"), "auth required pam_permit.so\n"
				       "account required pam_deny.so\n");
	write_file(path_of("broken"), "auth required pam_no_such_module.so\n"
				      "account required pam_permit.so\n");
	return 0;
}

static void test_right_and_wrong_passwords(void **state)
{
	(void)state;
	assert_ok(verify("good", "ann", PASSWORD, strlen(PASSWORD)));
	assert_scope(verify("good", "ann", "wrong", 5), ERR_AUTH);
	assert_scope(verify("good", "bob", PASSWORD, strlen(PASSWORD)), ERR_AUTH);
}

static void test_account_is_looked_at(void **state)
{
	(void)state;
	assert_scope(verify("expired", "ann", PASSWORD, strlen(PASSWORD)), ERR_AUTH);
}

static void test_empty_password_and_nul_are_refused(void **state)
{
	(void)state;
	assert_ok(verify("open", "ann", "anything", 8));
	assert_scope(verify("open", "ann", "", 0), ERR_AUTH);
	assert_scope(verify("open", "ann", PASSWORD "\0x", sizeof(PASSWORD "\0x") - 1), ERR_AUTH);
}

static void test_service_that_cannot_answer(void **state)
{
	struct err e = verify("broken", "ann", PASSWORD, strlen(PASSWORD));

	(void)state;
	assert_scope(e, ERR_TEMP);
	assert_non_null(strstr(e.detail, "broken"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_and_wrong_passwords),
		cmocka_unit_test(test_account_is_looked_at),
		cmocka_unit_test(test_empty_password_and_nul_are_refused),
		cmocka_unit_test(test_service_that_cannot_answer),
	};

	return cmocka_run_group_tests_name("pam", tests, services_setup, folder_teardown);
}

#else

static void test_nobody_enters_without_pam(void **state)
{
	(void)state;
	assert_scope(verify("login", "ann", PASSWORD, strlen(PASSWORD)), ERR_PERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nobody_enters_without_pam) };

	return cmocka_run_group_tests_name("pam", tests, folder_setup, folder_teardown);
}

#endif

#include "proxy/login/pam.h"

#ifdef HAVE_PAM

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <security/pam_appl.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/pool.h"
#include "proxy/runtime/wait.h"

struct pam_job {
	const struct pam_request *request;
	int status;
	struct err error;
};

/* The answer to one message of a module; NULL where none is asked for. PAM frees it. */
static char *answer(const struct pam_request *request, int style)
{
	switch (style) {
	case PAM_PROMPT_ECHO_OFF:
		return mem_strdup(secret_data(request->password));
	case PAM_PROMPT_ECHO_ON:
		return mem_strdup(request->login);
	default:
		return NULL;
	}
}

static int converse(
	int n, const struct pam_message **messages, struct pam_response **ret, void *arg)
{
	struct pam_response *responses;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	responses = mem_zalloc((size_t)n, sizeof(*responses));
	for (int i = 0; i < n; i++)
		responses[i].resp = answer(arg, messages[i]->msg_style);
	*ret = responses;
	return PAM_SUCCESS;
}

static void no_delay(int status, unsigned microseconds, void *arg)
{
	(void)status;
	(void)microseconds;
	(void)arg;
}

static enum err_scope scope_of(int status)
{
	switch (status) {
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
	case PAM_CRED_INSUFFICIENT:
	case PAM_CRED_UNAVAIL:
	case PAM_CRED_ERR:
		return ERR_AUTH;
	default:
		return ERR_TEMP;
	}
}

static int start(const struct pam_request *request, struct pam_conv *conv, pam_handle_t **ret)
{
	if (request->directory)
		return pam_start_confdir(
			request->service, request->login, conv, request->directory, ret);
	return pam_start(request->service, request->login, conv, ret);
}

static int authenticate(pam_handle_t *pam, const struct pam_request *request)
{
	union {
		void (*function)(int, unsigned, void *);
		const void *item;
	} delay = { .function = no_delay };
	int status = pam_set_item(pam, PAM_FAIL_DELAY, delay.item);

	if (status == PAM_SUCCESS)
		status = pam_set_item(pam, PAM_RHOST, request->address);
	if (status == PAM_SUCCESS)
		status = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (status == PAM_SUCCESS)
		status = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	return status;
}

static void pam_run(void *arg)
{
	struct pam_job *job = arg;
	const struct pam_request *request = job->request;
	struct pam_conv conv = { .conv = converse, .appdata_ptr = (void *)(uintptr_t)request };
	pam_handle_t *pam = NULL;
	int status = start(request, &conv, &pam);

	if (status == PAM_SUCCESS)
		status = authenticate(pam, request);
	job->error = status == PAM_SUCCESS ? ok()
					   : err_make(scope_of(status), "PAM service %s: %s",
						     request->service, pam_strerror(pam, status));
	if (pam)
		pam_end(pam, status);
}

fiber_fn struct err pam_verify(const struct pam_request *request)
{
	static struct gate gate;
	static bool gate_ready;
	struct pam_job job = { .request = request };
	size_t n = secret_length(request->password);
	struct err e;

	/* an LDAP server takes a bind without a password as anonymous and says yes (RFC 4513
	 * section 5.1.2); a module sees a password up to its first NUL only */
	if (n == 0 || memchr(secret_data(request->password), '\0', n))
		return err_make(ERR_AUTH, "the password is empty or holds a NUL");
	if (!gate_ready) {
		gate_init(&gate, pool_places(4));
		gate_ready = true;
	}
	if (failed(e = gate_enter(&gate)))
		return e;
	offload(pam_run, &job);
	gate_leave(&gate);
	return job.error;
}

#else

fiber_fn struct err pam_verify(const struct pam_request *request)
{
	return err_make(ERR_PERM, "pam_service is %s, but this popgate was built without PAM",
		request->service);
}

#endif

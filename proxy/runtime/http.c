#include "proxy/runtime/http.h"

#include <stdio.h>
#include <string.h>

#include "proxy/runtime/wait.h"

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c));
}

static void encode(struct buffer *ret, const char *text, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_unreserved(text[i]))
			buffer_append(ret, &text[i], 1);
		else
			buffer_append(
				ret, (const char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
	}
}

void http_form_add(struct buffer *form, const char *name, const char *value, size_t n)
{
	buffer_reserve(form, strlen(name) + 3 * n + 2);
	if (buffer_used(form) > 0)
		buffer_append(form, "&", 1);
	buffer_append(form, name, strlen(name));
	buffer_append(form, "=", 1);
	encode(form, value, n);
}

#ifdef POPGATE_OAUTH

#include <curl/curl.h>

/* The thread has all but `stop` to itself while it runs. */
struct transfer {
	const struct http_request *request;
	struct http_response response;
	struct err error;
	atomic_bool stop;
	bool too_much;
	char words[CURL_ERROR_SIZE]; /* libcurl's own */
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	t->too_much = size * n > t->request->max - buffer_used(&t->response.body);
	if (t->too_much)
		return 0;
	buffer_append(&t->response.body, data, size * n);
	return size * n;
}

/* Several times a second at most, once a second at least. */
static int on_progress(
	void *arg, curl_off_t in_all, curl_off_t in, curl_off_t out_all, curl_off_t out)
{
	struct transfer *t = arg;

	(void)in_all;
	(void)in;
	(void)out_all;
	(void)out;
	return atomic_load(&t->stop);
}

/* libcurl looks into its own folder of authorities too, beside the file. */
static void trust(CURL *curl, const char *ca_file)
{
	if (*ca_file)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
	(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* RFC 6749 section 2.3.1: name and password are encoded as in a form first. */
static void authenticate(CURL *curl, const struct http_request *request)
{
	cleanup(buffer_wipe) struct buffer user = { 0 }, password = { 0 };
	size_t n = request->password ? secret_length(request->password) : 0;

	encode(&user, request->user, strlen(request->user));
	buffer_append(&user, "", 1);
	buffer_reserve(&password, 3 * n + 1);
	if (n > 0)
		encode(&password, secret_data(request->password), n);
	buffer_append(&password, "", 1);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	(void)curl_easy_setopt(curl, CURLOPT_USERNAME, buffer_data(&user));
	(void)curl_easy_setopt(curl, CURLOPT_PASSWORD, buffer_data(&password));
}

static void prepare(CURL *curl, struct transfer *t)
{
	const struct http_request *request = t->request;

	(void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "popgate/" POPGATE_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->words);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
	trust(curl, request->ca_file);
	if (*request->user)
		authenticate(curl, request);
	if (!request->form)
		return;
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buffer_data(request->form));
	(void)curl_easy_setopt(
		curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)buffer_used(request->form));
}

static void run(void *arg)
{
	struct transfer *t = arg;
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;

	if (curl) {
		prepare(curl, t);
		code = curl_easy_perform(curl);
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &t->response.status);
		curl_easy_cleanup(curl);
	}
	if (t->too_much)
		t->error = err_make(ERR_TEMP, "%.80s: an answer of more than %zu octets",
			t->request->url, t->request->max);
	else if (code != CURLE_OK)
		t->error = err_make(ERR_TEMP, "%.80s: %s", t->request->url,
			t->words[0] ? t->words : curl_easy_strerror(code));
}

fiber_fn struct err http_send(const struct http_request *request, struct http_response *ret)
{
	static bool ready;
	struct transfer *t;
	struct err e;

	if (!ready && curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		return err_make(ERR_TEMP, "libcurl does not start");
	ready = true;
	t = mem_zalloc(1, sizeof(*t));
	t->request = request;
	t->error = ok();
	e = offload_alone(run, t, &t->stop);
	if (!failed(e))
		e = atomic_load(&t->stop) ? wait_check() : t->error;
	if (failed(e))
		buffer_wipe(&t->response.body);
	else
		*ret = t->response;
	free(t);
	return e;
}

#else

fiber_fn struct err http_send(const struct http_request *request, struct http_response *ret)
{
	(void)ret;
	return err_make(ERR_PERM, "%.80s: this popgate was built without libcurl", request->url);
}

#endif

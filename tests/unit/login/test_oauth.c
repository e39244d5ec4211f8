/* oauth: how long keys and answers are kept, and how often the provider is asked. */
#include "tests/unit/login/fixture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjose/cjose.h>
#include <jansson.h>

#include "proxy/login/oauth.h"
#include "proxy/runtime/wait.h"

#define SECOND 1000
#define HOUR   (3600 * SECOND)

/* A provider: a thread that answers every request by the same text. */
static struct {
	pthread_t thread;
	int fd;
	atomic_int requests;
	pthread_mutex_t lock;
	char *answer; /* of status 200; NULL: an error */
} web = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *audience[] = { "mail" };
static char url[64];
static struct token_settings settings;
static cjose_jwk_t *keys[2];

static void respond(int fd)
{
	char *request = mem_alloc(8192), *reply;
	ssize_t n = read(fd, request, 8192);

	pthread_mutex_lock(&web.lock);
	reply = web.answer ? mem_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
					"Connection: close\r\n\r\n%s",
				     strlen(web.answer), web.answer)
			   : mem_printf("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n"
					"Connection: close\r\n\r\n");
	pthread_mutex_unlock(&web.lock);
	if (n > 0) {
		atomic_fetch_add(&web.requests, 1);
		(void)!write(fd, reply, strlen(reply));
	}
	free(reply);
	free(request);
}

static void *serve(void *arg)
{
	int fd;

	while ((fd = accept(web.fd, NULL, NULL)) >= 0) {
		respond(fd);
		close(fd);
	}
	return arg;
}

static void set_answer(const char *text)
{
	pthread_mutex_lock(&web.lock);
	free(web.answer);
	web.answer = text ? mem_strdup(text) : NULL;
	pthread_mutex_unlock(&web.lock);
}

/* Both keys have their number as id. */
static void offer_key(size_t n)
{
	char *key = cjose_jwk_to_json(keys[n], false, NULL);
	char *set = mem_printf("{\"keys\": [%s]}", key);

	set_answer(set);
	free(set);
	cjose_get_dealloc()(key);
}

static int start(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);

	(void)state;
	web.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(web.fd, (struct sockaddr *)&address, n) != 0 || listen(web.fd, 64) != 0 ||
		getsockname(web.fd, (struct sockaddr *)&address, &n) != 0)
		return -1;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", ntohs(address.sin_port));
	for (size_t i = 0; i < 2; i++) {
		keys[i] = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
		cjose_jwk_set_kid(keys[i], i == 0 ? "0" : "1", 1, NULL);
	}
	return pthread_create(&web.thread, NULL, serve, NULL);
}

static int stop(void **state)
{
	(void)state;
	shutdown(web.fd, SHUT_RDWR);
	pthread_join(web.thread, NULL);
	close(web.fd);
	set_answer(NULL);
	for (size_t i = 0; i < 2; i++)
		cjose_jwk_release(keys[i]);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	oauth_forget();
	atomic_store(&web.requests, 0);
	settings = (struct token_settings){ .jwks_url = url,
		.introspection_url = "",
		.issuer = "me",
		.audience = { audience, 1 },
		.scope = "",
		.login_claim = "email",
		.client_id = "",
		.client_secret_file = "",
		.ca_file = "",
		.timeout = 20 * SECOND };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	oauth_forget();
	return 0;
}

/* A token for joe, signed with that key. */
static struct secret *token_of(size_t key)
{
	char *claims = mem_printf(
		"{\"iss\": \"me\", \"aud\": \"mail\", \"email\": \"joe\", \"exp\": %lld}",
		(long long)time(NULL) + 600);
	cjose_header_t *header = cjose_header_new(NULL);
	struct secret *token;
	const char *text;
	cjose_jws_t *jws;

	cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, NULL);
	cjose_header_set(header, CJOSE_HDR_KID, key == 0 ? "0" : "1", NULL);
	jws = cjose_jws_sign(keys[key], header, (const uint8_t *)claims, strlen(claims), NULL);
	assert_true(cjose_jws_export(jws, &text, NULL));
	token = secret_of(text);
	cjose_jws_release(jws);
	cjose_header_release(header);
	free(claims);
	return token;
}

static fiber_fn struct err verify(const struct secret *token)
{
	cleanup(free_cleanup) char *login = NULL;
	struct err e = oauth_verify(&settings, token, &login);

	if (!failed(e))
		assert_string_equal(login, "joe");
	else
		assert_null(login);
	return e;
}

static fiber_fn struct err verify_key(size_t key)
{
	cleanup(secret_cleanup) struct secret *token = token_of(key);

	return verify(token);
}

static fiber_fn struct err verify_text(const char *text)
{
	cleanup(secret_cleanup) struct secret *token = secret_of(text);

	return verify(token);
}

static void assert_requests(int n)
{
	assert_int_equal(atomic_load(&web.requests), n);
}

fiber_fn static void keep_keys(void *arg)
{
	(void)arg;
	offer_key(0);
	assert_ok(verify_key(0));
	assert_ok(verify_key(0));
	clock_advance(HOUR - SECOND);
	assert_ok(verify_key(0));
	assert_requests(1);
	clock_advance(SECOND);
	assert_ok(verify_key(0));
	assert_ok(verify_key(0));
	assert_requests(2);
}

static void keys_are_kept_for_an_hour(void **state)
{
	(void)state;
	in_fiber(keep_keys, NULL);
}

fiber_fn static void outlive_provider(void *arg)
{
	(void)arg;
	offer_key(0);
	assert_ok(verify_key(0));
	set_answer(NULL);
	clock_advance(HOUR);
	assert_ok(verify_key(0));
	assert_ok(verify_key(0));
	assert_requests(2);
	clock_advance(OAUTH_KEYS_PAUSE);
	assert_ok(verify_key(0));
	assert_requests(3);
	clock_advance(23 * HOUR);
	assert_scope(verify_key(0), ERR_TEMP);
	offer_key(0);
	assert_scope(verify_key(0), ERR_TEMP);
	assert_requests(4);
	clock_advance(OAUTH_KEYS_PAUSE);
	assert_ok(verify_key(0));
	assert_requests(5);
}

static void old_keys_serve_for_a_day(void **state)
{
	(void)state;
	in_fiber(outlive_provider, NULL);
}

fiber_fn static void rotate(void *arg)
{
	(void)arg;
	offer_key(0);
	assert_ok(verify_key(0));
	offer_key(1);
	assert_scope(verify_key(1), ERR_AUTH);
	assert_requests(1);
	clock_advance(OAUTH_KEYS_PAUSE);
	assert_ok(verify_key(1));
	assert_requests(2);
	assert_scope(verify_key(0), ERR_AUTH);
	assert_requests(2);
	/* and when the provider cannot say whether it has that key */
	set_answer(NULL);
	clock_advance(OAUTH_KEYS_PAUSE);
	assert_scope(verify_key(0), ERR_TEMP);
	assert_scope(verify_key(0), ERR_TEMP);
	assert_ok(verify_key(1));
	assert_requests(3);
}

static void unknown_keys_are_asked_for_now_and_then(void **state)
{
	(void)state;
	in_fiber(rotate, NULL);
}

static size_t taken;

fiber_fn static void one_of_many(void *arg)
{
	(void)arg;
	assert_ok(verify_key(0));
	taken++;
}

fiber_fn static void many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		(void)fiber_spawn("one", one_of_many, NULL);
}

static void many_at_once_ask_once(void **state)
{
	(void)state;
	offer_key(0);
	taken = 0;
	in_fiber(many, NULL);
	assert_int_equal(taken, 20);
	assert_requests(1);
}

/* settings stay where they are: three tenants'. */
fiber_fn static void share(void *arg)
{
	static const char *other_audience[] = { "mail", "post" };
	static struct token_settings tenants[3];
	cleanup(secret_cleanup) struct secret *token = token_of(0);

	(void)arg;
	offer_key(0);
	for (size_t i = 0; i < 3; i++)
		tenants[i] = settings;
	tenants[2].audience = (struct string_list){ other_audience, 2 };
	for (size_t i = 0; i < 3; i++) {
		cleanup(free_cleanup) char *login = NULL;

		assert_ok(oauth_verify(&tenants[i], token, &login));
	}
	assert_requests(2);
}

static void tenants_of_the_same_settings_share(void **state)
{
	(void)state;
	in_fiber(share, NULL);
}

fiber_fn static void keep_answers(void *arg)
{
	char *text = mem_printf("{\"active\": true, \"email\": \"joe\", \"aud\": \"mail\", "
				"\"exp\": %lld}",
		(long long)time(NULL) + 30);

	(void)arg;
	settings.jwks_url = "";
	settings.introspection_url = url;
	set_answer("{\"active\": true, \"email\": \"joe\", \"aud\": \"mail\"}");
	assert_ok(verify_text("one"));
	assert_ok(verify_text("one"));
	assert_requests(1);
	assert_ok(verify_text("two"));
	assert_requests(2);
	clock_advance(60 * SECOND);
	assert_ok(verify_text("one"));
	assert_requests(3);
	/* not longer than the token lives */
	set_answer(text);
	assert_ok(verify_text("three"));
	clock_advance(25 * SECOND);
	assert_ok(verify_text("three"));
	assert_requests(4);
	clock_advance(5 * SECOND);
	assert_ok(verify_text("three"));
	assert_requests(5);
	free(text);
}

static void good_answers_are_kept_for_a_minute(void **state)
{
	(void)state;
	in_fiber(keep_answers, NULL);
}

fiber_fn static void forget_answers(void *arg)
{
	(void)arg;
	settings.jwks_url = "";
	settings.introspection_url = url;
	set_answer("{\"active\": false}");
	assert_scope(verify_text("one"), ERR_AUTH);
	assert_scope(verify_text("one"), ERR_AUTH);
	assert_requests(2);
	set_answer(NULL);
	assert_scope(verify_text("one"), ERR_TEMP);
	set_answer("{\"active\": true, \"email\": \"joe\", \"aud\": \"mail\"}");
	assert_ok(verify_text("one"));
	assert_requests(4);
}

static void bad_answers_are_not_kept(void **state)
{
	(void)state;
	in_fiber(forget_answers, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_are_kept_for_an_hour),
		TEST(old_keys_serve_for_a_day),
		TEST(unknown_keys_are_asked_for_now_and_then),
		TEST(many_at_once_ask_once),
		TEST(tenants_of_the_same_settings_share),
		TEST(good_answers_are_kept_for_a_minute),
		TEST(bad_answers_are_not_kept),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

/* ntlm_message: what an AUTHENTICATE message says, however it lies about its fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/login/ntlm_message.h"
#include "proxy/runtime/mem.h"

#define HEADER    64
#define UNICODE   0x1
#define RESPONSE  20
#define USER_NAME 36

struct message {
	unsigned char data[HEADER + 1024];
	size_t n;
};

static void put(struct message *m, size_t at, uint32_t value, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		m->data[at + i] = (unsigned char)(value >> 8 * i);
}

static void put_field(struct message *m, size_t at, const void *data, size_t n)
{
	put(m, at, (uint32_t)n, 2);
	put(m, at + 2, (uint32_t)n, 2);
	put(m, at + 4, (uint32_t)m->n, 4);
	memcpy(m->data + m->n, data, n);
	m->n += n;
}

/* response: octets of it; user: of the name, as it lies in the message. */
static struct message *message_of(uint32_t flags, size_t response, const void *user, size_t n)
{
	static const char zeros[64];
	static struct message m;

	m = (struct message){ .n = HEADER };
	memcpy(m.data, "NTLMSSP", 8);
	put(&m, 8, NTLM_AUTHENTICATE, 4);
	put(&m, 60, flags, 4);
	put_field(&m, RESPONSE, zeros, response);
	put_field(&m, USER_NAME, user, n);
	return &m;
}

static void assert_user(const struct message *m, const char *expected)
{
	struct ntlm_claim claim = { 0 };
	struct err e = ntlm_read_authenticate(m->data, m->n, &claim);

	if (!expected) {
		assert_int_equal(e.scope, ERR_INVALID);
		return;
	}
	assert_int_equal(e.scope, ERR_OK);
	assert_string_equal(claim.user, expected);
	free(claim.user);
}

static void reads_names(void **state)
{
	(void)state;
	assert_user(message_of(UNICODE, 0, "j\0o\0e\0", 6), "joe");
	assert_user(message_of(UNICODE, 0, "\xf6\0", 2), "\xc3\xb6");
	assert_user(message_of(UNICODE, 0, "\x28\x75", 2), "\xe7\x94\xa8");
	assert_user(message_of(UNICODE, 0, "\x3d\xd8\x00\xde", 4), "\xf0\x9f\x98\x80");
	assert_user(message_of(UNICODE, 0, "\xff\xff", 2), "\xef\xbf\xbf");
	assert_user(message_of(0, 0, "joe@acme.example", 16), "joe@acme.example");
}

static void refuses_what_is_no_name(void **state)
{
	char longest[2 * 257];

	(void)state;
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '\0' : 'x';
	assert_user(message_of(UNICODE, 0, longest, 2 * 257), NULL);
	assert_user(message_of(UNICODE, 0, "", 0), NULL);
	assert_user(message_of(UNICODE, 0, "j\0o", 3), NULL);
	assert_user(message_of(UNICODE, 0, "j\0\0\0", 4), NULL);
	assert_user(message_of(UNICODE, 0, "j\0\n\0", 4), NULL);
	assert_user(message_of(UNICODE, 0, "\x00\xd8", 2), NULL);
	assert_user(message_of(UNICODE, 0, "\x00\xd8j\0", 4), NULL);
	assert_user(message_of(UNICODE, 0, "\x00\xdcj\0", 4), NULL);
	assert_user(message_of(0, 0, "j\0e", 3), NULL);
	assert_user(message_of(0, 0, "j\xf6rg", 4), NULL);
	assert_user(message_of(0, 0, longest, 257), NULL);
}

static void the_longest_name(void **state)
{
	char name[2 * 256], expected[257];

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '\0' : 'x';
	memset(expected, 'x', 256);
	expected[256] = '\0';
	assert_user(message_of(UNICODE, 0, name, sizeof(name)), expected);
}

static void fields_that_lie_outside(void **state)
{
	static const struct {
		uint32_t n, offset;
	} lies[] = { { 6, HEADER + 1 }, { 6, UINT32_MAX }, { 6, UINT32_MAX - 5 },
		{ 0xffff, HEADER }, { 7, HEADER }, { 6, 0x80000000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct message *m = message_of(UNICODE, 0, "j\0o\0e\0", 6);

		put(m, USER_NAME, lies[i].n, 2);
		put(m, USER_NAME + 4, lies[i].offset, 4);
		assert_user(m, NULL);
		m = message_of(UNICODE, 0, "j\0o\0e\0", 6);
		put(m, RESPONSE, lies[i].n, 2);
		put(m, RESPONSE + 4, lies[i].offset, 4);
		assert_user(m, NULL);
	}
}

static void messages_that_end_early(void **state)
{
	struct message *m = message_of(UNICODE, 24, "j\0o\0e\0", 6);
	size_t whole = m->n;

	(void)state;
	for (m->n = 0; m->n < whole; m->n++)
		assert_user(m, NULL);
	assert_user(m, "joe");
	put(m, 8, NTLM_NEGOTIATE, 4);
	assert_user(m, NULL);
	put(m, 8, NTLM_AUTHENTICATE, 4);
	m->data[7] = 'X';
	assert_user(m, NULL);
}

static void tells_old_responses(void **state)
{
	static const struct {
		size_t n;
		bool v2;
	} cases[] = { { 0, false }, { 1, false }, { 16, false }, { 24, false }, { 25, true },
		{ 60, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message *m = message_of(UNICODE, cases[i].n, "j\0", 2);
		struct ntlm_claim claim = { 0 };

		assert_int_equal(ntlm_read_authenticate(m->data, m->n, &claim).scope, ERR_OK);
		assert_int_equal(claim.v2, cases[i].v2);
		free(claim.user);
	}
}

static void tells_types_and_versions(void **state)
{
	static const char with[] = "NTLMSSP\0\1\0\0\0\0\0\0\2",
			  without[] = "NTLMSSP\0\1\0\0\0\7\2\0\0";

	(void)state;
	assert_true(ntlm_is(with, 16, NTLM_NEGOTIATE));
	assert_false(ntlm_is(with, 16, NTLM_AUTHENTICATE));
	assert_false(ntlm_is(with, 11, NTLM_NEGOTIATE));
	assert_false(ntlm_is("", 0, NTLM_NEGOTIATE));
	assert_true(ntlm_has_version(with, 16));
	assert_false(ntlm_has_version(with, 15));
	assert_false(ntlm_has_version(without, 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_names),
		cmocka_unit_test(refuses_what_is_no_name),
		cmocka_unit_test(the_longest_name),
		cmocka_unit_test(fields_that_lie_outside),
		cmocka_unit_test(messages_that_end_early),
		cmocka_unit_test(tells_old_responses),
		cmocka_unit_test(tells_types_and_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

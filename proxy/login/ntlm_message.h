/*
 * ntlm_message - what an NTLM message says before anybody checks it (MS-NLMP section 2.2.1).
 *
 * gss-ntlmssp proves an AUTHENTICATE message; here it is only read for the name in it, by which the
 * users file is chosen, and for the version of its response. Pure; input is hostile.
 */
#ifndef POPGATE_LOGIN_NTLM_MESSAGE_H
#define POPGATE_LOGIN_NTLM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"

enum ntlm_type { NTLM_NEGOTIATE = 1, NTLM_AUTHENTICATE = 3 };

#define NTLM_NEGOTIATE_SIZE  40 /* octets of a NEGOTIATE message with all its fields */
#define NTLM_NEGOTIATE_LEAST 16 /* with its flags */

/* Whether the message says of itself that it is of that type. */
bool ntlm_is(const void *message, size_t n, enum ntlm_type type);

/* Whether a NEGOTIATE message announces a version field, which later ones have then too. */
bool ntlm_has_version(const void *negotiate, size_t n);

struct ntlm_claim {
	char *user; /* UTF-8; without a domain */
	bool v2;    /* the response is one of NTLMv2: longer than those of NTLM and LM */
};

/* Reads an AUTHENTICATE message; free user. ERR_INVALID: it is none, or its user name is empty,
 * longer than 256 characters, or not text. */
struct err ntlm_read_authenticate(const void *message, size_t n, struct ntlm_claim *ret);

#endif

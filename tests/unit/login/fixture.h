/*
 * fixture - what the tests of login share: a fiber to run in, a folder that goes, secrets, hashes.
 */
#ifndef POPGATE_TESTS_LOGIN_FIXTURE_H
#define POPGATE_TESTS_LOGIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/secret.h"

/* All of the password "correct horse", made by openssl passwd, argon2(1) and crypt(3). */
#define HASH_SHA512                                                                                \
	"$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6" \
	"PK6CIeYnO9.vxpbsevscg/"
#define HASH_SHA512_PLAIN                                                                          \
	"$6$abcdefgh$yIZAF3gQPvtKZO/9qOJKffAKKbtS3ef3qmwyugk4uWVjX8YZf/GV3A8SkFxEPY0T56CcilGrHKLf" \
	"fBsp6dLMG."
#define HASH_SHA256    "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB"
#define HASH_BCRYPT    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
#define HASH_BCRYPT_2A "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
#define HASH_BCRYPT_2Y "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
#define HASH_YESCRYPT  "$y$j75$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/"
#define HASH_ARGON2ID                                                                              \
	"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$Kw3/ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiCnHLI"
#define HASH_ARGON2ID_OLD                                                                          \
	"$argon2id$v=16$m=128,t=1,p=1$c2FsdHNhbHRzYWx0$"                                           \
	"6BkIlrRgTX5Yn2wNmobmTxFecUURtqE4AeaDGE1FOy8"
#define HASH_ARGON2I                                                                               \
	"$argon2i$v=19$m=64,t=1,p=2$c2FsdHNhbHRzYWx0$HzQ80fV+pGFmaF8Hm8SM/Q8yXzWj9ZsxlltT7awBqvA"
#define HASH_SCRAM                                                                                 \
	"{SCRAM-SHA-256}4096,c2FsdHNhbHRzYWx0c2Fsd"                                                \
	"A==,Y2eRFXLWrUnuM8NBTPPoG0Na9Jo+iWz9y0qDnDeJljg=,i9OU/"                                   \
	"WREaWC16d96s1DBISzhBItqQjA4x+ra3A4ZmKc="
#define PASSWORD "correct horse"
/* Of the empty password, and of no other. */
#define HASH_OF_EMPTY "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"

/* Runs fn(arg) in a fiber, and the loop until it has ended. */
void in_fiber(void (*fn)(void *arg), void *arg);

/* A folder for the tests of one program; the teardown removes it with what is in it. */
int folder_setup(void **state);
int folder_teardown(void **state);
const char *folder(void);
/* "folder/name"; lives until the teardown. */
const char *path_of(const char *name);
void write_file(const char *path, const char *text);
/* The content; malloc'ed. */
char *read_file(const char *path);

struct secret *secret_of(const char *text);

#define assert_ok(e)                                                                               \
	do {                                                                                       \
		struct err e_ = (e);                                                               \
		if (failed(e_))                                                                    \
			fail_msg("%s: %s", err_scope_name(e_.scope), e_.detail);                   \
	} while (0)
#define assert_scope(e, expected)                                                                  \
	do {                                                                                       \
		struct err e_ = (e);                                                               \
		if (e_.scope != (expected))                                                        \
			fail_msg("%s instead of %s: %s", err_scope_name(e_.scope),                 \
				err_scope_name(expected), e_.detail);                              \
	} while (0)

#endif

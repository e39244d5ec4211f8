/*
 * fibers - what the tests of the runtime share: a loop per test, code run in a fiber, misuse
 * caught.
 */
#ifndef TESTS_UNIT_RUNTIME_FIBERS_H
#define TESTS_UNIT_RUNTIME_FIBERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/runtime/fiber.h"

/* cmocka setup and teardown: a loop for each test; none of its fibers may be left. */
int loop_setup(void **state);
int loop_teardown(void **state);

/* cmocka_unit_test with them. */
#define fiber_test(fn) cmocka_unit_test_setup_teardown(fn, loop_setup, loop_teardown)

#define MINUTE 60000
#define MIB    ((size_t)1 << 20)

/* What fibers note, each followed by a space; emptied by loop_setup. */
extern char trace[256];
void note(const char *what);

/* For a fiber: after some turns of the others, advances the clock by *(const uint64_t *)arg. */
void pass_time(void *arg);

/* Octet i of data whose order can be checked. */
static inline char pattern(size_t i)
{
	return (char)((i * 31) ^ (i >> 8));
}

/* Spawns the fiber and runs the loop until it is empty. */
void run_fiber(void (*fn)(void *arg), void *arg);

/* Runs fn in a child process, which must abort with a message that contains text. */
void assert_fatal(void (*fn)(void), const char *text);

/* err.detail of an error with this scope must contain text. */
#define assert_err(e, expected_scope, text)                                                        \
	do {                                                                                       \
		assert_string_equal(err_scope_name((e).scope), err_scope_name(expected_scope));    \
		if (!strstr((e).detail, (text)))                                                   \
			fail_msg("\"%s\" lacks \"%s\"", (e).detail, (text));                       \
	} while (0)
#define assert_ok(expression)                                                                      \
	do {                                                                                       \
		struct err ok_ = (expression);                                                     \
		if (failed(ok_))                                                                   \
			fail_msg("%s: %s", err_scope_name(ok_.scope), ok_.detail);                 \
	} while (0)

#endif

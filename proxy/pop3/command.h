/*
 * command - one command line: split, looked up in the table of the state, its arguments checked.
 *
 * A handler sees numbers that exist and words that are there; it never touches text. Keyword and
 * arguments are separated by one or more SPACEs or TABs (MS-STANXPOP3 2.1.1), trailing ones are
 * ignored; keywords are case-insensitive (RFC 1939 section 3). No suspension here but in handlers.
 */
#ifndef POPGATE_POP3_COMMAND_H
#define POPGATE_POP3_COMMAND_H

#include <stdint.h>

#include "proxy/runtime/fiber.h"
#include "proxy/runtime/line.h"

struct session;

enum command_shape {
	ARGS_NONE,
	ARGS_WORD, /* exactly one */
	ARGS_OPTIONAL_WORD,
	ARGS_REST,    /* the rest of the line after one separator, spaces and all: PASS */
	ARGS_AUTH,    /* none, a mechanism, or a mechanism and an initial response */
	ARGS_MESSAGE, /* a number of a message that is not marked deleted */
	ARGS_OPTIONAL_MESSAGE,
	ARGS_MESSAGE_LINES, /* such a number and a count of lines */
};

struct command_args {
	const char *word; /* ARGS_WORD; ARGS_OPTIONAL_WORD, ARGS_AUTH (the mechanism): or NULL */
	const char *rest; /* ARGS_AUTH: the initial response or NULL; ARGS_REST: the text */
	size_t rest_length;
	size_t message; /* 0: none was given */
	uint64_t lines;
};

struct command {
	const char *verb; /* upper case; NULL ends a table */
	enum command_shape shape;
	fiber_fn void (*handler)(struct session *session, const struct command_args *args);
};

enum command_fault {
	COMMAND_OK,
	COMMAND_UNKNOWN,
	COMMAND_GARBAGE, /* octets that no command holds: control, 8-bit (but in PASS and USER) */
	COMMAND_NO_ARGUMENT_EXPECTED,
	COMMAND_ARGUMENT_MISSING,
	COMMAND_ARGUMENT_EXCESS,
	COMMAND_BAD_NUMBER, /* not a number, signed, or beyond 64 bits */
};

/* The command of that verb in the table, or NULL. */
const struct command *command_find(const struct command *table, const char *verb);

/* Splits line in place: ret_verb is upper case, ret_rest what follows it after one separator. A
 * verb of more than 15 octets or with octets outside 0x21–0x7E is COMMAND_UNKNOWN or
 * COMMAND_GARBAGE. */
enum command_fault command_split(struct line line, const char **ret_verb, struct line *ret_rest);

/* Parses rest by the command's shape. Whether a message number exists is not looked at here. */
enum command_fault command_arguments(
	const struct command *command, struct line rest, struct command_args *ret);

/* What the client is told of a fault. */
const char *command_fault_text(enum command_fault fault);

#endif

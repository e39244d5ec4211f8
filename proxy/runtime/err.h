/*
 * err - error values: a scope for the caller, a detail for the log.
 *
 * The scope says how far the damage goes, so that a caller decides without knowing the cause. The
 * detail is for the operator's log and never reaches a POP3 client: reply.c turns a scope into a
 * fixed text (RFC 2449 section 8, RFC 3206). Returned by value, so there is nothing to free and a
 * fiber switch cannot disturb it. A function that returns one does not log.
 */
#ifndef POPGATE_RUNTIME_ERR_H
#define POPGATE_RUNTIME_ERR_H

#include <stdbool.h>

enum err_scope {
	ERR_OK = 0,
	ERR_GONE,     /* this message is no longer in the store; the session goes on */
	ERR_MESSAGE,  /* this message cannot be had at the moment; the session goes on */
	ERR_AUTH,     /* the credentials are refused: [AUTH] */
	ERR_IN_USE,   /* the maildrop is in use: [IN-USE] */
	ERR_TOO_SOON, /* after the user's last login: [LOGIN-DELAY] */
	ERR_TEMP,     /* try again later: [SYS/TEMP] */
	ERR_PERM,     /* somebody must change something first: [SYS/PERM] */
	ERR_INVALID,  /* the input is wrong: configuration, argument, file */
	ERR_LIMIT,    /* a limit of ours was reached */
	ERR_PEER,     /* the other end of a stream is gone, or does not speak the protocol */
	ERR_TIMEOUT,  /* a deadline passed */
	ERR_CANCELED, /* this fiber was canceled; unwind */
};

/* clang warns where a returned error is dropped; gcc knows no such attribute for a type. */
#ifdef __clang__
#define ERR_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ERR_MUST_CHECK
#endif

#define ERR_DETAIL_MAX 188

struct ERR_MUST_CHECK err {
	enum err_scope scope;
	char detail[ERR_DETAIL_MAX]; /* NUL-terminated, cut when too long; "" when ok */
};

/* Success. */
static inline struct err ok(void)
{
	struct err e;

	e.scope = ERR_OK;
	e.detail[0] = '\0';
	return e;
}

/* Whether e is an error: if (failed(e = f())) return e; */
static inline bool failed(struct err e)
{
	return e.scope != ERR_OK;
}

/* An error with a formatted detail. */
__attribute__((format(printf, 2, 3))) struct err err_make(
	enum err_scope scope, const char *format, ...);

/* An error whose detail ends in ": " and the text of an errno value. */
__attribute__((format(printf, 3, 4))) struct err err_errno(
	enum err_scope scope, int errnum, const char *format, ...);

/* The same error with "prefix: " before its detail; ok stays ok. */
__attribute__((format(printf, 2, 3))) struct err err_context(struct err e, const char *format, ...);

/* "gone", "auth", "temp" …: the scope as the log shows it. Static storage. */
const char *err_scope_name(enum err_scope scope);

#endif

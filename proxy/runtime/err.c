#include "proxy/runtime/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err err_make(enum err_scope scope, const char *format, ...)
{
	struct err e = { .scope = scope };
	va_list args;

	va_start(args, format);
	(void)vsnprintf(e.detail, sizeof(e.detail), format, args);
	va_end(args);
	return e;
}

/* Puts text behind the detail, as much as fits. */
static void append(struct err *e, const char *text)
{
	size_t used = strlen(e->detail);
	size_t n = strnlen(text, sizeof(e->detail) - 1 - used);

	memcpy(e->detail + used, text, n);
	e->detail[used + n] = '\0';
}

struct err err_errno(enum err_scope scope, int errnum, const char *format, ...)
{
	struct err e = { .scope = scope };
	const char *text = strerrordesc_np(errnum);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(e.detail, sizeof(e.detail), format, args);
	va_end(args);
	append(&e, ": ");
	append(&e, text ? text : "unknown error");
	return e;
}

struct err err_context(struct err e, const char *format, ...)
{
	struct err with = { .scope = e.scope };
	va_list args;

	if (!failed(e))
		return e;
	va_start(args, format);
	(void)vsnprintf(with.detail, sizeof(with.detail), format, args);
	va_end(args);
	append(&with, ": ");
	append(&with, e.detail);
	return with;
}

const char *err_scope_name(enum err_scope scope)
{
	static const char *const names[] = {
		[ERR_OK] = "ok",
		[ERR_GONE] = "gone",
		[ERR_MESSAGE] = "message",
		[ERR_AUTH] = "auth",
		[ERR_IN_USE] = "in-use",
		[ERR_TOO_SOON] = "too-soon",
		[ERR_TEMP] = "temp",
		[ERR_PERM] = "perm",
		[ERR_INVALID] = "invalid",
		[ERR_LIMIT] = "limit",
		[ERR_PEER] = "peer",
		[ERR_TIMEOUT] = "timeout",
		[ERR_CANCELED] = "canceled",
	};

	if ((size_t)scope >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[scope];
}

/*
 * log - one line per event, logfmt or JSON, on standard error or in a file (log_output.h).
 *
 * A line: time, level, the event's name, the session id (fiber_tag) where there is one, then the
 * fields in the order given. Every line is one write(2). Text fields are escaped (control octets,
 * quotes, non-UTF-8) and cut to LOG_TEXT_MAX octets by the log itself, so a client cannot forge a
 * line. There is no field of type struct secret, and no printf form.
 *
 *	log_info("login", f_text("login", login), f_uint("messages", n));
 */
#ifndef POPGATE_RUNTIME_LOG_H
#define POPGATE_RUNTIME_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/runtime/err.h"

#define LOG_TEXT_MAX 256

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

enum log_field_type { LOG_END = 0, LOG_TEXT, LOG_UINT, LOG_INT, LOG_MS, LOG_BOOL };

struct log_field {
	enum log_field_type type;
	const char *key; /* a literal: [a-z_]+ */
	union {
		const char *text; /* NULL: the field is left out */
		uint64_t u;
		int64_t i;
		double ms;
		bool b;
	};
};

#define f_text(k, v) ((struct log_field){ .type = LOG_TEXT, .key = (k), .text = (v) })
#define f_uint(k, v) ((struct log_field){ .type = LOG_UINT, .key = (k), .u = (v) })
#define f_int(k, v)  ((struct log_field){ .type = LOG_INT, .key = (k), .i = (v) })
#define f_ms(k, v)                                                                                 \
	((struct log_field){ .type = LOG_MS, .key = (k), .ms = (v) }) /* milliseconds, 3 decimals  \
								       */
#define f_bool(k, v) ((struct log_field){ .type = LOG_BOOL, .key = (k), .b = (v) })
/* error=scope-name and detail=… of a struct err: two fields. e must be an lvalue. */
#define f_err(e) f_text("error", err_scope_name((e).scope)), f_text("detail", (e).detail)

void log_setup(enum log_format format, enum log_level level);
bool log_enabled(enum log_level level);
void log_event(enum log_level level, const char *event, const struct log_field *fields);

#define LOG_(level, event, ...)                                                                    \
	(log_enabled(level)                                                                        \
			? log_event((level), (event),                                              \
				  (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })   \
			: (void)0)
#define log_error(event, ...)   LOG_(LOG_ERROR, event __VA_OPT__(, ) __VA_ARGS__)
#define log_warning(event, ...) LOG_(LOG_WARNING, event __VA_OPT__(, ) __VA_ARGS__)
#define log_info(event, ...)    LOG_(LOG_INFO, event __VA_OPT__(, ) __VA_ARGS__)
#define log_debug(event, ...)   LOG_(LOG_DEBUG, event __VA_OPT__(, ) __VA_ARGS__)
/* As log_info, but whatever the level is: what somebody asked for by name. */
#define log_asked(event, ...)                                                                      \
	log_event(LOG_INFO, (event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

/* For tests: lines go to this function instead of standard error; NULL restores it. */
void log_capture(void (*sink)(const char *line, void *arg), void *arg);

#endif

/*
 * report - mistakes with their places, gathered and then told in the order of the files.
 *
 * Owned by whoever zero-initialised it; texts and places live in its own memory until
 * reports_done. At most REPORTS_MAX are kept; one more says how many were not.
 */
#ifndef POPGATE_CONFIG_REPORT_H
#define POPGATE_CONFIG_REPORT_H

#include <stdarg.h>

#include "config/config.h"

#define REPORTS_MAX 1000

/* Where something stands. line 0: the file as a whole. */
struct place {
	const char *file;      /* must outlive the reports */
	unsigned order;        /* of the file */
	unsigned line, column; /* from 1 */
};

struct reports {
	struct report *items;
	size_t n, room;
	size_t not_kept;
	size_t errors;
};

/* key: the path of the key, or "". Control octets in the text are replaced. */
__attribute__((format(printf, 5, 6))) void report(struct reports *reports,
	enum config_severity severity, struct place at, const char *key, const char *format, ...);

/* The text of such a format, for what wraps report(). The caller frees it. */
__attribute__((format(printf, 1, 0))) char *report_text(const char *format, va_list ap);

/* Tells all of them in order, each only once, and forgets them. */
void reports_tell(struct reports *reports, config_report *tell, void *arg);
void reports_done(struct reports *reports);

/* Text of the file for a report: cut where it is long; the second in quotes. In the arena. */
const char *shortened(struct arena *arena, const char *text);
const char *quoted(struct arena *arena, const char *text);

#endif

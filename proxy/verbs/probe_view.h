/*
 * probe_view - how popgate probe shows what it finds: for people, or as one JSON object.
 *
 * Called in this order: begin, tenant, then opened and listed, or failed in the place of either,
 * end.
 */
#ifndef POPGATE_VERBS_PROBE_VIEW_H
#define POPGATE_VERBS_PROBE_VIEW_H

#include "proxy/maildrop/maildrop.h"

struct probe_view {
	void (*begin)(const char *login);
	void (*tenant)(const char *name); /* NULL: none serves this login */
	void (*opened)(uint64_t took, bool imap);
	void (*listed)(uint64_t took, const struct maildrop *drop);
	/* advice: NULL where there is none. */
	void (*failed)(const char *step, uint64_t took, const struct err *e, const char *advice);
	void (*end)(void);
};

extern const struct probe_view probe_text, probe_json;

#endif

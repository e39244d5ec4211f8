/*
 * refusals - who was turned away lately, and why: a ring in shared memory that workers write and
 * the status page shows. Older ones make room; a record that is being written, or whose writer
 * died, is not shown. Nothing blocks.
 */
#ifndef POPGATE_SERVICE_REFUSALS_H
#define POPGATE_SERVICE_REFUSALS_H

#include <stddef.h>
#include <stdint.h>

enum refusal_kind { REFUSED_CONNECTION, REFUSED_TLS, REFUSED_LOGIN };

/* Texts may be NULL or anybody's octets; they are cut to what a record holds. */
struct refusal {
	enum refusal_kind what;
	const char *listener, *address, *tenant, *login, *reason;
};

struct refusal_view {
	enum refusal_kind what;
	int64_t at; /* seconds since 1970 */
	char listener[65], address[46], tenant[65], login[128], reason[192];
};

/* In the master, before the fork. Without it refusals_add does nothing. */
void refusals_map(void);
void refusals_add(const struct refusal *refusal);
/* The latest ones, the newest first; returns how many. */
size_t refusals_latest(struct refusal_view *ret, size_t most);

#endif

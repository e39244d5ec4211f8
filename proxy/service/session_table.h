/*
 * session_table - the live sessions of all workers, in memory shared with the master.
 *
 * One slot per session; beside them each process keeps its own counts (counts.h), and a limit is
 * held against the sum over all processes. So a worker that dies, at whatever instruction, leaves
 * nothing but what the master's sweep clears. All updates are atomic; no operation blocks.
 * Limits: never exceeded. Two processes that reach for the last place at the same instant may both
 * be refused.
 */
#ifndef POPGATE_SERVICE_SESSION_TABLE_H
#define POPGATE_SERVICE_SESSION_TABLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct session_slot;

enum session_state { SESSION_GREETED = 1, SESSION_LOGGING_IN, SESSION_OPEN, SESSION_UPDATING };

/* Maps a table for n sessions of as many processes at a time, and makes a key for its hashes; in
 * the master, before the fork. What goes beyond either is refused, whatever limits.sessions says
 * after a reload. */
void session_table_map(size_t n, size_t processes);

enum session_refusal { SESSION_ADMITTED = 0, SESSION_TABLE_FULL, SESSION_ADDRESS_FULL };

/* Takes a slot for a connection from address (numeric), of the calling process. The limits: see
 * limits.sessions and limits.sessions_per_address; IPv6 addresses of one /64 count as one. */
enum session_refusal session_table_enter(const char *address, uint64_t max_sessions,
	uint64_t max_per_address, struct session_slot **ret);
/* Binds the slot to a user ("tenant/login"), and no longer to whom it was bound before; false, and
 * unbound, when max of them are bound already. By the process that entered. */
bool session_table_bind(
	struct session_slot *slot, const char *tenant, const char *login, uint64_t max);
/* Binds it to nobody: for a session whose login came to nothing, or that is done with its maildrop.
 * Without a slot: nothing. */
void session_table_unbind(struct session_slot *slot);
/* What others may know of it from its start on: its name in the log (cut to what a view holds), and
 * the listener. Without a slot: nothing. */
void session_table_describe(struct session_slot *slot, const char *id, const char *listener);
/* What the session does now; how many octets it has read and written so far. Without a slot:
 * nothing. */
void session_table_state(struct session_slot *slot, enum session_state state);
void session_table_octets(struct session_slot *slot, uint64_t in, uint64_t out);
void session_table_leave(struct session_slot *slot); /* NULL-safe */
/* Frees the slots of a process that is gone; returns how many there were. */
size_t session_table_sweep(pid_t pid);
/* Sessions now. */
size_t session_table_count(void);

/* One session as others see it. Texts are cut to what a slot holds. */
struct session_view {
	pid_t worker;
	enum session_state state;
	int64_t started; /* seconds since 1970 */
	uint64_t octets_in, octets_out;
	char id[24]; /* as in the log; "" before it is known */
	char listener[65];
	char address[INET6_ADDRSTRLEN]; /* numeric */
	char tenant[65];                /* "" before the login */
	char login[128];
};
/* Calls fn for every session. Those that come or go meanwhile may be missed. */
void session_table_each(void (*fn)(const struct session_view *view, void *arg), void *arg);

#endif

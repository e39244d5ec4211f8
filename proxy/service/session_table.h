/*
 * session_table - the live sessions of all workers, in memory shared with the master.
 *
 * One slot per session; the slots are the truth, and limits count them. A worker that dies leaves
 * its slots behind; the master sweeps them. All updates are atomic; no operation blocks.
 */
#ifndef POPGATE_SERVICE_SESSION_TABLE_H
#define POPGATE_SERVICE_SESSION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct session_slot;

enum session_state { SESSION_GREETED = 1, SESSION_LOGGING_IN, SESSION_OPEN, SESSION_UPDATING };

/* Maps a table of n slots; in the master, before the fork. */
void session_table_map(size_t n);

enum session_refusal { SESSION_ADMITTED = 0, SESSION_TABLE_FULL, SESSION_ADDRESS_FULL };

/* Takes a slot for a connection from address (numeric), of the calling process. The limits: see
 * limits.sessions and limits.sessions_per_address. */
enum session_refusal session_table_enter(const char *address, uint64_t max_sessions,
	uint64_t max_per_address, struct session_slot **ret);
/* Binds the slot to a user ("tenant/login"); false, and unbound, when max of them are bound
 * already. */
bool session_table_bind(
	struct session_slot *slot, const char *tenant, const char *login, uint64_t max);
void session_table_state(struct session_slot *slot, enum session_state state);
/* Adds to the slot's octet counts. */
void session_table_octets(struct session_slot *slot, uint64_t in, uint64_t out);
void session_table_leave(struct session_slot *slot); /* NULL-safe */
/* Frees the slots of a process that is gone; returns how many there were. */
size_t session_table_sweep(pid_t pid);
/* Sessions now. */
size_t session_table_count(void);

#endif

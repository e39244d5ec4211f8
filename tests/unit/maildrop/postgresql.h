/*
 * postgresql - a real PostgreSQL server for tests: on a unix socket of its own, in a temporary
 * folder, run by an account without privileges when the tests are root's.
 *
 * One per program. It ends with the program, also when that crashes.
 */
#ifndef POPGATE_TEST_MAILDROP_POSTGRESQL_H
#define POPGATE_TEST_MAILDROP_POSTGRESQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

/* Makes the folder and its database cluster, and starts the server. False: PostgreSQL's programs
 * are not installed. */
bool postgresql_start(void);
/* Ends it and removes everything. */
void postgresql_stop(void);

/* Ends the server as a crash of the machine would, or in order; and brings it back. */
void postgresql_crash(void);
void postgresql_shut_down(void);
void postgresql_restart(void);
/* Halts all of its processes, which then take connections and say nothing; lets them go on. */
void postgresql_stop_answering(void);
void postgresql_answer_again(void);

/* Where the socket is; the port is the default. */
const char *postgresql_folder(void);
/* "postgresql://role@/database?host=…" */
void postgresql_uri(const char *role, const char *database, char *ret, size_t size);

/* The first column of the first row, or 0. The role is the server's own, the superuser. */
int64_t postgresql_query(const char *database, const char *sql);

#endif

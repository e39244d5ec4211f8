/*
 * transcript - a session written out in the log, line by line, for the logins of log.transcript.
 *
 * Owns:    what was said before it is known whose session it is, TRANSCRIPT_EARLY octets of it; it
 *          is written once a login is one of the list, and forgotten once it is not.
 * How:     the client's lines as they are read, the gateway's as they are sent, one "transcript"
 *          line of the log each, whatever log.level says. A line that is too long for one goes on
 * in the next. Secrets: of a client's line only what cannot be one is written: what follows PASS,
 * APOP or AUTH's mechanism, a whole SASL message, and a line that begins with no verb, is "****".
 * So is a challenge, before the login succeeded. Every function takes NULL: there is no list.
 */
#ifndef POPGATE_POP3_TRANSCRIPT_H
#define POPGATE_POP3_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

#define TRANSCRIPT_EARLY 8192

struct transcript;

/* NULL when the list, which must outlive it, is empty. */
struct transcript *transcript_new(const struct string_list *logins);
void transcript_free(struct transcript *transcript);

/* A login was tried, under any of these names (until NULL): from here on the session is written
 * out, or not. opened: it succeeded, so what looks like a challenge is none any more. */
void transcript_login(struct transcript *transcript, const char *const names[], bool opened);

/* A line of the client, without its line end. sasl: it is a message of an exchange. */
void transcript_client(struct transcript *transcript, const char *line, size_t n, bool sasl);
/* Octets that were sent, in any pieces. */
void transcript_server(struct transcript *transcript, const char *data, size_t n);

#endif

/*
 * client - asks the gateway that runs on this machine with a given configuration, over its admin
 * interface. For verbs: blocks, for a few seconds at most.
 */
#ifndef POPGATE_ADMIN_CLIENT_H
#define POPGATE_ADMIN_CLIENT_H

#include "config/config.h"

enum client_way {
	CLIENT_ANY,     /* admin.socket where it answers, else admin.listen */
	CLIENT_ADDRESS, /* admin.listen */
	CLIENT_SOCKET,  /* admin.socket */
};

struct client_answer {
	unsigned status;
	char *body; /* NUL-terminated; free it */
};

/* One request. ERR_INVALID: the configuration has no such way; ERR_TEMP: nobody answers there. The
 * details name the place. */
struct err client_ask(const struct config *config, enum client_way way, const char *method,
	const char *path, struct client_answer *ret);

/* A session as /api/sessions tells of it. */
struct client_session {
	const char *id, *login, *tenant, *listener, *address, *state;
	uint64_t age, received, sent; /* seconds; octets */
};
/* Reads that answer; in arena. ERR_INVALID: it is something else. */
struct err client_sessions(
	const char *json, struct arena *arena, struct client_session **ret, size_t *n);

#endif

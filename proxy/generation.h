/*
 * generation - everything that one reading of the configuration leads to: the settings, the bound
 * sockets, the TLS contexts, the account of the workers. Made by the master, inherited by the
 * workers that it forks from it.
 */
#ifndef POPGATE_GENERATION_H
#define POPGATE_GENERATION_H

#include "config/config.h"
#include "proxy/listener.h"
#include "proxy/run_as.h"
#include "proxy/runtime/tls.h"

struct generation {
	unsigned number; /* 1, 2, … */
	struct config *config;
	struct listen_set listen;
	struct tls_context **tls; /* per listener; NULL where it has no TLS */
	struct run_as run_as;
};

/* Loads file, takes over the sockets of old (may be NULL) that stay, reads certificates, and makes
 * sure that the workers will be able to open the registry. On failure nothing is changed. Mistakes
 * in the file are given to report; the error tells of what came after. Forks a child and waits for
 * it.
 */
struct err generation_open(const char *file, config_report *report, void *arg,
	const struct generation *old, struct generation *ret);

/* Frees it, and closes its sockets but those that successor (may be NULL) took over. */
void generation_close(struct generation *generation, const struct generation *successor);

#endif

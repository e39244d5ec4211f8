/*
 * load - the walk from YAML to structs, shared by what loads, checks and tests the configuration.
 *
 * A block is a mapping that fills one struct: the whole file, a listener, a certificate, a tenant.
 * It remembers where each of its keys was given, so that checks across keys can name the place.
 */
#ifndef POPGATE_CONFIG_LOAD_H
#define POPGATE_CONFIG_LOAD_H

#include "config/keys.h"
#include "config/report.h"
#include "config/source.h"

/* How many values are looked at. Aliases can make a small file huge. */
#define LOAD_MAX_VALUES 1000000

struct block {
	unsigned scopes;       /* whose keys it holds */
	void *base;            /* what the offsets of its own scope are relative to */
	struct tenant *shared; /* and those of SCOPE_SHARED */
	const char *prefix;    /* of its keys in reports: "tenants[acme]." */
	const char *folder;    /* of the file it stands in */
	struct place at;
	struct place *marks; /* per key of the table; file NULL: not given */
};

struct block_list {
	struct block **items;
	size_t n, room;
};

struct loader {
	struct config *config;
	struct arena *scratch; /* for the time of loading */
	struct reports reports;
	struct source *source; /* the one that is walked */
	unsigned n_sources;
	size_t values; /* looked at so far */
	struct block root;
	struct tenant defaults; /* what every tenant begins with */
	struct block_list listeners, certificates, tenants;
	yaml_node_t *tenants_node; /* kept until the defaults are known */
};

/* Zero-initialise, then begin; end in any case. The configuration is the caller's. */
void loader_begin(struct loader *loader, const char *file);
/* Walks the file and its tenants_dir, then checks. Mistakes are in loader->reports. */
void loader_run(struct loader *loader, const char *file);
void loader_end(struct loader *loader);

/* Where a key is given: in this block, else for all tenants; else the block itself. */
struct place block_place(const struct loader *loader, const struct block *block, const char *path);
/* Whether it is given in this block. */
bool block_gives(const struct block *block, const char *path);
/* Whether a shared key holds something, or was given something that was refused already. */
bool block_has(const struct loader *loader, const struct block *block, const char *path,
	const char *value);
/* A report at a key of a block, by that place and with its whole path. */
__attribute__((format(printf, 5, 6))) void block_report(struct loader *loader,
	const struct block *block, const char *path, enum config_severity severity,
	const char *format, ...);

/* check.c, check_tenants.c: what no key shows alone. */
void check_config(struct loader *loader);
void check_tenants(struct loader *loader);
/* With these the client sends a password (or a proof of one) that somebody must check. */
#define PASSWORD_MECHANISMS (unsigned)(MECH_USER | MECH_PLAIN | MECH_LOGIN | MECH_SCRAM_SHA_256)
/* check_auth.c: of one tenant; and whether it has somebody to check passwords. */
void check_auth(struct loader *loader, const struct block *tenant);
bool has_password_source(const struct loader *loader, const struct block *tenant);
/* check_proofs.c: of one tenant. */
void check_proofs(struct loader *loader, const struct block *tenant);
/* check_tokens.c: likewise. */
void check_tokens(struct loader *loader, const struct block *tenant);

#endif

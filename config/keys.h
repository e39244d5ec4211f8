/*
 * keys - the one table of configuration keys: what may stand where, its type, range and default.
 *
 * Loading, checking, printing and the reference page all read this table; a key is added by a row
 * here and a member in config.h. A path is relative to the block of its scope: "imap.port" stands
 * in a tenant. A key of SCOPE_SHARED stands at the top level, for all tenants, and again in a
 * tenant. A row stands behind the row of its section.
 */
#ifndef POPGATE_CONFIG_KEYS_H
#define POPGATE_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/mem.h"

/* Bits, so that a set of them says which keys a mapping may hold. */
enum key_scope {
	SCOPE_CONFIG = 1 << 0,      /* offset into struct config */
	SCOPE_LISTENER = 1 << 1,    /* struct listener_config */
	SCOPE_CERTIFICATE = 1 << 2, /* struct tls_certificate */
	SCOPE_SHARED = 1 << 3,      /* struct tenant */
	SCOPE_TENANT = 1 << 4,      /* struct tenant */
};

enum key_type {
	KEY_SECTION, /* a mapping that holds further keys of the same scope */
	KEY_BLOCKS,  /* a list of mappings, each a block of its own scope */
	KEY_TEXT,
	KEY_NAME,
	KEY_DOMAIN,
	KEY_ACCOUNT,       /* of the operating system */
	KEY_FILE,          /* readable; relative to the folder of the configuration file */
	KEY_FOLDER,        /* likewise */
	KEY_NEW_FILE,      /* to be made; likewise relative, but for the default, which is a word */
	KEY_TEMPLATE,      /* choices: the names it may use */
	KEY_PATH_TEMPLATE, /* likewise; relative to the folder of the configuration file */
	KEY_UIDL_FORMAT,   /* "decimal" or a template */
	KEY_URL,           /* https, or http to this machine itself */
	KEY_ADDRESS,       /* to listen on */
	KEY_STATE,
	KEY_BOOL,
	KEY_NUMBER,   /* choices: words that stand for a number */
	KEY_PERCENT,  /* 20 or 20% */
	KEY_DURATION, /* milliseconds; choices: as for numbers */
	KEY_SIZE,     /* octets */
	KEY_CHOICE,
	KEY_FLAGS, /* a list of choices, as bits */
	KEY_TEXTS,
	KEY_DOMAINS,
	KEY_HOSTS,
	KEY_ADDRESSES,
	KEY_NETWORKS,
	KEY_TYPE_COUNT_
};

enum key_flags {
	KEY_REQUIRED = 1 << 0, /* where its section is present */
	/* Accepted and without effect in this version: a notice where it differs from its default,
	 */
	KEY_NOT_YET = 1 << 1,
	KEY_HIDDEN = 1 << 2, /* not printed as part of the effective configuration */
};

struct choice {
	const char *name; /* NULL ends the list */
	uint64_t value;
	bool not_yet; /* as KEY_NOT_YET */
};

struct key {
	const char *path;
	enum key_type type;
	enum key_scope scope;
	size_t offset, size;  /* of the member */
	const char *standard; /* the default; lists: words between spaces; NULL: there is none */
	uint64_t min, max; /* of the value; texts: octets; lists: items; max 0: no limit of its own
			    */
	const struct choice *choices;
	enum key_scope block; /* KEY_BLOCKS: whose keys its mappings hold */
	unsigned flags;
	const char *help; /* one line */
};

extern const struct key config_keys[];
extern const size_t config_key_count;

/* The key `name` in `section` ("" or "imap") of a mapping that may hold these scopes, or NULL. */
const struct key *key_find(unsigned scopes, const char *section, const char *name);
/* The key with that whole path, or NULL. */
const struct key *key_find_path(unsigned scopes, const char *path);
/* "imap" of "imap.port", "" of "hostname": the length of the section's part. */
size_t key_section_length(const struct key *key);
/* "port" of "imap.port". */
const char *key_leaf(const struct key *key);
/* Where a name that is no key may have been meant: the full path of a key of the same name in
 * another section, else the nearest name in this section; NULL when nothing is near. */
const char *key_suggest(
	unsigned scopes, const char *section, const char *name, struct arena *arena);
/* Appends what is expected as the value: "a number from 40 to 1024". */
void key_expected(const struct key *key, struct buffer *out);

/* How many octets must be inserted, deleted, replaced or swapped with their neighbour to turn a
 * into b; SIZE_MAX when either is longer than 64. */
size_t edit_distance(const char *a, const char *b);
/* Whether a distance between names of that length looks like a slip. */
bool edit_is_near(size_t distance, size_t length);

#endif

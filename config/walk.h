/*
 * walk - from YAML nodes into blocks, by the table of keys. Descends only where the table does, so
 * that neither nesting nor cyclic aliases matter; looks at LOAD_MAX_VALUES values at most.
 */
#ifndef POPGATE_CONFIG_WALK_H
#define POPGATE_CONFIG_WALK_H

#include "config/load.h"

/* Fills a block from a mapping, and reports what it lacks. */
void walk_block(struct loader *loader, struct block *block, yaml_node_t *mapping);
/* A list of mappings: a new block for each. Lists of tenants found in a block are put off:
 * loader->tenants_node. */
void walk_blocks(struct loader *loader, const struct key *key, yaml_node_t *list);

/* Sets up a block: no key given yet. */
void block_init(struct loader *loader, struct block *block, unsigned scopes, void *base,
	struct tenant *shared, struct place at);
/* A new block of one scope with its struct, filled with defaults, at the end of its list. */
struct block *block_add(struct loader *loader, enum key_scope scope, struct place at);
/* Defaults for all keys of these scopes. */
void block_set_standards(struct loader *loader, struct block *block, unsigned scopes);

#endif

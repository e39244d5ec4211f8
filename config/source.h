/*
 * source - one YAML file, parsed into libyaml's document with the place of every node.
 *
 * The only files that include <yaml.h> are those of config/. A document is a graph: aliases may
 * even make cycles. Whoever walks it must be bounded by what it expects, not by the graph.
 */
#ifndef POPGATE_CONFIG_SOURCE_H
#define POPGATE_CONFIG_SOURCE_H

#include <yaml.h>

#include "config/report.h"

#define SOURCE_MAX_OCTETS (16 << 20)

struct source {
	const char *file;   /* as messages name it */
	const char *folder; /* absolute; what relative paths in it are relative to */
	unsigned order;
	yaml_document_t document;
	bool loaded; /* document is there */
};

/* Reads and parses; false and a report when that fails, when there is not exactly one document, or
 * when it is no mapping. Strings are allocated from arena. source_done in both cases. */
bool source_load(struct source *source, const char *file, unsigned order, struct arena *arena,
	struct reports *reports);
void source_done(struct source *source);

yaml_node_t *source_root(struct source *source);
yaml_node_t *source_node(struct source *source, yaml_node_item_t item);
struct place source_place(const struct source *source, const yaml_node_t *node);
/* A place that means the file as a whole. */
struct place source_whole(const struct source *source);

#endif

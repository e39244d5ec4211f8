#include "config/walk.h"

#include <string.h>

#include "config/value.h"

void block_init(struct loader *l, struct block *block, unsigned scopes, void *base,
	struct tenant *shared, struct place at)
{
	*block = (struct block){ .scopes = scopes, .base = base, .shared = shared, .at = at };
	block->prefix = "";
	block->folder = l->source ? l->source->folder : "";
	block->marks = arena_zalloc(l->scratch, config_key_count, sizeof(block->marks[0]));
}

static void *member_of(const struct block *block, const struct key *key)
{
	return (char *)(key->scope == SCOPE_SHARED ? block->shared : block->base) + key->offset;
}

void block_set_standards(struct loader *l, struct block *block, unsigned scopes)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if ((key->scope & scopes) != 0 && key->size > 0)
			value_set_standard(key, member_of(block, key), l->config->arena);
	}
}

static struct block_list *list_of(struct loader *l, enum key_scope scope)
{
	return scope == SCOPE_LISTENER      ? &l->listeners
	       : scope == SCOPE_CERTIFICATE ? &l->certificates
					    : &l->tenants;
}

static void list_push(struct block_list *list, struct block *block)
{
	if (list->n == list->room) {
		list->room = list->room ? list->room * 2 : 8;
		list->items = mem_resize(list->items, list->room, sizeof(list->items[0]));
	}
	list->items[list->n++] = block;
}

struct block *block_add(struct loader *l, enum key_scope scope, struct place at)
{
	size_t size = scope == SCOPE_LISTENER      ? sizeof(struct listener_config)
		      : scope == SCOPE_CERTIFICATE ? sizeof(struct tls_certificate)
						   : sizeof(struct tenant);
	struct block *block = arena_alloc(l->scratch, sizeof(*block));
	void *base = arena_zalloc(l->scratch, 1, size);

	if (scope == SCOPE_TENANT) {
		struct tenant *tenant = base;

		*tenant = l->defaults;
		tenant->file = at.file;
		tenant->line = at.line;
		block_init(l, block, SCOPE_TENANT | SCOPE_SHARED, base, tenant, at);
	} else {
		block_init(l, block, scope, base, NULL, at);
		block_set_standards(l, block, scope);
	}
	list_push(list_of(l, scope), block);
	return block;
}

/* What stands for nothing: "key:", "key: ~", "key: null". */
static bool is_null(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* Counts a value; false beyond the limit, which is reported once. */
static bool count_value(struct loader *l, struct place at)
{
	if (l->values > LOAD_MAX_VALUES)
		return false;
	if (++l->values <= LOAD_MAX_VALUES)
		return true;
	report(&l->reports, CONFIG_ERROR, at, "",
		"more than %d values (each alias counts for all it stands for), expected fewer",
		LOAD_MAX_VALUES);
	return false;
}

static const char *path_in(struct loader *l, const struct block *block, const char *path)
{
	return arena_printf(l->scratch, "%s%s", block->prefix, path);
}

static void unknown_key(struct loader *l, const struct block *block, const char *section,
	const char *name, struct place at)
{
	const char *near = key_suggest(block->scopes, section, name, l->scratch);
	const char *path = arena_printf(l->scratch, "%s%s%s%s", block->prefix, section,
		*section ? "." : "", shortened(l->scratch, name));
	struct buffer names = { 0 };

	if (near) {
		report(&l->reports, CONFIG_ERROR, at, path, "unknown key, expected \"%s\"?", near);
		return;
	}
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if (key_find(block->scopes, section, key_leaf(key)) == key)
			buffer_printf(
				&names, "%s%s", buffer_used(&names) ? ", " : "", key_leaf(key));
	}
	buffer_append(&names, "", 1);
	report(&l->reports, CONFIG_ERROR, at, path, "unknown key, expected one of %s",
		names.data + names.start);
	buffer_done(&names);
}

static void expected_type(struct loader *l, const struct key *key, const char *path,
	struct place at, const char *what)
{
	struct buffer expected = { 0 };

	key_expected(key, &expected);
	buffer_append(&expected, "", 1);
	report(&l->reports, CONFIG_ERROR, at, path, "%s, expected %s", what,
		expected.data + expected.start);
	buffer_done(&expected);
}

static struct scalar to_scalar(struct loader *l, const yaml_node_t *node)
{
	struct scalar scalar = { "", 0, source_place(l->source, node) };

	if (!is_null(node)) {
		scalar.text = (const char *)node->data.scalar.value;
		scalar.length = node->data.scalar.length;
	}
	return scalar;
}

/* The scalars of a list, or the one; false and a report when there is something else. */
static bool read_value(struct loader *l, const struct key *key, const char *path, yaml_node_t *node,
	struct value *ret)
{
	struct scalar *items;

	*ret = (struct value){ .at = source_place(l->source, node) };
	if (node->type == YAML_SCALAR_NODE) {
		ret->list = value_is_list(key->type) && is_null(node);
		ret->n = ret->list ? 0 : 1;
		items = arena_alloc(l->scratch, sizeof(items[0]));
		items[0] = to_scalar(l, node);
		ret->items = items;
		return true;
	}
	if (node->type != YAML_SEQUENCE_NODE) {
		expected_type(l, key, path, ret->at, "a mapping");
		return false;
	}
	ret->list = true;
	ret->n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	ret->items = items = arena_alloc(l->scratch, (ret->n + 1) * sizeof(items[0]));
	for (size_t i = 0; i < ret->n; i++) {
		yaml_node_t *item = source_node(l->source, node->data.sequence.items.start[i]);

		if (!count_value(l, ret->at))
			return false;
		if (item->type != YAML_SCALAR_NODE) {
			expected_type(l, key, path, source_place(l->source, item),
				"a list or mapping inside the list");
			return false;
		}
		items[i] = to_scalar(l, item);
	}
	return true;
}

/* Whether a member holds something else than its default. */
static bool differs(struct loader *l, const struct key *key, const void *member)
{
	void *standard = arena_alloc(l->scratch, key->size);
	struct buffer given = { 0 }, usual = { 0 };
	bool differ;

	value_set_standard(key, standard, l->scratch);
	value_format(key, member, &given);
	value_format(key, standard, &usual);
	differ = buffer_used(&given) != buffer_used(&usual) ||
		 memcmp(given.data + given.start, usual.data + usual.start, buffer_used(&given)) !=
			 0;
	buffer_done(&given);
	buffer_done(&usual);
	return differ;
}

static void walk_leaf(
	struct loader *l, struct block *block, const struct key *key, yaml_node_t *node)
{
	const char *path = path_in(l, block, key->path);
	struct setting setting = { key, member_of(block, key), path, block->folder,
		l->config->arena, &l->reports };
	struct value value;

	if (!read_value(l, key, path, node, &value) || !value_set(&setting, &value))
		return;
	if ((key->flags & KEY_NOT_YET) && differs(l, key, setting.member))
		report(&l->reports, CONFIG_NOT_YET, value.at, path,
			"is accepted, but not in effect in this version");
}

static void walk_mapping(
	struct loader *l, struct block *block, const char *section, yaml_node_t *node);

static void walk_section(struct loader *l, struct block *block, const struct key *key,
	struct place at, yaml_node_t *node)
{
	const char *path = path_in(l, block, key->path);

	if (key->flags & KEY_NOT_YET)
		report(&l->reports, CONFIG_NOT_YET, at, path,
			"is accepted, but not in effect in this version");
	if (node->type == YAML_MAPPING_NODE)
		walk_mapping(l, block, key->path, node);
	else if (!is_null(node))
		expected_type(l, key, path, source_place(l->source, node), "not a mapping");
}

static void walk_pair(struct loader *l, struct block *block, const char *section,
	const yaml_node_t *name, yaml_node_t *node)
{
	struct place at = source_place(l->source, name);
	const struct key *key;
	struct place *mark;

	if (name->type != YAML_SCALAR_NODE) {
		report(&l->reports, CONFIG_ERROR, at, path_in(l, block, section),
			"a list or mapping as a key, expected a name");
		return;
	}
	key = key_find(block->scopes, section, (const char *)name->data.scalar.value);
	if (!key) {
		unknown_key(l, block, section, (const char *)name->data.scalar.value, at);
		return;
	}
	mark = &block->marks[key - config_keys];
	if (mark->file) {
		report(&l->reports, CONFIG_ERROR, at, path_in(l, block, key->path),
			"given twice (first in line %u), expected once", mark->line);
		return;
	}
	*mark = at;
	if (key->type == KEY_SECTION)
		walk_section(l, block, key, at, node);
	else if (key->block == SCOPE_TENANT)
		l->tenants_node = node;
	else if (key->type == KEY_BLOCKS)
		walk_blocks(l, key, node);
	else
		walk_leaf(l, block, key, node);
}

static void walk_mapping(
	struct loader *l, struct block *block, const char *section, yaml_node_t *node)
{
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = source_node(l->source, pair->key);

		if (!count_value(l, source_place(l->source, name)))
			return;
		walk_pair(l, block, section, name, source_node(l->source, pair->value));
	}
}

/* Keys that must be there: always, or because their section is. */
static void check_required(struct loader *l, struct block *block)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];
		size_t n = key_section_length(key);
		struct place at = block->at;

		if ((key->scope & block->scopes) == 0 || (key->flags & KEY_REQUIRED) == 0 ||
			block->marks[i].file)
			continue;
		if (n > 0) {
			const char *section = arena_strndup(l->scratch, key->path, n);
			const struct key *outer = key_find_path(block->scopes, section);

			at = block->marks[outer - config_keys];
		}
		if (at.file)
			expected_type(l, key, path_in(l, block, key->path), at, "is missing");
	}
}

void walk_block(struct loader *l, struct block *block, yaml_node_t *mapping)
{
	walk_mapping(l, block, "", mapping);
	check_required(l, block);
}

/* The name given in a mapping, for reports about it; "" when there is none. */
static const char *name_in(struct loader *l, const yaml_node_t *mapping)
{
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
		pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = source_node(l->source, pair->key);
		const yaml_node_t *value = source_node(l->source, pair->value);

		if (name->type == YAML_SCALAR_NODE && value->type == YAML_SCALAR_NODE &&
			strcmp((const char *)name->data.scalar.value, "name") == 0)
			return shortened(l->scratch, (const char *)value->data.scalar.value);
	}
	return "";
}

void walk_blocks(struct loader *l, const struct key *key, yaml_node_t *list)
{
	struct place at = source_place(l->source, list);
	size_t n = 0;

	if (list->type == YAML_SEQUENCE_NODE)
		n = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	else if (!is_null(list)) {
		expected_type(l, key, key->path, at, "not a list");
		return;
	}
	if (n < key->min)
		expected_type(l, key, key->path, at, "the list is empty");
	for (size_t i = 0; i < n; i++) {
		yaml_node_t *item = source_node(l->source, list->data.sequence.items.start[i]);
		struct place item_at = source_place(l->source, item);
		struct block *block;

		if (!count_value(l, item_at))
			return;
		if (item->type != YAML_MAPPING_NODE) {
			expected_type(l, key, key->path, item_at, "an item that is not a mapping");
			continue;
		}
		block = block_add(l, key->block, item_at);
		block->prefix = arena_printf(l->scratch, "%s[%s].", key->path, name_in(l, item));
		walk_block(l, block, item);
	}
}

/* load - the two kinds of files, the main one and one per tenant; what they become. */
#include "config/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "config/walk.h"

void loader_begin(struct loader *l, const char *file)
{
	struct arena *arena = arena_new();

	l->config = arena_zalloc(arena, 1, sizeof(*l->config));
	l->config->arena = arena;
	l->config->file = arena_strdup(arena, file);
	l->scratch = arena_new();
}

void loader_end(struct loader *l)
{
	free(l->listeners.items);
	free(l->certificates.items);
	free(l->tenants.items);
	reports_done(&l->reports);
	arena_free(l->scratch);
}

/* Places and reports name a file by a string that outlives the walk: tenant->file too. */
static bool open_source(struct loader *l, struct source *source, const char *file)
{
	return source_load(source, file, l->n_sources++, l->config->arena, &l->reports);
}

static void load_tenant_file(struct loader *l, const char *file)
{
	struct source source, *outer = l->source;
	struct block *block;

	if (open_source(l, &source, file)) {
		l->source = &source;
		block = block_add(l, SCOPE_TENANT, source_place(&source, source_root(&source)));
		walk_block(l, block, source_root(&source));
		l->source = outer;
	}
	source_done(&source);
}

static int is_tenant_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".yaml") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_tenants_dir(struct loader *l)
{
	const char *folder = l->config->tenants_dir;
	struct dirent **entries;
	int n;

	if (!*folder)
		return;
	n = scandir(folder, &entries, is_tenant_file, by_name);
	if (n < 0) {
		block_report(l, &l->root, "tenants_dir", CONFIG_ERROR, "cannot be read: %s",
			strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s", folder, entries[i]->d_name);

		load_tenant_file(l, file);
		free(file);
		free(entries[i]);
	}
	free(entries);
}

static void add_listener(struct loader *l, const char *name, const char *address, enum tls_mode tls)
{
	struct block *block = block_add(l, SCOPE_LISTENER, l->root.at);
	struct listener_config *listener = block->base;

	block->prefix = arena_printf(l->scratch, "listeners[%s].", name);
	listener->name = name;
	listener->listen.items = arena_alloc(l->config->arena, sizeof(listener->listen.items[0]));
	listener->listen.items[0] = address;
	listener->listen.n = 1;
	listener->tls = tls;
}

static bool any_tls(const struct loader *l)
{
	for (size_t i = 0; i < l->listeners.n; i++) {
		const struct listener_config *listener = l->listeners.items[i]->base;

		if (listener->tls != TLS_NONE)
			return true;
	}
	return false;
}

/* What the table cannot say as a default: lists of blocks. */
static void add_standard_blocks(struct loader *l)
{
	struct tls_certificate *certificate;

	if (!block_gives(&l->root, "listeners")) {
		add_listener(l, "pop3", "[::]:110", TLS_STARTTLS);
		add_listener(l, "pop3s", "[::]:995", TLS_IMPLICIT);
	}
	if (!block_gives(&l->root, "certificates") && any_tls(l)) {
		certificate = block_add(l, SCOPE_CERTIFICATE, l->root.at)->base;
		certificate->certificate = "/etc/popgate/tls/cert.pem";
		certificate->key = "/etc/popgate/tls/key.pem";
	}
}

/* The structs of a list side by side, as the configuration holds them. */
static void *flatten(struct loader *l, struct block_list *list, size_t size)
{
	char *all = arena_zalloc(l->config->arena, list->n + 1, size);

	for (size_t i = 0; i < list->n; i++) {
		struct block *block = list->items[i];

		memcpy(all + i * size, block->base, size);
		block->base = all + i * size;
		if (block->shared)
			block->shared = block->base;
	}
	return all;
}

static void finish(struct loader *l)
{
	struct config *config = l->config;

	config->listeners = flatten(l, &l->listeners, sizeof(config->listeners[0]));
	config->n_listeners = l->listeners.n;
	config->certificates = flatten(l, &l->certificates, sizeof(config->certificates[0]));
	config->n_certificates = l->certificates.n;
	config->tenants = flatten(l, &l->tenants, sizeof(config->tenants[0]));
	config->n_tenants = l->tenants.n;
	for (size_t i = 0; i < l->tenants.n; i++) {
		const struct block *block = l->tenants.items[i];
		struct tenant *tenant = &config->tenants[i];

		tenant->index = i;
		if (!*tenant->maildrop.notice_from)
			tenant->maildrop.notice_from =
				arena_printf(config->arena, "postmaster@%s", config->hostname);
		tenant->store = block_gives(block, "maildir") ? STORE_MAILDIR : STORE_IMAP;
		if (!block_gives(block, "imap.oauth2"))
			tenant->imap.oauth2.flow = OAUTH2_NONE;
	}
}

static void set_defaults(struct loader *l, struct place at)
{
	block_init(l, &l->root, SCOPE_CONFIG | SCOPE_SHARED, l->config, &l->defaults, at);
	block_set_standards(l, &l->root, SCOPE_CONFIG | SCOPE_SHARED);
	/* A tenant's own keys: once here, and copied with the rest. */
	l->root.base = &l->defaults;
	block_set_standards(l, &l->root, SCOPE_TENANT);
	l->root.base = l->config;
}

void loader_run(struct loader *l, const char *file)
{
	struct source source;
	bool good = open_source(l, &source, file);

	if (good) {
		l->source = &source;
		set_defaults(l, source_place(&source, source_root(&source)));
		walk_block(l, &l->root, source_root(&source));
		add_standard_blocks(l);
		if (l->tenants_node)
			walk_blocks(l, key_find(SCOPE_CONFIG, "", "tenants"), l->tenants_node);
		load_tenants_dir(l);
		finish(l);
		check_config(l);
		check_tenants(l);
	}
	source_done(&source);
	l->source = NULL;
}

bool block_gives(const struct block *block, const char *path)
{
	const struct key *key = key_find_path(block->scopes, path);

	return key && block->marks[key - config_keys].file;
}

bool block_has(
	const struct loader *l, const struct block *block, const char *path, const char *value)
{
	return *value || block_gives(block, path) || block_gives(&l->root, path);
}

/* The block that gives a key: this one, or the root for what its tenants share. */
static const struct block *giver_of(
	const struct loader *l, const struct block *block, const char *path)
{
	const struct key *key = key_find_path(block->scopes, path);

	if (!block_gives(block, path) && key && key->scope == SCOPE_SHARED &&
		block_gives(&l->root, path))
		return &l->root;
	return block;
}

struct place block_place(const struct loader *l, const struct block *block, const char *path)
{
	const struct block *giver = giver_of(l, block, path);

	if (!block_gives(giver, path))
		return block->at;
	return giver->marks[key_find_path(giver->scopes, path) - config_keys];
}

void block_report(struct loader *l, const struct block *block, const char *path,
	enum config_severity severity, const char *format, ...)
{
	const char *where =
		arena_printf(l->scratch, "%s%s", giver_of(l, block, path)->prefix, path);
	size_t n = strlen(where);
	va_list ap;
	char *what;

	/* About the block itself: "tenants[acme]". */
	if (n > 0 && where[n - 1] == '.')
		where = arena_strndup(l->scratch, where, n - 1);
	va_start(ap, format);
	what = report_text(format, ap);
	va_end(ap);
	report(&l->reports, severity, block_place(l, block, path), where, "%s", what);
	free(what);
}

struct err config_load(const char *file, config_report *tell, void *arg, struct config **ret)
{
	struct loader loader = { 0 };
	struct err e = ok();

	loader_begin(&loader, file);
	loader_run(&loader, file);
	reports_tell(&loader.reports, tell, arg);
	if (loader.reports.errors > 0) {
		e = err_make(ERR_INVALID, "%s: %zu mistake%s", file, loader.reports.errors,
			loader.reports.errors == 1 ? "" : "s");
		config_free(loader.config);
	} else {
		*ret = loader.config;
	}
	loader_end(&loader);
	return e;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_tenants; i++) {
		secret_free(config->tenants[i].imap.master_password);
		secret_free(config->tenants[i].auth.oauth2.client_secret);
	}
	arena_free(config->arena);
}

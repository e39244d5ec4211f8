#include "proxy/maildrop/postgresql_target.h"

#include <stdbool.h>
#include <string.h>

#include <libpq-fe.h>

/* What holds unless the URI says otherwise. A standby cannot remember anything, so the server that
 * can is looked for among the hosts. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
	{ "target_session_attrs", "read-write" },
	{ "fallback_application_name", "popgate" },
};

#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* How many a list "a,b,c" names; NULL and "": none. */
static size_t count_items(const char *list)
{
	size_t n = 1;

	if (!list || !*list)
		return 0;
	for (const char *p = list; *p; p++)
		n += *p == ',';
	return n;
}

/* A list of one item holds for every host. */
static const char *item_at(struct arena *arena, const char *list, size_t at)
{
	if (count_items(list) <= 1)
		return list;
	for (; at > 0 && strchr(list, ','); at--)
		list = strchr(list, ',') + 1;
	return arena_strndup(arena, list, strcspn(list, ","));
}

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *o = options; o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

static bool is_per_host(const char *keyword)
{
	return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
	       strcmp(keyword, "port") == 0;
}

static struct postgresql_host host_at(
	struct arena *arena, const PQconninfoOption *options, size_t at)
{
	struct postgresql_host host;
	size_t n = 0, room = N_DEFAULTS + 1;

	for (const PQconninfoOption *o = options; o->keyword; o++)
		room++;
	host.keywords = arena_zalloc(arena, room, sizeof(*host.keywords));
	host.values = arena_zalloc(arena, room, sizeof(*host.values));
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (!o->val)
			continue;
		host.keywords[n] = arena_strdup(arena, o->keyword);
		host.values[n++] = arena_strdup(
			arena, is_per_host(o->keyword) ? item_at(arena, o->val, at) : o->val);
	}
	for (size_t i = 0; i < N_DEFAULTS; i++) {
		if (value_of(options, defaults[i].keyword))
			continue;
		host.keywords[n] = defaults[i].keyword;
		host.values[n++] = defaults[i].value;
	}
	return host;
}

static struct err check_lists(const PQconninfoOption *options, size_t n_hosts)
{
	static const char *const lists[] = { "host", "port" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t n = count_items(value_of(options, lists[i]));

		if (n > 1 && n != n_hosts)
			return err_make(ERR_PERM,
				"registry postgresql: %zu hosts, but %zu of \"%s\"", n_hosts, n,
				lists[i]);
	}
	return ok();
}

static struct err check_secrets(const PQconninfoOption *options)
{
	static const char *const secrets[] = { "password", "sslpassword" };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (value_of(options, secrets[i]))
			return err_make(ERR_PERM, "registry postgresql: a password in the address; "
						  "let passfile= name a "
						  "file that holds it");
	return ok();
}

static struct err take_options(const PQconninfoOption *options, struct postgresql_target **ret)
{
	struct postgresql_target *target;
	struct err e;
	size_t n = count_items(value_of(options, "hostaddr"));

	if (n == 0)
		n = count_items(value_of(options, "host"));
	if (n == 0)
		n = 1;
	if (failed(e = check_secrets(options)) || failed(e = check_lists(options, n)))
		return e;
	target = mem_zalloc(1, sizeof(*target));
	target->arena = arena_new();
	target->n_hosts = n;
	target->hosts = arena_zalloc(target->arena, n, sizeof(*target->hosts));
	for (size_t i = 0; i < n; i++)
		target->hosts[i] = host_at(target->arena, options, i);
	*ret = target;
	return ok();
}

struct err postgresql_target_new(const char *uri, struct postgresql_target **ret)
{
	PQconninfoOption *options;
	char *words = NULL;
	struct err e;

	options = PQconninfoParse(uri, &words);
	if (!options) {
		/* Not libpq's words: they may repeat a part of the address with a password. */
		PQfreemem(words);
		return err_make(ERR_PERM,
			"registry postgresql: the address is not one that libpq understands");
	}
	e = take_options(options, ret);
	PQconninfoFree(options);
	return e;
}

void postgresql_target_free(struct postgresql_target *target)
{
	if (!target)
		return;
	arena_free(target->arena);
	free(target);
}

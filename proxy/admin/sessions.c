#include "proxy/admin/sessions.h"

#include <string.h>
#include <time.h>

#include <jansson.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/utf8.h"

struct gathered {
	struct session_view *views;
	size_t n, room;
	struct arena *arena;
};

static void gather(const struct session_view *view, void *arg)
{
	struct gathered *all = arg;

	/* Between its slot and its name a session is not to be spoken of yet. */
	if (all->n < all->room && view->id[0])
		all->views[all->n++] = *view;
}

static int by_age(const void *a, const void *b)
{
	const struct session_view *x = a, *y = b;

	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	return strcmp(x->id, y->id);
}

const struct session_view *sessions_list(struct arena *arena, size_t *n)
{
	/* Those that come meanwhile find some room. */
	size_t room = session_table_count() + 64;
	struct gathered all = {
		.views = arena_alloc(arena, room * sizeof(*all.views)), .room = room, .arena = arena
	};

	session_table_each(gather, &all);
	qsort(all.views, all.n, sizeof(*all.views), by_age);
	*n = all.n;
	return all.views;
}

const char *session_state_name(enum session_state state)
{
	switch (state) {
	case SESSION_GREETED:
		return "greeted";
	case SESSION_LOGGING_IN:
		return "logging in";
	case SESSION_OPEN:
		return "open";
	case SESSION_UPDATING:
		return "updating";
	}
	return "ending";
}

const char *utf8_clean(struct arena *arena, const char *text)
{
	size_t n = strlen(text), used = 0;
	char *clean = arena_alloc(arena, 3 * n + 1);
	uint32_t c;

	for (size_t i = 0; i < n;) {
		size_t length = utf8_decode(text + i, n - i, &c);

		memcpy(clean + used, length ? text + i : "\xef\xbf\xbd", length ? length : 3);
		used += length ? length : 3;
		i += length ? length : 1;
	}
	clean[used] = '\0';
	return clean;
}

static json_t *session_json(const struct session_view *view, int64_t now, struct arena *arena)
{
	json_t *session = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "id",
		view->id, "worker", (int)view->worker, "listener",
		utf8_clean(arena, view->listener), "address", view->address, "tenant",
		utf8_clean(arena, view->tenant), "login", utf8_clean(arena, view->login), "state",
		session_state_name(view->state), "started", (json_int_t)view->started,
		"age_seconds", (json_int_t)(now > view->started ? now - view->started : 0),
		"received_bytes", (json_int_t)view->octets_in, "sent_bytes",
		(json_int_t)view->octets_out);

	if (!session)
		fatal("out of memory: the sessions as JSON");
	return session;
}

static int append(const char *data, size_t n, void *out)
{
	buffer_append(out, data, n);
	return 0;
}

void sessions_write(struct buffer *out)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	size_t n;
	const struct session_view *views = sessions_list(arena, &n);
	json_t *array = json_array(), *top;

	for (size_t i = 0; array && i < n; i++)
		if (json_array_append_new(array, session_json(&views[i], time(NULL), arena)) != 0)
			fatal("out of memory: the sessions as JSON");
	top = json_pack("{s:o}", "sessions", array);
	if (!top || json_dump_callback(top, append, out, JSON_COMPACT) != 0)
		fatal("out of memory: the sessions as JSON");
	buffer_append(out, "\n", 1);
	json_decref(top);
}

struct search {
	const char *id;
	pid_t worker;
};

static void look(const struct session_view *view, void *arg)
{
	struct search *search = arg;

	if (strcmp(view->id, search->id) == 0)
		search->worker = view->worker;
}

pid_t sessions_worker_of(const char *id)
{
	struct search search = { id, 0 };

	if (*id)
		session_table_each(look, &search);
	return search.worker;
}

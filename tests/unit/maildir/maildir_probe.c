/*
 * maildir_probe DIRECTORY - lists a Maildir as sessions one after the other do, for tests with real
 * servers. Commands on standard input, one per line; each is answered by lines and an empty one:
 *
 *	list    builds on the last listing and compares with one from scratch: "same N", where the
 *	        folder was not read "unchanged N", else what differs
 *	rest    lists until the folder's times are past: "rest"
 *	legacy  per message: key, uidvalidity, uid, guid, uidl, by tabs; "-" for none
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/backend.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/wait.h"

struct probe {
	struct account account;
	struct backend_known known;
	struct arena *arena; /* of the last listing */
};

struct session {
	struct arena *arena;
	struct backend *backend;
	struct backend_listing listing;
};

static void stop_if(struct err e)
{
	if (!failed(e))
		return;
	(void)fprintf(stderr, "%s: %s\n", err_scope_name(e.scope), e.detail);
	exit(1);
}

static fiber_fn struct session session_begin(struct probe *p, const struct backend_known *known)
{
	struct session s = { .arena = arena_new() };
	struct backend_list_request request = { .known = known };

	stop_if(maildir_backend.open(&p->account, &(struct store_credentials){ 0 }, &s.backend));
	stop_if(maildir_backend.list(s.backend, s.arena, &request, &s.listing));
	return s;
}

static fiber_fn void session_end(struct session *s)
{
	maildir_backend.close(s->backend);
	arena_free(s->arena);
}

/* Keeps what a registry would. */
static void remember(struct probe *p, const struct session *s)
{
	struct arena *arena = arena_new();
	struct backend_message *messages = arena_alloc(arena, s->listing.n * sizeof *messages);

	for (size_t i = 0; i < s->listing.n; i++) {
		messages[i] = s->listing.messages[i];
		messages[i].key = arena_strdup(arena, messages[i].key);
	}
	p->known = (struct backend_known){
		.mark = arena_strdup(arena, s->listing.folders[0].mark),
		.messages = messages,
		.n = s->listing.n,
	};
	arena_free(p->arena);
	p->arena = arena;
}

static bool same(const struct backend_message *a, const struct backend_message *b)
{
	return strcmp(a->key, b->key) == 0 && a->size == b->size && a->exact == b->exact &&
	       a->arrival == b->arrival;
}

static fiber_fn void compare(struct probe *p)
{
	struct session delta = session_begin(p, &p->known), anew = session_begin(p, NULL);
	const struct backend_listing *a = &delta.listing, *b = &anew.listing;
	size_t i = 0;

	while (i < a->n && i < b->n && same(&a->messages[i], &b->messages[i]))
		i++;
	if (i < a->n || i < b->n)
		printf("message %zu of %zu is not that of %zu\n", i + 1, a->n, b->n);
	else
		printf("%s %zu\n", a->folders[0].unchanged ? "unchanged" : "same", a->n);
	remember(p, &delta);
	session_end(&delta);
	session_end(&anew);
}

static fiber_fn void rest(struct probe *p)
{
	for (bool resting = false; !resting;) {
		struct session s = session_begin(p, &p->known);

		resting = s.listing.folders[0].unchanged;
		remember(p, &s);
		session_end(&s);
	}
	printf("rest\n");
}

static fiber_fn void print_legacy(struct probe *p)
{
	struct session s = session_begin(p, NULL);
	struct backend_legacy *legacy = arena_alloc(s.arena, s.listing.n * sizeof *legacy);

	stop_if(maildir_backend.legacy(
		s.backend, s.arena, s.listing.messages, s.listing.n, legacy));
	for (size_t i = 0; i < s.listing.n; i++)
		printf("%s\t%" PRIu32 "\t%" PRIu32 "\t%s\t%s\n", s.listing.messages[i].key,
			legacy[i].uidvalidity, legacy[i].uid, legacy[i].guid ?: "-",
			legacy[i].uidl ?: "-");
	session_end(&s);
}

static fiber_fn void serve(void *arg)
{
	struct probe *p = arg;
	char line[16];

	while (fgets(line, sizeof line, stdin)) {
		if (strcmp(line, "list\n") == 0)
			compare(p);
		else if (strcmp(line, "rest\n") == 0)
			rest(p);
		else if (strcmp(line, "legacy\n") == 0)
			print_legacy(p);
		printf("\n");
		(void)fflush(stdout);
	}
	arena_free(p->arena);
}

int main(int argc, char **argv)
{
	struct tenant tenant = {
		.name = "probe",
		.store = STORE_MAILDIR,
		.maildir = { .path = argv[1] },
		.maildrop = { .folder = "INBOX", .trash = "Trash", .exact_rfc822_size = true },
	};
	struct probe p = {
		.account = {
			.tenant = &tenant,
			.login = "probe",
			.user = "probe",
			.domain = "",
			.folder = "INBOX",
			.client_address = "192.0.2.1",
		},
	};

	if (argc != 2)
		return 2;
	runtime_init();
	(void)fiber_spawn("probe", serve, &p);
	runtime_run();
	runtime_close();
	return 0;
}

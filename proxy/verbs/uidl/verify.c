#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "proxy/entry/entry.h"
#include "proxy/login/password_input.h"
#include "proxy/maildrop/adopted.h"
#include "proxy/maildrop/maildrop.h"
#include "proxy/verbs/uidl/uidl.h"

static const char help[] =
	"Usage: popgate uidl verify [-c FILE] [--old FILE] [--json] LOGIN\n"
	"       popgate uidl verify [-c FILE] --accept LOGIN\n"
	"\n"
	"Says which unique-ids the next login would show, against those that are known: kept,\n"
	"adopted (of the server before, met here for the first time), changed, new, missing\n"
	"(known, and not in the mail store). The sums first, then a line for each message whose\n"
	"id is not kept. Nothing is changed. The mail store is logged in to as a session would;\n"
	"the password is read from standard input, unless the store needs none (a Maildir, or\n"
	"imap.master_user).\n"
	"\n"
	"  -o, --old FILE          against what popgate uidl harvest took from the server before,\n"
	"                          instead of what is known here: before the cut-over, does the\n"
	"                          configuration reproduce its ids?\n"
	"  -y, --accept            lets the next login change as many as it has to: once, after\n"
	"                          logins were refused for uidl.max_changed. No password is asked\n"
	"                          for\n"
	"  -j, --json              a JSON object per message, the last one with the sums\n"
	"  -l, --listener NAME, -s, --server-name NAME, -a, --address IP\n"
	"                          how the login comes, for tenants that look at "
	"it\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 no id would change (or the change is accepted); 1 some would, or it\n"
	"cannot be found out; 2 wrong usage or configuration.\n";

#define PREVIEW_COUNT (PREVIEW_MISSING + 1)

static const char *const status_names[PREVIEW_COUNT] = {
	[PREVIEW_KEPT] = "kept",
	[PREVIEW_ADOPTED] = "adopted",
	[PREVIEW_CHANGED] = "changed",
	[PREVIEW_NEW] = "new",
	[PREVIEW_MISSING] = "missing",
};

struct verify {
	struct uidl_work work; /* first */
	struct secret *password;
};

/* A missing one is known by what it was shown as. */
static const char *known_id(const struct preview_row *row)
{
	if (row->status == PREVIEW_MISSING)
		return row->unique_id;
	return row->known_id ? row->known_id : "-";
}

static const char *shown_id(const struct preview_row *row)
{
	return row->status == PREVIEW_MISSING ? NULL : row->unique_id;
}

static void print_message(const struct preview_row *message)
{
	printf("%-8s %-40s %-40s ", status_names[message->status], known_id(message),
		shown_id(message) ? shown_id(message) : "-");
	if (message->size == REGISTRY_NO_SIZE)
		puts("-");
	else
		printf("%" PRIu64 "\n", message->size);
}

static bool is_kept(const struct preview_row *message)
{
	return message->status == PREVIEW_KEPT || message->status == PREVIEW_ADOPTED;
}

static bool is_refused(const struct maildrop_preview *preview)
{
	return preview->refused && !preview->accepted;
}

static void print_text(const struct maildrop_preview *preview)
{
	bool all_kept = true;

	for (size_t i = 0; i < PREVIEW_COUNT; i++)
		printf("%-8s %zu\n", status_names[i], preview->counts[i]);
	if (is_refused(preview))
		printf("the login would be refused: %zu of %zu known ids would change "
		       "(uidl.max_changed)\n",
			preview->changed, preview->known);
	for (size_t i = 0; i < preview->n; i++)
		all_kept = all_kept && is_kept(&preview->rows[i]);
	if (!all_kept)
		printf("\n%-8s %-40s %-40s %s\n", "", "known id", "id shown", "octets");
	for (size_t i = 0; i < preview->n; i++)
		if (!is_kept(&preview->rows[i]))
			print_message(&preview->rows[i]);
}

static void print_id(const char *name, const char *id)
{
	if (!id)
		return;
	printf(",\"%s\":", name);
	verb_print_json(stdout, id);
}

static void print_json(const struct maildrop_preview *preview)
{
	for (size_t i = 0; i < preview->n; i++) {
		const struct preview_row *message = &preview->rows[i];

		printf("{\"status\":\"%s\"", status_names[message->status]);
		if (message->known_id || message->status == PREVIEW_MISSING)
			print_id("known_id", known_id(message));
		print_id("shown_id", shown_id(message));
		if (message->size != REGISTRY_NO_SIZE)
			printf(",\"size\":%" PRIu64, message->size);
		puts("}");
	}
	putchar('{');
	for (size_t i = 0; i < PREVIEW_COUNT; i++)
		printf("\"%s\":%zu,", status_names[i], preview->counts[i]);
	printf("\"refused\":%s}\n", is_refused(preview) ? "true" : "false");
}

/* A store that asks for no password is entered without one. */
static bool needs_password(const struct tenant *tenant)
{
	return tenant->store == STORE_IMAP && !*tenant->imap.master_user;
}

fiber_fn static struct err open_store(struct verify *v, struct entry *entry)
{
	const struct uidl_work *work = &v->work;
	const struct store_credentials none = { 0 };
	struct credentials credentials;
	struct entry_request request = {
		.query = work->options.route,
		.credentials = &credentials,
	};
	struct err e;

	if (!v->password) {
		entry->arena = arena_new();
		entry->account = uidl_account(work, work->options.argument, entry->arena);
		return backend_ops_of(entry->account->tenant)
			->open(entry->account, &none, &entry->backend);
	}
	request.query.login = work->options.argument;
	credentials = credentials_of_password(~0U, work->options.argument, steal(v->password));
	e = entry_authenticate(work->config, &request, entry, NULL);
	credentials_done(&credentials);
	return e;
}

fiber_fn static struct err look(struct verify *v, struct entry *entry)
{
	const struct uidl_work *work = &v->work;
	const struct account *account = entry->account;
	bool against_old = work->options.old != NULL;
	struct adopted old = { 0 };
	struct maildrop_preview preview;
	struct err e = ok();

	if (against_old)
		e = adopted_from_file(work->options.old, account->tenant->name, account->login,
			time(NULL), entry->arena, &old);
	if (!failed(e) && against_old && old.n == 0)
		e = err_make(
			ERR_PERM, "%s: nothing of %s in it", work->options.old, account->login);
	if (!failed(e) && against_old)
		e = maildrop_compare(
			account, entry->backend, work->registry, &old, entry->arena, &preview);
	else if (!failed(e))
		e = maildrop_foresee(
			account, entry->backend, work->registry, entry->arena, &preview);
	if (failed(e))
		return e;
	if (work->options.json)
		print_json(&preview);
	else
		print_text(&preview);
	if (preview.counts[PREVIEW_CHANGED] == 0 && !is_refused(&preview))
		v->work.status = VERB_DONE;
	return ok();
}

fiber_fn static void run_verify(void *arg)
{
	struct verify *v = arg;
	struct entry entry = { 0 };
	struct err e = open_store(v, &entry);

	if (!failed(e))
		e = look(v, &entry);
	if (failed(e)) {
		fputs("popgate uidl verify: ", stderr);
		verb_print_text(stderr, e.detail);
		fputc('\n', stderr);
	}
	entry_close(&entry);
}

/* Sets the flag, whoever writes at the same time. *ret_known false: nothing is remembered. */
fiber_fn static struct err accept_changes(
	struct uidl_work *work, const struct account *account, bool *ret_known)
{
	struct registry_maildrop whose = {
		.tenant = account->tenant->name,
		.login = account->login,
	};
	uint64_t revision = 0;

	while (revision == 0) {
		cleanup(arena_cleanup) struct arena *arena = arena_new();
		struct registry_change change = { 0 };
		struct registry_record record;
		struct err e = registry_load(work->registry, &whose, arena, &record);

		*ret_known = !failed(e) && record.revision != 0;
		if (!*ret_known)
			return e;
		change.revision = record.revision;
		change.next = record.next;
		change.seen = record.seen;
		change.flags = record.flags | REGISTRY_ACCEPTED;
		if (failed(e = registry_change(work->registry, &whose, &change, &revision)))
			return e;
	}
	return ok();
}

fiber_fn static void run_accept(void *arg)
{
	struct uidl_work *work = arg;
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const struct account *account = uidl_account(work, work->options.argument, arena);
	bool known = false;
	struct err e = accept_changes(work, account, &known);

	if (!failed(e) && !known)
		e = err_make(ERR_PERM, "nothing is remembered of %s", account->login);
	if (failed(e)) {
		fprintf(stderr, "popgate uidl verify: %s\n", e.detail);
		return;
	}
	printf("the next login of %s may change its unique-ids\n", account->login);
	work->status = VERB_DONE;
}

/* Whether somebody serves the login, and the password where that one needs it. */
static enum verb_status prepare(struct verify *v)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const struct uidl_options *options = &v->work.options;
	const struct account *account;
	enum verb_status status = VERB_DONE;
	struct err e;

	v->work.config = verb_load(verb_config_file(options->config_file), false);
	if (!v->work.config)
		return VERB_USAGE;
	account = uidl_account(&v->work, options->argument, arena);
	if (!account) {
		fprintf(stderr, "popgate uidl verify: nobody serves %s\n", options->argument);
		status = VERB_NO;
	} else if (!options->accept && needs_password(account->tenant)) {
		e = password_input("Password", false, &v->password);
		if (failed(e))
			status = uidl_usage("verify", "%s", e.detail);
	}
	config_free(steal(v->work.config));
	return status;
}

int uidl_verify(int argc, char **argv)
{
	struct verify v = { 0 };
	enum verb_status status;

	if (!uidl_parse(argc, argv, "cjyo" UIDL_ROUTE_OPTIONS, help, &v.work.options, &status))
		return status;
	if (!v.work.options.argument)
		return uidl_usage("verify", "expected one login");
	if (v.work.options.accept && (v.work.options.old || v.work.options.json))
		return uidl_usage("verify", "--accept goes with nothing else");
	status = prepare(&v);
	if (status == VERB_DONE)
		status = uidl_run(
			"verify", &v.work, true, v.work.options.accept ? run_accept : run_verify);
	secret_free(v.password);
	return status;
}

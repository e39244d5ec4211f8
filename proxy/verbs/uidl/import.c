#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proxy/verbs/uidl/uidl.h"

static const char help[] =
	"Usage: popgate uidl import [-c FILE] [--replace] [--dry-run] FILE\n"
	"\n"
	"Takes unique-ids from a file, \"-\" for standard input: one of popgate uidl harvest, "
	"whose\n"
	"ids each user's next login matches with the messages that are there then; one of\n"
	"popgate uidl export, which comes in as it went out; or one of your own, TSV or JSON\n"
	"lines with at least login and old_id, and size, fingerprint and arrival where known.\n"
	"The mail store is not asked, and the gateway may be running.\n"
	"\n"
	"A maildrop that has unique-ids of its own stays as it is, unless --replace is given;\n"
	"its messages may get other ones then. What an earlier import brought and no login has\n"
	"met yet is replaced.\n"
	"\n"
	"  -r, --replace           forget what is known of these maildrops\n"
	"  -n, --dry-run           only say what would be done\n"
	"  -l, --listener NAME, -s, --server-name NAME, -a, --address IP\n"
	"                          how the logins come, for tenants that look at "
	"it\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 all is imported; 1 not all, or the registry cannot be written; 2 wrong\n"
	"usage or configuration, or the file is malformed (then nothing is imported).\n";

struct import_work {
	struct uidl_work work; /* first */
	FILE *in;
	size_t n_maildrops, n_entries, n_left; /* done; their entries; not done */
	size_t n_doubles;
};

/* One that can be read twice. */
static FILE *open_input(const char *name)
{
	bool standard = strcmp(name, "-") == 0;
	FILE *in = standard ? stdin : fopen(name, "re"), *copy;
	char block[512];
	size_t n;

	if (!in || (fseeko(in, 0, SEEK_END) == 0 && ftello(in) >= 0)) {
		if (in)
			rewind(in);
		return in;
	}
	copy = tmpfile();
	while (copy && (n = fread(block, 1, sizeof(block), in)) > 0)
		(void)fwrite(block, 1, n, copy);
	if (copy && (ferror(in) || fflush(copy) != 0 || ferror(copy))) {
		fclose(copy);
		copy = NULL;
	}
	if (!standard)
		fclose(in);
	if (copy)
		rewind(copy);
	return copy;
}

/* Reads the file to its end. */
static struct err check_file(FILE *in)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	cleanup(id_reader_cleanup) struct id_reader *reader = NULL;
	struct err e = id_reader_new(in, &reader);
	struct id_row row;
	bool more = true;

	while (!failed(e) && more) {
		e = id_read(reader, arena, &row, &more);
		arena_reset(arena);
	}
	rewind(in);
	return e;
}

__attribute__((format(printf, 3, 4))) static void leave(
	struct import_work *w, const struct id_block *block, const char *format, ...)
{
	va_list ap;

	w->n_left++;
	fputs("popgate uidl import: ", stderr);
	verb_print_text(stderr, block->login);
	fprintf(stderr, " (line %u): ", block->line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* Whose record it is to be. false: nobody's. */
static bool find_owner(struct import_work *w, const struct id_block *block, struct arena *arena,
	struct import *import)
{
	const struct account *account = uidl_account(&w->work, block->login, arena);

	if (!account && !*block->tenant)
		return false;
	import->tenant = *block->tenant ? block->tenant : account->tenant->name;
	import->login = *block->tenant ? block->login : account->login;
	import->main_folder = account ? uidl_main_folder(account) : "INBOX";
	return true;
}

static void note(struct import_work *w, const struct id_block *block, const struct import *import)
{
	switch (import->outcome) {
	case IMPORT_DONE:
		w->n_maildrops++;
		w->n_entries += import->n_entries;
		w->n_doubles += import->n_doubles;
		break;
	case IMPORT_KNOWN:
		leave(w, block,
			"has unique-ids already, left as it is (--replace would forget them)");
		break;
	case IMPORT_REFUSED:
		leave(w, block, "%s", import->why);
		break;
	}
}

fiber_fn static struct err take_block(struct import_work *w, const struct id_block *block)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct import import = { .registry = w->work.registry,
		.now = time(NULL),
		.replace = w->work.options.replace,
		.dry = w->work.options.dry_run };
	struct err e;

	if (!block->complete) {
		leave(w, block, "is not complete in the file, left out");
		return ok();
	}
	if (!find_owner(w, block, arena, &import)) {
		leave(w, block, "nobody serves this login");
		return ok();
	}
	e = import_block(&import, block);
	if (!failed(e))
		note(w, block, &import);
	return e;
}

fiber_fn static struct err take_blocks(struct import_work *w)
{
	cleanup(id_reader_cleanup) struct id_reader *reader = NULL;
	cleanup(id_blocks_cleanup) struct id_blocks *blocks = NULL;
	struct err e = id_reader_new(w->in, &reader);
	struct id_block block;
	bool more = true;

	if (failed(e))
		return e;
	blocks = id_blocks_new(reader);
	for (;;) {
		if (failed(e = id_blocks_next(blocks, &block, &more)) || !more)
			return e;
		if (failed(e = take_block(w, &block)))
			return e;
	}
}

fiber_fn static void run_import(void *arg)
{
	struct import_work *w = arg;
	struct err e = take_blocks(w);

	printf("%s%zu maildrops with %zu unique-ids imported, %zu left out\n",
		w->work.options.dry_run ? "would be: " : "", w->n_maildrops, w->n_entries,
		w->n_left);
	if (w->n_doubles)
		printf("%zu messages had the id of another of their maildrop, and will get one of "
		       "their own\n",
			w->n_doubles);
	if (failed(e))
		fprintf(stderr, "popgate uidl import: %s\n", e.detail);
	else if (w->n_left == 0)
		w->work.status = VERB_DONE;
}

static int import_file(struct import_work *w, const char *name)
{
	struct err e;
	int status;

	w->in = open_input(name);
	if (!w->in) {
		fprintf(stderr, "popgate uidl import: %s: %s\n", name, strerror(errno));
		return VERB_USAGE;
	}
	e = check_file(w->in);
	if (failed(e)) {
		fprintf(stderr, "popgate uidl import: %s: %s\n", name, e.detail);
		status = VERB_USAGE;
	} else {
		status = uidl_run("import", &w->work, true, run_import);
	}
	fclose(w->in);
	return status;
}

int uidl_import(int argc, char **argv)
{
	struct import_work w = { 0 };
	enum verb_status status;

	if (!uidl_parse(argc, argv, "crn" UIDL_ROUTE_OPTIONS, help, &w.work.options, &status))
		return status;
	if (!w.work.options.argument)
		return uidl_usage("import", "name the file");
	return import_file(&w, w.work.options.argument);
}

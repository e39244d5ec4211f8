/* adopt_file - uidl.adopt_file: an index of each file in memory, a maildrop's lines when asked for.
 * Touched between suspends only, but for what a job works on. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "proxy/adoption/id_block.h"
#include "proxy/runtime/wait.h"

/* How many lines are read between two cleanings. */
#define LINES_AT_ONCE 1000

/* Where the lines of a login begin. */
struct place {
	uint64_t hash; /* of the login */
	uint64_t offset;
};

struct adopt_file {
	struct adopt_file *next;
	char *path;
	struct gate gate;     /* one at a time reads or renews the index */
	struct stat as;       /* the file that the index is of */
	struct place *places; /* ascending */
	size_t n_places;
	bool indexed;
};

/* This worker's. */
static struct adopt_file *files;

static struct adopt_file *file_at(const char *path)
{
	struct adopt_file *file = files;

	while (file && strcmp(file->path, path) != 0)
		file = file->next;
	if (file)
		return file;
	file = mem_zalloc(1, sizeof(*file));
	file->path = mem_strdup(path);
	file->next = files;
	gate_init(&file->gate, 1);
	files = file;
	return file;
}

/* FNV-1a. */
static uint64_t hash_of(const char *login)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *login; login++)
		hash = (hash ^ (unsigned char)*login) * UINT64_C(0x100000001b3);
	return hash;
}

static int by_hash(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void file_cleanup(FILE **in)
{
	if (*in)
		fclose(*in);
}

static struct err index_lines(struct id_reader *reader, struct buffer *places)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	uint64_t last = 0;
	struct id_row row;
	bool more = true;
	struct err e;

	for (size_t i = 1;; i++) {
		struct place place;

		if (failed(e = id_read(reader, arena, &row, &more)) || !more)
			return e;
		place = (struct place){ hash_of(row.login), id_reader_start(reader) };
		if (place.hash != last || buffer_used(places) == 0 || row.kind == ID_MAILDROP)
			buffer_append(places, &place, sizeof(place));
		/* Lines behind an end are another time of the same login, perhaps. */
		last = row.kind == ID_END ? 0 : place.hash;
		if (i % LINES_AT_ONCE == 0)
			arena_reset(arena);
	}
}

/* Makes the index anew where the file is another than it was. */
static struct err renew_index(struct adopt_file *file, FILE *in)
{
	cleanup(id_reader_cleanup) struct id_reader *reader = NULL;
	struct buffer places = { 0 };
	struct stat as;
	struct err e;

	if (fstat(fileno(in), &as) != 0)
		return err_errno(ERR_TEMP, errno, "status");
	if (file->indexed && as.st_ino == file->as.st_ino && as.st_size == file->as.st_size &&
		as.st_mtim.tv_sec == file->as.st_mtim.tv_sec &&
		as.st_mtim.tv_nsec == file->as.st_mtim.tv_nsec)
		return ok();
	if (failed(e = id_reader_new(in, &reader)) || failed(e = index_lines(reader, &places))) {
		buffer_done(&places);
		return e;
	}
	free(file->places);
	file->n_places = buffer_used(&places) / sizeof(file->places[0]);
	file->places = mem_alloc(buffer_used(&places) + 1);
	if (file->n_places)
		memcpy(file->places, buffer_data(&places), buffer_used(&places));
	buffer_done(&places);
	qsort(file->places, file->n_places, sizeof(file->places[0]), by_hash);
	file->as = as;
	file->indexed = true;
	return ok();
}

struct lookup {
	struct adopt_file *file;
	const char *tenant, *login;
	int64_t now;
	struct arena *arena;
	struct adopted adopted;
	struct err e;
};

/* What begins at one place. The last complete one counts. */
static struct err read_place(struct lookup *l, struct id_reader *reader, uint64_t offset)
{
	cleanup(id_blocks_cleanup) struct id_blocks *blocks = NULL;
	struct id_block block;
	bool more = false;
	struct err e = id_reader_seek(reader, offset);

	blocks = id_blocks_new(reader);
	if (failed(e) || failed(e = id_blocks_next(blocks, &block, &more)) || !more)
		return e;
	if (block.complete && strcmp(block.login, l->login) == 0 &&
		(!*block.tenant || strcmp(block.tenant, l->tenant) == 0))
		id_block_adopt(&block, l->now, l->arena, &l->adopted);
	return ok();
}

static struct err look_up(struct lookup *l, FILE *in)
{
	const struct adopt_file *file = l->file;
	uint64_t hash = hash_of(l->login);
	cleanup(id_reader_cleanup) struct id_reader *reader = NULL;
	size_t low = 0, high = file->n_places;
	struct err e = ok();

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->places[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == file->n_places || file->places[low].hash != hash)
		return ok();
	rewind(in);
	e = id_reader_new(in, &reader);
	for (; !failed(e) && low < file->n_places && file->places[low].hash == hash; low++)
		e = read_place(l, reader, file->places[low].offset);
	return e;
}

static void run_lookup(void *arg)
{
	struct lookup *l = arg;
	cleanup(file_cleanup) FILE *in = fopen(l->file->path, "re");

	if (!in) {
		l->e = err_errno(ERR_TEMP, errno, "opening");
		return;
	}
	l->e = renew_index(l->file, in);
	if (!failed(l->e))
		l->e = look_up(l, in);
}

fiber_fn struct err adopted_from_file(const char *path, const char *tenant, const char *login,
	int64_t now, struct arena *arena, struct adopted *ret)
{
	struct lookup lookup = {
		.file = file_at(path),
		.tenant = tenant,
		.login = login,
		.now = now,
		.arena = arena,
		.e = ok(),
	};
	struct err e;

	*ret = (struct adopted){ 0 };
	if (failed(e = gate_enter(&lookup.file->gate)))
		return e;
	offload(run_lookup, &lookup);
	gate_leave(&lookup.file->gate);
	if (failed(lookup.e)) {
		lookup.e.scope = ERR_TEMP;
		return err_context(lookup.e, "%s", path);
	}
	*ret = lookup.adopted;
	return ok();
}

fiber_fn struct err adopted_entries(const struct tenant *tenant, const char *login, int64_t now,
	struct arena *arena, struct adopted *ret)
{
	const char *path = tenant->uidl.adopt_file;

	*ret = (struct adopted){ 0 };
	if (!path || !*path)
		return ok();
	return err_context(
		adopted_from_file(path, tenant->name, login, now, arena, ret), "uidl.adopt_file");
}

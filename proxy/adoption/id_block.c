#include "proxy/adoption/id_block.h"

#include <string.h>

#include "proxy/maildrop/unique_id.h"

struct id_blocks {
	struct id_reader *reader;
	struct arena *arena;      /* of the block that was handed out */
	struct arena *next_arena; /* of the line behind it */
	struct id_row next;
	unsigned next_line;
	bool begun, more; /* there is a next */
};

/* A block as it grows. */
struct growing {
	struct buffer messages, lines;
	bool ended;
	uint64_t expected;
};

struct id_blocks *id_blocks_new(struct id_reader *reader)
{
	struct id_blocks *blocks = mem_zalloc(1, sizeof(*blocks));

	blocks->reader = reader;
	blocks->arena = arena_new();
	blocks->next_arena = arena_new();
	return blocks;
}

void id_blocks_free(struct id_blocks *blocks)
{
	if (!blocks)
		return;
	arena_free(blocks->arena);
	arena_free(blocks->next_arena);
	free(blocks);
}

static struct err read_next(struct id_blocks *b, struct arena *arena)
{
	struct err e = id_read(b->reader, arena, &b->next, &b->more);

	b->next_line = id_reader_line(b->reader);
	return e;
}

/* Of the line that comes next; it was read into the arena of this block. */
static void take_row(struct id_blocks *b, struct id_block *block, struct growing *growing)
{
	switch (b->next.kind) {
	case ID_MAILDROP:
		block->maildrop = b->next;
		break;
	case ID_END:
		growing->ended = true;
		growing->expected = b->next.messages;
		break;
	case ID_MESSAGE:
		buffer_append(&growing->messages, &b->next, sizeof(b->next));
		buffer_append(&growing->lines, &b->next_line, sizeof(b->next_line));
		block->n++;
		if (*b->next.old_id)
			block->any_adopted = true;
		else
			block->any_known = true;
		break;
	}
}

static bool belongs(const struct id_blocks *b, const struct id_block *block)
{
	return b->more && strcmp(b->next.login, block->login) == 0 &&
	       strcmp(b->next.tenant, block->tenant) == 0;
}

static void *in_arena(struct arena *arena, struct buffer *buffer)
{
	size_t n = buffer_used(buffer);
	void *copy = arena_alloc(arena, n + 1);

	if (n > 0)
		memcpy(copy, buffer_data(buffer), n);
	buffer_done(buffer);
	return copy;
}

/* Takes lines as long as they are of this block; the first that is not is left in b->next, and its
 * texts in b->next_arena. Lines are read there and moved, since whose they are shows only then. */
static struct err grow(struct id_blocks *b, struct id_block *block, struct growing *growing)
{
	struct err e = ok();

	while (!growing->ended && belongs(b, block)) {
		take_row(b, block, growing);
		if (failed(e = read_next(b, b->arena)))
			return e;
	}
	return e;
}

/* Copies the texts of the line that comes next, since the arena goes with the block. */
static void keep_next(struct id_blocks *b)
{
	arena_reset(b->next_arena);
	for (size_t i = 0; b->more && i < id_column_count; i++) {
		const char **text = (const char **)((char *)&b->next + id_columns[i].offset);

		if (id_columns[i].type == ID_TEXT)
			*text = arena_strdup(b->next_arena, *text);
	}
}

struct err id_blocks_next(struct id_blocks *b, struct id_block *ret, bool *ret_more)
{
	struct growing growing = { 0 };
	struct err e = ok();

	if (!b->begun)
		e = read_next(b, b->next_arena);
	b->begun = true;
	*ret_more = !failed(e) && b->more;
	if (!*ret_more)
		return e;
	/* The line that comes next is this block's first. */
	arena_free(b->arena);
	b->arena = steal(b->next_arena);
	b->next_arena = arena_new();
	*ret = (struct id_block){
		.tenant = b->next.tenant, .login = b->next.login, .line = b->next_line
	};
	id_row_clear(&ret->maildrop);
	e = grow(b, ret, &growing);
	ret->messages = in_arena(b->arena, &growing.messages);
	ret->lines = in_arena(b->arena, &growing.lines);
	ret->complete = !id_reader_kinds(b->reader) ||
			(growing.ended && growing.expected == ret->n && id_reader_whole(b->reader));
	if (!failed(e))
		keep_next(b);
	return e;
}

struct adopted_id {
	const char *text;
	size_t index;
};

static int by_text(const void *a, const void *b)
{
	const struct adopted_id *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Marks all but the first of those with one id. */
static bool *find_doubles(const struct id_block *block, struct arena *arena)
{
	struct adopted_id *ids = arena_alloc(arena, (block->n + 1) * sizeof(ids[0]));
	bool *doubles = arena_zalloc(arena, block->n + 1, sizeof(doubles[0]));

	for (size_t i = 0; i < block->n; i++)
		ids[i] = (struct adopted_id){ block->messages[i].old_id, i };
	qsort(ids, block->n, sizeof(ids[0]), by_text);
	for (size_t i = 1; i < block->n; i++)
		doubles[ids[i].index] = strcmp(ids[i].text, ids[i - 1].text) == 0;
	return doubles;
}

static struct registry_entry adopt(
	const struct id_row *row, size_t index, int64_t now, struct arena *arena)
{
	struct registry_entry entry = row->entry;
	struct unique_id id;

	unique_id_adopted(&id, row->old_id);
	entry.unique_id = arena_strdup(arena, id.text);
	/* Keys in order, so that equal messages are matched in order. */
	entry.key = arena_printf(arena, ADOPTED_KEY "%08zx", index);
	entry.emailid = arena_strdup(arena, entry.emailid);
	entry.uid = entry.uidvalidity = 0;
	entry.folder = 0;
	entry.missing = now;
	entry.measured = REGISTRY_NO_SIZE;
	entry.exact = entry.hidden = false;
	return entry;
}

void id_block_adopt(
	const struct id_block *block, int64_t now, struct arena *arena, struct adopted *ret)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	const bool *doubles = find_doubles(block, scratch);

	*ret = (struct adopted){ 0 };
	ret->entries = arena_alloc(arena, (block->n + 1) * sizeof(ret->entries[0]));
	for (size_t i = 0; i < block->n; i++) {
		uint64_t behind;

		if (!*block->messages[i].old_id || doubles[i])
			continue;
		ret->entries[ret->n] = adopt(&block->messages[i], i, now, arena);
		behind = id_number_behind(ret->entries[ret->n++].unique_id);
		ret->next = behind > ret->next ? behind : ret->next;
	}
}

uint64_t id_number_behind(const char *unique_id)
{
	const unsigned __int128 given = (unsigned __int128)1 << 64;
	unsigned __int128 value = 0;

	/* What a number of the registry looks like: see unique_id.h. */
	if (*unique_id == '0')
		return 0;
	for (; *unique_id; unique_id++) {
		if (*unique_id < '0' || *unique_id > '9')
			return 0;
		value = value * 10 + (unsigned)(*unique_id - '0');
		if (value >= 2 * given)
			return 0;
	}
	if (value >= given)
		value -= given;
	return value < REGISTRY_NUMBER_MAX ? (uint64_t)value + 1 : 0;
}

/* registry_record - see the header. */
#include "proxy/maildrop/registry_record.h"

#include <string.h>

/* Blocks of strings double from the first size to the last: most maildrops are small. */
#define TEXT_FIRST 128
#define TEXT_LAST  16384

#define FIRST_ENTRIES 16

void record_begin(struct record_builder *builder, const struct registry_maildrop *maildrop,
	struct arena *arena, struct registry_record *ret)
{
	*builder = (struct record_builder){
		.record = ret,
		.arena = arena,
		.text_size = TEXT_FIRST,
	};
	*ret = (struct registry_record){ 0 };
	if (!maildrop->folders)
		return;
	ret->n_folders = maildrop->n_folders;
	ret->folders = arena_zalloc(arena, ret->n_folders, sizeof(*ret->folders));
	for (size_t i = 0; i < ret->n_folders; i++) {
		const char *name = maildrop->folders[i];

		ret->folders[i].name = record_text(builder, name, strlen(name));
		ret->folders[i].mark = "";
	}
}

const char *record_text(struct record_builder *builder, const char *text, size_t n)
{
	char *copy;

	if (!n)
		return "";
	if (n >= TEXT_LAST / 4)
		return arena_strndup(builder->arena, text, n);
	if (n >= builder->text_left) {
		if (builder->text && builder->text_size < TEXT_LAST)
			builder->text_size *= 2;
		while (builder->text_size < 4 * n)
			builder->text_size *= 2;
		builder->text = arena_alloc(builder->arena, builder->text_size);
		builder->text_left = builder->text_size;
	}
	copy = builder->text;
	memcpy(copy, text, n);
	copy[n] = '\0';
	builder->text += n + 1;
	builder->text_left -= n + 1;
	return copy;
}

struct registry_entry *record_entry(struct record_builder *builder)
{
	struct registry_record *record = builder->record;
	struct registry_entry *entry;

	if (record->n_entries == builder->room) {
		builder->room = builder->room ? builder->room * 2 : FIRST_ENTRIES;
		builder->entries =
			mem_resize(builder->entries, builder->room, sizeof(*builder->entries));
	}
	entry = &builder->entries[record->n_entries++];
	*entry = (struct registry_entry){
		.key = "",
		.unique_id = "",
		.emailid = "",
		.size = REGISTRY_NO_SIZE,
		.measured = REGISTRY_NO_SIZE,
	};
	return entry;
}

void record_end(struct record_builder *builder)
{
	struct registry_record *record = builder->record;
	size_t size = record->n_entries * sizeof(*record->entries);

	record->entries = arena_alloc(builder->arena, size);
	if (size)
		memcpy(record->entries, builder->entries, size);
	record_done(builder);
}

void record_done(struct record_builder *builder)
{
	free(builder->entries);
	builder->entries = NULL;
	builder->room = 0;
}

uint64_t registry_revision_after(uint64_t old)
{
	uint64_t now = registry_clock();

	return old < now ? now : old + 1;
}

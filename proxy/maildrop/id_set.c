/* id_set - open addressing; never more than half full. */
#include "proxy/maildrop/id_set.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct id_set id_set_new(struct arena *arena, size_t most)
{
	struct id_set set = { .n_slots = 16 };

	while (set.n_slots < 2 * most)
		set.n_slots *= 2;
	set.slots = arena_zalloc(arena, set.n_slots, sizeof(*set.slots));
	return set;
}

/* FNV-1a. Who chooses ids to collide slows down his own logins only. */
static uint64_t hash(const char *text)
{
	uint64_t value = UINT64_C(14695981039346656037);

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return value ^ value >> 32;
}

/* Where the text is, or would be put. */
static const char **slot_of(const struct id_set *set, const char *text)
{
	size_t i = (size_t)hash(text) & (set->n_slots - 1);

	while (set->slots[i] && strcmp(set->slots[i], text) != 0)
		i = (i + 1) & (set->n_slots - 1);
	return &set->slots[i];
}

bool id_set_add(struct id_set *set, const char *text)
{
	const char **slot = slot_of(set, text);

	if (*slot)
		return false;
	assert(2 * (set->n + 1) <= set->n_slots);
	*slot = text;
	set->n++;
	return true;
}

bool id_set_has(const struct id_set *set, const char *text)
{
	return *slot_of(set, text) != NULL;
}

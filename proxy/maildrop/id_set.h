/* id_set - a set of unique-ids, to find out that a text is taken. Borrows the texts. */
#ifndef POPGATE_MAILDROP_ID_SET_H
#define POPGATE_MAILDROP_ID_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/mem.h"

struct id_set {
	const char **slots;
	size_t n_slots; /* a power of two */
	size_t n;
};

/* For up to `most` texts. */
struct id_set id_set_new(struct arena *arena, size_t most);
/* False: it was there. */
bool id_set_add(struct id_set *set, const char *text);
bool id_set_has(const struct id_set *set, const char *text);

#endif

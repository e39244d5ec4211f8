/* match - see the header. A step is a set of properties that must agree: what is left on both sides
 * is sorted by them, and equal runs are paired. Never more than a sort per step, so that a maildrop
 * full of equal messages costs no more than any other. */
#include "proxy/maildrop/match.h"

#include <string.h>

enum property {
	FOLDER = 1 << 0,
	EMAILID = 1 << 1,
	NAME = 1 << 2, /* the key up to its sizes */
	ARRIVAL = 1 << 3,
	SIZE = 1 << 4,
	FINGERPRINT = 1 << 5,
	/* Known fingerprints that differ forbid a pair. */
	NO_CONTRADICTION = 1 << 6,
	/* Only for what was adopted without arrival and fingerprint. */
	BARE = 1 << 7,
};

/* Each is tried within the folders first. */
static const unsigned steps[] = {
	EMAILID,
	NAME,
	FINGERPRINT | ARRIVAL | SIZE,
	FINGERPRINT | ARRIVAL,
	ARRIVAL | SIZE | NO_CONTRADICTION,
	FINGERPRINT | SIZE,
	FINGERPRINT,
	SIZE | BARE,
};

/* How many of the steps count. */
static const size_t n_steps[] = {
	[MATCH_ALL] = sizeof(steps) / sizeof(steps[0]),
	[MATCH_LIKELY] = 6,
	[MATCH_CERTAIN] = 4,
};

/* A message in the order of one step. */
struct candidate {
	const struct match_item *item;
	uint32_t index; /* of the item */
	uint32_t name_length;
	unsigned properties;
};

/* What no step has paired yet, in order. */
struct side {
	const struct match_item *items;
	uint32_t *left;
	size_t n_left;
	struct candidate *candidates; /* of the present step */
	size_t n_candidates;
};

struct matching {
	struct side lost, fresh;
	int64_t until;  /* when the last was adopted of which only the size is known; 0: unknown */
	bool *taken;    /* of the lost */
	uint32_t *pair; /* of the fresh */
};

static bool is_given(const char *text)
{
	return text && *text;
}

static size_t name_length(const char *key)
{
	const char *size = strstr(key, ",S="), *wire_size = strstr(key, ",W=");

	if (!size || (wire_size && wire_size < size))
		size = wire_size;
	return size ? (size_t)(size - key) : strlen(key);
}

/* Whether all is known that the step compares. */
static bool is_eligible(const struct match_item *item, unsigned properties)
{
	return !((properties & EMAILID && !is_given(item->emailid)) ||
		 (properties & NAME && (item->adopted || !is_given(item->key))) ||
		 (properties & ARRIVAL && !item->arrival) ||
		 (properties & SIZE && item->size == UINT64_MAX) ||
		 (properties & FINGERPRINT && !item->fingerprint));
}

static bool is_bare(const struct match_item *item)
{
	return item->adopted && !item->arrival && !item->fingerprint;
}

static int compare_names(const struct candidate *a, const struct candidate *b)
{
	uint32_t n = a->name_length < b->name_length ? a->name_length : b->name_length;
	int order = memcmp(a->item->key, b->item->key, n);

	return order ? order
		     : (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* By the step's properties. */
static int compare(const struct candidate *a, const struct candidate *b)
{
	const struct match_item *x = a->item, *y = b->item;
	unsigned properties = a->properties;
	int order = 0;

	if (properties & FOLDER)
		order = COMPARE(x->folder, y->folder);
	if (!order && properties & EMAILID)
		order = strcmp(x->emailid, y->emailid);
	if (!order && properties & NAME)
		order = compare_names(a, b);
	if (!order && properties & FINGERPRINT)
		order = COMPARE(x->fingerprint, y->fingerprint);
	if (!order && properties & ARRIVAL)
		order = COMPARE(x->arrival, y->arrival);
	if (!order && properties & SIZE)
		order = COMPARE(x->size, y->size);
	return order;
}

static int in_order(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = compare(x, y);

	return order ? order : COMPARE(x->index, y->index);
}

/* Whether it may take part in the step, on that side. */
static bool takes_part(const struct matching *m, const struct side *side,
	const struct match_item *item, unsigned properties)
{
	if (!is_eligible(item, properties))
		return false;
	if (!(properties & BARE))
		return true;
	return side == &m->lost ? is_bare(item) : !m->until || item->arrival <= m->until;
}

static void collect(const struct matching *m, struct side *side, unsigned properties)
{
	side->n_candidates = 0;
	for (size_t i = 0; i < side->n_left; i++) {
		const struct match_item *item = &side->items[side->left[i]];

		if (!takes_part(m, side, item, properties))
			continue;
		side->candidates[side->n_candidates++] = (struct candidate){
			.item = item,
			.index = side->left[i],
			.name_length = properties & NAME ? (uint32_t)name_length(item->key) : 0,
			.properties = properties,
		};
	}
	qsort(side->candidates, side->n_candidates, sizeof(side->candidates[0]), in_order);
}

/* How many candidates from the first on are equal to it. */
static size_t run_length(const struct candidate *first, size_t n)
{
	size_t length = 1;

	while (length < n && compare(first, first + length) == 0)
		length++;
	return length;
}

/* Pairs equal ones in order. Where fingerprints may contradict, equal ones are paired already, so
 * that a fresh message with one fits only the lost without. */
static void pair_run(struct matching *m, const struct candidate *lost, size_t n_lost,
	const struct candidate *fresh, size_t n_fresh)
{
	bool may_contradict = fresh->properties & NO_CONTRADICTION;
	size_t next_any = 0, next_unknown = 0;

	for (size_t i = 0; i < n_fresh; i++) {
		bool any = !may_contradict || !fresh[i].item->fingerprint;
		size_t *next = any ? &next_any : &next_unknown;

		while (*next < n_lost &&
			(m->taken[lost[*next].index] || (!any && lost[*next].item->fingerprint)))
			++*next;
		if (*next == n_lost)
			continue;
		m->pair[fresh[i].index] = lost[*next].index;
		m->taken[lost[*next].index] = true;
	}
}

static void drop_paired(struct matching *m)
{
	struct side *lost = &m->lost, *fresh = &m->fresh;
	size_t n = 0;

	for (size_t i = 0; i < lost->n_left; i++) {
		if (!m->taken[lost->left[i]])
			lost->left[n++] = lost->left[i];
	}
	lost->n_left = n;
	n = 0;
	for (size_t i = 0; i < fresh->n_left; i++) {
		if (m->pair[fresh->left[i]] == MATCH_NONE)
			fresh->left[n++] = fresh->left[i];
	}
	fresh->n_left = n;
}

static void take_step(struct matching *m, unsigned properties)
{
	const struct candidate *lost = m->lost.candidates, *fresh = m->fresh.candidates;
	const struct candidate *lost_end, *fresh_end;

	collect(m, &m->lost, properties);
	collect(m, &m->fresh, properties);
	lost_end = lost + m->lost.n_candidates;
	fresh_end = fresh + m->fresh.n_candidates;
	while (lost < lost_end && fresh < fresh_end) {
		size_t n_lost = run_length(lost, (size_t)(lost_end - lost));
		size_t n_fresh = run_length(fresh, (size_t)(fresh_end - fresh));
		int order = compare(lost, fresh);

		if (order == 0)
			pair_run(m, lost, n_lost, fresh, n_fresh);
		if (order <= 0)
			lost += n_lost;
		if (order >= 0)
			fresh += n_fresh;
	}
	drop_paired(m);
}

static void side_init(
	struct side *side, const struct match_item *items, size_t n, struct arena *arena)
{
	side->items = items;
	side->left = arena_alloc(arena, n * sizeof(side->left[0]));
	side->n_left = n;
	for (size_t i = 0; i < n; i++)
		side->left[i] = (uint32_t)i;
	side->candidates = arena_alloc(arena, n * sizeof(side->candidates[0]));
}

static int64_t last_adoption(const struct match_item *lost, size_t n)
{
	int64_t last = 0;

	for (size_t i = 0; i < n; i++)
		if (is_bare(&lost[i]) && lost[i].until > last)
			last = lost[i].until;
	return last;
}

const uint32_t *match(const struct match_item *lost, size_t n_lost, const struct match_item *fresh,
	size_t n_fresh, enum match_rules rules, struct arena *arena)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct matching m = {
		.until = last_adoption(lost, n_lost),
		.taken = arena_zalloc(scratch, n_lost + 1, sizeof(bool)),
	};

	m.pair = arena_alloc(arena, (n_fresh + 1) * sizeof(m.pair[0]));
	for (size_t i = 0; i < n_fresh; i++)
		m.pair[i] = MATCH_NONE;
	side_init(&m.lost, lost, n_lost, scratch);
	side_init(&m.fresh, fresh, n_fresh, scratch);
	for (size_t i = 0; i < n_steps[rules] && m.lost.n_left && m.fresh.n_left; i++) {
		take_step(&m, steps[i] | FOLDER);
		take_step(&m, steps[i]);
	}
	return m.pair;
}

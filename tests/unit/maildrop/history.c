#include "history.h"

#include <stdio.h>
#include <string.h>

#define SECOND       8  /* ticks */
#define MOST_LETTERS 24 /* in the store; more make a history slower, not better */

struct shown_id {
	char id[UNIQUE_ID_MAX + 1];
	uint64_t size;
};

/* xorshift64* */
unsigned history_random(struct history *h, unsigned n)
{
	h->random ^= h->random >> 12;
	h->random ^= h->random << 25;
	h->random ^= h->random >> 27;
	return (unsigned)((h->random * UINT64_C(2685821657736338717) >> 33) % n);
}

void history_fail(struct history *h, const char *format, ...)
{
	va_list ap;

	if (*h->failure)
		return;
	va_start(ap, format);
	vsnprintf(h->failure, sizeof(h->failure), format, ap);
	va_end(ap);
}

void history_note(struct history *h, const char *format, ...)
{
	va_list ap;

	if (!h->told)
		return;
	va_start(ap, format);
	fprintf(stderr, "%5u ", h->tick);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
}

struct letter *history_letter(struct history *h, uint64_t size)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->letters[i].size == size)
			return &h->letters[i];
	return NULL;
}

static struct mail_folder *folder_of(struct history *h, const struct letter *letter)
{
	return &h->mail.folders[letter->folder];
}

static bool is_listed(const struct history *h, const struct letter *letter)
{
	return letter->place == IN_STORE && !h->mail.folders[letter->folder].absent;
}

/* The store's truth, as the fake backend takes it: by folder, then UID or arrival and name. */
static int by_listing(const void *a, const void *b)
{
	const struct backend_message *m = a, *n = b;

	if (m->folder != n->folder)
		return m->folder < n->folder ? -1 : 1;
	if (!m->key)
		return m->uid < n->uid ? -1 : m->uid > n->uid;
	if (m->arrival != n->arrival)
		return m->arrival < n->arrival ? -1 : 1;
	return strcmp(m->key, n->key);
}

static void publish(struct history *h)
{
	struct mail *mail = &h->mail;

	mail->n = 0;
	for (size_t i = 0; i < h->n; i++) {
		const struct letter *letter = &h->letters[i];

		if (!is_listed(h, letter))
			continue;
		if (mail->n == mail->room) {
			mail->room = mail->room * 2 + 16;
			mail->messages =
				mem_resize(mail->messages, mail->room, sizeof(*mail->messages));
		}
		mail->messages[mail->n++] = (struct backend_message){
			.size = letter->size,
			.arrival = h->weather.no_arrivals ? 0 : letter->arrival,
			.key = h->weather.maildir ? letter->key : NULL,
			.emailid = h->weather.maildir ? NULL : letter->emailid,
			.fingerprint = letter->fingerprint,
			.uidvalidity = h->weather.maildir ? 0 : letter->uidvalidity,
			.uid = h->weather.maildir ? 0 : letter->uid,
			.folder = letter->folder,
			.exact = true,
		};
	}
	if (mail->n)
		qsort(mail->messages, mail->n, sizeof(*mail->messages), by_listing);
}

static bool is_published(const struct history *h, const struct letter *letter)
{
	for (size_t i = 0; i < h->mail.n; i++) {
		const struct backend_message *m = &h->mail.messages[i];

		if (m->size == letter->size && m->folder == letter->folder &&
			(h->weather.maildir ? strcmp(m->key, letter->key) == 0
					    : m->uid == letter->uid))
			return true;
	}
	return false;
}

void history_take_removals(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (is_listed(h, &h->letters[i]) && !is_published(h, &h->letters[i]))
			h->letters[i].place = GONE;
}

/* A name that nothing in this folder has had; but for UIDs that went back. */
static void name_anew(struct history *h, struct letter *letter)
{
	struct mail_folder *folder = folder_of(h, letter);

	letter->uidvalidity = folder->uidvalidity;
	letter->uid = folder->uidnext++;
	letter->key = arena_printf(h->mail.arena, "%lld.M%uP%u.host", (long long)letter->arrival,
		++h->tick, history_random(h, 1000));
}

static struct letter *new_letter(struct history *h)
{
	if (h->n == h->room) {
		h->room = h->room * 2 + 64;
		h->letters = mem_resize(h->letters, h->room, sizeof(*h->letters));
	}
	h->letters[h->n] = (struct letter){ 0 };
	return &h->letters[h->n++];
}

static void deliver(struct history *h)
{
	struct letter *letter = new_letter(h);

	letter->size = h->next_size++;
	/* Many come in the same second; some are copied here with an old date. */
	letter->arrival = 1000000 + h->tick / SECOND - (history_random(h, 10) == 0 ? 5000 : 0);
	letter->folder = h->weather.also ? (uint16_t)history_random(h, 2) : 0;
	letter->fingerprint = letter->size * 7919;
	letter->emailid = arena_printf(h->mail.arena, "E%llu", (unsigned long long)letter->size);
	name_anew(h, letter);
}

static struct letter *pick(struct history *h, enum place place)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += h->letters[i].place == place;
	if (n == 0)
		return NULL;
	n = history_random(h, n);
	for (size_t i = 0;; i++) {
		struct letter *letter = &h->letters[i];

		if (letter->place != place || n-- > 0)
			continue;
		history_note(h, "  %llu", (unsigned long long)letter->size);
		return letter;
	}
}

/* Who lists it from now on cannot tell that it is the one of before. */
static void lose_track(struct history *h, struct letter *letter)
{
	letter->loose = true;
	letter->lost = ++h->tick;
}

/* Ordinary traffic has given it another name: can it still be told? */
static void renamed_in_traffic(struct history *h, struct letter *letter)
{
	bool emailid = !h->weather.maildir && !h->weather.no_emailids && !letter->strange;
	bool all = !h->weather.no_fingerprints && !h->weather.no_arrivals;

	if (!emailid && !all)
		lose_track(h, letter);
}

static void expunge(struct history *h)
{
	struct letter *letter = pick(h, IN_STORE);

	if (letter)
		letter->place = GONE;
}

static void move_out(struct history *h)
{
	struct letter *letter = pick(h, IN_STORE);

	if (letter)
		letter->place = ELSEWHERE;
}

static void move_back(struct history *h)
{
	struct letter *letter = pick(h, ELSEWHERE);

	if (!letter)
		return;
	letter->place = IN_STORE;
	name_anew(h, letter);
	renamed_in_traffic(h, letter);
}

static void move_between(struct history *h)
{
	struct letter *letter = h->weather.also ? pick(h, IN_STORE) : NULL;

	if (!letter)
		return;
	letter->folder = !letter->folder;
	name_anew(h, letter);
	renamed_in_traffic(h, letter);
}

static void copy(struct history *h)
{
	struct letter *from = pick(h, IN_STORE), *to;
	struct letter original;

	if (!from || from->hidden_from)
		return;
	from->copied = true;
	original = *from;
	to = new_letter(h);
	*to = original;
	to->id[0] = to->saved_id[0] = '\0';
	to->loose = true;
	name_anew(h, to);
}

/* Nobody can know that a UID is spent which no record has. */
static bool may_go_back(const struct history *h)
{
	return h->weather.uids_go_back && !h->unrecorded && h->n_opening == 0;
}

/* What comes now does not come in the same second as what was there. */
static void later(struct history *h)
{
	h->tick += SECOND;
}

/* Anything but its name tells a letter, as long as the names are all of an IMAP server. */
static bool is_tellable(const struct history *h)
{
	return !h->weather.no_emailids || !h->weather.no_arrivals || !h->weather.no_fingerprints;
}

/* Others get the names of letters that are not there, whose entries are known by these alone. */
static void names_go_to_others(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (!is_listed(h, &h->letters[i]) || !is_tellable(h))
			lose_track(h, &h->letters[i]);
}

static void renumber_folder(struct history *h, uint16_t index)
{
	struct mail_folder *folder = &h->mail.folders[index];

	/* An old UIDVALIDITY may come back, with the same UIDs for other messages. */
	if (may_go_back(h) && history_random(h, 3) == 0) {
		folder->uidvalidity = 1 + history_random(h, h->next_uidvalidity - 1);
		names_go_to_others(h);
	} else {
		folder->uidvalidity = h->next_uidvalidity++;
	}
	folder->uidnext = 1;
	folder->restorations++;
	later(h);
	for (size_t i = 0; i < h->n; i++) {
		struct letter *letter = &h->letters[i];

		if (letter->folder != index || letter->place != IN_STORE)
			continue;
		name_anew(h, letter);
		if (!is_tellable(h))
			lose_track(h, letter);
	}
}

static void renumber(struct history *h)
{
	uint16_t index = h->weather.also ? (uint16_t)history_random(h, 2) : 0;

	if (h->weather.maildir)
		return;
	renumber_folder(h, index);
}

/* The newest go, and the server forgets that it had given their UIDs. */
static void uids_go_back(struct history *h)
{
	uint16_t index = h->weather.also ? (uint16_t)history_random(h, 2) : 0;
	struct mail_folder *folder = &h->mail.folders[index];
	uint32_t most = 0;

	if (!may_go_back(h) || h->weather.maildir)
		return;
	for (size_t i = 0; i < h->n; i++) {
		struct letter *letter = &h->letters[i];

		if (letter->folder != index || letter->place != IN_STORE)
			continue;
		if (letter->uid + 3 > folder->uidnext)
			letter->place = GONE;
		else if (letter->uid > most)
			most = letter->uid;
	}
	folder->uidnext = most + 1;
	folder->restorations++;
	names_go_to_others(h);
	later(h);
}

/* A server mends the sizes in names; another tool gives other names altogether. */
static void rename_file(struct history *h)
{
	struct letter *letter = h->weather.maildir ? pick(h, IN_STORE) : NULL;

	if (!letter)
		return;
	if (history_random(h, 2) && !strchr(letter->key, ',')) {
		letter->key = arena_printf(
			h->mail.arena, "%s,S=%llu", letter->key, (unsigned long long)letter->size);
		return;
	}
	name_anew(h, letter);
	renamed_in_traffic(h, letter);
}

static void junk_comes_and_goes(struct history *h)
{
	struct mail_folder *junk = &h->mail.folders[1];

	if (!h->weather.also)
		return;
	junk->absent = !junk->absent;
	if (!junk->absent && history_random(h, 2) && !h->weather.maildir)
		renumber_folder(h, 1);
}

void history_convert(struct history *h)
{
	bool tellable = !h->weather.no_arrivals || !h->weather.no_fingerprints;

	h->weather.maildir = !h->weather.maildir;
	for (size_t i = 0; i < h->n; i++) {
		/* What is elsewhere comes back to another store. */
		if (!tellable || (!is_listed(h, &h->letters[i]) && h->weather.no_fingerprints))
			lose_track(h, &h->letters[i]);
		h->letters[i].strange = true;
	}
	for (uint16_t i = 0; i < 2; i++)
		renumber_folder(h, i);
	publish(h);
}

void history_step(struct history *h)
{
	static const struct {
		void (*happen)(struct history *h);
		const char *name;
		unsigned weight;
	} steps[] = {
		{ deliver, "deliver", 5 },
		{ expunge, "expunge", 2 },
		{ move_out, "move out", 1 },
		{ move_back, "move back", 2 },
		{ move_between, "move between", 1 },
		{ copy, "copy", 1 },
		{ renumber, "renumber", 1 },
		{ uids_go_back, "uids go back", 1 },
		{ rename_file, "rename", 1 },
		{ junk_comes_and_goes, "junk comes or goes", 1 },
	};
	unsigned chosen = history_random(h, 16), at = 0;
	unsigned n = 0;

	h->tick++;
	history_take_removals(h);
	for (size_t i = 0; i < h->n; i++)
		n += h->letters[i].place == IN_STORE;
	while (chosen >= steps[at].weight)
		chosen -= steps[at++].weight;
	if (n > MOST_LETTERS)
		at = 1;
	history_note(h, "%s", steps[at].name);
	steps[at].happen(h);
	publish(h);
}

void history_forget_missing(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (!is_listed(h, &h->letters[i]))
			lose_track(h, &h->letters[i]);
}

void history_save(struct history *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct letter *letter = &h->letters[i];

		strcpy(letter->saved_id, letter->loose ? "" : letter->id);
		letter->saved_hidden = letter->hidden_by != 0;
	}
}

void history_return(struct history *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct letter *letter = &h->letters[i];

		/* What told it may have been learnt since. */
		if (!is_listed(h, letter))
			lose_track(h, letter);
		letter->loose |= strcmp(letter->id, letter->saved_id) != 0;
		if (!letter->saved_hidden)
			letter->hidden_from = letter->hidden_by = 0;
	}
}

void history_start(struct history *h, uint64_t seed, const struct weather *weather)
{
	*h = (struct history){
		.weather = *weather,
		.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
		.next_uidvalidity = 3,
		.tick = 1,
		.next_size = 1000,
	};
	h->mail.arena = arena_new();
	for (uint16_t i = 0; i < 2; i++)
		h->mail.folders[i] = (struct mail_folder){ .uidvalidity = 1 + i, .uidnext = 1 };
}

void history_end(struct history *h)
{
	mail_done(&h->mail);
	free(h->letters);
	free(h->shown);
}

/* Never for another letter. */
static void judge_id(struct history *h, const char *id, uint64_t size)
{
	for (size_t i = 0; i < h->n_shown; i++) {
		if (strcmp(h->shown[i].id, id) != 0)
			continue;
		if (h->shown[i].size != size)
			history_fail(h, "%s was letter %llu and is now letter %llu", id,
				(unsigned long long)h->shown[i].size, (unsigned long long)size);
		return;
	}
	if (h->n_shown == h->room_shown) {
		h->room_shown = h->room_shown * 2 + 64;
		h->shown = mem_resize(h->shown, h->room_shown, sizeof(*h->shown));
	}
	strcpy(h->shown[h->n_shown].id, id);
	h->shown[h->n_shown++].size = size;
}

static void judge_letter(
	struct history *h, const char *id, uint64_t size, unsigned begun, bool recorded)
{
	struct letter *letter = history_letter(h, size);

	judge_id(h, id, size);
	if (letter->copied || begun < letter->lost || (!recorded && begun < letter->since))
		return;
	if (*letter->id && !letter->loose && !letter->asked && letter->place != GONE &&
		strcmp(letter->id, id) != 0)
		history_fail(h, "letter %llu was %s and is now %s", (unsigned long long)size,
			letter->id, id);
	if (strcmp(letter->id, id) != 0)
		letter->since = h->tick;
	strcpy(letter->id, id);
	letter->loose = !recorded;
	letter->strange &= !recorded;
}

/* Messages of the listing that must be shown, in the order of numbers. */
struct expected {
	const struct history *history;
	const struct backend_message *messages;
	uint32_t *indices;
	size_t n;
};

static int by_number(const void *a, const void *b, void *arg)
{
	const struct expected *e = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct backend_message *m = &e->messages[i], *n = &e->messages[j];

	if ((e->history->weather.maildir || e->history->weather.also) && m->arrival != n->arrival)
		return m->arrival < n->arrival ? -1 : 1;
	if (m->folder != n->folder)
		return m->folder < n->folder ? -1 : 1;
	if (m->uid != n->uid)
		return m->uid < n->uid ? -1 : 1;
	return m->key && n->key ? strcmp(m->key, n->key) : 0;
}

/* While it is being hidden it may be shown or not; so may what could no longer be told since. */
static bool must_be_shown(
	struct history *h, const struct session *session, uint64_t size, unsigned begun)
{
	const struct letter *letter = history_letter(h, size);

	if (!letter->hidden_from)
		return true;
	if (letter->hidden_by && letter->hidden_by < begun && letter->lost < letter->hidden_from)
		return false;
	for (size_t i = 1; i <= maildrop_count(session->drop); i++)
		if (maildrop_size(session->drop, i) == size)
			return true;
	return false;
}

void history_judge(struct history *h, const struct session *session, unsigned begun)
{
	struct expected e = { .history = h, .messages = session->backend.listed };
	bool recorded = !*session->opening.note.detail;
	size_t n = maildrop_count(session->drop);

	e.indices = mem_alloc(session->backend.n_listed * sizeof(*e.indices) + 1);
	for (size_t i = 0; i < session->backend.n_listed; i++)
		if (must_be_shown(h, session, e.messages[i].size, begun))
			e.indices[e.n++] = (uint32_t)i;
	qsort_r(e.indices, e.n, sizeof(*e.indices), by_number, &e);
	if (n != e.n)
		history_fail(h, "%zu messages instead of %zu", n, e.n);
	for (size_t i = 1; i <= n && i <= e.n; i++) {
		uint64_t size = maildrop_size(session->drop, i);

		if (size != e.messages[e.indices[i - 1]].size)
			history_fail(h, "letter %llu at %zu, not %llu", (unsigned long long)size, i,
				(unsigned long long)e.messages[e.indices[i - 1]].size);
		judge_letter(h, maildrop_unique_id(session->drop, i), size, begun, recorded);
	}
	for (size_t i = 1; i <= n; i++) {
		const char *id = arena_strdup(session->arena, maildrop_unique_id(session->drop, i));

		for (size_t j = i + 1; j <= n; j++)
			if (strcmp(id, maildrop_unique_id(session->drop, j)) == 0)
				history_fail(h, "%s twice", id);
	}
	h->unrecorded = !recorded;
	free(e.indices);
}

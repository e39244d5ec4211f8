/*
 * history - a mailbox that lives, with everything that servers do to it, and an oracle that sees
 * what sessions show of it.
 *
 * A letter is told by its size, which no other has but its copies. What is shown must be what the
 * store listed; an id must never be shown for two letters that differ, and a letter keeps its id as
 * long as it can be told that it is the same. What a history has made untellable is noted as such.
 */
#ifndef POPGATE_TEST_MAILDROP_HISTORY_H
#define POPGATE_TEST_MAILDROP_HISTORY_H

#include "fixture.h"

#include "proxy/maildrop/unique_id.h"

enum place { IN_STORE, ELSEWHERE, GONE };

struct letter {
	uint64_t size;
	int64_t arrival;
	uint16_t folder;
	uint32_t uidvalidity, uid;
	char *key, *emailid;
	uint64_t fingerprint;
	enum place place;
	unsigned lost;  /* tick when it could no longer be told; 0: it can */
	unsigned since; /* tick when its id was first shown */
	bool strange;   /* this kind of store has not shown it yet */
	bool copied;    /* there is or was another one like it */
	bool loose;     /* its id may change at the next listing */
	bool asked;     /* somebody has asked for its removal */
	char id[UNIQUE_ID_MAX + 1], saved_id[UNIQUE_ID_MAX + 1];
	unsigned hidden_from, hidden_by; /* ticks between which it was hidden; 0: it was not */
	bool saved_hidden;
};

/* What kind of server, and what happens to it. */
struct weather {
	bool maildir;
	bool also; /* a further folder */
	bool no_emailids, no_fingerprints, no_arrivals, hides_uidnext, no_marks;
	bool uids_go_back;     /* UIDNEXT does, and UIDVALIDITY may return to an older value */
	bool database_returns; /* to an older copy */
	bool writes_fail;
	bool hides; /* on_delete */
};

struct history {
	struct weather weather;
	struct mail mail; /* as the fake backend has it */
	struct letter *letters;
	size_t n, room;
	uint64_t random;
	uint32_t next_uidvalidity;
	unsigned tick;
	uint64_t next_size;
	bool saved;         /* the database, to return to */
	unsigned n_opening; /* sessions between the listing and the record of it */
	bool unrecorded; /* a login was not remembered: until the next one, UIDs must not go back */
	char failure[400];
	bool told; /* on standard error */
	struct shown_id *shown;
	size_t n_shown, room_shown;
};

void history_start(struct history *history, uint64_t seed, const struct weather *weather);
void history_end(struct history *history);

/* 0 to n - 1. */
unsigned history_random(struct history *history, unsigned n);

/* Something happens to the mailbox. */
void history_step(struct history *history);
/* All mail moves to another kind of store. */
void history_convert(struct history *history);
/* The registry forgets what it has missed for long. */
void history_forget_missing(struct history *history);
/* What is known now will be all that is known after history_return. */
void history_save(struct history *history);
void history_return(struct history *history);

/* The backend has removed what it was asked for. */
void history_take_removals(struct history *history);
struct letter *history_letter(struct history *history, uint64_t size);

/* A session was opened that was begun at that tick: judges what it shows. */
void history_judge(struct history *history, const struct session *session, unsigned begun);
/* Tells what happens, where that is wanted. */
__attribute__((format(printf, 2, 3))) void history_note(
	struct history *history, const char *format, ...);
/* Notes the first failure. */
__attribute__((format(printf, 2, 3))) void history_fail(
	struct history *history, const char *format, ...);

#endif

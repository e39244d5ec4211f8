/*
 * imap_news - what a server tells of the selected mailbox in untagged lines: what SELECT found
 * (RFC 3501 section 6.3.1), EXPUNGE, VANISHED and HIGHESTMODSEQ (RFC 7162), and the UIDs that a
 * SEARCH found (RFC 3501, RFC 4731).
 *
 * Sets of UIDs are told range by range as they come, never kept and never expanded: a set may be a
 * megabyte long, and a range may be 1:4294967295. Pure.
 */
#ifndef POPGATE_BACKENDS_IMAP_NEWS_H
#define POPGATE_BACKENDS_IMAP_NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum imap_news_set {
	IMAP_SET_NONE,
	IMAP_SET_FOUND,    /* by SEARCH, in either form of its answer */
	IMAP_SET_EARLIER,  /* VANISHED (EARLIER): gone since a mod-sequence */
	IMAP_SET_VANISHED, /* VANISHED: just now */
};

/* Zero-initialise at a SELECT. */
struct imap_news {
	uint32_t uidvalidity, uidnext; /* 0: not told */
	uint32_t exists;
	bool exists_told;
	uint64_t highestmodseq; /* 0: the mailbox has none, or none was told */
	uint64_t expunged;      /* messages that went since */
	/* Where the ranges of one kind go, from <= to. NONE: nowhere. */
	enum imap_news_set wanted;
	void (*on_range)(void *arg, uint32_t from, uint32_t to);
	void *arg;
	/* The line so far. */
	enum imap_news_set set;
	bool spaced; /* its UIDs stand between spaces */
	bool tail;   /* what follows is no set any more */
	bool digits;
	uint64_t number;
	uint32_t from; /* of an open range; 0: none */
};

/* Takes a piece of a physical line, its LF included in the last one. first: the line begins with
 * it, and what stands before a set is whole in it. false: the line is no set of UIDs up to here;
 * one that is longer than others may be must be. */
bool imap_news_piece(struct imap_news *news, const char *piece, size_t n, bool first);

#endif

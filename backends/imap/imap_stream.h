/*
 * imap_stream - an IMAP connection: answers line by line, each of them judged (imap_answer.h).
 *
 * Owns:     the link, and what was read ahead of it.
 * How:      what lines tell of capabilities, the mailbox and quotas is noted as they come; then
 * they go, but for those that a caller waits for. Of FETCH answers that somebody wants the lines go
 * on to libetpan, which has the stream as its transport, and message bodies straight into its
 * memory. Suspends, errors: as etpan_link.
 */
#ifndef POPGATE_BACKENDS_IMAP_STREAM_H
#define POPGATE_BACKENDS_IMAP_STREAM_H

#include "backends/etpan_link.h"
#include "backends/imap/imap_answer.h"
#include "backends/imap/imap_capability.h"
#include "backends/imap/imap_news.h"
#include "backends/imap/imap_quota.h"
#include "proxy/runtime/mem.h"

/* What one answer may have of text where nobody asked for more. */
#define IMAP_TEXT_MAX (16U << 20)

#define IMAP_WORDS_MAX 256

/* Message bodies, or parts of them, that an answer may have. */
enum imap_bodies {
	IMAP_BODIES_NONE,
	IMAP_BODIES_ONE,
	IMAP_BODIES_RUN,  /* of several messages, each at most once */
	IMAP_BODIES_MANY, /* small ones: their octets count as text of the answer */
};

struct imap_stream {
	struct etpan_link link;
	struct buffer out; /* what is to be sent with the next write */
	struct buffer in;  /* what came and was not handed out */
	size_t ready;      /* octets at its start that are the line to be handed out */
	uint64_t literal;  /* octets behind those that belong to a literal */
	bool lengthy;      /* whether this answer is more than a first read had room for */
	bool greeted;      /* whether the first line was taken */
	struct answer answer;
	uint64_t text_left;             /* of this answer, bodies not counted */
	bool fetch_wanted;              /* whether libetpan reads it */
	enum imap_bodies bodies_wanted; /* which literals may be message bodies */
	unsigned bodies;                /* when one or a run: such literals in this answer */
	uint64_t body_octets;           /* of the one that comes now; 0: it is no literal */
	uint32_t body_uid;        /* whose it seems to be, before libetpan knows; 0: unknown */
	struct imap_quota *quota; /* where QUOTA answers are told; NULL: nobody asked */
	struct imap_news news;    /* of the selected mailbox */
	struct imap_capabilities capabilities;
	char status[IMAP_WORDS_MAX]; /* the last tagged line, cut; "" before it came */
	char bye[IMAP_WORDS_MAX];    /* a BYE line, cut; "" when none came */
};

struct imap_stream *imap_stream_new(struct stream *stream, uint64_t timeout);
/* Closes the stream. NULL-safe. The mailstream over it must be closed before. */
void imap_stream_free(struct imap_stream *s);

/* A mailstream over it: FETCH answers and tagged lines. To close it does not close the stream. */
mailstream *imap_stream_open(struct imap_stream *s);

/* Marks the connection as dead, unless it is so already. */
void imap_stream_fail(struct imap_stream *s, struct err e);

/* Gets ready for the answer to one command, of at most IMAP_TEXT_MAX octets. */
void imap_stream_expect(struct imap_stream *s);

/* Sends what was appended to `out`, and overwrites it. */
fiber_fn struct err imap_stream_flush(struct imap_stream *s);

/* Waits for the next line that somebody waits for: the first of all, ANSWER_TAGGED,
 * ANSWER_FETCH where it is wanted, else ANSWER_CONTINUE. It stays to be read. */
fiber_fn struct err imap_stream_peek(struct imap_stream *s, enum answer_kind *ret);
/* Takes that line, which must not go on in a literal. Returns it, NUL-terminated and without its
 * line end, valid until the next call of these. */
const char *imap_stream_take(struct imap_stream *s);

/* The TLS handshake. Whatever came in clear before it is dropped (CVE-2011-0411). */
fiber_fn struct err imap_stream_starttls(
	struct imap_stream *s, struct tls_context *context, const char *server_name);

#endif

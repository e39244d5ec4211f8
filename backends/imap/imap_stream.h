/*
 * imap_stream - an IMAP connection as libetpan's transport, with a judge in between.
 *
 * Owns:     the link, and what was read ahead of it.
 * How:      answers are read line by line; each is judged (imap_answer.h) before libetpan may have
 *           it, unasked data is dropped, message bodies pass through straight into libetpan's
 *           memory.
 * Suspends, errors: as etpan_link.
 */
#ifndef POPGATE_BACKENDS_IMAP_STREAM_H
#define POPGATE_BACKENDS_IMAP_STREAM_H

#include "backends/etpan_link.h"
#include "backends/imap/imap_answer.h"
#include "backends/imap/imap_capability.h"
#include "backends/imap/imap_news.h"
#include "backends/imap/imap_quota.h"
#include "proxy/runtime/mem.h"

/* What libetpan keeps of one answer: its whole text, and an object for each line but FETCH. */
#define IMAP_TEXT_MAX (16U << 20)
#define IMAP_KEPT_MAX (1U << 20)

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
	struct buffer in; /* what came and was not handed out */
	size_t ready;     /* octets at its start that libetpan may have */
	uint64_t literal; /* octets behind those that belong to a literal */
	struct answer answer;
	uint64_t text_left, kept_left;  /* of this answer */
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

/* A mailstream over it, for mailimap_connect, which then owns it. */
mailstream *imap_stream_open(struct imap_stream *s);

/* Marks the connection as dead, unless it is so already. */
void imap_stream_fail(struct imap_stream *s, struct err e);

/* Gets ready for the answer to one command. text_max: octets it may take, bodies not counted. */
void imap_stream_expect(struct imap_stream *s, uint64_t text_max);

/* Waits for the first line of the answer, which stays to be read, and says what it is. */
fiber_fn struct err imap_stream_peek(struct imap_stream *s, enum answer_kind *ret);

/* The TLS handshake. Whatever came in clear before it is dropped, here and in the mailstream
 * (CVE-2011-0411). */
fiber_fn struct err imap_stream_starttls(struct imap_stream *s, mailstream *over,
	struct tls_context *context, const char *server_name);

#endif

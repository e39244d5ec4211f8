/*
 * pop3_stream - a POP3 connection as libetpan's transport, with a judge in between.
 *
 * Owns:     the link, and what was read ahead of it.
 * How:      what is sent says which answer is to come; it is read line by line, and libetpan gets
 *           no line that it would take harm from: numbers that are not in order, more text than an
 *           honest answer has, the body of a message of which headers were asked for. Commands
 *           that change a maildrop are not sent at all. With pipelining TOP commands are sent ahead
 *           of libetpan.
 * Suspends, errors: as etpan_link.
 */
#ifndef POPGATE_BACKENDS_POP3_STREAM_H
#define POPGATE_BACKENDS_POP3_STREAM_H

#include "backends/etpan_link.h"
#include "proxy/runtime/mem.h"

enum pop3_answer {
	POP3_STATUS, /* one line */
	POP3_TEXT,   /* if good, lines up to a dot follow */
	POP3_LIST,   /* likewise: "number size" */
	POP3_UIDL,   /* likewise: "number id" */
	POP3_TOP,    /* likewise: a header block, then perhaps more than was asked for */
};

struct pop3_stream {
	struct etpan_link link;
	struct buffer in; /* what came and was not handed out */
	size_t ready;     /* octets at its start that libetpan may have */
	enum pop3_answer answer;
	bool begun;          /* its status line came */
	bool body;           /* TOP: the header block is over */
	uint64_t left;       /* octets that it may still take */
	uint32_t last;       /* LIST, UIDL: the number of the last line */
	struct buffer sizes; /* LIST: uint64_t of each message */
	bool pipelining;
	uint32_t ahead; /* TOP was sent for the messages below */
};

struct pop3_stream *pop3_stream_new(struct stream *stream, uint64_t timeout);
/* Closes the stream. NULL-safe. The mailstream over it must be closed before. */
void pop3_stream_free(struct pop3_stream *s);

/* STLS was answered: what else came in clear is dropped, and TLS begins. */
fiber_fn struct err pop3_stream_starttls(struct pop3_stream *s, mailstream *over,
	struct tls_context *context, const char *server_name);

/* How many messages LIST told of, and the octets of number 1 to that. */
uint32_t pop3_stream_count(const struct pop3_stream *s);
uint64_t pop3_stream_size(const struct pop3_stream *s, uint32_t number);

#endif

/*
 * imap_listing - messages as FETCH answers tell them, gathered folder by folder.
 */
#ifndef POPGATE_BACKENDS_IMAP_LISTING_H
#define POPGATE_BACKENDS_IMAP_LISTING_H

#include "backends/imap/imap.h"

/* What tells a message wherever it lies is asked for by this. */
enum imap_identity {
	IDENTITY_NONE,
	IDENTITY_EMAILID,
	IDENTITY_GMAIL,
	IDENTITY_HEADERS, /* of each message: some 300 octets, and the server reads them; and the
			   * id of its own that the server has */
};

/* Of one FETCH answer, since libetpan keeps the text of an answer until its end, some 110 octets a
 * message. */
#define IMAP_PART_MESSAGES 50000
#define IMAP_PART_TEXT_MAX (128U << 20)

struct lister {
	struct imap_consumer consumer; /* first */
	struct imap *imap;
	struct arena *mem;                /* of the listing's strings */
	struct backend_message *messages; /* malloc'ed */
	size_t n, room;
	size_t first; /* where the folder starts that is being listed */
	uint16_t folder;
	const struct backend_list_request *request;
	size_t headers_left; /* messages whose header fields may still be asked for */
	enum imap_identity identity;
	struct buffer headers; /* of the message whose answer is being read */
	uint32_t from, to;     /* UIDs asked for */
	struct err error;
	const struct backend_message
		*whole; /* instead: the one folder's, as the request has them */
};

void lister_init(struct lister *l, struct imap *imap, struct arena *mem,
	const struct backend_list_request *request);
void lister_done(struct lister *l);

/* The folder that is selected comes next. */
void lister_begin(struct lister *l, size_t folder);

/* Those of its messages so far. */
static inline struct backend_message *lister_messages(const struct lister *l)
{
	return l->messages ? l->messages + l->first : NULL;
}
static inline size_t lister_count(const struct lister *l)
{
	return l->n - l->first;
}

/* Appends messages as they are. */
void lister_append(struct lister *l, const struct backend_message *messages, size_t n);

/* Fetches the messages with UIDs from first to last, in parts when `expected`, how many there may
 * be, is large; last UINT32_MAX: to the end. */
fiber_fn struct err lister_fetch(
	struct lister *l, uint32_t first, uint32_t last, uint64_t expected);
/* Those with these UIDs, ascending. */
fiber_fn struct err lister_fetch_uids(struct lister *l, const uint32_t *uids, size_t n);

/* Brings the folder into the order of its UIDs, which servers need not keep. ERR_TEMP when two are
 * the same. */
struct err lister_sort(struct lister *l);
/* The same for any messages, without a look at equal ones. */
void messages_sort(struct backend_message *messages, size_t n);

#endif

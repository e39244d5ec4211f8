#include "backends/imap/imap_quota.h"

#include <string.h>
#include <strings.h>

#include "backends/imap/imap.h"
#include "backends/imap/imap_text.h"

/* STORAGE counts in these (RFC 9208 section 5.1). */
#define STORAGE_UNIT 1024

static uint64_t times(uint64_t n, uint64_t unit)
{
	return __builtin_mul_overflow(n, unit, &n) ? UINT64_MAX : n;
}

/* Takes over what one root says of a resource, if none said it to be fuller. */
static void take_over(uint64_t used, uint64_t limit, uint64_t *ret_used, uint64_t *ret_limit)
{
	if (limit == 0 || (*ret_limit > 0 && (unsigned __int128)used * *ret_limit <=
						     (unsigned __int128)*ret_used * limit))
		return;
	*ret_used = used;
	*ret_limit = limit;
}

/* "STORAGE 10 512" */
static bool take_resource(struct imap_quota *q, struct imap_text *rest)
{
	const char *name = rest->p;
	size_t n = imap_text_skip_atom(rest);
	uint64_t used, limit;

	if (n == 0 || !imap_text_skip(rest, ' ') || !imap_text_number(rest, UINT64_MAX, &used) ||
		!imap_text_skip(rest, ' ') || !imap_text_number(rest, UINT64_MAX, &limit))
		return false;
	if (n == 7 && strncasecmp(name, "STORAGE", n) == 0)
		take_over(times(used, STORAGE_UNIT), times(limit, STORAGE_UNIT),
			&q->quota.used_octets, &q->quota.limit_octets);
	else if (n == 7 && strncasecmp(name, "MESSAGE", n) == 0)
		take_over(used, limit, &q->quota.used_messages, &q->quota.limit_messages);
	return true;
}

/* " (STORAGE 10 512 MESSAGE 3 100)" */
static void take_resources(struct imap_quota *q, struct imap_text *rest)
{
	if (!imap_text_skip(rest, ' ') || !imap_text_skip(rest, '('))
		return;
	while (take_resource(q, rest) && imap_text_skip(rest, ' '))
		;
}

void imap_quota_line(struct imap_quota *q, const char *line, size_t n, bool first)
{
	struct imap_text rest = imap_text_of_line(line, n);

	if (!first) {
		if (q->open)
			take_resources(q, &rest);
		q->open = false;
		return;
	}
	q->open = false;
	if (!imap_text_skip_word(&rest, "* QUOTA "))
		return;
	if (rest.p < rest.end && *rest.p == '{')
		q->open = true;
	else if (imap_text_skip_quoted(&rest) || imap_text_skip_atom(&rest) > 0)
		take_resources(q, &rest);
}

fiber_fn struct err imap_quota(struct imap *imap, struct backend_quota *ret)
{
	cleanup(buffer_done) struct buffer text = { 0 };
	struct imap_quota quota = { 0 };
	struct err e = ok();

	if (!(imap->capabilities & IMAP_QUOTA))
		return ok();
	buffer_printf(&text, "GETQUOTAROOT ");
	if (failed(e = imap_mailbox_name(&text, imap_folder_name(imap, 0))))
		return e;
	buffer_append(&text, "", 1);
	imap->stream->quota = &quota;
	e = imap_command(imap, IMAP_STEP_OTHER, text.data + text.start);
	imap->stream->quota = NULL;
	if (failed(e))
		return imap_alive(imap) ? ok() : e;
	*ret = quota.quota;
	return ok();
}

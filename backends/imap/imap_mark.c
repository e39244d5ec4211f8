#include "backends/imap/imap_mark.h"

#include <inttypes.h>
#include <string.h>

#include "backends/imap/imap_text.h"

bool imap_mark_read(struct imap_mark *ret, const char *text)
{
	struct imap_text rest = { text, text ? text + strlen(text) : text };
	uint64_t uidvalidity, uidnext;

	if (!text || !imap_text_number(&rest, UINT32_MAX, &uidvalidity) ||
		!imap_text_skip(&rest, ' ') || !imap_text_number(&rest, UINT32_MAX, &uidnext) ||
		!imap_text_skip(&rest, ' ') || !imap_text_number(&rest, UINT64_MAX, &ret->exists) ||
		!imap_text_skip(&rest, ' ') || !imap_text_number(&rest, UINT64_MAX, &ret->modseq))
		return false;
	ret->uidvalidity = (uint32_t)uidvalidity;
	ret->uidnext = (uint32_t)uidnext;
	return rest.p == rest.end && uidvalidity > 0 && uidnext > 0;
}

const char *imap_mark_write(const struct imap_mark *mark, struct arena *mem)
{
	return arena_printf(mem, "%u %u %" PRIu64 " %" PRIu64, mark->uidvalidity, mark->uidnext,
		mark->exists, mark->modseq);
}

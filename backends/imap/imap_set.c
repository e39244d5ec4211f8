#include "backends/imap/imap_set.h"

#include <stdio.h>

/* How many of the n UIDs are consecutive numbers. */
static size_t run_length(const uint32_t *uids, size_t n)
{
	size_t length = 1;

	while (length < n && uids[length] == uids[length - 1] + 1)
		length++;
	return length;
}

size_t imap_set(struct buffer *ret, const uint32_t *uids, size_t n)
{
	size_t taken = 0, start = buffer_used(ret);
	char range[32];
	int octets;

	if (n > IMAP_SET_UIDS)
		n = IMAP_SET_UIDS;
	while (taken < n) {
		const uint32_t *run = uids + taken;
		size_t length = run_length(run, n - taken);

		octets = snprintf(range, sizeof(range), "%s%u", taken > 0 ? "," : "", run[0]);
		if (length > 1)
			octets += snprintf(range + octets, sizeof(range) - (size_t)octets, ":%u",
				run[length - 1]);
		if (buffer_used(ret) - start + (size_t)octets > IMAP_SET_OCTETS)
			break;
		buffer_append(ret, range, (size_t)octets);
		taken += length;
	}
	return taken;
}

/*
 * quota - how full a mail store says an account is.
 */
#ifndef POPGATE_BACKENDS_QUOTA_H
#define POPGATE_BACKENDS_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/* A limit of 0: there is none, or the store does not tell; what is used then means nothing. */
struct backend_quota {
	uint64_t used_octets, limit_octets;
	uint64_t used_messages, limit_messages;
};

static inline bool quota_known(const struct backend_quota *quota)
{
	return quota->limit_octets > 0 || quota->limit_messages > 0;
}

static inline uint64_t quota_percent_of(uint64_t used, uint64_t limit)
{
	unsigned __int128 percent = limit ? (unsigned __int128)used * 100 / limit : 0;

	return percent < UINT64_MAX ? (uint64_t)percent : UINT64_MAX;
}

/* How full, rounded down, by the limit that is nearer; above 100 where the store let it happen. */
static inline uint64_t quota_percent(const struct backend_quota *quota)
{
	uint64_t octets = quota_percent_of(quota->used_octets, quota->limit_octets);
	uint64_t messages = quota_percent_of(quota->used_messages, quota->limit_messages);

	return octets > messages ? octets : messages;
}

#endif

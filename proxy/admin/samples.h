/*
 * samples - the last hour, minute by minute, for the plots of the status page: kept by the master,
 * gone with it.
 */
#ifndef POPGATE_ADMIN_SAMPLES_H
#define POPGATE_ADMIN_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/service/stats.h"

#define SAMPLES 60

struct sample {
	uint64_t logins, failures, messages, octets; /* within the minute */
	uint64_t sessions;                           /* at its end */
	double login_median, login_95;               /* seconds; 0: there were none */
	double retrieval_median, retrieval_95;
};

/* now: milliseconds of one monotonic clock. */
void samples_start(uint64_t now);
/* Takes the samples that are due; returns when the next one is. */
uint64_t samples_run(uint64_t now);
/* The oldest first, the running minute last; returns how many, 1 to SAMPLES. */
size_t samples_get(struct sample ret[SAMPLES]);

/* All tenants' times of one kind. */
struct stat_histogram samples_times(enum stat_time which);
/* The time in seconds that the share q of them do not exceed, guessed within its class; 0: there
 * are none. */
double histogram_quantile(const struct stat_histogram *times, double q);

#endif

#include "proxy/admin/samples.h"

#include <string.h>

#include "proxy/service/session_table.h"

#define MINUTE_MS 60000

/* Sums since the start. */
struct totals {
	uint64_t logins, failures, messages, octets;
	struct stat_histogram login, retrieval;
};

static struct {
	struct sample past[SAMPLES - 1]; /* a ring */
	size_t n, next;
	struct totals begun; /* when the running minute began */
	uint64_t due;
} samples;

static uint64_t sum(enum stat_tenant which)
{
	uint64_t total = 0;

	for (size_t i = 0; i < stats_tenant_places(); i++)
		if (stats_tenant_at(i))
			total += stats_tenant_get(stats_tenant_at(i), which);
	return total;
}

struct stat_histogram samples_times(enum stat_time which)
{
	struct stat_histogram total = { 0 };

	for (size_t i = 0; i < stats_tenant_places(); i++) {
		const struct stats_tenant *row = stats_tenant_at(i);
		struct stat_histogram times;

		if (!row)
			continue;
		times = stats_tenant_times(row, which);
		for (size_t j = 0; j <= STAT_BOUNDS; j++)
			total.counts[j] += times.counts[j];
		total.ns += times.ns;
	}
	return total;
}

static struct totals totals_now(void)
{
	return (struct totals){
		.logins = sum(STAT_LOGINS),
		.failures =
			sum(STAT_LOGIN_FAILURES) + stats_global_get(STAT_UNROUTED_LOGIN_FAILURES),
		.messages = sum(STAT_RETRIEVED_MESSAGES),
		.octets = sum(STAT_RETRIEVED_OCTETS),
		.login = samples_times(STAT_LOGIN_TIME),
		.retrieval = samples_times(STAT_RETRIEVAL_TIME),
	};
}

double histogram_quantile(const struct stat_histogram *times, double q)
{
	uint64_t all = 0, below = 0;
	double rank, low = 0;

	for (size_t i = 0; i <= STAT_BOUNDS; i++)
		all += times->counts[i];
	rank = q * (double)all;
	for (size_t i = 0; all > 0 && i < STAT_BOUNDS; i++) {
		double here = (double)times->counts[i];

		if (here > 0 && (double)below + here >= rank)
			return low + (stat_bounds[i] - low) * (rank - (double)below) / here;
		below += times->counts[i];
		low = stat_bounds[i];
	}
	return all > 0 ? stat_bounds[STAT_BOUNDS - 1] : 0;
}

static struct stat_histogram since(
	const struct stat_histogram *now, const struct stat_histogram *then)
{
	struct stat_histogram ret = { .ns = now->ns - then->ns };

	for (size_t i = 0; i <= STAT_BOUNDS; i++)
		ret.counts[i] = now->counts[i] - then->counts[i];
	return ret;
}

static struct sample sample_since(const struct totals *now, const struct totals *then)
{
	struct stat_histogram login = since(&now->login, &then->login);
	struct stat_histogram retrieval = since(&now->retrieval, &then->retrieval);

	return (struct sample){
		.logins = now->logins - then->logins,
		.failures = now->failures - then->failures,
		.messages = now->messages - then->messages,
		.octets = now->octets - then->octets,
		.sessions = session_table_count(),
		.login_median = histogram_quantile(&login, 0.5),
		.login_95 = histogram_quantile(&login, 0.95),
		.retrieval_median = histogram_quantile(&retrieval, 0.5),
		.retrieval_95 = histogram_quantile(&retrieval, 0.95),
	};
}

void samples_start(uint64_t now)
{
	memset(&samples, 0, sizeof(samples));
	samples.begun = totals_now();
	samples.due = now + MINUTE_MS;
}

static void keep(const struct sample *sample)
{
	samples.past[samples.next] = *sample;
	samples.next = (samples.next + 1) % (SAMPLES - 1);
	if (samples.n < SAMPLES - 1)
		samples.n++;
}

uint64_t samples_run(uint64_t now)
{
	while (now >= samples.due) {
		struct totals totals = totals_now();
		struct sample sample = sample_since(&totals, &samples.begun);

		keep(&sample);
		samples.begun = totals;
		samples.due += MINUTE_MS;
	}
	return samples.due;
}

size_t samples_get(struct sample ret[SAMPLES])
{
	struct totals totals = totals_now();
	size_t first = (samples.next + SAMPLES - 1 - samples.n) % (SAMPLES - 1);

	for (size_t i = 0; i < samples.n; i++)
		ret[i] = samples.past[(first + i) % (SAMPLES - 1)];
	ret[samples.n] = sample_since(&totals, &samples.begun);
	return samples.n + 1;
}

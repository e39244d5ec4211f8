#include "proxy/service/stats.h"

#include <stdatomic.h>

#include "proxy/runtime/shared.h"
#include "proxy/runtime/shared_rows.h"

#define MECHANISM_BITS 16

const double stat_bounds[STAT_BOUNDS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
	1, 2.5, 5, 10, 30 };

struct times {
	_Atomic uint64_t counts[STAT_BOUNDS + 1];
	_Atomic uint64_t ns;
};
struct stats_tenant {
	struct shared_row row;
	_Atomic uint64_t counts[STAT_TENANT_COUNT_];
	struct times times[STAT_TIME_COUNT_];
};
struct stats_listener {
	struct shared_row row;
	_Atomic uint64_t counts[STAT_LISTENER_COUNT_];
};

static struct {
	struct shared_rows tenants, listeners;
	_Atomic uint64_t *global;
	_Atomic uint64_t *mechanisms;
} stats;

void stats_map(const struct config *config)
{
	shared_rows_map(&stats.tenants, sizeof(struct stats_tenant), config->n_tenants);
	shared_rows_map(&stats.listeners, sizeof(struct stats_listener), config->n_listeners);
	stats.global = shared_map(STAT_GLOBAL_COUNT_ * sizeof(*stats.global));
	stats.mechanisms = shared_map(MECHANISM_BITS * sizeof(*stats.mechanisms));
	stats_extend(config);
}

void stats_extend(const struct config *config)
{
	for (size_t i = 0; i < config->n_tenants; i++)
		shared_rows_add(&stats.tenants, config->tenants[i].name);
	for (size_t i = 0; i < config->n_listeners; i++)
		shared_rows_add(&stats.listeners, config->listeners[i].name);
}

struct stats_tenant *stats_tenant(const char *name)
{
	return (struct stats_tenant *)shared_rows_find(&stats.tenants, name);
}

struct stats_listener *stats_listener(const char *name)
{
	return (struct stats_listener *)shared_rows_find(&stats.listeners, name);
}

static void add(_Atomic uint64_t *count, uint64_t n)
{
	atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

void stats_tenant_add(struct stats_tenant *row, enum stat_tenant which, uint64_t n)
{
	add(&row->counts[which], n);
}

void stats_tenant_time(struct stats_tenant *row, enum stat_time which, uint64_t ns)
{
	size_t class = 0;

	while (class < STAT_BOUNDS && (double)ns > stat_bounds[class] * 1e9)
		class ++;
	add(&row->times[which].counts[class], 1);
	add(&row->times[which].ns, ns);
}

void stats_listener_add(struct stats_listener *row, enum stat_listener which, uint64_t n)
{
	add(&row->counts[which], n);
}

void stats_global_add(enum stat_global which, uint64_t n)
{
	add(&stats.global[which], n);
}

void stats_mechanism_add(unsigned mechanism)
{
	for (unsigned bit = 0; bit < MECHANISM_BITS; bit++)
		if (mechanism == 1U << bit)
			add(&stats.mechanisms[bit], 1);
}

uint64_t stats_tenant_get(const struct stats_tenant *row, enum stat_tenant which)
{
	return get(&row->counts[which]);
}

struct stat_histogram stats_tenant_times(const struct stats_tenant *row, enum stat_time which)
{
	struct stat_histogram ret;

	for (size_t i = 0; i <= STAT_BOUNDS; i++)
		ret.counts[i] = get(&row->times[which].counts[i]);
	ret.ns = get(&row->times[which].ns);
	return ret;
}

uint64_t stats_listener_get(const struct stats_listener *row, enum stat_listener which)
{
	return get(&row->counts[which]);
}

uint64_t stats_global_get(enum stat_global which)
{
	return get(&stats.global[which]);
}

uint64_t stats_mechanism_get(unsigned mechanism)
{
	for (unsigned bit = 0; bit < MECHANISM_BITS; bit++)
		if (mechanism == 1U << bit)
			return get(&stats.mechanisms[bit]);
	return 0;
}

size_t stats_tenant_places(void)
{
	return shared_rows_places(&stats.tenants);
}

const struct stats_tenant *stats_tenant_at(size_t place)
{
	return (const struct stats_tenant *)shared_rows_at(&stats.tenants, place);
}

size_t stats_tenant_place(const struct stats_tenant *row)
{
	return shared_rows_place(&stats.tenants, &row->row);
}

const char *stats_tenant_name(const struct stats_tenant *row)
{
	return row->row.name;
}

size_t stats_listener_places(void)
{
	return shared_rows_places(&stats.listeners);
}

const struct stats_listener *stats_listener_at(size_t place)
{
	return (const struct stats_listener *)shared_rows_at(&stats.listeners, place);
}

size_t stats_listener_place(const struct stats_listener *row)
{
	return shared_rows_place(&stats.listeners, &row->row);
}

const char *stats_listener_name(const struct stats_listener *row)
{
	return row->row.name;
}

#include "backends/server_health.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proxy/runtime/shared_rows.h"

struct server_row {
	struct shared_row row;
	_Atomic uint64_t connects, reuses, failures, took;
	_Atomic int64_t connected_at, fail_at, avoided_until;
};

static struct shared_rows servers;

static const char *name_of(const char *server, uint16_t port, char name[SHARED_NAME_SIZE])
{
	bool brackets = strchr(server, ':') != NULL;

	(void)snprintf(name, SHARED_NAME_SIZE, "%s%s%s:%u", brackets ? "[" : "", server,
		brackets ? "]" : "", port);
	return name;
}

void server_health_map(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_tenants; i++)
		n += config->tenants[i].store == STORE_IMAP ? config->tenants[i].imap.servers.n : 0;
	shared_rows_map(&servers, sizeof(struct server_row), n);
	server_health_extend(config);
}

void server_health_extend(const struct config *config)
{
	char name[SHARED_NAME_SIZE];

	for (size_t i = 0; i < config->n_tenants; i++) {
		const struct tenant *tenant = &config->tenants[i];

		for (size_t j = 0; tenant->store == STORE_IMAP && j < tenant->imap.servers.n; j++)
			shared_rows_add(&servers,
				name_of(tenant->imap.servers.items[j], tenant->imap.port, name));
	}
}

static struct server_row *row_of(const char *server, uint16_t port)
{
	char name[SHARED_NAME_SIZE];

	if (!servers.rows)
		return NULL;
	return (struct server_row *)shared_rows_find(&servers, name_of(server, port, name));
}

void server_health_connected(const char *server, uint16_t port, uint64_t took)
{
	struct server_row *row = row_of(server, port);

	if (!row)
		return;
	atomic_fetch_add(&row->connects, 1);
	atomic_store(&row->took, took);
	atomic_store(&row->connected_at, (int64_t)time(NULL));
	atomic_store(&row->avoided_until, 0);
}

void server_health_reused(const char *server, uint16_t port)
{
	struct server_row *row = row_of(server, port);

	if (row)
		atomic_fetch_add(&row->reuses, 1);
}

void server_health_failed(const char *server, uint16_t port, uint64_t avoid)
{
	struct server_row *row = row_of(server, port);
	int64_t now = (int64_t)time(NULL);

	if (!row)
		return;
	atomic_fetch_add(&row->failures, 1);
	atomic_store(&row->fail_at, now);
	atomic_store(&row->avoided_until, now + (int64_t)(avoid / 1000));
}

size_t server_health_places(void)
{
	return shared_rows_places(&servers);
}

bool server_health_at(size_t place, struct server_view *ret)
{
	struct server_row *row = (struct server_row *)shared_rows_at(&servers, place);
	int64_t until;

	if (!row)
		return false;
	until = atomic_load(&row->avoided_until);
	*ret = (struct server_view){
		.name = row->row.name,
		.connects = atomic_load(&row->connects),
		.reuses = atomic_load(&row->reuses),
		.failures = atomic_load(&row->failures),
		.took = atomic_load(&row->took),
		.connected_at = atomic_load(&row->connected_at),
		.fail_at = atomic_load(&row->fail_at),
		.avoided_until = until > (int64_t)time(NULL) ? until : 0,
	};
	return true;
}

#include "proxy/overview.h"

static enum admin_worker_state state_of(
	const struct crew_member *member, const struct generation *generation)
{
	if (!member->accepting || member->told || member->generation != generation->number)
		return ADMIN_WORKER_FINISHING;
	return member->ready ? ADMIN_WORKER_SERVING : ADMIN_WORKER_STARTING;
}

static void list_workers(const struct generation *generation, const struct crew *crew,
	struct arena *arena, struct admin_gateway *ret)
{
	struct admin_worker *workers = arena_zalloc(arena, crew->n + 1, sizeof(*workers));

	for (size_t i = 0; i < crew->n; i++)
		workers[i] = (struct admin_worker){
			.pid = crew->members[i].pid,
			.generation = crew->members[i].generation,
			.state = state_of(&crew->members[i], generation),
			.age = crew_now() - crew->members[i].started,
		};
	ret->workers = workers;
	ret->n_workers = crew->n;
}

static void list_addresses(
	const struct generation *generation, struct arena *arena, struct admin_gateway *ret)
{
	const struct listen_set *set = &generation->listen;
	struct admin_address *addresses = arena_zalloc(arena, set->n + 1, sizeof(*addresses));

	for (size_t i = 0; i < set->n; i++)
		addresses[i] = (struct admin_address){ .listener = set->sockets[i].listener,
			.text = set->sockets[i].text };
	ret->addresses = addresses;
	ret->n_addresses = set->n;
}

void overview(const struct generation *generation, const struct crew *crew, struct arena *arena,
	struct admin_gateway *ret)
{
	ret->config = generation->config;
	ret->generation = generation->number;
	ret->serving = crew_serving(crew, generation->number);
	list_workers(generation, crew, arena, ret);
	list_addresses(generation, arena, ret);
}

#include "proxy/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proxy/orders.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/log_output.h"
#include "proxy/service/session_table.h"
#include "proxy/service/stats.h"
#include "proxy/worker.h"

/* A worker that lived shorter than this died of its start. Milliseconds, as all below. */
#define SHORT_LIFE 10000
#define DELAY_MIN  100
#define DELAY_MAX  5000
/* Between a worker that closes its pipe unasked and its replacement: its death may follow at once
 * and then says what to do. */
#define CLOSED_DELAY 50

uint64_t crew_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void hold_off(struct crew *crew, uint64_t delay)
{
	uint64_t at = crew_now() + delay;

	if (at > crew->spawn_at)
		crew->spawn_at = at;
}

static void longer_delay(struct crew *crew)
{
	crew->delay = crew->delay ? crew->delay * 2 : DELAY_MIN;
	if (crew->delay > DELAY_MAX)
		crew->delay = DELAY_MAX;
	hold_off(crew, crew->delay);
}

/* The child keeps nothing of the master's but what it needs. */
__attribute__((noreturn)) static void child_main(const struct crew *crew,
	const struct generation *generation, pid_t master, const int ends[2])
{
	struct worker_setup setup = {
		.config = generation->config,
		.listen = &generation->listen,
		.tls = generation->tls,
		.run_as = &generation->run_as,
		.master = master,
		.orders_fd = ends[1],
	};

	log_output_forget();
	(void)close(ends[0]);
	crew->in_child(crew->in_child_arg);
	for (size_t i = 0; i < crew->n; i++)
		if (crew->members[i].orders_fd >= 0)
			(void)close(crew->members[i].orders_fd);
	exit(worker_run(&setup));
}

static void add_member(struct crew *crew, pid_t pid, unsigned generation, int orders_fd)
{
	crew->members = mem_resize(crew->members, crew->n + 1, sizeof(*crew->members));
	crew->members[crew->n++] = (struct crew_member){
		.pid = pid,
		.generation = generation,
		.orders_fd = orders_fd,
		.accepting = true,
		.started = crew_now(),
	};
	log_debug("worker started", f_int("pid", pid), f_uint("generation", generation));
}

static bool spawn(struct crew *crew, const struct generation *generation)
{
	pid_t master = getpid(), pid = -1;
	int ends[2] = { -1, -1 };

	if (orders_open(ends))
		pid = fork();
	if (pid == 0)
		child_main(crew, generation, master, ends);
	if (pid < 0) {
		log_error("worker cannot be forked", f_text("detail", strerror(errno)));
		if (ends[0] >= 0)
			(void)close(ends[0]);
		if (ends[1] >= 0)
			(void)close(ends[1]);
		longer_delay(crew);
		return false;
	}
	(void)close(ends[1]);
	add_member(crew, pid, generation->number, ends[0]);
	return true;
}

static unsigned accepting(const struct crew *crew, unsigned generation)
{
	unsigned n = 0;

	for (size_t i = 0; i < crew->n; i++)
		n += crew->members[i].generation == generation && crew->members[i].accepting;
	return n;
}

void crew_fill(struct crew *crew, const struct generation *generation, unsigned wanted)
{
	for (unsigned n = accepting(crew, generation->number); n < wanted; n++)
		if (crew_now() < crew->spawn_at || !spawn(crew, generation))
			return;
}

uint64_t crew_next_fill(const struct crew *crew, unsigned generation, unsigned wanted)
{
	return accepting(crew, generation) < wanted ? crew->spawn_at : UINT64_MAX;
}

void crew_poll_set(const struct crew *crew, struct pollfd *fds)
{
	for (size_t i = 0; i < crew->n; i++)
		fds[i] = (struct pollfd){ .fd = crew->members[i].orders_fd, .events = POLLIN };
}

static void stopped(struct crew *crew, struct crew_member *member)
{
	if (member->accepting && !member->told)
		hold_off(crew, CLOSED_DELAY);
	member->accepting = false;
}

static void hear(struct crew *crew, struct crew_member *member)
{
	struct order order;
	int fd;

	switch (orders_receive(member->orders_fd, &order, &fd)) {
	case ORDER_NONE:
		break;
	case ORDER_TAKEN:
		if (fd >= 0)
			(void)close(fd);
		if (order.kind == ORDER_SERVING)
			member->ready = true;
		if (order.kind == ORDER_STOPPED)
			stopped(crew, member);
		break;
	case ORDER_OVER:
		stopped(crew, member);
		(void)close(member->orders_fd);
		member->orders_fd = -1;
		break;
	}
}

void crew_hear(struct crew *crew, const struct pollfd *fds)
{
	for (size_t i = 0; i < crew->n; i++)
		if (fds[i].revents && crew->members[i].orders_fd >= 0)
			hear(crew, &crew->members[i]);
}

static void log_death(const struct crew_member *member, int status, size_t sessions)
{
	uint64_t uptime = (crew_now() - member->started) / 1000;

	if (member->killed)
		log_info("worker killed", f_int("pid", member->pid),
			f_uint("sessions_lost", sessions));
	else if (WIFSIGNALED(status))
		log_error("worker died", f_int("pid", member->pid),
			f_text("signal", sigabbrev_np(WTERMSIG(status))),
			f_uint("sessions_lost", sessions), f_uint("uptime_s", uptime));
	else
		log_error("worker died", f_int("pid", member->pid),
			f_int("status", WEXITSTATUS(status)), f_uint("sessions_lost", sessions),
			f_uint("uptime_s", uptime));
}

static void remove_member(struct crew *crew, size_t i, int status)
{
	struct crew_member *member = &crew->members[i];
	size_t sessions = session_table_sweep(member->pid);

	if (status == 0) {
		log_debug("worker ended", f_int("pid", member->pid));
	} else {
		log_death(member, status, sessions);
		stats_global_add(STAT_WORKER_DEATHS, member->killed ? 0 : 1);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_CANNOT_START)
		crew->delay = DELAY_MAX;
	if (!member->told && crew_now() - member->started < SHORT_LIFE)
		longer_delay(crew);
	else if (!member->told)
		crew->delay = 0;
	if (member->orders_fd >= 0)
		(void)close(member->orders_fd);
	*member = crew->members[--crew->n];
}

void crew_reap(struct crew *crew)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < crew->n; i++)
			if (crew->members[i].pid == pid) {
				remove_member(crew, i, status);
				break;
			}
}

unsigned crew_serving(const struct crew *crew, unsigned generation)
{
	unsigned n = 0;

	for (size_t i = 0; i < crew->n; i++)
		n += crew->members[i].generation == generation && crew->members[i].ready &&
		     crew->members[i].accepting;
	return n;
}

unsigned crew_accepting(const struct crew *crew)
{
	unsigned n = 0;

	for (size_t i = 0; i < crew->n; i++)
		n += crew->members[i].accepting;
	return n;
}

static void tell(struct crew_member *member, int signal_number)
{
	member->told = true;
	if (kill(member->pid, signal_number) != 0)
		log_error("worker cannot be told", f_int("pid", member->pid),
			f_text("detail", strerror(errno)));
}

void crew_retire_others(struct crew *crew, unsigned generation)
{
	for (size_t i = 0; i < crew->n; i++)
		if (crew->members[i].generation != generation && !crew->members[i].told)
			tell(&crew->members[i], WORKER_RETIRE);
}

static void drain_member(struct crew_member *member)
{
	tell(member, WORKER_DRAIN);
	member->drained = true;
}

/* The smallest number among those that are not drained; 0: all are. How many they are in *n. */
static unsigned oldest_generation(const struct crew *crew, size_t *n)
{
	unsigned oldest = 0;

	*n = 0;
	for (size_t i = 0; i < crew->n; i++) {
		const struct crew_member *member = &crew->members[i];

		if (member->drained)
			continue;
		++*n;
		if (oldest == 0 || member->generation < oldest)
			oldest = member->generation;
	}
	return oldest;
}

void crew_drain_oldest(struct crew *crew, size_t most)
{
	unsigned oldest;
	size_t n;

	while ((oldest = oldest_generation(crew, &n)) != 0 && n > most) {
		log_warning("old generation drained", f_uint("generation", oldest),
			f_text("reason",
				"too many workers of earlier reloads still have sessions"));
		for (size_t i = 0; i < crew->n; i++)
			if (crew->members[i].generation == oldest)
				drain_member(&crew->members[i]);
	}
}

bool crew_close_session(const struct crew *crew, pid_t pid, const char *id)
{
	struct order order = { .kind = ORDER_CLOSE };

	(void)snprintf(order.id, sizeof(order.id), "%s", id);
	for (size_t i = 0; i < crew->n; i++)
		if (crew->members[i].pid == pid && crew->members[i].orders_fd >= 0)
			return orders_send(crew->members[i].orders_fd, &order, -1);
	return false;
}

void crew_pass_log(const struct crew *crew, int fd)
{
	struct order order = { .kind = ORDER_LOG };

	for (size_t i = 0; i < crew->n; i++)
		if (crew->members[i].orders_fd >= 0 &&
			!orders_send(crew->members[i].orders_fd, &order, fd))
			log_error("worker cannot be told", f_int("pid", crew->members[i].pid),
				f_text("detail", "the log it writes to stays the old one"));
}

void crew_drain(struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++)
		drain_member(&crew->members[i]);
}

void crew_kill(struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++) {
		tell(&crew->members[i], SIGKILL);
		crew->members[i].killed = true;
	}
}

void crew_done(struct crew *crew)
{
	free(crew->members);
	*crew = (struct crew){ 0 };
}

#include "proxy/master.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/server_health.h"
#include "proxy/admin/admin.h"
#include "proxy/capacity.h"
#include "proxy/config_notes.h"
#include "proxy/crew.h"
#include "proxy/generation.h"
#include "proxy/login/throttle.h"
#include "proxy/maildrop/registry_health.h"
#include "proxy/overview.h"
#include "proxy/runtime/fatal.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/log_output.h"
#include "proxy/service/last_login.h"
#include "proxy/service/refusals.h"
#include "proxy/service/session_table.h"
#include "proxy/service/stats.h"
#include "proxy/signals.h"
#include "proxy/systemd.h"
#include "proxy/worker.h"

/* Room in the session table, in multiples of what the start needs: for reloads that raise
 * limits.sessions, and for workers that let their sessions finish after reloads. */
#define SESSIONS_HEADROOM 2
#define WORKERS_HEADROOM  16
#define WORKERS_MIN       64
/* How long after shutdown_grace a worker that still lives is killed, in milliseconds. */
#define KILL_AFTER 5000
/* For the last lines of the log, where they do not go at once. */
#define LAST_LINES 2000
/* Room for the line that systemctl status shows. */
#define STATUS_MAX 160

struct master {
	const char *file;
	struct generation generation;
	struct crew crew;
	struct pollfd *fds;
	int signals; /* a signalfd */
	unsigned wanted;
	uint64_t session_room; /* of the session table */
	size_t worker_room;
	uint64_t grace;  /* the longest of all generations, ms */
	bool ready_due;  /* the line "ready" is still to come */
	bool reload_due; /* and so is "reload done" */
	bool drain_due;  /* and so is "draining" */
	bool stopping;   /* asked to end: not ready any more */
	bool draining;   /* nothing is accepted any more */
	bool forced;
	bool reload_refused;     /* the latest one */
	uint64_t drain_at;       /* while stopping */
	uint64_t kill_at;        /* while draining */
	int64_t started, loaded; /* seconds since 1970: this process, the generation */
	struct admin_master operators;
};

/* The sockets that old (may be NULL) did not have. */
static void log_listening(const struct generation *g, const struct listen_set *old)
{
	for (size_t i = 0; i < g->listen.n; i++) {
		const struct listen_socket *s = &g->listen.sockets[i];
		bool known = false;

		for (size_t j = 0; old && j < old->n; j++)
			known |= old->sockets[j].fd == s->fd;
		if (!known)
			log_info("listening",
				f_text("listener", g->config->listeners[s->listener].name),
				f_text("address", s->text));
	}
}

/* What follows from the settings of a new generation, beyond its own parts. */
static void adopt(struct master *m, const struct generation *g)
{
	const struct config *config = g->config;

	log_setup(config->log.format, config->log.level);
	m->wanted = capacity_workers(config);
	if (config->shutdown_grace > m->grace)
		m->grace = config->shutdown_grace;
	capacity_raise_files(config);
}

static const char *status(const struct master *m, char text[STATUS_MAX])
{
	(void)snprintf(text, STATUS_MAX, "%s, %u workers, %zu sessions%s",
		m->stopping ? "stopping" : "serving", crew_accepting(&m->crew),
		session_table_count(),
		m->reload_refused ? "; the latest reload was refused, the log says why" : "");
	return text;
}

static void count_lost_line(void)
{
	stats_global_add(STAT_LOG_LINES_LOST, 1);
}

/* But for the table of sessions, whose size is a matter of its own. */
static void map_shared(const struct config *config)
{
	stats_map(config);
	server_health_map(config);
	registry_health_map();
	refusals_map();
	throttle_map();
	last_login_map();
	log_output_on_loss(count_lost_line);
}

/* In a worker to be. */
static void leave_master(void *arg)
{
	const struct master *m = arg;

	(void)close(m->signals);
	admin_leave();
}

static void describe(struct admin_gateway *ret, struct arena *arena, void *arg)
{
	const struct master *m = arg;

	overview(&m->generation, &m->crew, arena, ret);
	ret->wanted = m->wanted;
	ret->draining = m->stopping;
	ret->reload_refused = m->reload_refused;
	ret->started = m->started;
	ret->loaded = m->loaded;
}

static bool close_session(pid_t worker, const char *id, void *arg)
{
	const struct master *m = arg;

	return crew_close_session(&m->crew, worker, id);
}

static void configure_admin(const struct config *config)
{
	struct err e = admin_configure(config);

	if (failed(e))
		log_error("admin interface cannot listen", f_text("detail", e.detail),
			f_text("effect", "mail is served all the same; it is tried again"),
			f_text("advice", "free the address, or choose another one, or \"\""));
}

static void reopen_log(const struct master *m)
{
	const char *file = m->generation.config->log.file;
	struct err e;

	/* Standard error belongs to whoever started us: there is nothing to open. */
	if (!*file && log_output_file() < 0)
		return;
	e = log_output_open(file);
	if (failed(e)) {
		log_error("log cannot be reopened", f_err(e),
			f_text("effect", "lines go where they went"));
		return;
	}
	if (log_output_file() >= 0)
		crew_pass_log(&m->crew, log_output_file());
	log_info("log reopened", f_text("file", file));
}

static bool start(struct master *m)
{
	struct config_notes notes = { 0 };
	struct err e = generation_open(m->file, config_notes_add, &notes, NULL, &m->generation);
	const struct config *config = m->generation.config;

	if (failed(e)) {
		config_notes_print(&notes);
		(void)fprintf(stderr, "popgate: %s\n", e.detail);
		return false;
	}
	e = log_output_open(config->log.file);
	if (failed(e)) {
		config_notes_print(&notes);
		(void)fprintf(stderr, "popgate: %s\n", e.detail);
		generation_close(&m->generation, NULL);
		return false;
	}
	adopt(m, &m->generation);
	config_notes_log(&notes);
	m->session_room = config->limits.sessions * SESSIONS_HEADROOM;
	m->worker_room = m->wanted * WORKERS_HEADROOM + WORKERS_MIN;
	session_table_map(m->session_room, m->worker_room);
	map_shared(config);
	log_info("starting", f_text("version", POPGATE_VERSION), f_int("pid", getpid()),
		f_uint("workers", m->wanted), f_text("configuration", m->file));
	log_listening(&m->generation, NULL);
	m->ready_due = true;
	m->crew.in_child = leave_master;
	m->crew.in_child_arg = m;
	m->operators = (struct admin_master){ describe, close_session, m };
	admin_start(&m->operators);
	configure_admin(config);
	return true;
}

/* The session table was mapped once, for the file of the start. */
static void stay_within_room(struct master *m, const struct config *config)
{
	if (config->limits.sessions > m->session_room)
		log_warning(
			"limits.sessions needs a restart", f_uint("until_then", m->session_room));
	if (m->wanted > m->worker_room / 2) {
		m->wanted = (unsigned)(m->worker_room / 2);
		log_warning("workers needs a restart", f_uint("until_then", m->wanted));
	}
}

static void reload(struct master *m)
{
	struct config_notes notes = { 0 };
	struct generation old = m->generation, next;
	char text[STATUS_MAX];
	struct err e;

	systemd_reloading();
	e = generation_open(m->file, config_notes_add, &notes, &old, &next);
	config_notes_log(&notes);
	m->reload_refused = failed(e);
	if (failed(e)) {
		stats_global_add(STAT_RELOAD_FAILURES, 1);
		log_error("reload refused", f_err(e),
			f_text("effect", "everything goes on as before"));
		systemd_ready(status(m, text));
		return;
	}
	stats_global_add(STAT_RELOADS, 1);
	stats_extend(next.config);
	server_health_extend(next.config);
	adopt(m, &next);
	stay_within_room(m, next.config);
	log_listening(&next, &old.listen);
	m->generation = next;
	m->loaded = (int64_t)time(NULL);
	if (strcmp(old.config->log.file, next.config->log.file) != 0)
		reopen_log(m);
	configure_admin(next.config);
	generation_close(&old, &next);
	/* Half of the room is for those that are about to end, and for the new. */
	crew_drain_oldest(&m->crew, m->worker_room / 2);
	m->crew.spawn_at = 0;
	m->reload_due = true;
}

/* Once the workers of this generation serve, the others need not. Each line comes when what it says
 * is so. */
static void settle(struct master *m)
{
	unsigned generation = m->generation.number;
	char text[STATUS_MAX];

	if (m->draining) {
		if (m->drain_due && crew_accepting(&m->crew) == 0) {
			m->drain_due = false;
			log_info("draining", f_uint("sessions", session_table_count()),
				f_uint("grace_s", m->grace / 1000));
		}
		return;
	}
	if (crew_serving(&m->crew, generation) < m->wanted)
		return;
	crew_retire_others(&m->crew, generation);
	if (crew_accepting(&m->crew) > m->wanted)
		return;
	if (m->ready_due)
		log_info("ready", f_uint("workers", m->wanted));
	else if (m->reload_due)
		log_info("reload done", f_uint("workers", m->wanted),
			f_uint("generation", generation));
	if (m->ready_due || m->reload_due)
		systemd_ready(status(m, text));
	m->ready_due = m->reload_due = false;
}

static void drain(struct master *m)
{
	m->draining = m->drain_due = true;
	m->kill_at = crew_now() + m->grace + KILL_AFTER;
	listen_close(&m->generation.listen, NULL);
	crew_drain(&m->crew);
}

/* Who sends us clients learns first that we are going; connections that come meanwhile are served.
 */
static void stop(struct master *m)
{
	uint64_t delay = m->generation.config->shutdown_delay;
	char text[STATUS_MAX];

	m->stopping = true;
	m->drain_at = crew_now() + delay;
	systemd_stopping(delay + m->grace + 2 * KILL_AFTER, status(m, text));
	if (delay > 0)
		log_info("stopping", f_uint("delay_s", delay / 1000));
	else
		drain(m);
}

static void force(struct master *m, const char *why)
{
	log_warning("sessions cut off", f_uint("sessions", session_table_count()),
		f_text("reason", why));
	m->draining = m->forced = true;
	m->drain_due = false;
	m->kill_at = UINT64_MAX;
	crew_kill(&m->crew);
}

static void handle_signal(struct master *m, uint32_t signal_number)
{
	switch (signal_number) {
	case SIGHUP:
		if (!m->stopping)
			reload(m);
		break;
	case SIGINT:
	case SIGTERM:
		if (m->stopping)
			force(m, "asked twice to end");
		else
			stop(m);
		break;
	case SIGUSR1:
		reopen_log(m);
		break;
	default:
		break;
	}
}

static void read_signals(struct master *m)
{
	uint32_t signal_number;

	while ((signal_number = signals_next(m->signals)) != 0)
		handle_signal(m, signal_number);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int poll_timeout(const struct master *m)
{
	uint64_t at = m->draining ? m->kill_at
				  : crew_next_fill(&m->crew, m->generation.number, m->wanted);
	uint64_t now = crew_now();

	at = earlier(earlier(at, systemd_alive_at()), admin_due());
	if (m->stopping && !m->draining)
		at = earlier(at, m->drain_at);
	if (log_pending())
		at = earlier(at, now + LOG_FLUSH_EVERY);
	if (at == UINT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

static void wait_for_events(struct master *m)
{
	nfds_t n = m->crew.n;

	m->fds = mem_resize(m->fds, n + 1 + ADMIN_FDS, sizeof(*m->fds));
	crew_poll_set(&m->crew, m->fds);
	m->fds[n++] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
	n += admin_poll_set(m->fds + n);
	if (poll(m->fds, n, poll_timeout(m)) < 0 && errno != EINTR)
		fatal("poll: %m");
}

static void turn(struct master *m)
{
	char text[STATUS_MAX];

	wait_for_events(m);
	crew_hear(&m->crew, m->fds);
	read_signals(m);
	/* Behind it: a SIGCHLD that it took is the last word of that child. */
	crew_reap(&m->crew);
	if (m->stopping && !m->draining && crew_now() >= m->drain_at)
		drain(m);
	if (m->draining && !m->forced && crew_now() >= m->kill_at)
		force(m, "workers did not end in time");
	admin_run();
	if (log_pending())
		log_flush();
	systemd_alive(status(m, text));
}

int master_run(const char *file)
{
	struct master m = { .file = file, .started = (int64_t)time(NULL) };

	m.loaded = m.started;
	systemd_open();
	m.signals = signals_open();
	if (!start(&m)) {
		(void)close(m.signals);
		return 2;
	}
	while (!m.draining || m.crew.n > 0) {
		if (!m.draining)
			crew_fill(&m.crew, &m.generation, m.wanted);
		settle(&m);
		turn(&m);
	}
	settle(&m);
	log_info("stopped");
	log_finish(LAST_LINES);
	admin_stop();
	crew_done(&m.crew);
	free(m.fds);
	generation_close(&m.generation, NULL);
	(void)close(m.signals);
	return m.forced ? 1 : 0;
}

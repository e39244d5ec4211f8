#include "proxy/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proxy/proxy_protocol.h"
#include "proxy/runtime/fatal.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"
#include "proxy/service/address_text.h"
#include "proxy/service/refusals.h"
#include "proxy/service/stats.h"

/* Connections taken per event: the other workers are awake too and get their share. */
#define BATCH 4
/* How long nothing is accepted when memory, or even the spare descriptor, ran out: sessions end
 * meanwhile. */
#define PAUSE 200
/* At most one line in this time tells of such a state. */
#define QUIET 60000
/* Refused connections at a time that are seen off in good order; of a flood beyond that each gets
 * its line and is dropped. */
#define REFUSALS 256

struct acceptor {
	const struct service *service;
	int fd;
	size_t listener;
	struct fiber *fiber;
	struct acceptor *next;
};

/* A connection that came, before and while its session runs. */
struct arrival {
	const struct service *service;
	size_t listener;
	int fd;
	char address[INET6_ADDRSTRLEN];
};

static struct {
	struct acceptor *acceptors;
	size_t open; /* sockets */
	void (*stopped)(void);
	int spare; /* a descriptor for when there are no more; -1: in use, or lost */
	unsigned refusing;
	uint64_t shortage_logged, cut_logged; /* when; 0: never */
} state;

static bool time_to_log(uint64_t *logged)
{
	uint64_t now = runtime_now();

	if (*logged && now - *logged < QUIET)
		return false;
	*logged = now ? now : 1;
	return true;
}

/* Where the peer must send a PROXY header, the client is who it names. */
fiber_fn static bool identify(struct arrival *arrival, const struct connection *connection)
{
	const struct listener_config *listener = connection->listener;
	struct proxy_header header;
	struct err e;

	if (!network_list_contains(&listener->proxy_protocol_from, arrival->address))
		return true;
	{
		deadline(arrival->service->config->timeouts.tls);
		e = proxy_protocol_read(connection->stream, &header);
	}
	if (failed(e)) {
		refusals_add(&(struct refusal){ .what = REFUSED_CONNECTION,
			.listener = listener->name,
			.address = arrival->address,
			.reason = e.detail });
		if (e.scope == ERR_PEER)
			log_info("no proxy header", f_text("listener", listener->name),
				f_text("address", arrival->address), f_err(e));
		else
			log_warning("proxy header refused", f_text("listener", listener->name),
				f_text("address", arrival->address), f_err(e));
		stats_listener_add(stats_listener(listener->name), STAT_REFUSED_CONNECTIONS, 1);
		return false;
	}
	if (header.address[0])
		memcpy(arrival->address, header.address, sizeof(header.address));
	return true;
}

fiber_fn static void refuse(const struct arrival *arrival, const struct connection *connection,
	enum session_refusal refusal)
{
	if (state.refusing >= REFUSALS) {
		session_turn_away(connection, refusal);
		if (time_to_log(&state.cut_logged))
			log_warning("connections cut off",
				f_text("listener", connection->listener->name),
				f_text("address", arrival->address),
				f_text("detail", "too many beyond the limit to see each off"));
		return;
	}
	state.refusing++;
	session_refuse(arrival->service, connection, refusal);
	state.refusing--;
}

fiber_fn static void serve(const struct arrival *arrival, struct connection *connection)
{
	const struct limit_settings *limits = &arrival->service->config->limits;
	enum session_refusal refusal = session_table_enter(arrival->address, limits->sessions,
		limits->sessions_per_address, &connection->slot);

	if (refusal != SESSION_ADMITTED) {
		refuse(arrival, connection, refusal);
		return;
	}
	session_run(arrival->service, connection);
	session_table_leave(connection->slot);
}

fiber_fn static void arrival_main(void *arg)
{
	struct arrival *arrival = arg;
	struct connection connection = {
		.stream = stream_new(arrival->fd),
		.listener = &arrival->service->config->listeners[arrival->listener],
		.listener_index = arrival->listener,
		.address = arrival->address,
	};

	if (identify(arrival, &connection))
		serve(arrival, &connection);
	stream_close(connection.stream);
	free(arrival);
}

union peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void show_peer(const union peer *peer, char text[INET6_ADDRSTRLEN])
{
	if (peer->any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &peer->v4.sin_addr, text, INET6_ADDRSTRLEN);
	else
		(void)address_text(&peer->v6.sin6_addr, text);
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* There is no descriptor for a session: whoever waits is told so by means of the spare one, since a
 * client without a greeting waits for ever. false: not even that one is there. */
fiber_fn static bool turn_away(const struct acceptor *acceptor)
{
	struct connection connection = {
		.listener = &acceptor->service->config->listeners[acceptor->listener],
		.listener_index = acceptor->listener,
	};
	int fd;

	if (state.spare < 0)
		state.spare = open_spare();
	if (state.spare < 0)
		return false;
	(void)close(state.spare);
	state.spare = -1;
	fd = accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		connection.stream = stream_new(fd);
		session_turn_away(&connection, SESSION_TABLE_FULL);
		stream_close(connection.stream);
	}
	state.spare = open_spare();
	return state.spare >= 0;
}

static int accept_one(const struct acceptor *acceptor)
{
	union peer peer = { .v6 = { 0 } };
	socklen_t length = sizeof(peer);
	int fd = accept4(
		acceptor->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct arrival *arrival;

	if (fd < 0)
		return errno;
	arrival = mem_zalloc(1, sizeof(*arrival));
	arrival->service = acceptor->service;
	arrival->listener = acceptor->listener;
	arrival->fd = fd;
	show_peer(&peer, arrival->address);
	(void)fiber_spawn("session", arrival_main, arrival);
	return 0;
}

static void log_shortage(int error)
{
	if (time_to_log(&state.shortage_logged))
		log_error("no session for who connects", f_text("detail", strerror(error)),
			f_text("advice", "raise the limit of open files, or lower "
					 "limits.sessions"));
}

/* Takes what has come, a few at most. */
fiber_fn static struct err accept_some(const struct acceptor *acceptor)
{
	for (int n = 0; n < BATCH; n++) {
		int error = accept_one(acceptor);

		switch (error) {
		case 0:
			break;
		case EAGAIN:
			return ok();
		case EMFILE:
		case ENFILE:
			log_shortage(error);
			if (!turn_away(acceptor))
				return wait_sleep(PAUSE);
			break;
		case ENOBUFS:
		case ENOMEM:
			log_shortage(error);
			return wait_sleep(PAUSE);
		case EBADF:
		case EINVAL:
		case ENOTSOCK:
		case EOPNOTSUPP:
			fatal("accept: %s", strerror(error));
		default: /* that connection failed before it was taken (accept(2)) */
			break;
		}
	}
	return ok();
}

fiber_fn static void acceptor_main(void *arg)
{
	struct acceptor *acceptor = arg;
	struct fd_wait *wait = fd_wait_new(acceptor->fd);
	struct err e;

	do {
		e = fd_wait_for(wait, UV_READABLE);
		if (!failed(e))
			e = accept_some(acceptor);
	} while (!failed(e));
	if (e.scope != ERR_CANCELED)
		fatal("accepting: %s", e.detail);
	fd_wait_free(wait);
	(void)close(acceptor->fd);
	free(acceptor);
	if (--state.open == 0)
		state.stopped();
}

void accept_start(
	const struct service *service, const struct listen_set *listen, void (*stopped)(void))
{
	state.open = listen->n;
	state.stopped = stopped;
	state.spare = open_spare();
	for (size_t i = 0; i < listen->n; i++) {
		struct acceptor *acceptor = mem_zalloc(1, sizeof(*acceptor));

		acceptor->service = service;
		acceptor->fd = listen->sockets[i].fd;
		acceptor->listener = listen->sockets[i].listener;
		acceptor->next = state.acceptors;
		state.acceptors = acceptor;
		acceptor->fiber = fiber_spawn("accept", acceptor_main, acceptor);
	}
}

void accept_stop(void)
{
	struct acceptor *next;

	for (struct acceptor *a = state.acceptors; a; a = next) {
		next = a->next;
		fiber_cancel(a->fiber);
	}
	state.acceptors = NULL;
}

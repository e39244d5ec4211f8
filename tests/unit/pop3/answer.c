#include "answer.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/pop3/session_state.h"
#include "proxy/runtime/fatal.h"

static struct {
	struct session session;
	const char *verb;
	int peer;
	struct buffer heard;
} world;

static void answer(void *arg)
{
	const struct command *command = command_find(transaction_commands, world.verb);
	const struct command_args args = { 0 };

	(void)arg;
	command->handler(&world.session, &args);
	if (failed(reply_flush(world.session.out)))
		fatal("nobody listens");
	stream_close(world.session.stream);
}

static void hear(void *arg)
{
	struct stream *stream = stream_new(world.peer);
	struct err e;
	size_t n;

	(void)arg;
	do {
		e = stream_read(stream, buffer_reserve(&world.heard, 4096), 4096, &n);
		world.heard.end += failed(e) ? 0 : n;
	} while (!failed(e) && n > 0);
	stream_close(stream);
}

char *answer_to(const char *verb, struct maildrop *drop)
{
	int ends[2];

	memset(&world, 0, sizeof(world));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		fatal("no sockets");
	world.verb = verb;
	world.peer = ends[1];
	world.session.drop = drop;
	world.session.stream = stream_new(ends[0]);
	world.session.out = reply_new(world.session.stream, 60000);
	(void)fiber_spawn("session", answer, NULL);
	(void)fiber_spawn("peer", hear, NULL);
	runtime_run();
	reply_free(world.session.out);
	buffer_append(&world.heard, "", 1);
	return world.heard.data;
}

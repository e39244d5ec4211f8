#include "tests/unit/imap/peer.h"

#include "proxy/runtime/wait.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define COMMAND_MAX 16384

void peer_fail(struct peer *peer, const char *format, ...)
{
	char text[512];
	va_list args;

	if (peer->failure)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	peer->failure = mem_strdup(text);
	peer_close(peer);
}

fiber_fn static bool read_line(struct peer *peer, struct line *line)
{
	struct err e;

	if (!peer->stream)
		return false;
	e = line_read(peer->lines, COMMAND_MAX, line);
	if (failed(e))
		peer_fail(peer, "the client is gone: %s", e.detail);
	return !failed(e);
}

fiber_fn void peer_command(struct peer *peer)
{
	struct line line;
	char *space;

	if (!read_line(peer, &line))
		return;
	space = strchr(line.text, ' ');
	if (!space || (size_t)(space - line.text) >= sizeof(peer->tag)) {
		peer_fail(peer, "no command: %s", line.text);
		return;
	}
	*space = '\0';
	strcpy(peer->tag, line.text);
	free(peer->command);
	peer->command = mem_strdup(space + 1);
	buffer_append(&peer->wire, peer->command, strlen(peer->command));
	buffer_append(&peer->wire, "\n", 1);
}

fiber_fn void peer_expect(struct peer *peer, const char *command)
{
	peer_command(peer);
	if (!peer->failure && peer->stream && strcmp(peer->command, command) != 0)
		peer_fail(peer, "expected \"%s\", got \"%s\"", command, peer->command);
}

fiber_fn void peer_expect_line(struct peer *peer, const char *text)
{
	struct line line;

	if (read_line(peer, &line) && strcmp(line.text, text) != 0)
		peer_fail(peer, "expected \"%s\", got \"%s\"", text, line.text);
}

fiber_fn void peer_send_octets(struct peer *peer, const void *data, size_t n)
{
	/* A client that hangs up is what many scripts are about; it shows in what they read. */
	if (peer->stream)
		(void)stream_write(peer->stream, data, n).scope;
}

fiber_fn void peer_send(struct peer *peer, const char *format, ...)
{
	char *s = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&s, format, args);
	va_end(args);
	assert(n >= 0);
	peer_send_octets(peer, s, (size_t)n);
	free(s);
}

fiber_fn void peer_answer(struct peer *peer, const char *text)
{
	peer_send(peer, "%s %s\r\n", peer->tag, text);
}

fiber_fn void peer_settle(struct peer *p)
{
	(void)p;
	(void)wait_turn().scope;
	(void)wait_turn().scope;
}

fiber_fn void peer_expect_end(struct peer *peer)
{
	struct line line;
	struct err e;

	if (!peer->stream)
		return;
	e = line_read(peer->lines, COMMAND_MAX, &line);
	if (!failed(e))
		peer_fail(peer, "expected the end, got \"%s\"", line.text);
	peer_close(peer);
}

fiber_fn void peer_drain(struct peer *peer)
{
	char dropped[256];
	size_t n = 1;

	while (peer->stream && n > 0)
		if (failed(stream_read(peer->stream, dropped, sizeof(dropped), &n)))
			n = 0;
	peer_close(peer);
}

fiber_fn void peer_close(struct peer *peer)
{
	stream_close(peer->stream);
	peer->stream = NULL;
}

fiber_fn void peer_greet(struct peer *peer)
{
	peer_send(peer, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] ready\r\n");
}

fiber_fn void peer_login(struct peer *peer, const char *capabilities)
{
	char text[256];

	peer_expect(peer, "LOGIN \"user@a.example\" \"secret\"");
	(void)snprintf(text, sizeof(text), "OK [CAPABILITY IMAP4rev1 %s] Logged in", capabilities);
	peer_answer(peer, text);
}

fiber_fn void peer_select(struct peer *peer, unsigned exists)
{
	peer_send(peer,
		"* FLAGS (\\Seen \\Deleted)\r\n* %u EXISTS\r\n* 0 RECENT\r\n"
		"* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] Flags\r\n"
		"* OK [UIDVALIDITY 7] UIDs valid\r\n* OK [UIDNEXT %u] Predicted next UID\r\n",
		exists, exists + 1);
	peer_answer(peer, "OK [READ-WRITE] Select completed");
}

fiber_fn void peer_begin(struct peer *peer, unsigned exists)
{
	peer_greet(peer);
	peer_login(peer, "UIDPLUS MOVE UNSELECT");
	peer_expect(peer, "SELECT \"INBOX\"");
	peer_select(peer, exists);
}

fiber_fn void peer_end(struct peer *peer)
{
	peer_expect(peer, "LOGOUT");
	peer_send(peer, "* BYE Logging out\r\n");
	peer_answer(peer, "OK Logout completed");
	peer_expect_end(peer);
}

fiber_fn void peer_list(struct peer *peer, unsigned n)
{
	peer_expect(peer, LIST_COMMAND);
	for (unsigned uid = 1; uid <= n; uid++)
		peer_send(peer,
			"* %u FETCH (UID %u RFC822.SIZE 100 INTERNALDATE "
			"\"17-Jul-1996 02:44:25 -0700\" FLAGS ())\r\n",
			uid, uid);
	peer_answer(peer, "OK Fetch completed");
}

int runtime_setup(void **state)
{
	(void)state;
	runtime_init();
	return 0;
}

int runtime_teardown(void **state)
{
	(void)state;
	runtime_close();
	return 0;
}

static void settings_init(struct imap_settings *s)
{
	s->port = 143;
	s->tls = TLS_NONE;
	s->verify = true;
	s->ca_file = s->client_certificate = s->client_key = "";
	s->login = "%{login}";
	s->master_user = s->master_password_file = "";
	s->connect_timeout = 10000;
	s->command_timeout = 60000;
}

int world_new(void **state)
{
	struct world *w = mem_zalloc(1, sizeof(*w));

	settings_init(&w->tenant.imap);
	w->tenant.maildrop.folder = "INBOX";
	w->tenant.maildrop.trash = "Trash";
	w->account = (struct account){ .tenant = &w->tenant,
		.login = "user@a.example",
		.user = "user",
		.domain = "a.example",
		.folder = "INBOX",
		.client_address = "192.0.2.9" };
	w->password = secret_new("secret", 6);
	w->arena = arena_new();
	w->fd = -1;
	w->e = ok();
	*state = w;
	return 0;
}

static void peer_done(struct peer *peer)
{
	buffer_done(&peer->wire);
	free(peer->command);
	free(peer->failure);
}

int world_free(void **state)
{
	struct world *w = *state;

	secret_free(w->password);
	arena_free(w->arena);
	peer_done(&w->peer);
	for (size_t i = 0; i < WORLD_PEERS; i++)
		peer_done(&w->later_peers[i]);
	free(w);
	return 0;
}

fiber_fn static void run_peer(void *arg)
{
	struct peer *peer = arg;

	peer->script(peer);
	peer_close(peer);
}

/* Starts the server's side of a connection; the client's. */
static int start_peer(struct world *w, struct peer *peer, void (*script)(struct peer *))
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	peer->world = w;
	peer->script = script;
	peer->stream = stream_new(fds[1]);
	peer->lines = line_reader_new(peer->stream);
	fiber_spawn("peer", run_peer, peer);
	return fds[0];
}

static void judge_peer(const struct world *w, struct peer *peer)
{
	line_reader_free(steal(peer->lines));
	if (peer->failure)
		fail_msg("the server: %s (the client: %s)", peer->failure, w->e.detail);
}

fiber_fn static void run_client(void *arg)
{
	struct world *w = arg;

	w->act(w);
	w->client = NULL;
}

void world_run(struct world *w, void (*server)(struct peer *), void (*act)(struct world *))
{
	w->fd = start_peer(w, &w->peer, server);
	w->connects = 0;
	w->act = act;
	w->client = fiber_spawn("client", run_client, w);
	runtime_run();
	assert_int_equal(fiber_count(), 0);
	judge_peer(w, &w->peer);
	for (size_t i = 0; i < WORLD_PEERS; i++)
		judge_peer(w, &w->later_peers[i]);
}

/* imap_connect's part. */
fiber_fn static struct err world_connect(struct imap *imap)
{
	struct world *w = (struct world *)(void *)((char *)(uintptr_t)imap->account -
						   offsetof(struct world, account));
	size_t later = w->connects++;
	int fd = later == 0 ? w->fd : -1;

	if (later > 0 && later <= WORLD_PEERS && w->later[later - 1])
		fd = start_peer(w, &w->later_peers[later - 1], w->later[later - 1]);
	if (fd < 0)
		return err_make(ERR_TEMP, "imap.test: no way to the server");
	return imap_start(imap, stream_new(fd), "imap.test");
}

fiber_fn void world_open(struct world *w)
{
	struct store_credentials credentials = { .password = w->password, .actor = w->actor };

	w->e = imap_open_by(world_connect, &w->account, &credentials, &w->backend);
}

fiber_fn void world_list(struct world *w)
{
	if (!failed(w->e))
		w->e = w->backend->ops->list(w->backend, w->arena, &w->request, &w->listing);
}

fiber_fn void world_close(struct world *w)
{
	imap_backend.close(w->backend);
	w->backend = NULL;
}

fiber_fn void act_open(struct world *w)
{
	world_open(w);
	world_close(w);
}

fiber_fn void act_list(struct world *w)
{
	world_open(w);
	world_list(w);
	world_close(w);
}

void assert_error(const struct world *w, enum err_scope scope, const char *text)
{
	if (w->e.scope != scope || !strstr(w->e.detail, text))
		fail_msg("expected %s with \"%s\", got %s: %s", err_scope_name(scope), text,
			err_scope_name(w->e.scope), w->e.detail);
}

void assert_wire(struct world *w, const char *commands)
{
	buffer_append(&w->peer.wire, "", 1);
	assert_string_equal(w->peer.wire.data + w->peer.wire.start, commands);
}

fiber_fn static struct err collect(struct sink *sink, const void *data, size_t n)
{
	struct collector *c = (struct collector *)sink;

	buffer_append(&c->got, data, n);
	if (c->on_write)
		c->on_write(c);
	if (c->fail_at > 0 && buffer_used(&c->got) >= c->fail_at)
		return err_make(ERR_PEER, "the reader is gone");
	if (c->full_at > 0 && buffer_used(&c->got) >= c->full_at)
		c->sink.full = true;
	return ok();
}

void collector_init(struct collector *c)
{
	*c = (struct collector){ .sink.write = collect };
}

void assert_got(struct collector *c, const char *text, size_t n)
{
	assert_int_equal(buffer_used(&c->got), n);
	if (n > 0)
		assert_memory_equal(c->got.data + c->got.start, text, n);
	buffer_done(&c->got);
}

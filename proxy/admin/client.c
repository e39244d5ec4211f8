#include "proxy/admin/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "config/address.h"
#include "proxy/admin/admin.h"

/* A gateway that does not answer within so many seconds is not well. */
#define PATIENCE 5
#define PIECE    16384

static struct err connect_to(
	const struct sockaddr *address, socklen_t length, const char *where, int *ret)
{
	struct timeval patience = { .tv_sec = PATIENCE };
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err e;

	if (fd < 0)
		return err_errno(ERR_TEMP, errno, "no answer at %s", where);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, address, length) != 0) {
		e = err_make(ERR_TEMP,
			"no answer at %s (%s): is the gateway running, with this configuration?",
			where, strerror(errno));
		(void)close(fd);
		return e;
	}
	*ret = fd;
	return ok();
}

/* Where it is reached from here, when it listens on every address. */
static void prefer_loopback(struct listen_address *at)
{
	struct sockaddr_in *v4 = (void *)&at->address;
	struct sockaddr_in6 *v6 = (void *)&at->address;

	if (at->address.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (at->address.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		v6->sin6_addr = in6addr_loopback;
}

static struct err connect_address(const struct config *config, int *ret)
{
	struct listen_address at;

	if (!listen_address_parse(config->admin_listen, &at))
		return err_make(ERR_INVALID, "admin.listen is empty: there is nobody to ask");
	prefer_loopback(&at);
	return connect_to(
		(const struct sockaddr *)&at.address, at.length, config->admin_listen, ret);
}

static struct err connect_socket(const struct config *config, int *ret)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const char *path = admin_socket_path(config, arena);
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (!*path || strlen(path) >= sizeof(at.sun_path))
		return err_make(ERR_INVALID, "admin.socket is not set: there is nobody to ask");
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	return connect_to((const struct sockaddr *)&at, sizeof(at), path, ret);
}

static struct err connect_way(const struct config *config, enum client_way way, int *ret)
{
	struct err e;

	if (way == CLIENT_ADDRESS)
		return connect_address(config, ret);
	e = connect_socket(config, ret);
	if (failed(e) && way == CLIENT_ANY && *config->admin_listen)
		return connect_address(config, ret);
	return e;
}

/* All that comes until the other end closes, NUL-terminated. */
static struct err exchange(int fd, const char *request, struct buffer *answer)
{
	size_t length = strlen(request);
	ssize_t n;

	if (write(fd, request, length) != (ssize_t)length)
		return err_errno(ERR_TEMP, errno, "the gateway does not take the question");
	do {
		n = read(fd, buffer_reserve(answer, PIECE), PIECE);
		if (n < 0)
			return err_errno(ERR_TEMP, errno, "the gateway does not answer");
		answer->end += (size_t)n;
	} while (n > 0);
	buffer_append(answer, "", 1);
	return ok();
}

static struct err read_answer(const struct buffer *answer, struct client_answer *ret)
{
	const char *text = buffer_data(answer);
	const char *body = strstr(text, "\r\n\r\n");
	unsigned long status = 0;

	if (body && strncmp(text, "HTTP/1.1 ", 9) == 0)
		status = strtoul(text + 9, NULL, 10);
	if (status < 100 || status > 999)
		return err_make(ERR_TEMP, "what answers does not speak HTTP");
	*ret = (struct client_answer){ .status = (unsigned)status, .body = mem_strdup(body + 4) };
	return ok();
}

struct err client_ask(const struct config *config, enum client_way way, const char *method,
	const char *path, struct client_answer *ret)
{
	struct buffer answer = { 0 };
	char *request;
	int fd = -1;
	struct err e = connect_way(config, way, &fd);

	if (failed(e))
		return e;
	request = mem_printf("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
			     "Content-Length: 0\r\n\r\n",
		method, path);
	e = exchange(fd, request, &answer);
	if (!failed(e))
		e = read_answer(&answer, ret);
	(void)close(fd);
	free(request);
	buffer_done(&answer);
	return e;
}

static struct err read_session(json_t *json, struct arena *arena, struct client_session *ret)
{
	json_int_t age, received, sent;
	struct client_session s;

	if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "id", &s.id, "login",
		    &s.login, "tenant", &s.tenant, "listener", &s.listener, "address", &s.address,
		    "state", &s.state, "age_seconds", &age, "received_bytes", &received,
		    "sent_bytes", &sent) != 0)
		return err_make(ERR_INVALID, "the answer is not that of a popgate of this version");
	*ret = (struct client_session){ .id = arena_strdup(arena, s.id),
		.login = arena_strdup(arena, s.login),
		.tenant = arena_strdup(arena, s.tenant),
		.listener = arena_strdup(arena, s.listener),
		.address = arena_strdup(arena, s.address),
		.state = arena_strdup(arena, s.state),
		.age = (uint64_t)age,
		.received = (uint64_t)received,
		.sent = (uint64_t)sent };
	return ok();
}

struct err client_sessions(
	const char *json, struct arena *arena, struct client_session **ret, size_t *n)
{
	json_t *top = json_loads(json, 0, NULL);
	json_t *array = json_object_get(top, "sessions");
	struct err e = ok();

	if (!json_is_array(array))
		e = err_make(ERR_INVALID, "the answer is not that of a popgate");
	*n = json_array_size(array);
	*ret = arena_zalloc(arena, *n + 1, sizeof(**ret));
	for (size_t i = 0; i < *n && !failed(e); i++)
		e = read_session(json_array_get(array, i), arena, &(*ret)[i]);
	json_decref(top);
	return e;
}

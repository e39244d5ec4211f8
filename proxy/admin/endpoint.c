#include "proxy/admin/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/address.h"
#include "proxy/admin/http.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"

#define BACKLOG 64
/* A client that neither sends nor takes anything, in seconds. */
#define IDLE_TIMEOUT 5
/* Per connection, for the request line and the headers; larger ones get 431. */
#define REQUEST_MEMORY 16384

static struct err bind_tcp(struct endpoint *endpoint, const char *where)
{
	struct listen_address wanted;
	const struct sockaddr *address = (const struct sockaddr *)&wanted.address;
	int on = 1, off = 0;

	if (!listen_address_parse(where, &wanted))
		return err_make(ERR_INVALID, "admin.listen: %s is no address", where);
	endpoint->listen_fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (endpoint->listen_fd < 0)
		return err_errno(ERR_INVALID, errno, "admin.listen: %s", where);
	(void)setsockopt(endpoint->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

		(void)setsockopt(endpoint->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		endpoint->named = !IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	} else {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

		endpoint->named = ntohl(v4->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET;
	}
	if (bind(endpoint->listen_fd, address, wanted.length) != 0)
		return err_errno(ERR_INVALID, errno, "admin.listen: %s", where);
	return ok();
}

/* Whether somebody listens there still. */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool served =
		fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
				   errno == EAGAIN);

	if (fd >= 0)
		(void)close(fd);
	return served;
}

static struct err bind_local(struct endpoint *endpoint, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_make(ERR_INVALID, "admin.socket: %s: longer than %zu octets", path,
			sizeof(address.sun_path) - 1);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (is_served(&address))
		return err_make(
			ERR_INVALID, "admin.socket: %s: another process listens on it", path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	endpoint->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (endpoint->listen_fd < 0)
		return err_errno(ERR_INVALID, errno, "admin.socket: %s", path);
	/* Before the bind: the file comes into being with it, and nobody else gets in meanwhile. */
	if (fchmod(endpoint->listen_fd, 0600) != 0 ||
		bind(endpoint->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return err_errno(ERR_INVALID, errno, "admin.socket: %s", path);
	return ok();
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct endpoint *endpoint = arg;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = info ? info->connect_fd : -1;
	int from = code == MHD_CONNECTION_NOTIFY_STARTED ? -1 : fd;
	int to = code == MHD_CONNECTION_NOTIFY_STARTED ? fd : -1;

	(void)context;
	for (size_t i = 0; i < sizeof(endpoint->connections) / sizeof(int); i++)
		if (endpoint->connections[i] == from) {
			endpoint->connections[i] = to;
			return;
		}
}

__attribute__((format(printf, 2, 0))) static void on_trouble(
	void *arg, const char *format, va_list args)
{
	char text[256];

	(void)arg;
	(void)vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_debug("admin request", f_text("detail", text));
}

static struct err serve(struct endpoint *endpoint)
{
	endpoint->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		http_answer, endpoint, MHD_OPTION_EXTERNAL_LOGGER, on_trouble, NULL,
		MHD_OPTION_LISTEN_SOCKET, endpoint->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)ENDPOINT_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_TIMEOUT, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, http_completed, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, endpoint, MHD_OPTION_END);
	if (!endpoint->daemon)
		return err_make(ERR_INVALID, "libmicrohttpd does not start: %s", strerror(errno));
	return ok();
}

struct err endpoint_open(struct endpoint *endpoint, const char *where, bool local)
{
	struct err e;

	*endpoint = (struct endpoint){ .local = local, .listen_fd = -1 };
	for (size_t i = 0; i < sizeof(endpoint->connections) / sizeof(int); i++)
		endpoint->connections[i] = -1;
	e = local ? bind_local(endpoint, where) : bind_tcp(endpoint, where);
	if (!failed(e) && listen(endpoint->listen_fd, BACKLOG) != 0)
		e = err_errno(ERR_INVALID, errno, "%s", where);
	if (!failed(e))
		e = serve(endpoint);
	if (failed(e)) {
		if (endpoint->listen_fd >= 0)
			(void)close(endpoint->listen_fd);
		endpoint->listen_fd = -1;
		return e;
	}
	endpoint->where = mem_strdup(where);
	return ok();
}

void endpoint_close(struct endpoint *endpoint)
{
	if (!endpoint->where)
		return;
	MHD_stop_daemon(endpoint->daemon); /* and with it the listening socket */
	if (endpoint->local)
		(void)unlink(endpoint->where);
	free(endpoint->where);
	*endpoint = (struct endpoint){ .listen_fd = -1 };
}

/* Stopping the daemon would shut down connections that are the parent's too. */
void endpoint_leave(struct endpoint *endpoint)
{
	if (!endpoint->where)
		return;
	(void)close(endpoint_poll_fd(endpoint));
	(void)close(endpoint->listen_fd);
	for (size_t i = 0; i < sizeof(endpoint->connections) / sizeof(int); i++)
		if (endpoint->connections[i] >= 0)
			(void)close(endpoint->connections[i]);
}

int endpoint_poll_fd(const struct endpoint *endpoint)
{
	const union MHD_DaemonInfo *info;

	if (!endpoint->where)
		return -1;
	info = MHD_get_daemon_info(endpoint->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return info ? info->epoll_fd : -1;
}

uint64_t endpoint_timeout(const struct endpoint *endpoint)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	if (!endpoint->where || MHD_get_timeout(endpoint->daemon, &timeout) != MHD_YES)
		return UINT64_MAX;
	return timeout;
}

void endpoint_run(struct endpoint *endpoint)
{
	if (endpoint->where)
		(void)MHD_run(endpoint->daemon);
}

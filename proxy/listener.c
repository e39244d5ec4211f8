#include "proxy/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/systemd.h"

/* Connections that wait to be accepted; the kernel's somaxconn may be lower. */
#define BACKLOG 4096

static uint16_t port_of(const struct listen_address *address)
{
	/* The port lies at the same place in both families. */
	return ntohs(((const struct sockaddr_in *)&address->address)->sin_port);
}

static bool is_any_v6(const struct listen_address *address)
{
	return address->address.ss_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(
		       &((const struct sockaddr_in6 *)&address->address)->sin6_addr);
}

static const char *show_address(const struct sockaddr_storage *address, char text[LISTEN_TEXT_MAX])
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	char host[INET6_ADDRSTRLEN] = "";

	memcpy(&v6, address, sizeof(v6));
	memcpy(&v4, address, sizeof(v4));
	if (address->ss_family == AF_INET6)
		(void)snprintf(text, LISTEN_TEXT_MAX, "[%s]:%u",
			inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host)),
			ntohs(v6.sin6_port));
	else
		(void)snprintf(text, LISTEN_TEXT_MAX, "%s:%u",
			inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host)), ntohs(v4.sin_port));
	return text;
}

/* The index of the listener with that name, or n_listeners. */
static size_t listener_named(const struct config *config, const char *name)
{
	size_t i = 0;

	while (i < config->n_listeners && strcmp(config->listeners[i].name, name) != 0)
		i++;
	return i;
}

/* A socket of systemd, as it is: who wrote its unit decided what it listens on. */
static struct err take_socket(
	const struct config *config, const struct systemd_socket *given, struct listen_socket *ret)
{
	struct listen_socket s = { .fd = given->fd, .handed_over = true };
	int listens = 0, v6_only = 0;
	socklen_t length = sizeof(listens);

	s.listener = listener_named(config, given->name);
	s.wanted.length = sizeof(s.wanted.address);
	if (s.listener == config->n_listeners)
		return err_make(ERR_INVALID,
			"systemd hands over a socket named \"%s\": name it after a listener by"
			" FileDescriptorName= in its unit",
			given->name);
	if (getsockopt(s.fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || !listens ||
		getsockname(s.fd, (struct sockaddr *)&s.wanted.address, &s.wanted.length) != 0 ||
		(s.wanted.address.ss_family != AF_INET && s.wanted.address.ss_family != AF_INET6))
		return err_make(ERR_INVALID,
			"listener %s: what systemd hands over is no TCP socket that listens",
			given->name);
	length = sizeof(v6_only);
	(void)getsockopt(s.fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &length);
	s.v6_only = v6_only;
	(void)fcntl(s.fd, F_SETFL, fcntl(s.fd, F_GETFL) | O_NONBLOCK);
	(void)show_address(&s.wanted.address, s.text);
	*ret = s;
	return ok();
}

static struct err take_sockets(const struct config *config, struct listen_set *set)
{
	const struct systemd_socket *given;
	size_t n = systemd_sockets(&given);
	struct err e = ok();

	for (size_t i = 0; i < n && !failed(e); i++) {
		e = take_socket(config, &given[i], &set->sockets[set->n]);
		if (!failed(e))
			set->n++;
	}
	return e;
}

static bool has_sockets(const struct listen_set *set, size_t listener)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->sockets[i].handed_over && set->sockets[i].listener == listener)
			return true;
	return false;
}

static struct err plan_addresses(
	const struct config *config, size_t listener, struct listen_set *set)
{
	const struct listener_config *l = &config->listeners[listener];

	for (size_t i = 0; i < l->listen.n; i++) {
		struct listen_socket *s = &set->sockets[set->n++];
		const char *text = l->listen.items[i];

		s->fd = -1;
		s->listener = listener;
		if (!listen_address_parse(text, &s->wanted))
			return err_make(ERR_INVALID, "listener %s, %s: not an address with a port",
				l->name, text);
		(void)snprintf(s->text, sizeof(s->text), "%s", text);
	}
	return ok();
}

static size_t count_sockets(const struct config *config)
{
	const struct systemd_socket *given;
	size_t n = systemd_sockets(&given);

	for (size_t i = 0; i < config->n_listeners; i++)
		n += config->listeners[i].listen.n;
	return n;
}

/* Fills in what is wanted, nothing bound yet. */
static struct err plan(const struct config *config, struct listen_set *set)
{
	struct err e;

	set->sockets = mem_zalloc(count_sockets(config), sizeof(*set->sockets));
	set->n = 0;
	e = take_sockets(config, set);
	for (size_t i = 0; i < config->n_listeners && !failed(e); i++)
		if (!has_sockets(set, i))
			e = plan_addresses(config, i, set);
	return e;
}

static void mark_v6_only(struct listen_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		struct listen_socket *s = &set->sockets[i];
		uint16_t port = port_of(&s->wanted);

		if (!is_any_v6(&s->wanted) || port == 0)
			continue;
		for (size_t j = 0; j < set->n; j++)
			if (set->sockets[j].wanted.address.ss_family == AF_INET &&
				port_of(&set->sockets[j].wanted) == port)
				s->v6_only = true;
	}
}

static bool holds(const struct listen_set *set, int fd)
{
	for (size_t i = 0; set && i < set->n; i++)
		if (set->sockets[i].fd == fd)
			return true;
	return false;
}

/* The socket of old for the same address, unless set has taken it already (port 0 may occur more
 * than once). */
static const struct listen_socket *same_address(const struct listen_set *old,
	const struct listen_set *set, const struct listen_socket *wanted)
{
	for (size_t i = 0; old && i < old->n; i++) {
		const struct listen_socket *s = &old->sockets[i];

		if (!s->handed_over && s->v6_only == wanted->v6_only &&
			s->wanted.length == wanted->wanted.length &&
			memcmp(&s->wanted.address, &wanted->wanted.address, s->wanted.length) ==
				0 &&
			!holds(set, s->fd))
			return s;
	}
	return NULL;
}

static int open_socket(const struct listen_socket *s)
{
	const struct listen_address *at = &s->wanted;
	int on = 1, v6_only = s->v6_only;
	int fd = socket(at->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		(at->address.ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
							      &v6_only, sizeof(v6_only)) == 0) &&
		bind(fd, (const struct sockaddr *)&at->address, at->length) == 0 &&
		listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/* "[::]" without IPv6 in the kernel: every IPv4 address. s->wanted stays as configured. */
static int open_any_v4(const struct listen_socket *s)
{
	struct listen_socket v4 = *s;
	struct sockaddr_in any = { .sin_family = AF_INET };

	any.sin_port = htons(port_of(&s->wanted));
	memset(&v4.wanted, 0, sizeof(v4.wanted));
	memcpy(&v4.wanted.address, &any, sizeof(any));
	v4.wanted.length = sizeof(any);
	return open_socket(&v4);
}

static const char *advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "end the program that listens there, or choose another port";
	case EACCES:
	case EPERM:
		return "a port below 1024 needs root (see run_as) or CAP_NET_BIND_SERVICE";
	case EADDRNOTAVAIL:
		return "no interface of this machine has the address";
	case EAFNOSUPPORT:
		return "this machine has no IPv6; name an IPv4 address";
	default:
		return "the system refuses it";
	}
}

static void show_bound(struct listen_socket *s)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t length = sizeof(bound);

	if (getsockname(s->fd, (struct sockaddr *)&bound, &length) == 0)
		(void)show_address(&bound, s->text);
}

static struct err bind_one(const struct listener_config *listener, struct listen_socket *s)
{
	int error;

	s->fd = open_socket(s);
	if (s->fd < 0 && is_any_v6(&s->wanted) &&
		(errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) && !s->v6_only)
		s->fd = open_any_v4(s);
	error = errno;
	if (s->fd < 0)
		return err_make(ERR_INVALID, "listener %s, %s: %s: %s", listener->name, s->text,
			strerror(error), advice(error));
	show_bound(s);
	return ok();
}

struct err listen_open(
	const struct config *config, const struct listen_set *old, struct listen_set *ret)
{
	struct listen_set set;
	struct err e = plan(config, &set);

	if (!failed(e))
		mark_v6_only(&set);
	for (size_t i = 0; i < set.n && !failed(e); i++) {
		struct listen_socket *s = &set.sockets[i];
		const struct listen_socket *kept;

		if (s->handed_over)
			continue;
		kept = same_address(old, &set, s);
		if (kept) {
			s->fd = kept->fd;
			memcpy(s->text, kept->text, sizeof(s->text));
		} else {
			e = bind_one(&config->listeners[s->listener], s);
		}
	}
	if (failed(e)) {
		listen_close(&set, old);
		return e;
	}
	*ret = set;
	return ok();
}

void listen_close(struct listen_set *set, const struct listen_set *keep)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->sockets[i].fd >= 0 && !holds(keep, set->sockets[i].fd))
			(void)close(set->sockets[i].fd);
	free(set->sockets);
	set->sockets = NULL;
	set->n = 0;
}

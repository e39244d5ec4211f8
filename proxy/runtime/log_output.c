#include "proxy/runtime/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"

/* A buffer beyond this is given back once it is empty. */
#define KEEP 65536

/* How to write without a wait. */
enum manner {
	WRITE_PLAIN,  /* it does not block (a file, a description of our own), or it may (log.h) */
	WRITE_SOCKET, /* send takes a flag for it */
	WRITE_ASKED,  /* a pipe or terminal that we could not open anew: ask before each write */
};

static struct {
	int fd;
	bool own; /* fd is to be closed */
	bool file;
	enum manner manner;
	struct buffer pending;
	uint64_t lost; /* not told of yet */
	bool broken;   /* the latest write failed for good: who would be told? */
	void (*on_pending)(void);
	void (*on_loss)(void);
} output = { .fd = STDERR_FILENO };

static void use(int fd, bool own, bool file, enum manner manner)
{
	if (output.own)
		(void)close(output.fd);
	output.fd = fd;
	output.own = own;
	output.file = file;
	output.manner = manner;
}

/* Non-blocking is a matter of the open file description, which others share with us: a shell, the
 * next command on the same terminal. So we ask for one of our own. */
static void use_standard_error(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) != 0 || S_ISREG(st.st_mode)) {
		use(STDERR_FILENO, false, false, WRITE_PLAIN);
	} else if (S_ISSOCK(st.st_mode)) {
		use(STDERR_FILENO, false, false, WRITE_SOCKET);
	} else {
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0)
			use(fd, true, false, WRITE_PLAIN);
		else
			use(STDERR_FILENO, false, false, WRITE_ASKED);
	}
}

struct err log_output_open(const char *file)
{
	int fd;

	if (!*file) {
		use_standard_error();
		return ok();
	}
	fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(ERR_INVALID, errno, "log.file: %s", file);
	use(fd, true, true, WRITE_PLAIN);
	return ok();
}

void log_output_adopt(int fd)
{
	use(fd, true, true, WRITE_PLAIN);
}

int log_output_file(void)
{
	return output.file ? output.fd : -1;
}

void log_output_forget(void)
{
	buffer_done(&output.pending);
	output.lost = 0;
	output.on_pending = NULL;
}

void log_output_on_pending(void (*fn)(void))
{
	output.on_pending = fn;
}

void log_output_on_loss(void (*fn)(void))
{
	output.on_loss = fn;
}

bool log_pending(void)
{
	return buffer_used(&output.pending) > 0 || (output.lost > 0 && !output.broken);
}

static ssize_t write_some(const char *data, size_t n)
{
	struct pollfd room = { .fd = output.fd, .events = POLLOUT };
	ssize_t written;

	if (output.manner == WRITE_ASKED && poll(&room, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	do
		written = output.manner == WRITE_SOCKET
				  ? send(output.fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : write(output.fd, data, n);
	while (written < 0 && errno == EINTR);
	if (written >= 0 && output.broken && output.lost > 0 && output.on_pending)
		output.on_pending();
	output.broken = written < 0 && errno != EAGAIN;
	return written;
}

static void lose(size_t lines)
{
	output.lost += lines;
	for (; lines > 0 && output.on_loss; lines--)
		output.on_loss();
}

/* As many whole lines as go into one write; at least one. */
static size_t whole_lines(const char *data, size_t n)
{
	const char *end = memrchr(data, '\n', n < PIPE_BUF ? n : PIPE_BUF);

	if (!end)
		end = memchr(data, '\n', n);
	return end ? (size_t)(end - data) + 1 : n;
}

static size_t count_lines(const char *data, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += data[i] == '\n';
	return lines;
}

/* Whether nothing waits any more. */
static bool write_pending(void)
{
	struct buffer *pending = &output.pending;

	while (buffer_used(pending) > 0) {
		const char *data = buffer_data(pending);
		size_t n = whole_lines(data, buffer_used(pending));
		ssize_t written = write_some(data, n);

		if (written < 0 && errno == EAGAIN)
			return false;
		if (written < 0) {
			lose(count_lines(data, n));
			written = (ssize_t)n;
		}
		buffer_consume(pending, (size_t)written);
	}
	if (pending->size > KEEP)
		buffer_done(pending);
	return true;
}

/* The rest of a line of which a part went is kept, however full the buffer: half a line would spoil
 * the next one. */
static void keep(const char *data, size_t n, bool whole)
{
	bool first = buffer_used(&output.pending) == 0;

	if (whole && buffer_used(&output.pending) + n > LOG_PENDING_MAX) {
		lose(1);
		return;
	}
	buffer_append(&output.pending, data, n);
	if (first && output.on_pending)
		output.on_pending();
}

void log_output_put(const char *line, size_t n)
{
	ssize_t written;

	if (!write_pending()) {
		keep(line, n, true);
		return;
	}
	written = write_some(line, n);
	if (written == (ssize_t)n)
		return;
	if (written >= 0)
		keep(line + written, n - (size_t)written, false);
	else if (errno == EAGAIN)
		keep(line, n, true);
	else
		lose(1);
}

void log_flush(void)
{
	uint64_t lost;

	if (!write_pending() || output.lost == 0)
		return;
	lost = output.lost;
	output.lost = 0;
	log_warning("log lines lost", f_uint("lines", lost),
		f_text("reason", "whoever keeps the log could not take them"));
}

void log_finish(unsigned milliseconds)
{
	for (unsigned spent = 0; spent < milliseconds; spent += LOG_FLUSH_EVERY) {
		log_flush();
		if (!log_pending())
			return;
		(void)poll(NULL, 0, LOG_FLUSH_EVERY);
	}
}

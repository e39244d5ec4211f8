#include "backends/maildir/read_ahead.h"

#include <string.h>
#include <sys/stat.h>

#include "backends/maildir/known.h"
#include "proxy/runtime/wait.h"

/* What a line of usual length takes. */
#define LINE_OCTETS 80

void maildir_ahead_init(struct maildir *m)
{
	ahead_init(&m->ahead.run);
}

void maildir_ahead_done(struct maildir *m)
{
	ahead_drop(&m->ahead.run);
	ahead_init(&m->ahead.run);
}

/* SIZE_MAX: it is not in the listing. */
static size_t index_of(const struct maildir *m, const struct backend_message *message)
{
	const struct backend_message *found =
		m->n_messages == 0 ? NULL
				   : bsearch(message, m->messages, m->n_messages, sizeof *message,
					     maildir_message_compare);

	return found ? (size_t)(found - m->messages) : SIZE_MAX;
}

static void choose(struct maildir *m, enum fetch_part part, uint64_t lines)
{
	/* So many lines are likely to want all of a message. */
	bool all = part == FETCH_ALL || lines > MAILDIR_BLOCK_TOP / LINE_OCTETS;
	const struct ahead_limits limits = {
		.session = MAILDIR_AHEAD_OCTETS,
		.part = all ? UINT64_MAX : MAILDIR_BLOCK_TOP,
		.message = MAILDIR_AHEAD_MESSAGE,
	};

	m->ahead.began = runtime_now();
	ahead_choose(&m->ahead.run, m->messages, m->n_messages, &limits);
}

bool maildir_ahead_take(struct maildir *m, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct buffer *ret)
{
	struct maildir_ahead *ahead = &m->ahead;

	if (part == FETCH_TOP && lines != ahead->lines) {
		ahead_drop(&ahead->run);
		ahead->lines = lines;
	}
	if (!ahead_is_empty(&ahead->run) && runtime_now() - ahead->began > MAILDIR_AHEAD_AGE)
		ahead_expire(&ahead->run);
	if (ahead_take(&ahead->run, index_of(m, message), part, ret))
		return true;
	/* While a long one is sent, what came along with it would only get old. */
	if (ahead_is_empty(&ahead->run) &&
		(part == FETCH_TOP || message->size <= MAILDIR_AHEAD_MESSAGE))
		choose(m, part, lines);
	return false;
}

/* Whether the headers, the blank line, and so many lines of the body are in there. */
static bool holds_top(const char *data, size_t n, uint64_t lines)
{
	const char *end = data + n, *lf;
	bool in_header = true;

	for (const char *at = data; (lf = memchr(at, '\n', (size_t)(end - at))); at = lf + 1) {
		if (!in_header)
			lines--;
		else if (lf == at || (lf == at + 1 && *at == '\r'))
			in_header = false;
		if (!in_header && lines == 0)
			return true;
	}
	return false;
}

/* Reads all that the client will want of a message; false: that is more than was reserved, or no
 * message. */
static bool read_body(const struct maildir_ahead *ahead, int fd, struct ahead_message *message)
{
	size_t max = (size_t)message->octets;
	/* One octet more tells whether there are more. */
	char *data = mem_alloc(max + 1);
	struct stat st;
	ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, data, max + 1) : -1;
	bool all = n >= 0 && (size_t)n <= max && n == st.st_size;
	bool top = n >= 0 && (size_t)n > max && ahead->run.part == FETCH_TOP &&
		   holds_top(data, max, ahead->lines);

	if (!all && !top) {
		free(data);
		return false;
	}
	message->body =
		(struct buffer){ .data = data, .size = max + 1, .end = all ? (size_t)n : max };
	return true;
}

static void read_message(struct maildir_place *place, struct ahead_message *message)
{
	struct maildir *m = place->maildir;
	cleanup(fd_cleanup) int fd = -1;

	/* What was renamed is tried again, once its folder was read for another. */
	if (maildir_locate_known(
		    place, m->messages[message->index].key, maildir_open_action, &fd) != 0)
		return;
	message->there = read_body(&m->ahead, fd, message);
	message->left_out = !message->there;
}

void maildir_ahead_read(struct maildir_place *place)
{
	struct ahead *run = &place->maildir->ahead.run;
	uint64_t start = uv_hrtime();

	for (size_t i = run->first; i < run->n; i++) {
		struct ahead_message *message = &run->kept[i];

		if (message->left_out || message->there)
			continue;
		if (uv_hrtime() - start > MAILDIR_AHEAD_TIME * UINT64_C(1000000))
			break;
		read_message(place, message);
	}
}

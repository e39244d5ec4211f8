#include "mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

#include "proxy/runtime/share.h"

/* So many octets of a message are its headers. */
#define HEADER "Subject: number %06zu\nX-Filler: this and that\n\n"
#define SIZES  4096

fiber_fn void __real_share_offload(struct share *share, void (*job)(void *arg), void *arg);
fiber_fn void __wrap_share_offload(struct share *share, void (*job)(void *arg), void *arg);
struct dirent *__real_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream);
ssize_t __real_read(int fd, void *data, size_t n);
ssize_t __wrap_read(int fd, void *data, size_t n);
ssize_t __real_preadv2(int fd, const struct iovec *to, int n, off_t offset, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *to, int n, off_t offset, int flags);
uint64_t __real_uv_hrtime(void);
uint64_t __wrap_uv_hrtime(void);

unsigned visits, reads, file_reads;
size_t read_max, in_memory;
uint64_t hrtime_step;

fiber_fn void __wrap_share_offload(struct share *share, void (*job)(void *arg), void *arg)
{
	visits++;
	__real_share_offload(share, job, arg);
}

struct dirent *__wrap_readdir(DIR *stream)
{
	struct dirent *entry = __real_readdir(stream);

	reads += !entry;
	return entry;
}

ssize_t __wrap_read(int fd, void *data, size_t n)
{
	file_reads++;
	return __real_read(fd, data, read_max && n > read_max ? read_max : n);
}

ssize_t __wrap_preadv2(int fd, const struct iovec *to, int n, off_t offset, int flags)
{
	struct iovec part = *to;

	if (!(flags & RWF_NOWAIT))
		return __real_preadv2(fd, to, n, offset, flags);
	if (in_memory == 0) {
		errno = EAGAIN;
		return -1;
	}
	part.iov_len = part.iov_len < in_memory ? part.iov_len : in_memory;
	in_memory -= part.iov_len;
	return __real_preadv2(fd, &part, 1, offset, 0);
}

uint64_t __wrap_uv_hrtime(void)
{
	static uint64_t later;

	later += hrtime_step;
	return __real_uv_hrtime() + later;
}

int mailbox_setup(void **state)
{
	hrtime_step = 0;
	read_max = 0;
	in_memory = 0;
	return world_setup(state);
}

const char *key_of(const struct world *w, size_t i)
{
	return arena_printf(w->arena, "17%08zu.test", i);
}

const char *path_of(const struct world *w, size_t i)
{
	return arena_printf(w->arena, "cur/%s:2,FRS", key_of(w, i));
}

void put_numbered(const struct world *w, size_t i, size_t octets)
{
	char *text = arena_alloc(w->arena, octets + 128);
	int header = snprintf(text, 128, HEADER, i);

	for (size_t k = (size_t)header; k < octets; k++)
		text[k] = k % 61 == 0 ? '\n' : (char)('!' + (k * 7 + i * 13) % 90);
	put_octets(w, path_of(w, i), text, octets);
}

void fill(struct world *w, size_t n, size_t octets)
{
	for (size_t i = 0; i < n; i++)
		put_numbered(w, i, octets);
	list(w);
	assert_int_equal(w->listing.n, n);
}

size_t n_kept(const struct world *w)
{
	const struct ahead *run = &maildir_of(w->backend)->ahead.run;
	size_t n = 0;

	for (size_t i = run->first; i < run->n; i++)
		n += run->kept[i].there;
	return n;
}

uint64_t octets_kept(const struct world *w)
{
	return maildir_of(w->backend)->ahead.run.octets;
}

static void assert_visits(size_t i, unsigned before, unsigned expected)
{
	if (expected != ANY_VISITS && visits - before != expected)
		fail_msg("message %zu: %u visits, not %u", i, visits - before, expected);
}

/* The octets of message i as they are now, from any of the names that tests give it. */
static struct buffer stored(const struct world *w, size_t i)
{
	static const struct {
		const char *sub, *info;
	} names[] = {
		{ "cur", ":2,FRS" },
		{ "cur", ":2,T" },
		{ "cur", ":2," },
	};
	struct buffer ret = { 0 };
	FILE *file = NULL;

	for (size_t k = 0; k < sizeof names / sizeof names[0] && !file; k++)
		file = fopen(full(w, arena_printf(w->arena, "%s/%s%s", names[k].sub,
					     w->listing.messages[i].key, names[k].info)),
			"r");
	assert_non_null(file);
	for (size_t n = 1; n > 0; ret.end += n)
		n = fread(buffer_reserve(&ret, SIZES), 1, SIZES, file);
	assert_int_equal(fclose(file), 0);
	return ret;
}

void assert_retr(struct world *w, size_t i, unsigned expected_visits)
{
	struct collector out = collector(w);
	struct buffer file = stored(w, i);
	unsigned before = visits;
	struct err e = fetch(w, w->listing.messages[i].key, FETCH_ALL, &out);

	if (failed(e))
		fail_msg("message %zu: %s: %s", i, err_scope_name(e.scope), e.detail);
	assert_int_equal(buffer_used(&out.data), buffer_used(&file));
	if (buffer_used(&file))
		assert_memory_equal(buffer_data(&out.data), buffer_data(&file), buffer_used(&file));
	assert_visits(i, before, expected_visits);
	buffer_done(&out.data);
	buffer_done(&file);
}

/* How many octets of a message the headers and so many lines are. */
static size_t top_octets(const struct buffer *file, uint64_t lines)
{
	const char *data = buffer_data(file), *at = data, *end = data + buffer_used(file);
	bool in_header = true;

	while (at < end && (in_header || lines > 0)) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *next = lf ? lf + 1 : end;

		if (!in_header)
			lines--;
		else if (*at == '\n' || (*at == '\r' && next == at + 2))
			in_header = false;
		at = next;
	}
	return (size_t)(at - data);
}

void assert_top(struct world *w, size_t i, uint64_t lines, unsigned expected_visits)
{
	struct collector out = collector(w);
	struct buffer file = stored(w, i);
	size_t least = top_octets(&file, lines), got;
	unsigned before = visits;
	struct err e;

	/* What a client of TOP does: it wants no more. */
	out.limit = least;
	e = fetch_top(w, i, lines, &out);
	got = buffer_used(&out.data);
	if (failed(e))
		fail_msg("message %zu: %s: %s", i, err_scope_name(e.scope), e.detail);
	if (got < least || got > buffer_used(&file))
		fail_msg("TOP %zu %zu: %zu octets, of %zu", i, (size_t)lines, got, least);
	if (got)
		assert_memory_equal(buffer_data(&out.data), buffer_data(&file), got);
	assert_visits(i, before, expected_visits);
	buffer_done(&out.data);
	buffer_done(&file);
}

void assert_no_retr(struct world *w, size_t i, enum err_scope scope)
{
	struct collector out = collector(w);

	assert_error(fetch(w, w->listing.messages[i].key, FETCH_ALL, &out), scope,
		w->listing.messages[i].key);
	assert_int_equal(buffer_used(&out.data), 0);
}

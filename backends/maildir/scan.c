#include "backends/maildir/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A folder that changes faster than it can be read is given up on after so many passes. */
#define PASSES_MAX 4
#define FIRST_SIZE 64

static void add_name(struct maildir_scan *scan, const char *file, enum maildir_sub sub)
{
	size_t base = maildir_name_base(file), length = strlen(file);
	char *p = buffer_reserve(&scan->names, length + 3);
	struct maildir_entry *entry;

	if (scan->n == scan->size) {
		scan->size = scan->size ? scan->size * 2 : FIRST_SIZE;
		scan->entries = mem_resize(scan->entries, scan->size, sizeof *scan->entries);
	}
	*p++ = (char)sub;
	entry = &scan->entries[scan->n++];
	entry->name = (uint32_t)(p - scan->names.data);
	memcpy(p, file, base);
	p[base] = '\0';
	memcpy(p + base + 1, file + base, length - base + 1);
	entry->time = maildir_name_time(p);
	scan->names.end += length + 3;
}

static bool is_message(int dir, const struct dirent *d)
{
	struct stat st;

	if (d->d_name[0] == '.')
		return false;
	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_REG;
	return fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int read_sub(struct maildir_scan *scan, int dir, enum maildir_sub sub)
{
	/* A descriptor of its own: a duplicate would share the place where reading stands. */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	struct dirent *d;
	DIR *stream;

	if (fd < 0)
		return errno;
	stream = fdopendir(fd);
	if (!stream) {
		fd_cleanup(&fd);
		return errno;
	}
	while (errno = 0, (d = readdir(stream)) != NULL) {
		if (!is_message(dir, d))
			continue;
		if (scan->names.end > UINT32_MAX - MAILDIR_NAME_SIZE - 3) {
			errno = EOVERFLOW;
			break;
		}
		add_name(scan, d->d_name, sub);
	}
	rc = errno;
	(void)closedir(stream);
	return rc;
}

static int read_pass(struct maildir_scan *scan, const struct maildir_dirs *dirs)
{
	struct maildir_state after;
	int rc = maildir_state_read(dirs, MAILDIR_STATE_TRUE, &scan->state);

	(void)clock_gettime(CLOCK_REALTIME, &scan->began);
	for (int sub = 0; rc == 0 && sub < MAILDIR_SUBS; sub++)
		rc = read_sub(scan, dirs->fd[sub], (enum maildir_sub)sub);
	if (rc == 0)
		rc = maildir_state_read(dirs, MAILDIR_STATE_TRUE, &after);
	if (rc == 0)
		scan->settled = maildir_state_is_past(&scan->state, &scan->began) &&
				maildir_state_equal(&scan->state, &after);
	return rc;
}

/* Equal base names have equal times, so they come to lie side by side, the oldest sight first. */
static int compare_entries(const void *pa, const void *pb, void *names)
{
	const struct maildir_entry *a = pa, *b = pb;
	int c = maildir_name_compare(
		&a->time, (char *)names + a->name, &b->time, (char *)names + b->name);

	return c != 0 ? c : a->name < b->name ? -1 : a->name > b->name;
}

/* Keeps the last sight of every base name: cur/ rather than new/, a later pass rather than an
 * earlier one. */
static void sort_unique(struct maildir_scan *scan)
{
	size_t kept = 0;

	qsort_r(scan->entries, scan->n, sizeof *scan->entries, compare_entries, scan->names.data);
	for (size_t i = 0; i < scan->n; i++) {
		if (i + 1 < scan->n && strcmp(scan->names.data + scan->entries[i].name,
					       scan->names.data + scan->entries[i + 1].name) == 0)
			continue;
		scan->entries[kept++] = scan->entries[i];
	}
	scan->n = kept;
}

int maildir_scan_read(struct maildir_scan *scan, const struct maildir_dirs *dirs)
{
	for (int pass = 0; pass < PASSES_MAX && !scan->settled; pass++) {
		size_t first = scan->n;
		int rc = read_pass(scan, dirs);

		if (rc != 0)
			return rc;
		if (scan->settled && first > 0) {
			scan->n -= first;
			memmove(scan->entries, scan->entries + first,
				scan->n * sizeof *scan->entries);
		}
	}
	if (scan->n > 0)
		sort_unique(scan);
	return 0;
}

void maildir_scan_done(struct maildir_scan *scan)
{
	free(scan->entries);
	buffer_done(&scan->names);
	*scan = (struct maildir_scan){ 0 };
}

struct maildir_name maildir_stored_name(const char *base)
{
	return (struct maildir_name){
		.sub = (enum maildir_sub)base[-1],
		.base = base,
		.info = base + strlen(base) + 1,
	};
}

struct maildir_name maildir_scan_name(const struct maildir_scan *scan, size_t i)
{
	return maildir_stored_name(scan->names.data + scan->entries[i].name);
}

bool maildir_scan_find(const struct maildir_scan *scan, const char *base, struct maildir_name *ret)
{
	struct maildir_time time = maildir_name_time(base);
	size_t low = 0, high = scan->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct maildir_entry *entry = &scan->entries[middle];
		int c = maildir_name_compare(
			&time, base, &entry->time, scan->names.data + entry->name);

		if (c == 0) {
			*ret = maildir_scan_name(scan, middle);
			return true;
		}
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool maildir_scan_is_current(const struct maildir_scan *scan, const struct maildir_dirs *dirs)
{
	struct maildir_state now;

	return scan->settled && maildir_state_read(dirs, MAILDIR_STATE_TRUE, &now) == 0 &&
	       maildir_state_equal(&scan->state, &now);
}

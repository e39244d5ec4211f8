#include "backends/maildir/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define SECOND_NS INT64_C(1000000000)
/* The coarsest tick by which kernels stamp a change (100 Hz), twice. */
#define TICK_NS (SECOND_NS / 50)
/* Some file systems keep whole seconds, or every second one; their times end in nine zeros. */
#define COARSE_NS (2 * SECOND_NS + TICK_NS)
/* How far a file server's clock may be behind ours. */
#define SKEW_NS (60 * SECOND_NS)

/* Those of this machine, whose times come from its clock, as <linux/magic.h> does not name them
 * all. */
#define XFS_MAGIC      0x58465342
#define ZFS_MAGIC      0x2fc12fc1
#define BCACHEFS_MAGIC 0xca451a4e
#define JFS_MAGIC      0x3153464a

static struct timespec time_of(struct statx_timestamp at)
{
	return (struct timespec){ .tv_sec = at.tv_sec, .tv_nsec = at.tv_nsec };
}

int maildir_state_read(const struct maildir_dirs *dirs, enum maildir_state_source source,
	struct maildir_state *ret)
{
	int flags = AT_EMPTY_PATH |
		    (source == MAILDIR_STATE_CACHED ? AT_STATX_DONT_SYNC : AT_STATX_SYNC_AS_STAT);

	for (int sub = 0; sub < MAILDIR_SUBS; sub++) {
		struct statx st;

		if (statx(dirs->fd[sub], "", flags, STATX_BASIC_STATS, &st) < 0)
			return errno;
		ret->subs[sub] = (struct maildir_sub_state){
			.device = makedev(st.stx_dev_major, st.stx_dev_minor),
			.inode = st.stx_ino,
			.size = st.stx_size,
			.modified = time_of(st.stx_mtime),
			.changed = time_of(st.stx_ctime),
		};
	}
	return 0;
}

/* Major 0: given out by the kernel at each mount (NFS, btrfs, overlay). */
static uint64_t lasting_device(const struct maildir_sub_state *state)
{
	return major(state->device) != 0 ? state->device : 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool maildir_state_equal(const struct maildir_state *a, const struct maildir_state *b)
{
	for (int sub = 0; sub < MAILDIR_SUBS; sub++) {
		const struct maildir_sub_state *x = &a->subs[sub], *y = &b->subs[sub];

		if (lasting_device(x) != lasting_device(y) || x->inode != y->inode ||
			x->size != y->size || !same_time(&x->modified, &y->modified) ||
			!same_time(&x->changed, &y->changed))
			return false;
	}
	return true;
}

static bool is_past(const struct timespec *time, const struct timespec *now, int64_t skew)
{
	int64_t margin = skew + (time->tv_nsec == 0 ? COARSE_NS : TICK_NS);
	int64_t margin_seconds = margin / SECOND_NS;
	int64_t seconds = now->tv_sec - time->tv_sec;

	/* A time may be any number of seconds away. */
	if (seconds < margin_seconds || seconds > margin_seconds + 1)
		return seconds > margin_seconds;
	return seconds * SECOND_NS + now->tv_nsec - time->tv_nsec > margin;
}

static bool all_past(const struct maildir_state *state, const struct timespec *now, int64_t skew)
{
	for (int sub = 0; sub < MAILDIR_SUBS; sub++)
		if (!is_past(&state->subs[sub].modified, now, skew) ||
			!is_past(&state->subs[sub].changed, now, skew))
			return false;
	return true;
}

bool maildir_state_is_past(const struct maildir_state *state, const struct timespec *now)
{
	return all_past(state, now, 0);
}

/* A file system that is not known may be anything's. */
bool maildir_is_local(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case ZFS_MAGIC:
	case BCACHEFS_MAGIC:
	case JFS_MAGIC:
	case REISERFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

bool maildir_state_lasts(const struct maildir_state *state, const struct timespec *now,
	const struct maildir_dirs *dirs)
{
	return all_past(state, now, SKEW_NS) ||
	       (all_past(state, now, 0) && maildir_is_local(dirs->fd[MAILDIR_CUR]));
}

void maildir_state_text(const struct maildir_state *state, char out[static MAILDIR_MARK_SIZE])
{
	size_t used = (size_t)snprintf(out, MAILDIR_MARK_SIZE, "maildir");

	for (int sub = 0; sub < MAILDIR_SUBS; sub++) {
		const struct maildir_sub_state *s = &state->subs[sub];

		used += (size_t)snprintf(out + used, MAILDIR_MARK_SIZE - used,
			" %" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%" PRIx64 ".%lx:%" PRIx64 ".%lx",
			lasting_device(s), s->inode, s->size, (uint64_t)s->modified.tv_sec,
			s->modified.tv_nsec, (uint64_t)s->changed.tv_sec, s->changed.tv_nsec);
	}
}

/* revision_board - see the header. */
#include "proxy/maildrop/revision_board.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "proxy/runtime/account.h"
#include "proxy/runtime/keyed_hash.h"
#include "proxy/runtime/mem.h"

/* Half a MiB. Of those who share a cell, a change of one costs the others one look each. */
#define CELLS 65536

/* As many snapshots as a worker may have in its cache; what is not asked for takes no memory. */
#define KNOWN 32768

#define NO_TICKET 0

/* They wrap; what was known 2^32 changes ago is long replaced. */
struct cell {
	_Atomic uint32_t begun, done;
};

#define BOARD_SIZE (CELLS * sizeof(struct cell))

struct known {
	uint64_t name, ticket, revision;
};

struct revision_board {
	char *path;
	int fd;
	struct cell *cells; /* NULL: nothing is ever known */
	struct hash_key key;
	struct known *known;
};

static struct err trouble(const char *path, int errnum, const char *what)
{
	char account[ACCOUNT_TEXT];

	if (errnum == EACCES || errnum == EPERM)
		return err_make(ERR_PERM,
			"registry: %s: cannot be written: give it, and its folder, to the account "
			"%s",
			path, account_name(account));
	return err_errno(errnum == ENOSPC || errnum == EDQUOT ? ERR_TEMP : ERR_PERM, errnum,
		"registry: %s: %s", path, what);
}

/* Like SQLite's own files beside the database: root may be first to use what is another
 * account's. Where that is not allowed, whoever may not use the file will say so. */
static void be_as_the_database(int fd, const struct stat *st, const char *database)
{
	struct stat wanted;

	if (stat(database, &wanted) != 0)
		return;
	if (geteuid() == 0 && (st->st_uid != wanted.st_uid || st->st_gid != wanted.st_gid) &&
		fchown(fd, wanted.st_uid, wanted.st_gid) != 0)
		return;
	if ((st->st_mode & 0777) != (wanted.st_mode & 0666))
		(void)fchmod(fd, wanted.st_mode & 0666);
}

/* A write to a mapped page for which there is no room is fatal. Here a page that was written once
 * stays where it is; a file system that copies on write needs room each time. */
static bool keeps_pages_in_place(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* and 2 and 3 */
	case XFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/* All of it, with room on the disk. */
static int fill_with_zeros(int fd)
{
	static const char zeros[4096];

	for (size_t at = 0; at < BOARD_SIZE; at += sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), (off_t)at) != (ssize_t)sizeof(zeros))
			return errno ? errno : ENOSPC;
	return 0;
}

/* Whether the file is still what its path names. */
static bool in_place(const struct revision_board *board)
{
	struct stat file, named;

	return fstat(board->fd, &file) == 0 && stat(board->path, &named) == 0 &&
	       file.st_dev == named.st_dev && file.st_ino == named.st_ino;
}

/* Locked for as long as it is in use. Where nobody else uses it, what the dead have left is wiped
 * off. */
static struct err prepare(const struct revision_board *board)
{
	const char *path = board->path;
	struct stat st;
	int rc = 0;

	errno = 0;
	if (flock(board->fd, LOCK_EX | LOCK_NB) == 0)
		rc = fill_with_zeros(board->fd);
	if (rc != 0)
		return trouble(path, rc, "no room");
	if (flock(board->fd, LOCK_SH) != 0 || fstat(board->fd, &st) != 0)
		return trouble(path, errno, "flock");
	if ((size_t)st.st_size < BOARD_SIZE || !in_place(board))
		return err_make(ERR_TEMP, "registry: %s: somebody else makes or removes it", path);
	return ok();
}

static struct err map(struct revision_board *board)
{
	board->cells = mmap(NULL, BOARD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, board->fd, 0);
	if (board->cells == MAP_FAILED) {
		board->cells = NULL;
		return trouble(board->path, errno, "mmap");
	}
	/* So that the loop need not wait for the disk; not everybody may. */
	(void)mlock(board->cells, BOARD_SIZE);
	return ok();
}

static struct err open_file(struct revision_board *board, const char *database)
{
	struct stat st;

	board->fd = open(board->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (board->fd < 0 || fstat(board->fd, &st) != 0)
		return trouble(board->path, errno, "cannot be opened");
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return err_make(ERR_PERM, "registry: %s: not a file of popgate's", board->path);
	be_as_the_database(board->fd, &st, database);
	return ok();
}

struct err revision_board_open(const char *database, struct revision_board **ret)
{
	struct revision_board *board = mem_zalloc(1, sizeof(*board));
	struct err e;

	board->path = mem_printf("%s-board", database);
	board->key = hash_key_new();
	board->known = mem_zalloc(KNOWN, sizeof(*board->known));
	e = open_file(board, database);
	if (!failed(e))
		e = prepare(board);
	if (!failed(e) && keeps_pages_in_place(board->fd))
		e = map(board);
	if (failed(e))
		revision_board_close(board);
	else
		*ret = board;
	return e;
}

void revision_board_close(struct revision_board *board)
{
	if (!board)
		return;
	if (board->cells)
		(void)munmap(board->cells, BOARD_SIZE);
	if (board->fd >= 0)
		(void)close(board->fd);
	free(board->known);
	free(board->path);
	free(board);
}

struct err revision_board_check(const struct revision_board *board)
{
	if (in_place(board))
		return ok();
	return err_make(ERR_PERM, "registry: %s was moved or removed while in use; restart popgate",
		board->path);
}

/* Whoever comes now makes another one. */
static bool is_removed(const struct revision_board *board)
{
	struct stat st;

	return fstat(board->fd, &st) != 0 || st.st_nlink == 0;
}

static uint64_t hash_names(struct hash_key key, const struct registry_maildrop *maildrop)
{
	key.k[0] ^= keyed_hash(&key, maildrop->tenant, strlen(maildrop->tenant));
	return keyed_hash(&key, maildrop->login, strlen(maildrop->login));
}

struct board_place revision_board_place(
	const struct revision_board *board, const struct registry_maildrop *maildrop)
{
	/* The same in all processes. */
	static const struct hash_key common = { { 0 } };

	return (struct board_place){
		.name = hash_names(board->key, maildrop),
		.cell = (uint32_t)(hash_names(common, maildrop) % CELLS),
	};
}

static struct known *known_at(const struct revision_board *board, struct board_place place)
{
	return &board->known[place.name % KNOWN];
}

/* Those done first: whoever begins between the two reads is seen. */
uint64_t revision_board_ticket(const struct revision_board *board, struct board_place place)
{
	struct cell *cell;
	uint32_t done, begun;

	if (!board->cells)
		return NO_TICKET;
	cell = &board->cells[place.cell];
	done = atomic_load(&cell->done);
	begun = atomic_load(&cell->begun);
	return done == begun ? (uint64_t)begun + 1 : NO_TICKET;
}

bool revision_board_recall(
	const struct revision_board *board, struct board_place place, uint64_t *ret)
{
	const struct known *known = known_at(board, place);

	if (known->ticket == NO_TICKET || known->name != place.name ||
		known->ticket != revision_board_ticket(board, place) || is_removed(board))
		return false;
	*ret = known->revision;
	return true;
}

void revision_board_keep(
	struct revision_board *board, struct board_place place, uint64_t ticket, uint64_t revision)
{
	if (ticket != NO_TICKET && revision != 0)
		*known_at(board, place) = (struct known){ place.name, ticket, revision };
}

uint64_t revision_board_begin(struct revision_board *board, struct board_place place)
{
	if (!board->cells)
		return 0;
	return (uint64_t)(uint32_t)(atomic_fetch_add(&board->cells[place.cell].begun, 1) + 1);
}

uint64_t revision_board_end(struct revision_board *board, struct board_place place, uint64_t begun)
{
	struct cell *cell;
	uint32_t done;

	if (!board->cells)
		return NO_TICKET;
	cell = &board->cells[place.cell];
	done = atomic_fetch_add(&cell->done, 1) + 1;
	/* Nobody has begun since, and whoever began before has ended. His commit may still have
	 * been later, but not of this maildrop: a change is made from the revision that was read
	 * before it began, and that is this one's no more. */
	return done == (uint32_t)begun && atomic_load(&cell->begun) == done ? (uint64_t)done + 1
									    : NO_TICKET;
}

void revision_board_begin_all(struct revision_board *board)
{
	for (size_t i = 0; board->cells && i < CELLS; i++)
		(void)atomic_fetch_add(&board->cells[i].begun, 1);
}

void revision_board_end_all(struct revision_board *board)
{
	for (size_t i = 0; board->cells && i < CELLS; i++)
		(void)atomic_fetch_add(&board->cells[i].done, 1);
}

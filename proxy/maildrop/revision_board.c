/* revision_board - see the header. */
#include "proxy/maildrop/revision_board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

struct known {
	uint64_t name, ticket, revision;
};

struct revision_board {
	int fd;
	struct cell *cells;
	struct hash_key key;
	struct known *known;
};

static struct err trouble(const char *path, const char *what)
{
	char account[ACCOUNT_TEXT];

	if (errno == EACCES || errno == EPERM)
		return err_make(ERR_PERM,
			"registry: %s: cannot be written: give it, and its folder, to the account "
			"%s",
			path, account_name(account));
	return err_errno(errno == ENOSPC || errno == EDQUOT ? ERR_TEMP : ERR_PERM, errno,
		"registry: %s: %s", path, what);
}

/* Root may be first to use what is another account's. */
static int make_owner_equal(int fd, const char *database)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	return stat(database, &st) == 0 ? fchown(fd, st.st_uid, st.st_gid) : -1;
}

/* Of full size and with room on the disk, since a write to a mapped page that has none is fatal.
 * Where nobody else uses it, what the dead have left is wiped off. */
static struct err prepare(const struct revision_board *board, const char *path)
{
	size_t size = CELLS * sizeof(struct cell);
	struct stat st;

	if (flock(board->fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(board->fd, 0) != 0)
		return trouble(path, "ftruncate");
	errno = posix_fallocate(board->fd, 0, (off_t)size);
	if (errno != 0)
		return trouble(path, "no room");
	/* Locked for as long as it is in use. */
	if (flock(board->fd, LOCK_SH) != 0)
		return trouble(path, "flock");
	if (fstat(board->fd, &st) != 0 || (size_t)st.st_size < size)
		return trouble(path, "of wrong size");
	return ok();
}

static struct err map(struct revision_board *board, const char *path)
{
	size_t size = CELLS * sizeof(struct cell);

	board->cells = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, board->fd, 0);
	if (board->cells == MAP_FAILED) {
		board->cells = NULL;
		return trouble(path, "mmap");
	}
	return ok();
}

struct err revision_board_open(const char *database, struct revision_board **ret)
{
	cleanup(free_cleanup) char *path = mem_printf("%s-board", database);
	struct revision_board *board = mem_zalloc(1, sizeof(*board));
	struct err e = ok();

	board->key = hash_key_new();
	board->known = mem_zalloc(KNOWN, sizeof(*board->known));
	board->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (board->fd < 0 || make_owner_equal(board->fd, database) != 0)
		e = trouble(path, "cannot be opened");
	if (!failed(e))
		e = prepare(board, path);
	if (!failed(e))
		e = map(board, path);
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
		(void)munmap(board->cells, CELLS * sizeof(struct cell));
	if (board->fd >= 0)
		(void)close(board->fd);
	free(board->known);
	free(board);
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
	struct cell *cell = &board->cells[place.cell];
	uint32_t done = atomic_load(&cell->done), begun = atomic_load(&cell->begun);

	return done == begun ? (uint64_t)begun + 1 : NO_TICKET;
}

bool revision_board_recall(
	const struct revision_board *board, struct board_place place, uint64_t *ret)
{
	const struct known *known = known_at(board, place);

	if (known->ticket == NO_TICKET || known->name != place.name ||
		known->ticket != revision_board_ticket(board, place))
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
	return (uint64_t)(uint32_t)(atomic_fetch_add(&board->cells[place.cell].begun, 1) + 1);
}

uint64_t revision_board_end(struct revision_board *board, struct board_place place, uint64_t begun)
{
	struct cell *cell = &board->cells[place.cell];
	uint32_t done = atomic_fetch_add(&cell->done, 1) + 1;

	/* Another's change may lie between, and be the later one. */
	return done == (uint32_t)begun && atomic_load(&cell->begun) == done ? (uint64_t)done + 1
									    : NO_TICKET;
}

void revision_board_begin_all(struct revision_board *board)
{
	for (size_t i = 0; i < CELLS; i++)
		(void)atomic_fetch_add(&board->cells[i].begun, 1);
}

void revision_board_end_all(struct revision_board *board)
{
	for (size_t i = 0; i < CELLS; i++)
		(void)atomic_fetch_add(&board->cells[i].done, 1);
}

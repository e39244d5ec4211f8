/*
 * revision_board - which maildrops of a SQLite registry have not been written since their revision
 * was read last, without a look into the database, which would need a thread of the pool.
 *
 * A file beside the database, mapped by every process that uses it. Maildrops share its cells by a
 * hash of their names; a cell counts the changes begun and the changes done. Who knows a revision
 * from a moment when all changes of its cell were done knows it for as long as none was begun
 * since. What is known so is kept in a table of this process.
 *
 * Where a page that is written may need new room on the disk (btrfs and the like), the file is
 * there but nothing is ever known.
 *
 * A process that dies between begin and end leaves a cell that nobody trusts: its maildrops are
 * read from the database each time. It heals when the first of the next users opens the board.
 *
 * For registry_sqlite.c. Every process that writes to the database has to have its board open.
 */
#ifndef POPGATE_MAILDROP_REVISION_BOARD_H
#define POPGATE_MAILDROP_REVISION_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/maildrop/registry.h"
#include "proxy/runtime/err.h"

struct revision_board;

/* Opens or makes "DATABASE-board"; database: the file's own name, whatever links lead there. It
 * belongs to whom the database belongs to. Blocks. ERR_PERM when it cannot be used, ERR_TEMP when
 * the disk is full: then nobody may write. */
struct err revision_board_open(const char *database, struct revision_board **ret);
void revision_board_close(struct revision_board *board); /* NULL-safe */

/* A maildrop's place. */
struct board_place {
	uint64_t name; /* 64 bits of a keyed hash: distinct names count as distinct */
	uint32_t cell;
};
struct board_place revision_board_place(
	const struct revision_board *board, const struct registry_maildrop *maildrop);

/* The revision that the maildrop has now; false: it has to be read. Loop's thread; never blocks. */
bool revision_board_recall(
	const struct revision_board *board, struct board_place place, uint64_t *ret);

/* Before a revision is read from the database: what is to be given along with it. */
uint64_t revision_board_ticket(const struct revision_board *board, struct board_place place);
/* A revision that was read, or made by a change that got the ticket. Loop's thread. 0, a maildrop
 * that is unknown, is not kept. */
void revision_board_keep(
	struct revision_board *board, struct board_place place, uint64_t ticket, uint64_t revision);

/* Before a change is announced: ERR_PERM when the file was removed or replaced, so that others
 * might not see it. Blocks. */
struct err revision_board_check(const struct revision_board *board);

/* Around a change: before its commit, and after it, whatever became of it. In any thread. What the
 * end returns is the ticket of the revision that the change has made. */
uint64_t revision_board_begin(struct revision_board *board, struct board_place place);
uint64_t revision_board_end(struct revision_board *board, struct board_place place, uint64_t begun);
/* The same around one of many maildrops, whichever they are. */
void revision_board_begin_all(struct revision_board *board);
void revision_board_end_all(struct revision_board *board);

#endif

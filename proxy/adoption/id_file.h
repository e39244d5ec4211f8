/*
 * id_file - files of unique-ids (id_row.h): a line at a time, out and in.
 *
 * Blocks: for the command line, or for a job (offload). Constant memory, but for the longest line.
 */
#ifndef POPGATE_ADOPTION_ID_FILE_H
#define POPGATE_ADOPTION_ID_FILE_H

#include <stdio.h>

#include "proxy/adoption/id_row.h"

/* The header line of TSV files of that kind, its end included; appended. */
void id_tsv_header(enum id_file file, struct buffer *out);
/* A line, its end included; appended. */
void id_tsv_row(enum id_file file, const struct id_row *row, struct buffer *out);
void id_json_row(enum id_file file, const struct id_row *row, struct buffer *out);

struct id_reader;

/* in: at its start; borrowed. Reads the first line to see which form it has. ERR_INVALID as
 * id_read; ERR_TEMP: it cannot be read. */
struct err id_reader_new(FILE *in, struct id_reader **ret);
void id_reader_free(struct id_reader *reader); /* NULL-safe */
DEFINE_CLEANUP(id_reader, id_reader_free)

/* Goes on behind offset, which must be the start of a line behind the header. */
struct err id_reader_seek(struct id_reader *reader, uint64_t offset);

/* The next line; its texts live in arena. *ret_more false: there is none, and row is as it was.
 * ERR_INVALID: "line N: …", and the reader is behind that line; ERR_TEMP: it cannot be read. */
struct err id_read(
	struct id_reader *reader, struct arena *arena, struct id_row *row, bool *ret_more);

/* Of the line that was read last. */
unsigned id_reader_line(const struct id_reader *reader);
/* Where it begins, and where the next one does. */
uint64_t id_reader_start(const struct id_reader *reader);
uint64_t id_reader_offset(const struct id_reader *reader);
/* Whether the file says what each line is: then a maildrop without its end is not complete. */
bool id_reader_kinds(const struct id_reader *reader);
/* Whether the last line that was read had its line end: else more of it may be missing. */
bool id_reader_whole(const struct id_reader *reader);

/* id_json.c: a line, parsed; texts in arena. NULL, or what is wrong with it, in arena. */
const char *id_json_parse(
	const char *line, size_t n, struct arena *arena, struct id_row *row, bool *ret_kind);

#endif

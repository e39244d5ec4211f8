/*
 * page_cells - what the tables of the status page are made of. Internal to proxy/admin.
 */
#ifndef POPGATE_ADMIN_PAGE_CELLS_H
#define POPGATE_ADMIN_PAGE_CELLS_H

#include "proxy/admin/page_tables.h"

/* A column: its heading, and its class. */
struct column {
	const char *title, *class;
};

/* Between them rows, of cells with the classes of their columns. */
void open_table(struct buffer *out, const struct column *columns, size_t n);
void close_table(struct buffer *out);
#define OPEN_TABLE(out, columns)                                                                   \
	open_table((out), (columns), sizeof(columns) / sizeof((columns)[0]))

/* A section, its heading not ended yet. The caller ends the section. */
void open_section(struct buffer *out, const char *title);
void end_heading(struct buffer *out);

/* Anybody's text. */
void text_cell(struct buffer *out, const char *class, const char *text);
/* A literal of ours. */
void state_cell(struct buffer *out, const char *class, const char *text);
void count_cell(struct buffer *out, const char *class, uint64_t n);
/* A count that is no good news. */
void alarm_cell(struct buffer *out, const char *class, uint64_t n);
void bytes_cell(struct buffer *out, const char *class, uint64_t n);
void span_cell(struct buffer *out, const char *class, uint64_t seconds);
void time_cell(struct buffer *out, const char *class, double seconds);
/* 0: empty. */
void moment_cell(struct buffer *out, const char *class, int64_t at, int64_t now);

/* Seconds from then to the page's now. */
uint64_t page_age(const struct page *page, int64_t since);

#endif

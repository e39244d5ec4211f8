/*
 * html - text and numbers as the status page shows them. What comes from elsewhere (logins,
 * reasons, names) goes through html_text alone.
 */
#ifndef POPGATE_ADMIN_HTML_H
#define POPGATE_ADMIN_HTML_H

#include <stdint.h>

#include "proxy/runtime/mem.h"

/* A literal of ours. */
void html_raw(struct buffer *out, const char *html);
/* Anybody's text: escaped, what is no UTF-8 or a control character replaced by U+FFFD. */
void html_text(struct buffer *out, const char *text);
/* 12 345 678 */
void html_count(struct buffer *out, uint64_t n);
/* 512 B, 1.4 kB, 20 MB */
void html_bytes(struct buffer *out, uint64_t n);
/* 12 s, 3 min 5 s, 2 h 4 min, 5 d 3 h */
void html_span(struct buffer *out, uint64_t seconds);
/* 0.4 ms, 25 ms, 1.2 s; an en dash for none */
void html_time(struct buffer *out, double seconds);
/* A moment in UTC, with the date where it is not today: <time>…</time> */
void html_moment(struct buffer *out, int64_t at, int64_t now);

#endif

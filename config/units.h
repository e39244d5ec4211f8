/*
 * units - numbers with units, as the configuration writes them.
 *
 * Durations: 250ms 10s 5m 2h 30d, in milliseconds. Sizes: 512 64K 20M 1G, in octets. Nothing but
 * digits before the unit: no sign, no fraction, no space.
 */
#ifndef POPGATE_CONFIG_UNITS_H
#define POPGATE_CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/runtime/mem.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* false: not of that form, or beyond 64 bits. */
bool number_parse(const char *text, uint64_t *ret);
bool duration_parse(const char *text, uint64_t *ret);
bool size_parse(const char *text, uint64_t *ret);

/* Appends the shortest exact form: "90s", "30m", "64K". */
void duration_format(uint64_t milliseconds, struct buffer *out);
void size_format(uint64_t octets, struct buffer *out);

#endif

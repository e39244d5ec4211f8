/*
 * color - colours for who reads on a terminal.
 *
 * None where the stream is no terminal, TERM is unset or "dumb", or NO_COLOR is set and not empty.
 */
#ifndef POPGATE_VERBS_COLOR_H
#define POPGATE_VERBS_COLOR_H

#include <stdio.h>

enum color { COLOR_BAD, COLOR_GOOD, COLOR_DOUBT, COLOR_PALE };

/* What switches the colour on, and off again; "" without colours. Static. */
const char *color_on(FILE *out, enum color color);
const char *color_off(FILE *out);

#endif

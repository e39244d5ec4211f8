/*
 * plot - the last hour as small columns, one per minute, drawn as SVG within the page.
 */
#ifndef POPGATE_ADMIN_PLOT_H
#define POPGATE_ADMIN_PLOT_H

#include "proxy/admin/samples.h"
#include "proxy/runtime/mem.h"

/* Two values per minute: the second one stands on the first (stacked), or within it. */
struct plot {
	const char *title;
	const char *first, *second; /* what the values are, for the legend; second NULL: one only */
	double (*first_of)(const struct sample *sample);
	double (*second_of)(const struct sample *sample);
	void (*show)(struct buffer *out, double value);
	bool stacked;
	bool alarming; /* the second one is no good news */
};

/* A figure element. The running minute is the last of n. */
void plot_write(
	struct buffer *out, const struct plot *plot, const struct sample *samples, size_t n);

#endif

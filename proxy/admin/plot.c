#include "proxy/admin/plot.h"

#include "proxy/admin/html.h"

/* Units of the drawing: SAMPLES columns of STEP, the last FILL of each are inked. */
#define STEP   4
#define FILL   3
#define HEIGHT 48

static double second_of(const struct plot *plot, const struct sample *sample)
{
	return plot->second_of ? plot->second_of(sample) : 0;
}

/* How high the column of a minute is. */
static double top_of(const struct plot *plot, const struct sample *sample)
{
	double first = plot->first_of(sample), second = second_of(plot, sample);

	return plot->stacked ? first + second : first > second ? first : second;
}

static double highest(const struct plot *plot, const struct sample *samples, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		if (top_of(plot, &samples[i]) > most)
			most = top_of(plot, &samples[i]);
	return most;
}

/* From the height `base` up by `value`, both in parts of most. */
static void column(struct buffer *out, size_t i, size_t n, double base, double value, double most)
{
	size_t x = (SAMPLES - n + i) * STEP + (STEP - FILL);
	double height = value / most * HEIGHT;

	if (value <= 0)
		return;
	/* What is there, however little, is seen. */
	if (height < 1)
		height = 1;
	buffer_printf(out, "M%zu %.1fv-%.1fh%dv%.1fz", x, HEIGHT - base / most * HEIGHT, height,
		FILL, height);
}

static void columns(struct buffer *out, const struct plot *plot, const struct sample *samples,
	size_t n, bool second, const char *class)
{
	double most = highest(plot, samples, n);

	buffer_printf(out, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < n && most > 0; i++)
		column(out, i, n, second && plot->stacked ? plot->first_of(&samples[i]) : 0,
			second ? second_of(plot, &samples[i]) : plot->first_of(&samples[i]), most);
	html_raw(out, "\"/>");
}

static void key(struct buffer *out, const char *class, const char *name)
{
	buffer_printf(out, "<span class=\"key %s\"></span>%s ", class, name);
}

static void caption(struct buffer *out, const struct plot *plot, double most)
{
	buffer_printf(out, "<figcaption><h3>%s</h3><p>", plot->title);
	if (plot->second) {
		key(out, "ink", plot->first);
		key(out, plot->alarming ? "bad" : "pale", plot->second);
	}
	html_raw(out, "</p></figcaption><p class=\"scale\">");
	if (most > 0)
		plot->show(out, most);
	html_raw(out, "</p>");
}

void plot_write(struct buffer *out, const struct plot *plot, const struct sample *samples, size_t n)
{
	html_raw(out, "<figure>");
	caption(out, plot, highest(plot, samples, n));
	buffer_printf(out,
		"<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"%s, the last hour\">",
		SAMPLES * STEP, HEIGHT, plot->title);
	/* What lies within goes on top. */
	if (plot->second)
		columns(out, plot, samples, n, true, plot->alarming ? "bad" : "pale");
	columns(out, plot, samples, n, false, "ink");
	html_raw(out, "</svg><p class=\"axis\"><span>60 min ago</span><span>now</span></p>"
		      "</figure>");
}

#include "backends/imap/imap_delta.h"

#include "backends/imap/imap_census.h"

/* Whether the folder's messages can be all there are: those of the SELECT, less what others
 * expunged since. */
static bool adds_up(const struct lister *l)
{
	size_t n = lister_count(l);

	return n <= l->imap->exists && n + l->imap->stream->news.expunged >= l->imap->exists;
}

fiber_fn static struct err fetch_new(struct lister *l, const struct imap_mark *mark)
{
	uint32_t uids = l->imap->uidnext - mark->uidnext;
	uint32_t exists = l->imap->exists;
	struct err e;

	if (uids == 0)
		return ok();
	e = lister_fetch(l, mark->uidnext, l->imap->uidnext - 1, uids < exists ? uids : exists);
	return failed(e) ? e : lister_sort(l);
}

/* Takes the census' word: what it found gone goes, what it found unknown is fetched. */
fiber_fn static struct err carry_out(struct lister *l, struct imap_census *census, bool *ret)
{
	struct err e;

	*ret = false;
	if (!imap_census_apply(census))
		return ok();
	if (census->n_unknown > 0) {
		e = lister_fetch_uids(l, census->unknown, census->n_unknown);
		if (failed(e) || failed(e = lister_sort(l)))
			return e;
	}
	*ret = adds_up(l);
	return ok();
}

/* One way to find out. *ret false also when the server refuses it. */
fiber_fn static struct err try_census(struct lister *l, const struct imap_mark *mark,
	fiber_fn struct err (*take)(struct imap_census *census, const struct imap_mark *mark),
	bool *ret)
{
	cleanup(imap_census_done) struct imap_census census = { 0 };
	struct err e;

	*ret = false;
	imap_census_init(&census, l);
	e = take(&census, mark);
	if (failed(e))
		return imap_alive(l->imap) ? ok() : e;
	return carry_out(l, &census, ret);
}

/* Whether the server can tell what changed since the mark. */
static bool can_resync(const struct imap *imap, const struct imap_mark *mark)
{
	return (imap->capabilities & IMAP_QRESYNC) && mark->modseq > 0 && mark->uidnext > 1 &&
	       imap->highestmodseq >= mark->modseq;
}

fiber_fn struct err imap_delta(struct lister *l, const struct imap_mark *mark, bool *ret)
{
	struct err e;

	*ret = l->imap->exists == 0;
	if (*ret) {
		l->n = l->first;
		return ok();
	}
	if (failed(e = fetch_new(l, mark)))
		return e;
	*ret = l->imap->stream->news.expunged == 0 && lister_count(l) == l->imap->exists;
	if (!*ret && can_resync(l->imap, mark))
		e = try_census(l, mark, imap_census_resync, ret);
	if (!failed(e) && !*ret)
		e = try_census(l, mark, imap_census_search, ret);
	return e;
}

#include <stdlib.h>

#include "backends/imap/imap_park.h"
#include "backends/imap/imap_removal.h"
#include "backends/imap/imap_set.h"

/* A message that the update names, and its place in the list of those. */
struct target {
	const struct backend_message *message;
	size_t place;
};

struct job {
	struct imap *imap;
	struct removal *removal; /* NULL: mark seen */
	enum on_delete how;      /* of the removal */
	struct err error;        /* the first */
};

static void note(struct job *job, struct err e)
{
	if (!failed(job->error))
		job->error = e;
}

static int by_folder_and_uid(const void *a, const void *b)
{
	const struct backend_message *x = ((const struct target *)a)->message;
	const struct backend_message *y = ((const struct target *)b)->message;

	if (x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* A server that will not is no reason to tell the client that QUIT failed. */
fiber_fn static struct err mark_seen(struct imap *imap, const char *set)
{
	struct err e = imap_set_command(imap, "UID STORE", set, " +FLAGS.SILENT (\\Seen)");

	return imap_alive(imap) ? ok() : e;
}

/* Works through a batch set by set, as long as the connection lasts. */
fiber_fn static void run_batch(struct job *job, const struct batch *batch)
{
	cleanup(buffer_done) struct buffer set = { 0 };
	size_t done = 0;

	while (done < batch->n && imap_alive(job->imap)) {
		struct batch part = { batch->uids + done, batch->outcomes + done, 0 };

		buffer_consume(&set, buffer_used(&set));
		part.n = imap_set(&set, part.uids, batch->n - done);
		buffer_append(&set, "", 1);
		if (job->removal)
			note(job, removal_run(job->removal, &part, set.data + set.start));
		else
			note(job, mark_seen(job->imap, set.data + set.start));
		done += part.n;
	}
}

/* SELECTs the folder of a message, and makes sure that its UIDs still mean what they did. */
fiber_fn static struct err reopen(struct imap *imap, const struct backend_message *message)
{
	struct err e = imap_select(imap, message->folder);

	if (failed(e) || imap->uidvalidity == message->uidvalidity)
		return e;
	return err_make(ERR_TEMP, "%s: folder %s was renumbered", imap->server,
		imap_folder_name(imap, message->folder));
}

/* Works through the targets, all of one folder. results: see run_all. */
fiber_fn static void run_folder(
	struct job *job, const struct target *targets, size_t n, enum removal_result *results)
{
	cleanup(free_cleanup) uint32_t *uids = mem_zalloc(n, sizeof(*uids));
	cleanup(free_cleanup) enum removal_result *outcomes = mem_zalloc(n, sizeof(*outcomes));
	struct batch batch = { uids, outcomes, 0 };
	struct err e = reopen(job->imap, targets[0].message);

	if (failed(e)) {
		note(job, e);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (i == 0 || targets[i].message->uid != targets[i - 1].message->uid)
			uids[batch.n++] = targets[i].message->uid;
	if (job->removal)
		job->removal->plan =
			removal_plan_in(job->imap, targets[0].message->folder, job->how);
	run_batch(job, &batch);
	for (size_t i = 0, j = 0; results && i < n; i++) {
		while (uids[j] != targets[i].message->uid)
			j++;
		results[targets[i].place] = outcomes[j];
	}
}

/* Works through n messages of the listing, given by their indices, folder by folder. results, if
 * any, are filled in by place. */
fiber_fn static void run_all(
	struct job *job, const size_t *indices, size_t n, enum removal_result *results)
{
	cleanup(free_cleanup) struct target *targets = mem_zalloc(n + 1, sizeof(*targets));
	size_t same;

	for (size_t i = 0; i < n; i++)
		targets[i] = (struct target){ &job->imap->messages[indices[i]], i };
	qsort(targets, n, sizeof(*targets), by_folder_and_uid);
	for (size_t i = 0; i < n; i += same) {
		same = 1;
		while (i + same < n &&
			targets[i + same].message->folder == targets[i].message->folder)
			same++;
		run_folder(job, targets + i, same, results);
	}
}

fiber_fn struct err imap_update(
	struct backend *backend, const struct backend_update *update, enum removal_result *results)
{
	struct imap *imap = (struct imap *)backend;
	struct removal removal = { .imap = imap };
	struct job seen = { .imap = imap, .error = ok() };
	struct job remove = {
		.imap = imap, .removal = &removal, .how = update->how, .error = ok()
	};

	struct err e;

	for (size_t i = 0; i < update->n_remove; i++)
		results[i] = REMOVAL_FAILED;
	/* Only here: after the first command nothing may be sent again. */
	if (failed(e = imap_awake(imap)))
		return e;
	run_all(&seen, update->seen, update->n_seen, NULL);
	run_all(&remove, update->remove, update->n_remove, results);
	return remove.error;
}

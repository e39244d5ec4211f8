#include <string.h>

#include "backends/imap/imap.h"
#include "backends/mutf7.h"

struct err imap_mailbox_name(struct buffer *ret, const char *name)
{
	cleanup(buffer_done) struct buffer encoded = { 0 };

	if (!mutf7_append(&encoded, name, strlen(name)))
		return err_make(
			ERR_PERM, "the name of a folder is no UTF-8, or has control octets");
	buffer_append(ret, "\"", 1);
	for (size_t i = encoded.start; i < encoded.end; i++) {
		if (encoded.data[i] == '"' || encoded.data[i] == '\\')
			buffer_append(ret, "\\", 1);
		buffer_append(ret, &encoded.data[i], 1);
	}
	buffer_append(ret, "\"", 1);
	return ok();
}

size_t imap_folder_count(const struct imap *imap)
{
	return 1 + imap->account->tenant->maildrop.also.n;
}

const char *imap_folder_name(const struct imap *imap, size_t folder)
{
	const struct account *account = imap->account;

	return folder == 0 ? account->folder : account->tenant->maildrop.also.items[folder - 1];
}

/* A new place for what SELECT tells: libetpan fills it in. */
static void renew_selection(mailimap *session)
{
	if (session->imap_selection_info)
		mailimap_selection_info_free(session->imap_selection_info);
	session->imap_selection_info = mailimap_selection_info_new();
}

/* One command of several that are sent at once. */
fiber_fn static struct err queue(struct imap *imap, const char *text)
{
	struct err e = imap_begin(imap);

	if (!failed(e))
		e = imap_send(imap, text, strlen(text));
	return failed(e) ? e : imap_send(imap, "\r\n", 2);
}

/* The answer to the command before the last that was sent. */
fiber_fn static struct err finish_earlier(struct imap *imap)
{
	struct err e;

	imap->session->imap_tag--;
	e = imap_finish(imap, IMAP_STEP_OTHER);
	imap->session->imap_tag++;
	imap_stream_expect(imap->stream, IMAP_TEXT_MAX);
	return e;
}

/* Sends SELECT and takes its answer; before the first one ENABLE QRESYNC, which must come before
 * (RFC 7162 section 3.2.3), in the same write. */
fiber_fn static struct err send_select(struct imap *imap, const char *text)
{
	bool ask = (imap->capabilities & IMAP_QRESYNC) && !imap->resync_tried;
	struct err e = ok();

	imap->resync_tried = true;
	if (ask)
		e = queue(imap, "ENABLE QRESYNC");
	if (failed(e) || failed(e = queue(imap, text)))
		return e;
	if (ask && failed(e = finish_earlier(imap))) {
		if (!imap_alive(imap))
			return e;
		imap->capabilities &= ~(unsigned)IMAP_QRESYNC;
	}
	return imap_finish(imap, IMAP_STEP_SELECT);
}

/* Under the same UIDVALIDITY a server that has forgotten UIDs may give them to other messages: one
 * that was restored from a backup, or a replica that lags behind. */
static bool went_back(struct imap_folder *first, const struct mailimap_selection_info *now)
{
	if (!first->uidvalidity)
		*first = (struct imap_folder){ now->sel_uidvalidity, now->sel_uidnext };
	return first->uidvalidity == now->sel_uidvalidity && now->sel_uidnext > 0 &&
	       now->sel_uidnext < first->uidnext;
}

/* Takes over what SELECT told. */
static struct err settle(struct imap *imap, size_t folder)
{
	const struct mailimap_selection_info *info = imap->session->imap_selection_info;

	if (!info || info->sel_uidvalidity == 0)
		return err_make(ERR_PERM, "%s: folder %s: no UIDVALIDITY", imap->server,
			imap_folder_name(imap, folder));
	if (went_back(&imap->folders[folder], info))
		return err_make(ERR_TEMP,
			"%s: folder %s: UIDNEXT went back, its UIDs may be other messages now",
			imap->server, imap_folder_name(imap, folder));
	imap->folder = folder;
	imap->uidvalidity = info->sel_uidvalidity;
	imap->uidnext = info->sel_uidnext;
	imap->exists = info->sel_exists;
	imap->highestmodseq = imap->stream->news.highestmodseq;
	return ok();
}

fiber_fn struct err imap_select(struct imap *imap, size_t folder)
{
	cleanup(buffer_done) struct buffer text = { 0 };
	struct err e = imap_usable(imap);

	if (failed(e) || imap->folder == folder)
		return e;
	imap->folder = IMAP_NO_FOLDER;
	buffer_printf(&text, "SELECT ");
	if (failed(e = imap_mailbox_name(&text, imap_folder_name(imap, folder))))
		return e;
	buffer_append(&text, "", 1);
	renew_selection(imap->session);
	imap->stream->news = (struct imap_news){ 0 };
	e = send_select(imap, buffer_data(&text));
	if (failed(e))
		return err_context(e, "folder %s", imap_folder_name(imap, folder));
	return settle(imap, folder);
}

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

/* Sends SELECT and takes its answer; with the first one ENABLE QRESYNC, which must come before it
 * (RFC 7162 section 3.2.3). */
fiber_fn static struct err send_select(struct imap *imap, const char *text)
{
	struct err enabled, e;

	if (!(imap->capabilities & IMAP_QRESYNC) || imap->resync_tried)
		return imap_command(imap, IMAP_STEP_SELECT, text);
	imap->resync_tried = true;
	e = imap_command_after(imap, "ENABLE QRESYNC", IMAP_STEP_SELECT, text, &enabled);
	if (failed(enabled))
		imap->capabilities &= ~(unsigned)IMAP_QRESYNC;
	return e;
}

/* Under the same UIDVALIDITY a server that has forgotten UIDs may give them to other messages: one
 * that was restored from a backup, or a replica that lags behind. */
static bool went_back(struct imap_folder *first, const struct imap_news *now)
{
	if (!first->uidvalidity)
		*first = (struct imap_folder){ now->uidvalidity, now->uidnext };
	return first->uidvalidity == now->uidvalidity && now->uidnext > 0 &&
	       now->uidnext < first->uidnext;
}

/* Takes over what SELECT told. */
static struct err settle(struct imap *imap, size_t folder)
{
	const struct imap_news *news = &imap->stream->news;

	if (news->uidvalidity == 0 || !news->exists_told)
		return err_make(ERR_PERM, "%s: folder %s: no %s", imap->server,
			imap_folder_name(imap, folder),
			news->exists_told ? "UIDVALIDITY" : "EXISTS");
	if (news->exists > IMAP_MESSAGES_MAX)
		return err_make(ERR_TEMP, "%s: folder %s: more than %u messages", imap->server,
			imap_folder_name(imap, folder), IMAP_MESSAGES_MAX);
	if (went_back(&imap->folders[folder], news))
		return err_make(ERR_TEMP,
			"%s: folder %s: UIDNEXT went back, its UIDs may be other messages now",
			imap->server, imap_folder_name(imap, folder));
	imap->folder = folder;
	imap->uidvalidity = news->uidvalidity;
	imap->uidnext = news->uidnext;
	imap->exists = news->exists;
	imap->highestmodseq = news->highestmodseq;
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
	imap->stream->news = (struct imap_news){ 0 };
	e = send_select(imap, buffer_data(&text));
	if (failed(e))
		return err_context(e, "folder %s", imap_folder_name(imap, folder));
	return settle(imap, folder);
}

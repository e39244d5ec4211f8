/* maildrop - takes the snapshot, answers from it, keeps the marks. UPDATE is in update.c. */
#include "proxy/maildrop/maildrop.h"

#include <assert.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/snapshot.h"

/* IMAP's INBOX has no case (RFC 9051 section 5.1); a spelling must not make a new identity. */
static const char *folder_identity(const char *name)
{
	return strcasecmp(name, "INBOX") == 0 ? "INBOX" : name;
}

static void name_folders(struct maildrop *drop)
{
	const struct string_list *also = &drop->settings->also;

	drop->n_folders = also->n + 1;
	drop->folders = arena_zalloc(drop->arena, drop->n_folders + 1, sizeof(*drop->folders));
	drop->folder_hashes =
		arena_zalloc(drop->arena, drop->n_folders, sizeof(*drop->folder_hashes));
	drop->folders[0] = folder_identity(drop->account->folder);
	drop->folder_hashes[0] = UNIQUE_ID_MAIN_FOLDER;
	for (size_t i = 1; i < drop->n_folders; i++) {
		drop->folders[i] = folder_identity(also->items[i - 1]);
		drop->folder_hashes[i] = unique_id_folder_hash(drop->folders[i]);
	}
	drop->folders[drop->n_folders] = NOTICE_FOLDER;
}

/* A folder that is named twice (a login may choose one of maildrop.also) shows its mail once. */
static bool named_before(const struct maildrop *drop, size_t folder)
{
	for (size_t i = 0; i < folder; i++)
		if (strcmp(drop->folders[i], drop->folders[folder]) == 0)
			return true;
	return false;
}

static struct err check_hashes(const struct maildrop *drop)
{
	for (size_t i = 1; i < drop->n_folders; i++)
		for (size_t j = 1; j < i; j++)
			if (drop->folder_hashes[i] == drop->folder_hashes[j] &&
				strcmp(drop->folders[i], drop->folders[j]) != 0)
				return err_make(ERR_PERM,
					"maildrop.also: the unique-ids of folders %s and %s would "
					"collide; rename one of them",
					drop->folders[j], drop->folders[i]);
	return ok();
}

static void leave_out_repeated_folders(struct maildrop *drop)
{
	for (size_t folder = 1; folder < drop->n_folders; folder++) {
		if (!named_before(drop, folder))
			continue;
		for (size_t i = 0; i < drop->n_messages; i++)
			if (drop->messages[i].folder == folder)
				bit_set(drop->left_out, i);
	}
}

fiber_fn static struct err take_listing(struct maildrop *drop)
{
	const struct backend_list_request request = { 0 };
	struct backend_listing listing = { 0 };
	struct err e;

	e = drop->backend->ops->list(drop->backend, drop->arena, &request, &listing);
	if (failed(e))
		return e;
	if (listing.n > UINT32_MAX)
		return err_make(ERR_LIMIT, "more than 2^32 messages");
	drop->messages = arena_alloc(drop->arena, listing.n * sizeof(*drop->messages));
	if (listing.n)
		memcpy(drop->messages, listing.messages, listing.n * sizeof(*drop->messages));
	drop->n_messages = listing.n;
	drop->quota = listing.quota;
	drop->left_out = bits_new(drop->arena, listing.n);
	drop->known = bits_new(drop->arena, listing.n);
	drop->retrieved = bits_new(drop->arena, listing.n);
	for (size_t i = 0; i < listing.n; i++)
		assert(listing.messages[i].folder < drop->n_folders);
	leave_out_repeated_folders(drop);
	snapshot_sort_by_key(drop);
	return ok();
}

fiber_fn struct err maildrop_open(const struct account *account, struct backend *backend,
	struct registry *registry, struct arena *arena, struct maildrop **ret)
{
	struct maildrop *drop = arena_zalloc(arena, 1, sizeof(*drop));
	struct err e;

	drop->account = account;
	drop->settings = &account->tenant->maildrop;
	drop->backend = backend;
	drop->registry = registry;
	drop->arena = arena;
	drop->opened = time(NULL);
	drop->unique_id = arena_alloc(arena, sizeof(*drop->unique_id));
	name_folders(drop);
	if (account->tenant->store == STORE_IMAP && failed(e = check_hashes(drop)))
		return e;
	if (failed(e = take_listing(drop)))
		return e;
	if (registry && account->tenant->store == STORE_MAILDIR)
		drop->numbers = arena_zalloc(arena, drop->n_messages, sizeof(*drop->numbers));
	if (registry && failed(e = snapshot_remember(drop)))
		return e;
	if (failed(e = snapshot_make_view(drop)))
		return e;
	drop->marks = bits_new(arena, drop->n_view);
	*ret = drop;
	return ok();
}

static uint32_t index_of(const struct maildrop *drop, size_t number)
{
	assert(number >= 1 && number <= drop->n_view);
	return drop->view[number - 1];
}

const struct backend_quota *maildrop_quota(const struct maildrop *drop)
{
	return &drop->quota;
}

bool maildrop_quota_warns(const struct maildrop *drop)
{
	return drop->settings->quota_warning > 0 && quota_known(&drop->quota) &&
	       quota_percent(&drop->quota) >= drop->settings->quota_warning;
}

size_t maildrop_count(const struct maildrop *drop)
{
	return drop->n_view;
}

size_t maildrop_visible(const struct maildrop *drop)
{
	return drop->n_view - drop->n_marks;
}

uint64_t maildrop_visible_octets(const struct maildrop *drop)
{
	return drop->octets - drop->marked_octets;
}

bool maildrop_marked(const struct maildrop *drop, size_t number)
{
	(void)index_of(drop, number);
	return bit_get(drop->marks, number - 1);
}

uint64_t maildrop_size(const struct maildrop *drop, size_t number)
{
	return snapshot_message(drop, index_of(drop, number))->size;
}

static void notice_unique_id(const struct maildrop *drop, struct unique_id *ret)
{
	uint64_t number = drop->notice->entry.number;

	if (drop->account->tenant->store == STORE_MAILDIR)
		unique_id_number(ret, number);
	else
		unique_id_given(ret, number);
}

void snapshot_unique_id(const struct maildrop *drop, uint32_t index, struct unique_id *ret)
{
	const struct backend_message *message = snapshot_message(drop, index);

	if (index == drop->n_messages)
		notice_unique_id(drop, ret);
	else if (drop->numbers)
		unique_id_number(ret, drop->numbers[index]);
	else if (message->key)
		unique_id_name(
			ret, message->folder ? drop->folders[message->folder] : NULL, message->key);
	else
		unique_id_imap(ret, drop->folder_hashes[message->folder], message->uidvalidity,
			message->uid);
}

const char *maildrop_unique_id(const struct maildrop *drop, size_t number)
{
	snapshot_unique_id(drop, index_of(drop, number), drop->unique_id);
	return drop->unique_id->text;
}

void maildrop_mark(struct maildrop *drop, size_t number)
{
	if (maildrop_marked(drop, number))
		return;
	bit_set(drop->marks, number - 1);
	drop->n_marks++;
	drop->marked_octets += maildrop_size(drop, number);
}

void maildrop_unmark_all(struct maildrop *drop)
{
	bits_clear_all(drop->marks, drop->n_view);
	drop->n_marks = 0;
	drop->marked_octets = 0;
}

size_t maildrop_marks(const struct maildrop *drop)
{
	return drop->n_marks;
}

fiber_fn struct err maildrop_fetch(struct maildrop *drop, size_t number, enum fetch_part part,
	uint64_t lines, struct sink *out)
{
	uint32_t index = index_of(drop, number);
	struct err e;

	assert(!maildrop_marked(drop, number));
	/* Of TOP's lines the sink takes what it wants. */
	if (index == drop->n_messages)
		return out->write(out, drop->notice->text, strlen(drop->notice->text));
	e = drop->backend->ops->fetch(drop->backend, &drop->messages[index], part, lines, out);
	/* A sink that wanted no more has not taken the message. */
	if (!failed(e) && part == FETCH_ALL && !out->full)
		bit_set(drop->retrieved, index);
	return e;
}

void maildrop_measured(struct maildrop *drop, size_t number, uint64_t octets)
{
	uint32_t index = index_of(drop, number);

	/* Without exact sizes LIST goes on to say what the store says. */
	if (index == drop->n_messages || octets == drop->messages[index].size ||
		octets > REGISTRY_SIZE_MAX || !drop->settings->exact_rfc822_size || !drop->registry)
		return;
	if (!drop->measured) {
		drop->measured =
			arena_alloc(drop->arena, drop->n_messages * sizeof(*drop->measured));
		for (size_t i = 0; i < drop->n_messages; i++)
			drop->measured[i] = REGISTRY_NO_SIZE;
	}
	drop->measured[index] = octets;
}

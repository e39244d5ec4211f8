/* folders - see the header. */
#include "proxy/maildrop/folders.h"

#include <string.h>
#include <strings.h>

#include "proxy/maildrop/notice.h"
#include "proxy/maildrop/unique_id.h"

/* IMAP's INBOX has no case (RFC 9051 section 5.1); a spelling must not make a new identity. */
static const char *identity(const char *name)
{
	return strcasecmp(name, "INBOX") == 0 ? "INBOX" : name;
}

static size_t find(const struct folders *folders, const char *name)
{
	size_t i = 0;

	while (i < folders->n_mail && strcmp(folders->names[i], name) != 0)
		i++;
	return i;
}

/* main: the tenant's main folder. A login may choose another one, but the ids of a message must not
 * depend on how it is looked at: the registry knows it once. */
static void add(struct folders *folders, size_t index, const char *name, const char *main)
{
	size_t at = find(folders, name);

	folders->to_registry[index] = (uint16_t)at;
	folders->repeated[index] = at < folders->n_mail;
	if (folders->repeated[index])
		return;
	folders->names[at] = name;
	folders->hashes[at] =
		strcmp(name, main) == 0 ? UNIQUE_ID_MAIN_FOLDER : unique_id_folder_hash(name);
	folders->to_store[at] = (uint16_t)index;
	folders->n_mail++;
}

static struct err check_hashes(const struct folders *folders)
{
	for (size_t i = 1; i < folders->n_mail; i++)
		for (size_t j = 0; j < i; j++)
			if (folders->hashes[i] == folders->hashes[j])
				return err_make(ERR_PERM,
					"maildrop.also: the unique-ids of folders %s and %s would "
					"collide; rename one of them",
					folders->names[j], folders->names[i]);
	return ok();
}

struct err folders_make(const struct account *account, struct arena *arena, struct folders **ret)
{
	const struct maildrop_settings *settings = &account->tenant->maildrop;
	struct folders *folders = arena_zalloc(arena, 1, sizeof(*folders));
	const char *main = identity(settings->folder);
	size_t n = settings->also.n + 1;

	*ret = folders;
	folders->n_store = n;
	folders->to_registry = arena_zalloc(arena, n, sizeof(*folders->to_registry));
	folders->repeated = arena_zalloc(arena, n, sizeof(*folders->repeated));
	folders->names = arena_zalloc(arena, n + 1, sizeof(*folders->names));
	folders->hashes = arena_zalloc(arena, n + 1, sizeof(*folders->hashes));
	folders->to_store = arena_zalloc(arena, n + 1, sizeof(*folders->to_store));
	add(folders, 0, identity(account->folder), main);
	for (size_t i = 1; i < n; i++)
		add(folders, i, identity(settings->also.items[i - 1]), main);
	folders->n = folders->n_mail;
	if (settings->quota_warning > 0)
		folders->names[folders->n++] = NOTICE_FOLDER;
	return account->tenant->store == STORE_IMAP ? check_hashes(folders) : ok();
}

struct registry_maildrop folders_maildrop(
	const struct folders *folders, const struct account *account)
{
	return (struct registry_maildrop){
		.tenant = account->tenant->name,
		.login = account->login,
		.folders = folders->names,
		.n_folders = folders->n,
	};
}

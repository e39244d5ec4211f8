/*
 * folders - the folders of an account as its store counts them and as the registry names them.
 *
 * The store has account->folder first, then maildrop.also. The registry has the same by their
 * identities, each once (a login may choose one of maildrop.also), then, where the tenant warns of
 * quotas, NOTICE_FOLDER. A folder that is named again shows nothing.
 */
#ifndef POPGATE_MAILDROP_FOLDERS_H
#define POPGATE_MAILDROP_FOLDERS_H

#include "backends/backend.h"
#include "proxy/maildrop/registry.h"

struct folders {
	size_t n_store;        /* as the store counts them */
	uint16_t *to_registry; /* by the store's index */
	bool *repeated;        /* by the store's index: named before */
	size_t n_mail;         /* of the registry's, those that hold mail */
	size_t n;              /* those and NOTICE_FOLDER, whose index is n_mail where it is */
	const char **names;    /* by the registry's index */
	uint32_t *hashes;      /* by the registry's index; UNIQUE_ID_MAIN_FOLDER for
				* the tenant's maildrop.folder */
	uint16_t *to_store;    /* by the registry's index, of those that hold mail */
};

/* In arena; names are borrowed from the account and its tenant. ERR_PERM when the computed ids of
 * two folders of an IMAP server would collide. */
struct err folders_make(const struct account *account, struct arena *arena, struct folders **ret);

/* For a call of the registry. */
struct registry_maildrop folders_maildrop(
	const struct folders *folders, const struct account *account);

#endif

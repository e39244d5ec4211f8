/* export - the way out; see transfer.h. */
#include <string.h>

#include "proxy/adoption/transfer.h"
#include "proxy/maildrop/unique_id.h"

void id_shown(const struct registry_record *record, const struct registry_entry *entry,
	const char *main_folder, struct unique_id *ret)
{
	const char *folder = record->folders[entry->folder].name;
	size_t n = strlen(entry->unique_id);

	if (n > 0 && n <= UNIQUE_ID_MAX)
		memcpy(ret->text, entry->unique_id, n + 1);
	else
		unique_id_imap(ret,
			strcmp(folder, main_folder) == 0 ? UNIQUE_ID_MAIN_FOLDER
							 : unique_id_folder_hash(folder),
			entry->uidvalidity, entry->uid);
}

static struct id_row row_of(const struct registry_maildrop *maildrop, enum id_kind kind)
{
	struct id_row row;

	id_row_clear(&row);
	row.kind = kind;
	row.tenant = maildrop->tenant;
	row.login = maildrop->login;
	return row;
}

void id_rows_of_record(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, id_row_take *take, void *arg)
{
	struct id_row row = row_of(maildrop, ID_MAILDROP);

	row.next = record->next;
	row.seen = record->seen;
	row.numbers = record->flags & REGISTRY_NUMBERS;
	row.accepted = record->flags & REGISTRY_ACCEPTED;
	take(&row, arg);
	row = row_of(maildrop, ID_MESSAGE);
	for (size_t i = 0; i < record->n_entries; i++) {
		struct unique_id shown;

		row.entry = record->entries[i];
		row.folder = record->folders[row.entry.folder].name;
		id_shown(record, &row.entry, main_folder, &shown);
		row.shown_id = shown.text;
		take(&row, arg);
	}
	row = row_of(maildrop, ID_END);
	row.messages = record->n_entries;
	take(&row, arg);
}

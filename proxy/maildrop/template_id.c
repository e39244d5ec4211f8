#include "proxy/maildrop/template_id.h"

#include <string.h>

const char *template_of(const struct tenant *tenant)
{
	const char *format = tenant->uidl.format;

	return format && *format && strcmp(format, "decimal") != 0 ? format : NULL;
}

bool template_id(struct unique_id *ret, const char *format, const struct backend_message *message,
	const struct backend_legacy *legacy)
{
	struct uidl_values values = {
		.uid = message->uid,
		.uidvalidity = message->uidvalidity,
		.filename = message->key,
		.emailid = message->emailid,
		/* Without its prefix. */
		.guid = message->emailid && *message->emailid ? message->emailid + 1 : NULL,
	};

	if (legacy && legacy->uidl) {
		unique_id_adopted(ret, legacy->uidl);
		return true;
	}
	if (legacy && !message->uid) {
		values.uid = legacy->uid;
		values.uidvalidity = legacy->uidvalidity;
		values.guid = legacy->guid;
	}
	return unique_id_template(ret, format, &values);
}

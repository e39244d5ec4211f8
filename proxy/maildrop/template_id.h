/*
 * template_id - what uidl.format makes of a message.
 */
#ifndef POPGATE_MAILDROP_TEMPLATE_ID_H
#define POPGATE_MAILDROP_TEMPLATE_ID_H

#include "backends/backend.h"
#include "proxy/maildrop/unique_id.h"

/* The tenant's template; NULL: its ids are decimal. */
const char *template_of(const struct tenant *tenant);

/* legacy: what the server before left of the message, or NULL; a unique-id that it kept is taken
 * before the template. false: the template needs what is not known of the message. */
bool template_id(struct unique_id *ret, const char *format, const struct backend_message *message,
	const struct backend_legacy *legacy);

#endif

/*
 * delegate - the login of a delegate, who opens another's mailbox with a password of his own
 * ([MS-OXPOP3] section 2.2.2): domain/user/mailbox, or user/mailbox.
 *
 * After the last "/" stands the mailbox, by alias or by address; before it the delegate. A mailbox
 * without a domain is one of the delegate's domain. Pure.
 */
#ifndef POPGATE_ROUTING_DELEGATE_H
#define POPGATE_ROUTING_DELEGATE_H

#include "config/config.h"

struct delegate {
	const char *actor; /* who logs in, as a login: user@domain */
	const char *owner; /* whose mailbox is meant, as a login */
};

/* Whether text is a delegate's login and login_name.delegate is on; then ret is filled in, from
 * arena memory. Neither half is looked at closer: routing does that. */
bool delegate_parse(const struct login_name_settings *settings, const char *text,
	struct arena *arena, struct delegate *ret);

#endif

/*
 * page - the status page: one HTML document with its style and script in it, nothing from
 * elsewhere.
 */
#ifndef POPGATE_ADMIN_PAGE_H
#define POPGATE_ADMIN_PAGE_H

#include "proxy/admin/admin.h"

/* nonce: what the Content-Security-Policy of this answer allows style and script by. may_close:
 * sessions have a button to close them. */
void page_write(
	struct buffer *out, const struct admin_gateway *gateway, const char *nonce, bool may_close);

/* page.css and page.js, as they lie in the source; NUL-terminated. */
extern const char page_css[], page_js[];

#endif

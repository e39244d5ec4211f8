/*
 * page_tables - the tables of the status page. Internal to proxy/admin.
 */
#ifndef POPGATE_ADMIN_PAGE_TABLES_H
#define POPGATE_ADMIN_PAGE_TABLES_H

#include "proxy/admin/admin.h"
#include "proxy/admin/gauges.h"

/* What one writing of the page is about. */
struct page {
	struct buffer *out;
	const struct admin_gateway *gateway;
	struct gauges gauges;
	struct arena *arena;
	int64_t now; /* seconds since 1970 */
	bool may_close;
};

void page_sessions(const struct page *page);
void page_refusals(const struct page *page);
void page_tenants(const struct page *page);
void page_servers(const struct page *page);
void page_listeners(const struct page *page);
void page_workers(const struct page *page);

#endif

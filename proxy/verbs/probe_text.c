/* probe_text - what popgate probe finds, line by line, as it finds it. */
#include <stdio.h>

#include "proxy/pop3/reply.h"
#include "proxy/verbs/color.h"
#include "proxy/verbs/probe_view.h"

/* A maildrop may hold a million messages; this many at each end tell enough. */
#define SHOWN 5

static void nothing(const char *login)
{
	(void)login;
}

static void print_tenant(const char *name)
{
	printf("%-9s %s\n", "tenant", name ? name : "none");
	/* The next step may take long. */
	(void)fflush(stdout);
}

static void print_step(const char *step, uint64_t took, const char *text, enum color color)
{
	printf("%-9s %s%-58s%s %9.1f ms\n", step, color_on(stdout, color), text, color_off(stdout),
		(double)took / 1e6);
	(void)fflush(stdout);
}

static void print_opened(uint64_t took, bool imap)
{
	print_step("log in", took,
		imap ? "the IMAP server took the login, the mailbox is open"
		     : "the password is right, the Maildir is open",
		COLOR_GOOD);
}

static void print_failed(const char *step, uint64_t took, const struct err *e, const char *advice)
{
	print_step(step, took, "failed", COLOR_BAD);
	printf("%-9s %s: %s\n", "why", err_scope_name(e->scope), e->detail);
	if (advice)
		printf("%-9s %s\n", "do", advice);
	printf("%-9s -ERR %s\n", "client", reply_text_for(e->scope));
}

static void print_messages(const struct maildrop *drop)
{
	size_t n = maildrop_count(drop);

	if (n)
		printf("\n%9s %14s  %s\n", "message", "octets", "unique-id");
	for (size_t i = 1; i <= n; i++) {
		if (n > 2 * SHOWN + 1 && i == SHOWN + 1) {
			printf("%9s %14s  (%zu more)\n", "…", "…", n - (size_t)2 * SHOWN);
			i = n - SHOWN + 1;
		}
		printf("%9zu %14llu  %s\n", i, (unsigned long long)maildrop_size(drop, i),
			maildrop_unique_id(drop, i));
	}
}

static void print_quota(const struct backend_quota *quota)
{
	printf("%-9s ", "quota");
	if (!quota_known(quota)) {
		puts("none that the store tells of");
		return;
	}
	printf("%llu%% used", (unsigned long long)quota_percent(quota));
	if (quota->limit_octets)
		printf(", %llu of %llu octets", (unsigned long long)quota->used_octets,
			(unsigned long long)quota->limit_octets);
	if (quota->limit_messages)
		printf(", %llu of %llu messages", (unsigned long long)quota->used_messages,
			(unsigned long long)quota->limit_messages);
	putchar('\n');
}

static void print_listed(uint64_t took, const struct maildrop *drop)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "%zu messages, %llu octets", maildrop_count(drop),
		(unsigned long long)maildrop_visible_octets(drop));
	print_step("list", took, text, COLOR_GOOD);
	print_quota(maildrop_quota(drop));
	print_messages(drop);
}

static void done(void)
{
}

const struct probe_view probe_text = {
	.begin = nothing,
	.tenant = print_tenant,
	.opened = print_opened,
	.listed = print_listed,
	.failed = print_failed,
	.end = done,
};

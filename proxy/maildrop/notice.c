/* notice - see the header. */
#include "proxy/maildrop/notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config/address.h"
#include "proxy/maildrop/folders.h"
#include "proxy/maildrop/unique_id.h"

#define KEY_WORD "quota"

/* "quota OCTETS OF MESSAGES OF UNIQUE-ID"; False when it is none. */
static bool parse_key(const char *key, struct backend_quota *ret)
{
	uint64_t figures[4];
	const char *p = key + strlen(KEY_WORD);

	if (strncmp(key, KEY_WORD, strlen(KEY_WORD)) != 0)
		return false;
	for (size_t i = 0; i < 4; i++) {
		char *end;

		if (p[0] != ' ' || p[1] < '0' || p[1] > '9')
			return false;
		figures[i] = strtoull(p + 1, &end, 10);
		p = end;
	}
	*ret = (struct backend_quota){ figures[0], figures[1], figures[2], figures[3] };
	return p[0] == ' ' && p[1] && quota_known(ret);
}

bool notice_is_current(const struct registry_entry *last, int64_t now)
{
	struct backend_quota quota;

	return *last->unique_id && last->arrival > now - NOTICE_PERIOD &&
	       last->arrival < now + NOTICE_PERIOD && parse_key(last->key, &quota);
}

struct registry_entry notice_last(
	const struct registry_entry *entries, size_t n, const struct folders *folders)
{
	struct registry_entry last = { .key = "", .unique_id = "", .emailid = "" };

	for (size_t i = 0; i < n; i++)
		if (entries[i].folder >= folders->n_mail && *entries[i].unique_id &&
			(!*last.unique_id || entries[i].arrival >= last.arrival))
			last = entries[i];
	return last;
}

struct registry_entry notice_entry(
	const char *unique_id, const struct backend_quota *quota, int64_t now, struct arena *arena)
{
	return (struct registry_entry){
		/* The unique-id makes it a key that no other notice has. */
		.key = arena_printf(arena,
			KEY_WORD " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
			quota->used_octets, quota->limit_octets, quota->used_messages,
			quota->limit_messages, unique_id),
		.unique_id = unique_id,
		.emailid = "",
		.size = REGISTRY_NO_SIZE,
		.measured = REGISTRY_NO_SIZE,
		.arrival = now,
	};
}

/* "1.5 GB" */
static const char *octets_text(uint64_t octets, struct arena *arena)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB", "PB", "EB" };
	double n = (double)octets / 1024;
	size_t unit = 0;

	for (; n >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		n /= 1024;
	return arena_printf(arena, "%.1f %s", n, units[unit]);
}

static void append_headers(struct buffer *text, const struct account *account,
	const struct registry_entry *entry, uint64_t percent)
{
	const char *from = account->tenant->maildrop.notice_from;
	const char *to = account->login;
	time_t seconds = (time_t)entry->arrival;
	char date[64];
	struct tm tm;

	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&seconds, &tm));
	buffer_printf(text, "From: Mail system <%s>\r\n", from);
	if (mail_address_valid(to))
		buffer_printf(text, "To: <%s>\r\n", to);
	else
		buffer_printf(text, "To: undisclosed-recipients:;\r\n");
	if (percent < 100)
		buffer_printf(text, "Subject: Your mailbox is %" PRIu64 "%% full\r\n", percent);
	else
		buffer_printf(text, "Subject: Your mailbox is full\r\n");
	buffer_printf(text,
		"Date: %s\r\n"
		"Message-ID: <quota.%" PRId64 ".%s.%08" PRIx32 "@%s>\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n"
		"\r\n",
		date, entry->arrival, entry->unique_id, unique_id_folder_hash(account->login),
		strrchr(from, '@') + 1);
}

static void append_body(struct buffer *text, const struct backend_quota *quota, uint64_t percent,
	struct arena *arena)
{
	buffer_printf(text, "Your mailbox is %" PRIu64 "%% full.\r\n\r\n", percent);
	if (quota->limit_octets)
		buffer_printf(text, "  Storage:   %s of %s used\r\n",
			octets_text(quota->used_octets, arena),
			octets_text(quota->limit_octets, arena));
	if (quota->limit_messages)
		buffer_printf(text, "  Messages:  %" PRIu64 " of %" PRIu64 " used\r\n",
			quota->used_messages, quota->limit_messages);
	buffer_printf(text,
		"\r\n"
		"While it is full, new mail for you may be refused. Please delete messages that\r\n"
		"you no longer need, and empty the trash folder if there is one.\r\n"
		"\r\n"
		"The mail system has written this notice by itself. It comes at most once a "
		"day,\r\n"
		"and it may be deleted like any other message.\r\n");
}

struct notice *notice_new(
	const struct account *account, const struct registry_entry *entry, struct arena *arena)
{
	cleanup(buffer_done) struct buffer text = { 0 };
	struct notice *notice = arena_zalloc(arena, 1, sizeof(*notice));
	struct backend_quota quota = { 0 };
	uint64_t percent;

	(void)parse_key(entry->key, &quota);
	percent = quota_percent(&quota);
	append_headers(&text, account, entry, percent);
	append_body(&text, &quota, percent, arena);
	notice->entry = *entry;
	notice->entry.key = arena_strdup(arena, entry->key);
	notice->entry.unique_id = arena_strdup(arena, entry->unique_id);
	notice->entry.emailid = "";
	notice->text = arena_strndup(arena, buffer_data(&text), buffer_used(&text));
	notice->message = (struct backend_message){
		.size = buffer_used(&text),
		.arrival = entry->arrival,
		.exact = true,
	};
	return notice;
}

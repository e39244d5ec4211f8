/* probe_json - what popgate probe finds, as one JSON object. */
#include "proxy/pop3/reply.h"
#include "proxy/verbs/json.h"
#include "proxy/verbs/probe_view.h"

static struct verb_json json;

static void begin(const char *login)
{
	verb_json_begin(&json, NULL, '{');
	verb_json_text(&json, "login", login);
}

static void tenant(const char *name)
{
	verb_json_text(&json, "tenant", name);
}

static void opened(uint64_t took, bool imap)
{
	verb_json_text(&json, "store", imap ? "imap" : "maildir");
	verb_json_ms(&json, "login_ms", took);
}

static void quota_json(const struct backend_quota *quota)
{
	if (!quota_known(quota)) {
		verb_json_text(&json, "quota", NULL);
		return;
	}
	verb_json_begin(&json, "quota", '{');
	verb_json_uint(&json, "percent", quota_percent(quota));
	if (quota->limit_octets) {
		verb_json_uint(&json, "octets", quota->used_octets);
		verb_json_uint(&json, "limit_octets", quota->limit_octets);
	}
	if (quota->limit_messages) {
		verb_json_uint(&json, "messages", quota->used_messages);
		verb_json_uint(&json, "limit_messages", quota->limit_messages);
	}
	verb_json_end(&json, '}');
}

static void listed(uint64_t took, const struct maildrop *drop)
{
	verb_json_ms(&json, "list_ms", took);
	verb_json_uint(&json, "octets", maildrop_visible_octets(drop));
	quota_json(maildrop_quota(drop));
	verb_json_begin(&json, "messages", '[');
	for (size_t i = 1; i <= maildrop_count(drop); i++) {
		verb_json_begin(&json, NULL, '{');
		verb_json_uint(&json, "number", i);
		verb_json_uint(&json, "octets", maildrop_size(drop, i));
		verb_json_text(&json, "unique_id", maildrop_unique_id(drop, i));
		verb_json_end(&json, '}');
	}
	verb_json_end(&json, ']');
}

static void failed_at(const char *step, uint64_t took, const struct err *e, const char *advice)
{
	verb_json_begin(&json, "failed", '{');
	verb_json_text(&json, "step", step);
	verb_json_ms(&json, "ms", took);
	verb_json_text(&json, "error", err_scope_name(e->scope));
	verb_json_text(&json, "detail", e->detail);
	verb_json_text(&json, "advice", advice);
	verb_json_text(&json, "client", reply_text_for(e->scope));
	verb_json_end(&json, '}');
}

static void end(void)
{
	verb_json_end(&json, '}');
	verb_json_done(&json);
}

const struct probe_view probe_json = {
	.begin = begin,
	.tenant = tenant,
	.opened = opened,
	.listed = listed,
	.failed = failed_at,
	.end = end,
};

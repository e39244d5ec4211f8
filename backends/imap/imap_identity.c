#include "backends/imap/imap_identity.h"

#include <inttypes.h>
#include <string.h>

#include "backends/imap/imap_text.h"
#include "proxy/runtime/fatal.h"

/* RFC 8474 section 7: an objectid has 1 to 255 letters, digits, "_" and "-". */
#define OBJECTID_MAX 255

static struct mailimap_extension_api emailid_extension;

static bool is_objectid(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_' || c == '-';
}

/* "EMAILID (M6d99ac3275bb4e)". One that cannot be is passed over. */
static int parse_emailid(int calling_parser, mailstream *fd, MMAPString *buffer,
	struct mailimap_parser_context *context, size_t *index,
	struct mailimap_extension_data **result, size_t progress_rate, progress_function *progress)
{
	struct imap_text text = { buffer->str + *index, buffer->str + buffer->len };
	const char *id;
	size_t n;
	bool good;

	(void)fd;
	(void)context;
	(void)progress_rate;
	(void)progress;
	if (calling_parser != MAILIMAP_EXTENDED_PARSER_FETCH_DATA ||
		!imap_text_skip_word(&text, "EMAILID ("))
		return MAILIMAP_ERROR_PARSE;
	id = text.p;
	while (text.p < text.end && is_objectid(*text.p))
		text.p++;
	n = (size_t)(text.p - id);
	good = n > 0 && n <= OBJECTID_MAX && imap_text_skip(&text, ')');
	if (!good)
		text.p = memchr(id, ')', (size_t)(text.end - id));
	if (!text.p)
		return MAILIMAP_ERROR_PARSE;
	*index = (size_t)(text.p - buffer->str) + (good ? 0 : 1);
	*result = mailimap_extension_data_new(
		&emailid_extension, 0, good ? mem_printf("E%.*s", (int)n, id) : NULL);
	return *result ? MAILIMAP_NO_ERROR : MAILIMAP_ERROR_MEMORY;
}

static void free_emailid(struct mailimap_extension_data *data)
{
	free(data->ext_data);
	free(data);
}

static struct mailimap_extension_api emailid_extension = {
	.ext_name = (char *)"OBJECTID",
	.ext_id = -1,
	.ext_parser = parse_emailid,
	.ext_free = free_emailid,
};

void imap_identity_init(void)
{
	static bool done;

	if (!done && mailimap_extension_register(&emailid_extension) != 0)
		fatal("out of memory: an IMAP extension");
	done = true;
}

const char *imap_identity_of(const struct mailimap_msg_att_item *item, struct arena *mem)
{
	const struct mailimap_extension_data *data = item->att_data.att_extension_data;

	if (item->att_type != MAILIMAP_MSG_ATT_ITEM_EXTENSION || !data)
		return NULL;
	if (data->ext_extension == &emailid_extension)
		return data->ext_data ? arena_strdup(mem, data->ext_data) : NULL;
	if (data->ext_extension == &mailimap_extension_xgmmsgid)
		return arena_printf(mem, "G%" PRIu64, *(const uint64_t *)data->ext_data);
	return NULL;
}

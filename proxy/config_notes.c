#include "proxy/config_notes.h"

#include <string.h>

void config_notes_add(enum config_severity severity, const char *text, void *arg)
{
	struct config_notes *notes = arg;
	char first = (char)severity;

	buffer_append(&notes->text, &first, 1);
	buffer_append(&notes->text, text, strlen(text) + 1);
}

/* The next note, or NULL. Its text is valid until the next call. */
static const char *next(struct config_notes *notes, enum config_severity *severity)
{
	struct buffer *b = &notes->text;
	const char *text;

	if (buffer_used(b) == 0)
		return NULL;
	*severity = (enum config_severity)b->data[b->start];
	text = b->data + b->start + 1;
	buffer_consume(b, strlen(text) + 2);
	return text;
}

void config_notes_log(struct config_notes *notes)
{
	enum config_severity severity;
	const char *text;

	while ((text = next(notes, &severity))) {
		if (severity == CONFIG_ERROR)
			log_error("configuration", f_text("detail", text));
		else
			log_warning("configuration", f_text("detail", text));
	}
	buffer_done(&notes->text);
}

void config_notes_print(struct config_notes *notes)
{
	static const char *const prefixes[] = {
		[CONFIG_ERROR] = "",
		[CONFIG_WARNING] = "warning: ",
		[CONFIG_NOT_YET] = "note: ",
	};
	enum config_severity severity;
	const char *text;

	while ((text = next(notes, &severity)))
		(void)fprintf(stderr, "%s%s\n", prefixes[severity], text);
	buffer_done(&notes->text);
}

/*
 * config_notes - what config_load reports, kept until it is known where to say it: a running
 * gateway writes log lines, one that does not start writes plain text for whoever started it.
 */
#ifndef POPGATE_CONFIG_NOTES_H
#define POPGATE_CONFIG_NOTES_H

#include "config/config.h"

/* Zero-initialise. */
struct config_notes {
	struct buffer text;
};

/* A config_report; arg is a struct config_notes. */
void config_notes_add(enum config_severity severity, const char *text, void *arg);
/* Each as a line of the log, or of plain text on standard error; then forgets them. */
void config_notes_log(struct config_notes *notes);
void config_notes_print(struct config_notes *notes);

#endif

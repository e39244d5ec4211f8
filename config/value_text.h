/*
 * value_text - the setters of scalars that stay texts, and what they share with value.c. For these
 * two files only.
 *
 * A setter stores the text, checked and perhaps made complete (a relative path), or reports what is
 * wrong with it; true: stored.
 */
#ifndef POPGATE_CONFIG_VALUE_TEXT_H
#define POPGATE_CONFIG_VALUE_TEXT_H

#include "config/value.h"

/* Reports what is wrong with a value, and what is expected; false. */
__attribute__((format(printf, 3, 4))) bool value_refuse(
	const struct setting *setting, struct place at, const char *format, ...);
/* Reports a text that is not what is expected; false. */
bool value_refuse_text(const struct setting *setting, const struct scalar *value);
/* A copy of the text into the member. */
void value_store_text(const struct setting *setting, const char *text);

bool value_set_account(const struct setting *setting, const struct scalar *value);
bool value_set_address(const struct setting *setting, const struct scalar *value);
bool value_set_database(const struct setting *setting, const struct scalar *value);
bool value_set_domain(const struct setting *setting, const struct scalar *value);
bool value_set_name(const struct setting *setting, const struct scalar *value);
bool value_set_new_path(const struct setting *setting, const struct scalar *value);
bool value_set_path(const struct setting *setting, const struct scalar *value);
bool value_set_state(const struct setting *setting, const struct scalar *value);
bool value_set_template(const struct setting *setting, const struct scalar *value);
bool value_set_text(const struct setting *setting, const struct scalar *value);
bool value_set_url(const struct setting *setting, const struct scalar *value);

#endif

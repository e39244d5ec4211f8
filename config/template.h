/*
 * template - texts with %{name} in them. A % without a brace stands for itself.
 */
#ifndef POPGATE_CONFIG_TEMPLATE_H
#define POPGATE_CONFIG_TEMPLATE_H

#include "config/config.h"
#include "config/keys.h"

/* The first %{…} whose name is none of names, or that does not end, as arena text; NULL when all
 * are known. */
const char *template_unknown(const char *text, const struct choice *names, struct arena *arena);
/* Whether %{name} occurs. */
bool template_uses(const char *text, const char *name);

#endif

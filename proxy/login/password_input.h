/*
 * password_input - a password from standard input, for the command line: not for a worker.
 *
 * One line, without its line end. From a terminal it is asked for without echo, also when a signal
 * ends the program while it asks.
 */
#ifndef POPGATE_LOGIN_PASSWORD_INPUT_H
#define POPGATE_LOGIN_PASSWORD_INPUT_H

#include <stdbool.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/secret.h"

/* prompt: such as "Password for ann", shown with ": " behind it on standard error when standard
 * input is a terminal; twice: ask there for a second time, and both must be equal. ERR_INVALID: no
 * line, one over SECRET_MAX, or two that differ. */
struct err password_input(const char *prompt, bool twice, struct secret **ret);

#endif

/*
 * log_output - where the lines of the log go, without ever making their writer wait.
 *
 * A line is written at once where it goes. Where it does not (a pipe whose reader stalls), it waits
 * in a buffer of this process, LOG_PENDING_MAX octets at most; what does not fit is dropped,
 * counted, and told of once there is room again. Whoever runs a loop calls log_flush while
 * log_pending says so.
 * Lines of several processes do not mix: each write holds whole lines, PIPE_BUF octets at most.
 * Until log_output_open, lines are written to standard error and do make their writer wait: for
 * verbs and tests.
 */
#ifndef POPGATE_RUNTIME_LOG_OUTPUT_H
#define POPGATE_RUNTIME_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/err.h"

#define LOG_PENDING_MAX (4 << 20)
/* How often log_flush should be called while something is pending, in milliseconds. */
#define LOG_FLUSH_EVERY 50

/* Sends lines to that file from now on, appended; "": to standard error. On failure nothing is
 * changed: ERR_INVALID. Also opens anew the file that was renamed meanwhile. */
struct err log_output_open(const char *file);
/* Sends lines to what another process opened so; takes the descriptor over. */
void log_output_adopt(int fd);
/* The descriptor of the file that is open; -1: lines go to standard error. Borrowed. */
int log_output_file(void);
/* In a new child: what waits is the parent's to write. */
void log_output_forget(void);

/* n octets that end in a newline, PIPE_BUF at most. */
void log_output_put(const char *line, size_t n);
/* Called when something begins to wait; for loops that have to arm a timer. NULL: nobody. */
void log_output_on_pending(void (*fn)(void));
/* Called for every line that is dropped. NULL: nobody. */
void log_output_on_loss(void (*fn)(void));

bool log_pending(void);
/* Writes what goes; then tells of lines that were dropped. */
void log_flush(void);
/* For the end of a process: flushes, and waits for the reader as long as that. */
void log_finish(unsigned milliseconds);

#endif

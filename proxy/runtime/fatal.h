/*
 * fatal - the end of a process that must not go on: out of memory, or a broken rule of the runtime.
 * The master forks another worker.
 */
#ifndef POPGATE_RUNTIME_FATAL_H
#define POPGATE_RUNTIME_FATAL_H

/* Writes "popgate: fatal: in fiber NAME: text" to standard error and aborts. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void fatal(const char *format, ...);

#endif

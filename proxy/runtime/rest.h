/*
 * rest - a fiber that will wait for long gives back the memory that it does not need meanwhile.
 */
#ifndef POPGATE_RUNTIME_REST_H
#define POPGATE_RUNTIME_REST_H

#include "proxy/runtime/fiber.h"

#define REST_TRIM_PAUSE 5000 /* ms */

/* Gives back the stack's pages below the caller, and what lies free between the pieces of the heap;
 * the latter at most once in REST_TRIM_PAUSE, since it looks through all of the heap. From a fiber.
 */
void runtime_rest(void);

#endif

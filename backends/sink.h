/*
 * sink - where a backend pushes the octets of one message, as stored: any line ends, no
 * dot-stuffing.
 *
 * The backend calls write with pieces of any size, in order. An error from write is the sink's own
 * (its client is gone): the backend stops, keeps its own connection in a defined state, and returns
 * that error unchanged. full: set by the sink once it wants no more (TOP); the backend then stops
 * early where that is cheap, and returns ok. What it still writes after that is ignored.
 */
#ifndef POPGATE_BACKENDS_SINK_H
#define POPGATE_BACKENDS_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"

struct sink {
	fiber_fn struct err (*write)(struct sink *sink, const void *data, size_t n);
	bool full;
};

#endif

/*
 * orders - what the master tells a worker besides signals, and what a worker tells of itself: over
 * a pair of sockets that keep messages apart. A worker's death closes its end.
 */
#ifndef POPGATE_ORDERS_H
#define POPGATE_ORDERS_H

#include <stdbool.h>

enum order_kind {
	/* To the master. */
	ORDER_SERVING = 1, /* it serves */
	ORDER_STOPPED,     /* it accepts no more */
	/* To a worker. */
	ORDER_LOG,   /* write the log to this descriptor */
	ORDER_CLOSE, /* end the session of that id */
};

struct order {
	enum order_kind kind;
	char id[24];
};

/* The two ends: non-blocking, close-on-exec. false, with errno, when there are none. */
bool orders_open(int ends[2]);
/* Never waits. fd: a descriptor to pass along, or -1. */
bool orders_send(int end, const struct order *order, int fd);

enum order_receipt { ORDER_NONE, ORDER_TAKEN, ORDER_OVER /* the other end is closed */ };
/* Never waits. *fd: the descriptor that came along, the caller's now; else -1. */
enum order_receipt orders_receive(int end, struct order *ret, int *fd);

#endif

/*
 * sockets - connected and listening sockets for tests. Loopback only.
 */
#ifndef TESTS_UNIT_RUNTIME_SOCKETS_H
#define TESTS_UNIT_RUNTIME_SOCKETS_H

#include <stdint.h>

/* A TCP socket that listens on 127.0.0.1, on a port that the system chooses. */
int listen_on_loopback(uint16_t *port);

/* Both ends of a TCP connection, for what a socketpair has not. */
void tcp_pair(int fds[2]);

/* Fills the queue of a listener, so that further connections wait for an answer. fds: what to close
 * at the end. */
#define QUEUE_FILL 4
void fill_queue(int listener, uint16_t port, int fds[QUEUE_FILL]);

#endif

/*
 * fd_wait - what fiber.c needs of the waiters for descriptors (wait.h).
 */
#ifndef POPGATE_RUNTIME_FD_WAIT_H
#define POPGATE_RUNTIME_FD_WAIT_H

/* Closes the handles that are kept for later waiters. Before the loop is closed. */
void fd_wait_close_idle(void);

#endif

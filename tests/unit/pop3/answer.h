/*
 * answer - what a client is sent for one command of the TRANSACTION state.
 */
#ifndef POPGATE_TEST_POP3_ANSWER_H
#define POPGATE_TEST_POP3_ANSWER_H

struct maildrop;

/* Of a command without arguments; malloc'ed. Runs fibers until it is whole. */
char *answer_to(const char *verb, struct maildrop *drop);

#endif

/*
 * account - the account that this process acts as, for messages about what it may not do.
 */
#ifndef POPGATE_RUNTIME_ACCOUNT_H
#define POPGATE_RUNTIME_ACCOUNT_H

#define ACCOUNT_TEXT 64

/* Its name, or its number where it has none. Blocks: not in a fiber. */
const char *account_name(char text[ACCOUNT_TEXT]);

#endif

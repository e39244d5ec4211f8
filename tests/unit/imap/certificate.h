/*
 * certificate - a self-signed certificate and its key in temporary files, for one test program.
 */
#ifndef POPGATE_TESTS_IMAP_CERTIFICATE_H
#define POPGATE_TESTS_IMAP_CERTIFICATE_H

#include "proxy/runtime/tls.h"

/* Makes both files; aborts when that fails. */
const struct tls_certificate *certificate_make(const char *name);
/* The certificate's file, which is also the CA's. */
const char *certificate_file(void);
void certificate_remove(void);

#endif

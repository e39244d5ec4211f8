/*
 * certificates - keys and certificates for tests, made afresh in a temporary folder.
 *
 * ca.pem        the authority that issued all of the following
 * server.pem    pop.example, *.wild.example, 127.0.0.1
 * second.pem    second.example
 * common.pem    CN common.example, no subjectAltName
 * client.pem    client.example
 * person.pem    CN Jörg, ann@local.example, b@local.example
 * odd-person.pem  a CN of two lines
 * expired.pem   expired.example, until yesterday
 * other-ca.pem  another authority
 * stranger.pem  pop.example, issued by the other
 * alone.pem     pop.example, self-signed
 * Each has its key in NAME.key; encrypted.key is that of server.pem under a passphrase.
 */
#ifndef TESTS_UNIT_RUNTIME_CERTIFICATES_H
#define TESTS_UNIT_RUNTIME_CERTIFICATES_H

/* cmocka group setup and teardown. */
int certificates_setup(void **state);
int certificates_teardown(void **state);

/* The path of one of the files. Static storage, a ring of eight. */
const char *certificate_path(const char *file);

#endif

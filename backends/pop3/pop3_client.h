/*
 * pop3_client - one connection to a POP3 server through libetpan; for the files of this folder.
 */
#ifndef POPGATE_BACKENDS_POP3_CLIENT_H
#define POPGATE_BACKENDS_POP3_CLIENT_H

#include "backends/pop3/pop3_source.h"
#include "backends/pop3/pop3_stream.h"

enum pop3_capability {
	POP3_CAN_TOP = 1 << 0,
	POP3_CAN_UIDL = 1 << 1,
	POP3_CAN_USER = 1 << 2,
	POP3_CAN_PLAIN = 1 << 3,
	POP3_CAN_STLS = 1 << 4,
	POP3_CAN_PIPELINE = 1 << 5,
};

struct pop3_client {
	const struct pop3_server *server;
	struct pop3_stream *stream;
	mailstream *over;
	mailpop3 *session;
	bool has_capa; /* else capabilities says nothing */
	unsigned capabilities;
};

/* Connects, begins TLS as the server's settings say, asks for capabilities. On failure there is
 * nothing to close. */
fiber_fn struct err pop3_connect(struct pop3_client *client);
/* By what the server offers: USER and PASS, SASL PLAIN, or, without TLS, rather APOP. */
fiber_fn struct err pop3_login(
	struct pop3_client *client, const char *login, const struct secret *password);
/* Ends the connection, without a word. */
void pop3_drop(struct pop3_client *client);

/* What libetpan's result means, with the server's own words. */
struct err pop3_result(const struct pop3_client *client, int result, const char *what);

#endif

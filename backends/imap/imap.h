/*
 * imap - what the files of this backend share: the connection, its commands and their errors.
 *
 * One server connection a session. Commands are written here as text, since libetpan's own command
 * functions crash on some answers that a server may give; it parses what FETCH answers, the one
 * answer with a grammar worth the name. Only UID commands are used, so that expunges by others mean
 * nothing to us.
 */
#ifndef POPGATE_BACKENDS_IMAP_H
#define POPGATE_BACKENDS_IMAP_H

#include <libetpan/libetpan.h>

#include "backends/backend.h"
#include "backends/imap/imap_ahead.h"
#include "backends/imap/imap_capability.h"
#include "backends/imap/imap_keys.h"
#include "backends/imap/imap_stream.h"

/* What a command was for: what a NO without a code that we know means. */
enum imap_step {
	IMAP_STEP_LOGIN,   /* ERR_AUTH */
	IMAP_STEP_SELECT,  /* ERR_PERM: no such mailbox, or not for this user */
	IMAP_STEP_MESSAGE, /* ERR_MESSAGE */
	IMAP_STEP_OTHER,   /* ERR_TEMP */
};

#define IMAP_NO_FOLDER SIZE_MAX

/* Of one folder: more is no mailbox but an attack. */
#define IMAP_MESSAGES_MAX 20000000U

/* Where one FETCH answer goes; see imap_fetch_into. */
struct imap_consumer {
	/* A piece of a message body; false gives up, and the connection with it. May suspend. */
	fiber_fn bool (*body)(struct imap_consumer *consumer, const char *data, size_t n);
	enum imap_bodies bodies; /* how many are expected */
	/* A whole FETCH answer, bodies left out. */
	void (*attributes)(struct imap_consumer *consumer, const struct mailimap_msg_att *att);
};

/* A folder as the session's first SELECT found it. */
struct imap_folder {
	uint32_t uidvalidity, uidnext; /* 0: not selected yet; not told */
};

struct imap {
	struct backend backend; /* first */
	const struct account *account;
	const struct imap_settings *settings;
	/* imap_connect, or what a test has instead. */
	fiber_fn struct err (*connect)(struct imap *imap);
	struct imap_keys keys;
	struct imap_folder *folders;            /* one for each of the account's */
	const struct backend_message *messages; /* the listing; NULL before */
	size_t n_messages;
	struct imap_ahead *ahead; /* NULL: no message was fetched yet */
	/* The connection, and what is known of it. */
	const char *server; /* its name, for details and the certificate */
	struct imap_stream *stream;
	uint32_t tag;          /* of the last command */
	unsigned capabilities; /* of enum imap_capability */
	uint64_t logged_in;    /* when; runtime_now */
	struct imap_consumer *consumer;
	size_t folder;                         /* the one that is selected */
	bool resync_tried;                     /* whether ENABLE QRESYNC was sent */
	uint32_t uidvalidity, uidnext, exists; /* of it, at its SELECT */
	uint64_t highestmodseq;                /* the same; 0: it keeps no mod-sequences */
};

/* Whether the connection is still good. */
static inline bool imap_alive(const struct imap *imap)
{
	return imap->stream && !failed(imap->stream->link.error);
}

/* Whether it is so, and the server has not said that it will close it. */
static inline bool imap_lasts(const struct imap *imap)
{
	return imap_alive(imap) && !imap->stream->bye[0];
}

/* Whether it lasts, and nothing came unasked since the last answer. */
static inline bool imap_quiet(const struct imap *imap)
{
	return imap_lasts(imap) && buffer_used(&imap->stream->in) == 0 &&
	       stream_quiet(imap->stream->link.stream);
}

/* imap_command.c */

/* Sends one command (text without tag and line end) and waits for its answer. An error that leaves
 * imap_alive is the server's NO or BAD. */
fiber_fn struct err imap_command(struct imap *imap, enum imap_step step, const char *text);
/* The same in parts: the tag; anything, line ends included, which goes with the next wait, and is
 * overwritten then; the wait for the answer. */
void imap_begin(struct imap *imap);
void imap_send(struct imap *imap, const char *data, size_t n);
fiber_fn struct err imap_finish(struct imap *imap, enum imap_step step);
/* As imap_finish, where a server may tell a failure by a challenge before its NO: that gets
 * `answer`, a whole line. */
fiber_fn struct err imap_finish_after(struct imap *imap, enum imap_step step, const char *answer);
/* Between two parts: waits until the server asks for the second; its NO is an error. */
fiber_fn struct err imap_continue(struct imap *imap, enum imap_step step);
/* The same; *ret is what the server asks with ("+ text"), valid until the next call of these. */
fiber_fn struct err imap_challenge(struct imap *imap, enum imap_step step, const char **ret);
/* Two commands in one write. *ret is what came of the first, which is nothing but its own affair
 * while the connection is alive; returned is what came of the second. */
fiber_fn struct err imap_command_after(struct imap *imap, const char *first, enum imap_step step,
	const char *text, struct err *ret);
/* A command whose FETCH answers go to consumer. text_max: octets its answer may have, bodies not
 * counted. */
fiber_fn struct err imap_fetch_into(
	struct imap *imap, struct imap_consumer *consumer, uint64_t text_max, const char *command);
/* The greeting, then capabilities when it named none. */
fiber_fn struct err imap_greet(struct imap *imap);
/* Asks for the capabilities unless the last answer named them. */
fiber_fn struct err imap_capabilities(struct imap *imap);
/* Forgets them: before an answer that may change them. */
void imap_forget_capabilities(struct imap *imap);

/* imap_parse.c */

/* Has libetpan read the answer to the last command, for imap->consumer: its error as that of
 * imap_command. */
fiber_fn struct err imap_parse(struct imap *imap, enum imap_step step);

/* imap_error.c */

/* What the tagged line says of the last command: ok, or the server's NO or BAD. One that is none of
 * these, or answers another command, ends the connection. */
struct err imap_verdict(struct imap *imap, enum imap_step step);
/* Ends the connection, unless it has failed already: the server's BYE, the failure, or else why. */
struct err imap_lost(struct imap *imap, const char *why);
/* ok, or the error of every call after the connection died, or when there is none. */
struct err imap_usable(const struct imap *imap);
/* Whether the last tagged answer has this response code: "TRYCREATE". */
bool imap_answer_has(const struct imap *imap, const char *code);

/* imap_connect.c */

/* Connects to the first server that answers, up to a greeting under TLS as configured. */
fiber_fn struct err imap_connect(struct imap *imap);
/* From a connected stream, which it takes, to the same point. */
fiber_fn struct err imap_start(struct imap *imap, struct stream *stream, const char *server);
/* Closes what there is of a connection, without a word to the server. */
void imap_drop(struct imap *imap);
/* Moves the connection, if there is one, from one to the other, which must have none. */
void imap_hand_over(struct imap *from, struct imap *to);

/* imap_login.c */

fiber_fn struct err imap_login(struct imap *imap, const struct store_credentials *credentials);
/* How the server gets the account's login: the template filled in. */
const char *imap_login_name(
	const struct imap *imap, const struct account *account, struct arena *arena);

/* imap_gssapi.c; in builds with POPGATE_GSSAPI. */

/* With credentials of gss.h. authorize: whom to act as; "": whom they belong to. ERR_AUTH: the
 * server refuses; ERR_TEMP: no ticket for it can be had. */
fiber_fn struct err imap_authenticate_gssapi(
	struct imap *imap, void *credential, const char *authorize);

/* imap_token.c */

/* As login, with an OAuth 2.0 bearer token. ERR_AUTH: the server refuses it; ERR_PERM: it takes no
 * tokens. */
fiber_fn struct err imap_authenticate_token(
	struct imap *imap, const char *login, const struct secret *token);

/* imap_mailbox.c */

/* A mailbox name of UTF-8 as a quoted string of modified UTF-7 (RFC 3501 section 5.1.3), behind
 * what is in ret. ERR_PERM when it is no UTF-8. */
struct err imap_mailbox_name(struct buffer *ret, const char *name);
/* The configured name of folder number n: account->folder, then maildrop.also. */
const char *imap_folder_name(const struct imap *imap, size_t folder);
size_t imap_folder_count(const struct imap *imap);
/* SELECTs it unless it is selected. */
fiber_fn struct err imap_select(struct imap *imap, size_t folder);

/* imap_quota.c */

/* Asks for the quota of folder 0 where the server has QUOTA. One that will not tell is no error:
 * *ret stays as it was. */
fiber_fn struct err imap_quota(struct imap *imap, struct backend_quota *ret);

/* The operations. */
fiber_fn struct err imap_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret);
fiber_fn struct err imap_fetch(struct backend *backend, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct sink *out);
fiber_fn struct err imap_update(
	struct backend *backend, const struct backend_update *update, enum removal_result *results);

/* imap_backend.c */

/* From no connection to one that is logged in. */
fiber_fn struct err imap_enter(struct imap *imap, const struct store_credentials *credentials);
/* As imap_backend.open, where connect takes the place of imap_connect. For tests. */
fiber_fn struct err imap_open_by(fiber_fn struct err (*connect)(struct imap *imap),
	const struct account *account, const struct store_credentials *credentials,
	struct backend **ret);

#endif

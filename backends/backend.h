/*
 * backend - a mail store as the gateway sees it: open, list, fetch, update, close.
 *
 * A backend never sees a session, a reply or the word POP3. All operations are required but those
 * that say so; but for rest and keep they run in a fiber and may suspend. Errors: ERR_GONE and
 * ERR_MESSAGE speak of one message and leave the backend usable; ERR_AUTH, ERR_IN_USE, ERR_TEMP,
 * ERR_PERM as err.h says; ERR_TIMEOUT and ERR_CANCELED when the caller's deadline passed or the
 * fiber was canceled. A store's connection that died is opened again by the next fetch or update;
 * as long as that fails, so do they.
 * Details name the server and its own words, for the log.
 */
#ifndef POPGATE_BACKENDS_BACKEND_H
#define POPGATE_BACKENDS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/quota.h"
#include "backends/sink.h"
#include "config/config.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/secret.h"

/* Whose mail, where. Made by routing; everything in it lives in the session's arena. */
struct account {
	const struct tenant *tenant;
	const char *login;         /* after the login_name rules */
	const char *user, *domain; /* its two halves; domain may be "" */
	const char
		*folder; /* the mailbox that is the maildrop: tenant's, or the login's own choice */
	const char *client_address; /* numeric, for logs and IMAP ID */
	bool ask_quota;             /* wanted although no setting of the tenant needs it */
};

/* One message of a listing. Folder 0 is account->folder, 1… are maildrop.also in order. */
struct backend_message {
	uint64_t size;        /* octets with CRLF line ends (exact), else what the store says */
	int64_t arrival;      /* seconds since 1970, INTERNALDATE or delivery time; 0 unknown */
	const char *key;      /* Maildir: base name (up to ":2,"); IMAP: NULL */
	const char *emailid;  /* what the store names the message by wherever it goes (RFC 8474
			       * EMAILID, X-GM-MSGID; each with its own prefix); NULL unknown */
	uint64_t fingerprint; /* of its headers (fingerprint.h); 0 unknown */
	uint32_t uidvalidity; /* IMAP; else 0 */
	uint32_t uid;         /* IMAP; else 0 */
	uint16_t folder;
	bool exact; /* size is what RETR will send, before dot-stuffing */
	bool seen;  /* false also where the listing did not ask, since the message was known */
};

/* One folder as a listing found it. */
struct backend_folder {
	const char *mark; /* what a later listing can tell a change by: printable, opaque; "": this
			   * listing is no ground to build on */
	size_t first, n;  /* its messages in the listing */
	uint32_t uidvalidity, uidnext; /* IMAP; else 0. Later messages have UIDs from uidnext on; 0
					* unknown */
	bool unchanged;                /* its messages are those of the request, one for one */
	bool renumbered; /* the request's messages are no ground: UIDVALIDITY is another, UIDNEXT
			  * went back, or a UID was given to another message. All were listed anew
			  */
	bool absent;     /* of maildrop.also: there is no such folder at the moment */
};

struct backend_listing {
	const struct backend_message
		*messages; /* per folder in ascending UID (IMAP) or arrival, then name */
	size_t n;
	struct backend_folder *folders; /* one for each folder of the account */
	/* Of the account's folder 0. A store that has to be asked for it by a round trip of its own
	 * (IMAP) is asked only for maildrop.quota_warning or account->ask_quota. */
	struct backend_quota quota;
};

/* What an earlier listing found in one folder. The messages are all there were then, in any order,
 * with the sizes, arrivals and exactness of that time; they outlive the backend's use of the
 * listing. */
struct backend_known {
	const char *mark; /* of that listing; NULL or "": none, and no messages count */
	const struct backend_message *messages;
	size_t n;
	/* The backend's own: false at first, kept as long as the messages are, so that what was
	 * once found out of them is not again. NULL: nobody keeps it. */
	bool *stands;
};

struct backend_list_request {
	const struct backend_known *known; /* one for each folder; NULL: list from scratch */
	bool identify; /* emailid or fingerprint are wanted of the messages that are not known */
	bool fingerprints; /* with identify: fingerprints in any case, however many they are */
};

enum fetch_part {
	FETCH_ALL,
	FETCH_TOP, /* headers, the blank line, and at least `lines` lines of the body where there
		      are */
};

enum removal_result {
	REMOVAL_FAILED = 0, /* still there, unflagged or flagged: the client must hear of it */
	REMOVAL_DONE,       /* removed, moved to the trash, or already gone */
	REMOVAL_FLAGGED, /* only flagged \Deleted (no UIDPLUS, no MOVE): the maildrop must hide it
			  */
};

/* What QUIT asks for. Indices are into the listing given by list. */
struct backend_update {
	const size_t *remove;
	size_t n_remove;
	enum on_delete how; /* DELETE_EXPUNGE or DELETE_TRASH; the others never reach a backend */
	const size_t
		*seen; /* messages to mark \Seen; failing to do so is no error, only a detail */
	size_t n_seen;
};

/* What an earlier server kept beside a message, and what its POP3 unique-id was made of. */
struct backend_legacy {
	uint32_t uidvalidity, uid; /* 0: it kept none */
	const char *guid; /* NULL: none. Where Dovecot gave none of its own: the file's name up to
			   * its first colon, which then takes its place */
	const char *uidl; /* the unique-id as it was shown, where that was kept; NULL: it was
			   * made by the server's own rule */
};

/* What the store is to be entered with. All NULL: it asks for nothing (Maildir), or is entered by
 * its tenant's master user. */
struct store_credentials {
	const struct secret *password; /* the client's own */
	const struct secret *token;    /* OAuth 2.0 bearer token: XOAUTH2 or OAUTHBEARER */
	void *delegated;               /* the client's (gss.h): GSSAPI as the client */
	const struct account *actor;   /* whose they are, when not the account's own: the store is
					* to let that login open the account's mail. Lives as long
					* as the account */
};

struct backend_ops;

struct backend {
	const struct backend_ops *ops; /* first member of each backend's own struct */
};

struct backend_ops {
	const char *name; /* "imap", "maildir" */
	/* Logs in and opens the folders; ok only when the mailbox can be read. account and its
	 * strings must outlive the backend; credentials are borrowed for the call. */
	fiber_fn struct err (*open)(const struct account *account,
		const struct store_credentials *credentials, struct backend **ret);
	/* The messages at this moment, allocated from mem or the request's own. What is known need
	 * not be asked for again, but the result is that of a listing from scratch (save emailid
	 * and fingerprint, which go over from the known). Once per open. */
	fiber_fn struct err (*list)(struct backend *backend, struct arena *mem,
		const struct backend_list_request *request, struct backend_listing *ret);
	/* Pushes one message into out. Nothing is written before the store has begun to deliver, so
	 * an error before the first write means that nothing was sent. An ok means that every octet
	 * of the part was written; anything else after the first write means that the message is
	 * incomplete. */
	fiber_fn struct err (*fetch)(struct backend *backend, const struct backend_message *message,
		enum fetch_part part, uint64_t lines, struct sink *out);
	/* Marks seen, then removes exactly the messages given, never another; results[i] tells of
	 * remove[i] and is always filled in, also when an error is returned. */
	fiber_fn struct err (*update)(struct backend *backend, const struct backend_update *update,
		enum removal_result *results);
	/* Ends it (IMAP: LOGOUT without waiting for long). NULL-safe, never fails. */
	fiber_fn void (*close)(struct backend *backend);
	/* Optional. The caller will be silent for long: what can be had again when it is needed is
	 * given back (IMAP: the connection). Does not suspend. */
	void (*rest)(struct backend *backend);
	/* Optional. Whether this process keeps what its sessions leave, for later ones (IMAP:
	 * connections); off at first, since that keeps the loop running. When turned off, what was
	 * kept goes. */
	void (*keep)(bool on);
	/* Optional; NULL: the store knows of no earlier server. What such a one left beside the
	 * messages (dovecot-uidlist, courierpop3dsizelist), one ret for each; all 0 and NULL where
	 * it left nothing. Messages are any of the listing, in any order; strings come from mem.
	 * Reads files whole, so it is nothing for every login. An error when there is such a file
	 * that cannot be read: going on without it would change unique-ids. */
	fiber_fn struct err (*legacy)(struct backend *backend, struct arena *mem,
		const struct backend_message *messages, size_t n, struct backend_legacy *ret);
};

extern const struct backend_ops imap_backend;
extern const struct backend_ops maildir_backend;

/* The ops of the tenant's store. */
static inline const struct backend_ops *backend_ops_of(const struct tenant *tenant)
{
	return tenant->store == STORE_IMAP ? &imap_backend : &maildir_backend;
}

#endif

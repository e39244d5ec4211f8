/*
 * config - the configuration as plain structs: what popgate.yaml says, with defaults filled in.
 *
 * Immutable after config_load; owned by its arena; strings are never NULL ("" is empty). Durations
 * are milliseconds, sizes octets. Paths are as they are to be opened: a relative one belonged to
 * the folder of the file it stood in. config/keys.c holds the one table of keys {path, type,
 * default, range, help}; config_load checks everything at once and reports every mistake with its
 * place.
 */
#ifndef POPGATE_CONFIG_CONFIG_H
#define POPGATE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/secret.h"
#include "proxy/runtime/tls.h"

#define DURATION_NEVER UINT64_MAX /* "never" */
#define WORKERS_AUTO   0
/* As admin.socket: admin.sock beside the file of the SQLite registry; without one, none. */
#define ADMIN_SOCKET_AUTO "auto"

enum tls_mode { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };
enum certificate_login { CERTIFICATE_EMAIL_OR_CN, CERTIFICATE_EMAIL, CERTIFICATE_CN };
enum maildrop_order { ORDER_OLDEST_FIRST, ORDER_NEWEST_FIRST };
enum on_delete { DELETE_EXPUNGE, DELETE_TRASH, DELETE_HIDE, DELETE_IGNORE };
enum folder_layout { LAYOUT_MAILDIRPP, LAYOUT_FS };
enum store_kind { STORE_IMAP, STORE_MAILDIR };
enum state_kind { STATE_NONE, STATE_SQLITE, STATE_POSTGRESQL };
enum oauth2_flow {
	OAUTH2_NONE,
	OAUTH2_DEVICE,
	OAUTH2_AUTHORIZATION_CODE,
	OAUTH2_CLIENT_CREDENTIALS,
	OAUTH2_SERVICE_ACCOUNT,
	OAUTH2_REFRESH_TOKEN,
};

/* Bits of auth_settings.mechanisms. */
enum auth_mechanism {
	MECH_USER = 1 << 0, /* USER and PASS */
	MECH_PLAIN = 1 << 1,
	MECH_LOGIN = 1 << 2,
	MECH_SCRAM_SHA_256 = 1 << 3,
	MECH_GSSAPI = 1 << 4,
	MECH_NTLM = 1 << 5,
	MECH_XOAUTH2 = 1 << 6,
	MECH_OAUTHBEARER = 1 << 7,
	MECH_EXTERNAL = 1 << 8,
	MECH_SCRAM_SHA_256_PLUS = 1 << 9, /* goes with MECH_SCRAM_SHA_256, where TLS allows it */
};

/* In auth_settings.masters: every login may ask for every mailbox, the IMAP server decides. */
#define AUTH_MASTERS_ALL "*"

struct string_list {
	const char **items;
	size_t n;
};

struct network {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix;      /* 0 to 128, over the mapped form */
};
struct network_list {
	struct network *items;
	size_t n;
};

struct listener_config {
	const char *name;
	struct string_list listen; /* "[::]:110", "127.0.0.1:1110" */
	enum tls_mode tls;
	bool plaintext_login;
	enum tls_version minimum_tls;
	const char *ca_file; /* whose client certificates count; "": none are asked for */
	enum certificate_login certificate_login;
	struct network_list proxy_protocol_from;
};

/* How the gateway itself judges OAuth 2.0 tokens that clients show. Both URLs "": it does not. */
struct token_settings {
	const char *jwks_url, *introspection_url;
	const char *issuer, *scope, *login_claim;
	struct string_list audience;
	const char *client_id, *client_secret_file;
	struct secret *client_secret; /* read at load; NULL without its file */
	const char *ca_file;
	uint64_t timeout;
};

struct auth_settings {
	unsigned mechanisms; /* those in effect */
	const char *users_file;
	const char *pam_service;
	uint64_t password_cache; /* how long a password that fitted its hash is taken unhashed */
	const char *keytab_file;
	struct string_list realms; /* of Kerberos; empty: that of the key */
	const char *login_domain;  /* of what Kerberos and NTLM prove; "" as proved.h says */
	const char *ntlm_users_file;
	bool ntlm_v1;
	struct token_settings oauth2;
	struct string_list masters; /* logins that may open every mailbox of the tenant */
};

struct maildrop_settings {
	const char *folder;
	struct string_list also;
	enum maildrop_order order;
	bool exact_rfc822_size;
	bool mark_seen;
	enum on_delete on_delete;
	const char *trash;
	bool exclusive;
	bool utf8; /* UTF8 and LANG are offered, headers downgraded for who does not say UTF8 */
	uint64_t max_messages; /* 0: all */
	uint64_t newer_than;   /* 0: all */
	uint64_t expire_after; /* DURATION_NEVER */
	uint64_t login_delay;
	unsigned quota_warning;  /* percent; 0: never */
	const char *notice_from; /* the sender's address */
};

struct uidl_settings {
	const char *format; /* "decimal" or a template */
	unsigned max_changed;
	const char *adopt_file;
};

struct oauth2_settings {
	enum oauth2_flow flow; /* OAUTH2_NONE: the block is absent */
	const char *token_url, *device_url, *authorization_url, *client_id, *client_secret_file,
		*scope;
};

struct imap_settings {
	struct string_list servers;
	uint16_t port;
	enum tls_mode tls;
	const char *ca_file;
	bool verify;
	const char *client_certificate, *client_key;
	const char *login;           /* template */
	const char *delegate_folder; /* template; "": the owner's account is opened instead */
	const char *master_user, *master_password_file;
	struct secret *master_password; /* read at load; NULL without master_user */
	uint64_t connect_timeout, command_timeout, keep_warm;
	bool send_client_address;
	uint64_t read_ahead;
	struct oauth2_settings oauth2;
};

struct maildir_settings {
	const char *path; /* template */
	enum folder_layout folder_layout;
};

struct tenant {
	const char *name;
	size_t index; /* position in config.tenants */
	struct {
		struct string_list domains, server_names, listeners;
		struct network_list addresses;
	} match;
	enum store_kind store;
	struct imap_settings imap;       /* when STORE_IMAP */
	struct maildir_settings maildir; /* when STORE_MAILDIR */
	struct auth_settings auth;
	struct maildrop_settings maildrop;
	struct uidl_settings uidl;
	uint64_t sessions_per_user;
	const char *file; /* where it was defined, for messages */
	unsigned line;
};

struct login_name_settings {
	bool lower_case;
	const char *separators;
	const char *default_domain;
	bool delegate;
	const char *folder_separator;
};

struct limit_settings {
	uint64_t sessions, sessions_per_address, login_failures, failure_delay,
		failures_per_address;
};

struct timeout_settings {
	uint64_t login, idle, write, tls;
};

struct protocol_settings {
	uint64_t max_command_octets, bad_commands;
	const char *banner;
};

struct config {
	struct arena *arena;
	const char *file;
	const char *hostname;
	unsigned workers; /* WORKERS_AUTO */
	const char *run_as;
	uint64_t shutdown_grace;
	enum state_kind state_kind;
	const char *state;     /* SQLite: the path; PostgreSQL: the URI, which holds no password */
	uint64_t state_expire; /* DURATION_NEVER */
	const char *tenants_dir;
	uint64_t shutdown_delay;
	const char *admin_listen;
	const char *admin_socket; /* ADMIN_SOCKET_AUTO, or a path, or "" */
	struct {
		enum log_format format;
		enum log_level level;
		const char *file; /* "": standard error */
		struct string_list transcript;
	} log;
	struct listener_config *listeners;
	size_t n_listeners;
	struct tls_certificate *certificates;
	size_t n_certificates;
	struct protocol_settings protocol;
	struct timeout_settings timeouts;
	struct limit_settings limits;
	struct login_name_settings login_name;
	struct tenant *tenants;
	size_t n_tenants;
};

enum config_severity { CONFIG_ERROR, CONFIG_WARNING, CONFIG_NOT_YET };

/* Called for every mistake, in the order of the file. text: "popgate.yaml:12:3: limits.sesions: …",
 * without a newline. */
typedef void config_report(enum config_severity severity, const char *text, void *arg);

/* Loads file and its tenants_dir. Every mistake is reported; ERR_INVALID if any was an error, and
 * then there is no configuration. Reads the files of secrets, and certificates to check them.
 * Blocks; not for a worker. Not-yet notices tell of keys that are accepted and have no effect so
 * far. */
struct err config_load(const char *file, config_report *report, void *arg, struct config **ret);
void config_free(struct config *config); /* NULL-safe; wipes secrets */

/* The effective configuration as YAML, per tenant, secrets masked. */
void config_print(const struct config *config, FILE *out);

/* Whether an address (as text, IPv4 or IPv6, mapped forms too) lies in one of the networks. */
bool network_list_contains(const struct network_list *list, const char *address);

/* Fills %{name} of a template from names/values pairs ended by NULL, into arena memory. Unknown
 * names were refused at load. */
const char *template_fill(struct arena *arena, const char *template_text, const char *const *pairs);

#endif

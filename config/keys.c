/* keys - the table; see keys.h. Texts for the reader of the reference page are in .help. */
#include "config/keys.h"

#include <string.h>

#include "config/config.h"
#include "config/uidl_format.h"
#include "config/units.h"

#define MEMBER(s, type, m) .scope = (s), .offset = offsetof(type, m), .size = sizeof(((type *)0)->m)
#define IN_CONFIG(m)       MEMBER(SCOPE_CONFIG, struct config, m)
#define IN_LISTENER(m)     MEMBER(SCOPE_LISTENER, struct listener_config, m)
#define IN_CERTIFICATE(m)  MEMBER(SCOPE_CERTIFICATE, struct tls_certificate, m)
#define IN_SHARED(m)       MEMBER(SCOPE_SHARED, struct tenant, m)
#define IN_TENANT(m)       MEMBER(SCOPE_TENANT, struct tenant, m)

/* clang-format off */
static const struct choice workers_words[] = { { "auto", WORKERS_AUTO }, { 0 } };
static const struct choice never_words[] = { { "never", DURATION_NEVER }, { 0 } };
static const struct choice log_formats[] = { { "logfmt", LOG_LOGFMT }, { "json", LOG_JSON },
	{ 0 } };
static const struct choice log_levels[] = { { "error", LOG_ERROR }, { "warning", LOG_WARNING },
	{ "info", LOG_INFO }, { "debug", LOG_DEBUG }, { 0 } };
static const struct choice tls_modes[] = { { "none", TLS_NONE }, { "starttls", TLS_STARTTLS },
	{ "implicit", TLS_IMPLICIT }, { 0 } };
static const struct choice tls_versions[] = { { "1.0", TLS_V1_0 }, { "1.1", TLS_V1_1 },
	{ "1.2", TLS_V1_2 }, { "1.3", TLS_V1_3 }, { 0 } };
static const struct choice certificate_logins[] = { { "email_or_cn", CERTIFICATE_EMAIL_OR_CN },
	{ "email", CERTIFICATE_EMAIL }, { "cn", CERTIFICATE_CN }, { 0 } };
/* Accepted and without effect in a build that left them out. */
#ifdef POPGATE_GSSAPI
#define WITHOUT_GSSAPI      false
#define WITHOUT_GSSAPI_FLAG 0
#else
#define WITHOUT_GSSAPI      true
#define WITHOUT_GSSAPI_FLAG KEY_NOT_YET
#endif
static const struct choice mechanisms[] = { { "user", MECH_USER }, { "plain", MECH_PLAIN },
	{ "login", MECH_LOGIN }, { "scram-sha-256", MECH_SCRAM_SHA_256 | MECH_SCRAM_SHA_256_PLUS },
	{ "gssapi", MECH_GSSAPI, .not_yet = WITHOUT_GSSAPI },
	{ "ntlm", MECH_NTLM, .not_yet = WITHOUT_GSSAPI },
	{ "xoauth2", MECH_XOAUTH2 }, { "oauthbearer", MECH_OAUTHBEARER },
	{ "external", MECH_EXTERNAL }, { 0 } };
static const struct choice orders[] = { { "oldest_first", ORDER_OLDEST_FIRST },
	{ "newest_first", ORDER_NEWEST_FIRST }, { 0 } };
static const struct choice deletions[] = { { "expunge", DELETE_EXPUNGE }, { "trash", DELETE_TRASH },
	{ "hide", DELETE_HIDE }, { "ignore", DELETE_IGNORE }, { 0 } };
static const struct choice layouts[] = { { "maildir++", LAYOUT_MAILDIRPP }, { "fs", LAYOUT_FS },
	{ 0 } };
static const struct choice oauth2_flows[] = { { "device", OAUTH2_DEVICE },
	{ "authorization_code", OAUTH2_AUTHORIZATION_CODE },
	{ "client_credentials", OAUTH2_CLIENT_CREDENTIALS },
	{ "service_account", OAUTH2_SERVICE_ACCOUNT }, { "refresh_token", OAUTH2_REFRESH_TOKEN },
	{ 0 } };
static const struct choice login_names[] = { { "login" }, { "user" }, { "domain" }, { 0 } };

const struct key config_keys[] = {
	{ "hostname", KEY_TEXT, IN_CONFIG(hostname), "localhost", 1, 255,
		.help = "The name of this host in the greeting." },
	{ "workers", KEY_NUMBER, IN_CONFIG(workers), "auto", 1, 1024, workers_words,
		.help = "Worker processes; auto: one per core." },
	{ "run_as", KEY_ACCOUNT, IN_CONFIG(run_as), "",
		.help = "The account to change to once the sockets are bound, when started as root." },
	{ "shutdown_grace", KEY_DURATION, IN_CONFIG(shutdown_grace), "30s", 0, 7 * DAY,
		.help = "How long sessions may go on after SIGTERM." },
	{ "shutdown_delay", KEY_DURATION, IN_CONFIG(shutdown_delay), "0s", 0, HOUR,
		.help = "How long after SIGTERM connections are still taken while /readyz says no, so "
			"that load balancers learn of it first." },
	{ "state", KEY_STATE, IN_CONFIG(state), "sqlite:/var/lib/popgate/state.db",
		.help = "Where unique-ids are remembered: sqlite:PATH, postgresql://USER@HOST/DATABASE "
			"(shared by many gateways), or none." },
	{ "state_expire", KEY_DURATION, IN_CONFIG(state_expire), "never", 7 * DAY, 36500 * DAY,
		never_words,
		.help = "Maildrops that nobody logged in to for so long are forgotten, where all of their "
			"unique-ids can be computed anew." },
	{ "tenants_dir", KEY_FOLDER, IN_CONFIG(tenants_dir), "", .flags = KEY_HIDDEN,
		.help = "A folder whose *.yaml files are one tenant each; they come after those of the "
			"main file, sorted by name." },

	{ "admin", KEY_SECTION, SCOPE_CONFIG, .help = "The HTTP port for operators." },
	{ "admin.listen", KEY_ADDRESS, IN_CONFIG(admin_listen), "127.0.0.1:9110",
		.help = "Where /metrics, /healthz, /readyz and the status page are; \"\" turns it off." },
	{ "admin.socket", KEY_NEW_FILE, IN_CONFIG(admin_socket), ADMIN_SOCKET_AUTO,
		.help = "The same on a socket in the file system, where sessions can be closed, too; "
			"auto: admin.sock beside the file of state; \"\" turns it off." },

	{ "log", KEY_SECTION, SCOPE_CONFIG, .help = "What is written about sessions and the gateway itself." },
	{ "log.format", KEY_CHOICE, IN_CONFIG(log.format), "logfmt", .choices = log_formats,
		.help = "key=value lines, or JSON." },
	{ "log.level", KEY_CHOICE, IN_CONFIG(log.level), "info", .choices = log_levels,
		.help = "The least severe lines that are written." },
	{ "log.file", KEY_NEW_FILE, IN_CONFIG(log.file), "",
		.help = "The file that lines are appended to, opened anew at SIGUSR1; empty: standard "
			"error." },
	{ "log.transcript", KEY_TEXTS, IN_CONFIG(log.transcript), "",
		.help = "Logins whose sessions are written out in the log in full, mail included, "
			"secrets masked." },

	{ "listeners", KEY_BLOCKS, SCOPE_CONFIG, .min = 1, .block = SCOPE_LISTENER,
		.help = "Where POP3 is served. Left out: pop3 on [::]:110 with STLS, pop3s on [::]:995." },
	{ "name", KEY_NAME, IN_LISTENER(name), .min = 1, .max = 64, .flags = KEY_REQUIRED,
		.help = "Its name in logs, metrics and the tenants' match.listeners." },
	{ "listen", KEY_ADDRESSES, IN_LISTENER(listen), .min = 1, .flags = KEY_REQUIRED,
		.help = "Addresses with a port; [::] and * stand for every address, IPv4 too." },
	{ "tls", KEY_CHOICE, IN_LISTENER(tls), "starttls", .choices = tls_modes,
		.help = "none; starttls: the client may ask by STLS; implicit: from the first octet." },
	{ "plaintext_login", KEY_BOOL, IN_LISTENER(plaintext_login), "false",
		.help = "Whether passwords may come without TLS." },
	{ "minimum_tls", KEY_CHOICE, IN_LISTENER(minimum_tls), "1.2", .choices = tls_versions,
		.help = "1.0 and 1.1 also lower the security level, for old devices." },
	{ "ca_file", KEY_FILE, IN_LISTENER(ca_file), "",
		.help = "PEM file of authorities; clients are asked for a certificate of theirs, which "
			"EXTERNAL logs in by. A client without one may come in too." },
	{ "certificate_login", KEY_CHOICE, IN_LISTENER(certificate_login), "email_or_cn",
		.choices = certificate_logins,
		.help = "What in a client's certificate is its login: the first e-mail address of "
			"subjectAltName, the subject's CN, or the one, else the other." },
	{ "proxy_protocol_from", KEY_NETWORKS, IN_LISTENER(proxy_protocol_from), "",
		.help = "Networks that must send a PROXY v1 or v2 header, and are believed." },

	{ "certificates", KEY_BLOCKS, SCOPE_CONFIG, .block = SCOPE_CERTIFICATE,
		.help = "The one that fits the TLS server name is used, else the first. Left out: "
			"/etc/popgate/tls/cert.pem and key.pem." },
	{ "certificate", KEY_FILE, IN_CERTIFICATE(certificate), .min = 1, .flags = KEY_REQUIRED,
		.help = "PEM file of the certificate and those that lead to its root." },
	{ "key", KEY_FILE, IN_CERTIFICATE(key), .min = 1, .flags = KEY_REQUIRED,
		.help = "PEM file of its private key." },

	{ "protocol", KEY_SECTION, SCOPE_CONFIG, .help = "POP3 itself." },
	{ "protocol.max_command_octets", KEY_NUMBER, IN_CONFIG(protocol.max_command_octets), "512",
		40, 1024, .help = "The longest command line, its end included; RFC 2449 asks for 255." },
	{ "protocol.bad_commands", KEY_NUMBER, IN_CONFIG(protocol.bad_commands), "20", 1, 100000,
		.help = "After so many unknown or misplaced commands the session is closed." },
	{ "protocol.banner", KEY_TEXT, IN_CONFIG(protocol.banner), "", .max = 200,
		.help = "The greeting's text after \"+OK \"; empty: one that names hostname." },

	{ "timeouts", KEY_SECTION, SCOPE_CONFIG, .help = "How long a client may do nothing." },
	{ "timeouts.login", KEY_DURATION, IN_CONFIG(timeouts.login), "60s", 100, DAY,
		.help = "Before login." },
	{ "timeouts.idle", KEY_DURATION, IN_CONFIG(timeouts.idle), "30m", 100, DAY,
		.help = "After login; RFC 1939 asks for 10m at least." },
	{ "timeouts.write", KEY_DURATION, IN_CONFIG(timeouts.write), "5m", 100, DAY,
		.help = "A client that takes nothing of what is sent." },
	{ "timeouts.tls", KEY_DURATION, IN_CONFIG(timeouts.tls), "30s", 100, DAY,
		.help = "A TLS handshake." },

	{ "limits", KEY_SECTION, SCOPE_CONFIG, .help = "What is refused beyond." },
	{ "limits.sessions", KEY_NUMBER, IN_CONFIG(limits.sessions), "10000", 1, 1000000,
		.help = "Sessions at once." },
	{ "limits.sessions_per_address", KEY_NUMBER, IN_CONFIG(limits.sessions_per_address), "1000",
		1, 1000000, .help = "Sessions at once of one client address." },
	{ "limits.login_failures", KEY_NUMBER, IN_CONFIG(limits.login_failures), "3", 1, 100,
		.help = "Failed logins on one connection, which is then closed." },
	{ "limits.failure_delay", KEY_DURATION, IN_CONFIG(limits.failure_delay), "2s", 0, 15 * SECOND,
		.help = "Before the answer to a failed login; doubles per further failure of the address "
			"or the login, to 15s." },
	{ "limits.failures_per_address", KEY_NUMBER, IN_CONFIG(limits.failures_per_address), "100", 1,
		1000000, .help = "Failed logins of one address in ten minutes; more are refused at once." },

	{ "login_name", KEY_SECTION, SCOPE_CONFIG, .help = "How the login that a client sends is read." },
	{ "login_name.lower_case", KEY_BOOL, IN_CONFIG(login_name.lower_case), "true",
		.help = "Turn A-Z into a-z." },
	{ "login_name.separators", KEY_TEXT, IN_CONFIG(login_name.separators), "@", 1, 16,
		.help = "Any of these characters stands for @; the last one in a login divides it." },
	{ "login_name.default_domain", KEY_DOMAIN, IN_CONFIG(login_name.default_domain), "",
		.help = "The domain of a login without one." },
	{ "login_name.delegate", KEY_BOOL, IN_CONFIG(login_name.delegate), "false",
		.help = "Accept domain/user/mailbox and user/mailbox (MS-OXPOP3)." },
	{ "login_name.folder_separator", KEY_TEXT, IN_CONFIG(login_name.folder_separator), "", .max = 4,
		.help = "E.g. \"+\": user+folder@domain opens that folder." },

	{ "auth", KEY_SECTION, SCOPE_SHARED, .help = "How users prove who they are." },
	{ "auth.mechanisms", KEY_FLAGS, IN_SHARED(auth.mechanisms), "user plain login", 1,
		.choices = mechanisms, .help = "USER with PASS, and the SASL mechanisms of AUTH." },
	{ "auth.users_file", KEY_FILE, IN_SHARED(auth.users_file), "",
		.help = "\"login:hash\" lines, read again when it changes; empty: the IMAP server checks "
			"the password." },
	{ "auth.password_cache", KEY_DURATION, IN_SHARED(auth.password_cache), "5m", 0, DAY,
		.help = "How long a worker takes a password of users_file that fitted its hash without "
			"computing the hash again; a changed file counts at once. 0s: never." },
	{ "auth.pam_service", KEY_TEXT, IN_SHARED(auth.pam_service), "", .max = 64,
		.help = "The PAM service that checks the password." },
	{ "auth.keytab_file", KEY_FILE, IN_SHARED(auth.keytab_file), "",
		.flags = WITHOUT_GSSAPI_FLAG,
		.help = "Kerberos keys of this service, pop/host@REALM, for gssapi; any pop/… key of it "
			"is taken. Workers read it." },
	{ "auth.realms", KEY_TEXTS, IN_SHARED(auth.realms), "", .max = 100,
		.flags = WITHOUT_GSSAPI_FLAG,
		.help = "Kerberos realms whose users may log in; empty: that of the key." },
	{ "auth.login_domain", KEY_DOMAIN, IN_SHARED(auth.login_domain), "",
		.flags = WITHOUT_GSSAPI_FLAG,
		.help = "The domain of the logins that gssapi and ntlm prove; empty: gssapi: the realm "
			"in lower case; ntlm: none." },
	{ "auth.ntlm_users_file", KEY_FILE, IN_SHARED(auth.ntlm_users_file), "",
		.flags = WITHOUT_GSSAPI_FLAG,
		.help = "What ntlm checks against, lines of DOMAIN:user:password or of smbpasswd(5). "
			"Workers read it." },
	{ "auth.ntlm_v1", KEY_BOOL, IN_SHARED(auth.ntlm_v1), "false", .flags = WITHOUT_GSSAPI_FLAG,
		.help = "Take NTLMv1 of old clients too, where passwords may come: from what they send "
			"the password can be found." },
	{ "auth.masters", KEY_TEXTS, IN_SHARED(auth.masters), "", .max = 1000,
		.help = "Logins that may open every mailbox of the tenant by SASL authorization identity "
			"or as a delegate; [\"*\"]: every login may ask, and the IMAP server decides." },

	{ "auth.oauth2", KEY_SECTION, SCOPE_SHARED,
		.help = "Judge the tokens of xoauth2 and oauthbearer here; without it the IMAP server does." },
	{ "auth.oauth2.jwks_url", KEY_URL, IN_SHARED(auth.oauth2.jwks_url), "",
		.help = "The keys of the provider that signs its tokens (JWT); asked for again when a token "
			"names one that is not known." },
	{ "auth.oauth2.introspection_url", KEY_URL, IN_SHARED(auth.oauth2.introspection_url), "",
		.help = "Where the provider tells what a token is (RFC 7662); for tokens that are no JWT." },
	{ "auth.oauth2.issuer", KEY_TEXT, IN_SHARED(auth.oauth2.issuer), "", .max = 1000,
		.help = "The iss that a token must have." },
	{ "auth.oauth2.audience", KEY_TEXTS, IN_SHARED(auth.oauth2.audience), "", .max = 100,
		.help = "A token must be meant for one of these (aud)." },
	{ "auth.oauth2.scope", KEY_TEXT, IN_SHARED(auth.oauth2.scope), "", .max = 1000,
		.help = "The words, all of which a token's scope must hold; empty: any scope will do." },
	{ "auth.oauth2.login_claim", KEY_TEXT, IN_SHARED(auth.oauth2.login_claim), "email", 1, 200,
		.help = "What in a token is the login: email, preferred_username, upn, username, sub …" },
	{ "auth.oauth2.client_id", KEY_TEXT, IN_SHARED(auth.oauth2.client_id), "", .max = 1000,
		.help = "This gateway, as the provider knows it, for introspection." },
	{ "auth.oauth2.client_secret_file", KEY_FILE, IN_SHARED(auth.oauth2.client_secret_file), "",
		.help = "Its secret." },
	{ "auth.oauth2.ca_file", KEY_FILE, IN_SHARED(auth.oauth2.ca_file), "",
		.help = "PEM file of the authorities that may vouch for the provider; empty: the system's." },
	{ "auth.oauth2.timeout", KEY_DURATION, IN_SHARED(auth.oauth2.timeout), "5s", 100, MINUTE,
		.help = "How long the provider may take for an answer." },

	{ "maildrop", KEY_SECTION, SCOPE_SHARED, .help = "What of the mail store a client sees." },
	{ "maildrop.folder", KEY_TEXT, IN_SHARED(maildrop.folder), "INBOX", 1, 1000,
		.help = "The folder that is served." },
	{ "maildrop.also", KEY_TEXTS, IN_SHARED(maildrop.also), "", .max = 100,
		.help = "Further folders shown in the same maildrop, e.g. [Junk]." },
	{ "maildrop.order", KEY_CHOICE, IN_SHARED(maildrop.order), "oldest_first", .choices = orders,
		.help = "Which message is number 1." },
	{ "maildrop.exact_rfc822_size", KEY_BOOL, IN_SHARED(maildrop.exact_rfc822_size), "true",
		.help = "Sizes are the octets that RETR sends; false: what the store says." },
	{ "maildrop.mark_seen", KEY_BOOL, IN_SHARED(maildrop.mark_seen), "true",
		.help = "Messages that were retrieved are marked as seen at QUIT." },
	{ "maildrop.on_delete", KEY_CHOICE, IN_SHARED(maildrop.on_delete), "expunge",
		.choices = deletions,
		.help = "What becomes of deleted messages: removed, moved to trash, hidden from POP3 "
			"only, or nothing." },
	{ "maildrop.trash", KEY_TEXT, IN_SHARED(maildrop.trash), "Trash", .max = 1000,
		.help = "The folder for on_delete: trash." },
	{ "maildrop.exclusive", KEY_BOOL, IN_SHARED(maildrop.exclusive), "false",
		.help = "One session per maildrop; further logins get [IN-USE]." },
	{ "maildrop.utf8", KEY_BOOL, IN_SHARED(maildrop.utf8), "false",
		.help = "Offer UTF8 and LANG (RFC 6856); a client that does not say UTF8 gets "
			"headers in ASCII (RFC 6858). false: every client gets headers as stored." },
	{ "maildrop.max_messages", KEY_NUMBER, IN_SHARED(maildrop.max_messages), "0", 0, UINT32_MAX,
		.help = "Only the newest so many; 0: all." },
	{ "maildrop.newer_than", KEY_DURATION, IN_SHARED(maildrop.newer_than), "0d", 0, 36500 * DAY,
		.help = "Only messages younger than that; 0d: all." },
	{ "maildrop.expire_after", KEY_DURATION, IN_SHARED(maildrop.expire_after), "never", DAY,
		36500 * DAY, never_words,
		.help = "Messages that the store received longer ago are removed at QUIT; CAPA says "
			"EXPIRE." },
	{ "maildrop.login_delay", KEY_DURATION, IN_SHARED(maildrop.login_delay), "0s", 0, DAY,
		.help = "Least time between two logins of a user; CAPA says LOGIN-DELAY." },
	{ "maildrop.quota_warning", KEY_PERCENT, IN_SHARED(maildrop.quota_warning), "0", 0, 100,
		.help = "From so many percent of the quota on a notice is placed into the maildrop, "
			"once a day; 0: never." },
	{ "maildrop.notice_from", KEY_TEXT, IN_SHARED(maildrop.notice_from), "", .max = 320,
		.help = "The address that such notices come from; empty: postmaster@hostname." },

	{ "uidl", KEY_SECTION, SCOPE_SHARED, .help = "Unique-ids." },
	{ "uidl.format", KEY_UIDL_FORMAT, IN_SHARED(uidl.format), "decimal", 1, 200,
		uidl_format_names,
		.help = "decimal, or a template that gives what an older server gave." },
	{ "uidl.max_changed", KEY_PERCENT, IN_SHARED(uidl.max_changed), "20", 0, 100,
		.help = "If more of a maildrop's known messages would change their id, the login is refused." },
	{ "uidl.adopt_file", KEY_FILE, IN_SHARED(uidl.adopt_file), "",
		.help = "Ids to take over, from popgate uidl harvest." },

	{ "sessions_per_user", KEY_NUMBER, IN_SHARED(sessions_per_user), "16", 1, 1000000,
		.help = "Sessions at once of one login." },

	{ "tenants", KEY_BLOCKS, SCOPE_CONFIG, .block = SCOPE_TENANT,
		.help = "The first one, in this order, whose match fits serves a login." },
	{ "name", KEY_NAME, IN_TENANT(name), .min = 1, .max = 64, .flags = KEY_REQUIRED,
		.help = "Its name in logs, metrics and the registry: never change it." },
	{ "match", KEY_SECTION, SCOPE_TENANT,
		.help = "Every criterion named must fit; none named: fits all." },
	{ "match.domains", KEY_DOMAINS, IN_TENANT(match.domains), "",
		.help = "Of the login; \"*.acme.example\" fits every name below acme.example." },
	{ "match.server_names", KEY_DOMAINS, IN_TENANT(match.server_names), "",
		.help = "The name that the client asked for in TLS (SNI); wildcards as in domains." },
	{ "match.listeners", KEY_TEXTS, IN_TENANT(match.listeners), "",
		.help = "Names of listeners." },
	{ "match.addresses", KEY_NETWORKS, IN_TENANT(match.addresses), "",
		.help = "The client's networks." },

	{ "imap", KEY_SECTION, SCOPE_TENANT, .help = "The mail lies on an IMAP server." },
	{ "imap.servers", KEY_HOSTS, IN_TENANT(imap.servers), .min = 1, .max = 100,
		.flags = KEY_REQUIRED,
		.help = "Names or addresses, tried in this order; a failed one is avoided for a while." },
	{ "imap.port", KEY_NUMBER, IN_TENANT(imap.port), "993", 1, 65535,
		.help = "The servers' port: 993 for tls implicit, 143 else." },
	{ "imap.tls", KEY_CHOICE, IN_TENANT(imap.tls), "implicit", .choices = tls_modes,
		.help = "How the connection to the server is protected." },
	{ "imap.ca_file", KEY_FILE, IN_TENANT(imap.ca_file), "",
		.help = "PEM file of the authorities that may vouch for the server; empty: the system's." },
	{ "imap.verify", KEY_BOOL, IN_TENANT(imap.verify), "true",
		.help = "Check the server's certificate and name; false: take any." },
	{ "imap.client_certificate", KEY_FILE, IN_TENANT(imap.client_certificate), "",
		.help = "PEM file of a certificate to show to the server." },
	{ "imap.client_key", KEY_FILE, IN_TENANT(imap.client_key), "", .help = "Its private key." },
	{ "imap.login", KEY_TEMPLATE, IN_TENANT(imap.login), "%{login}", 1, 1000, login_names,
		.help = "What the server gets as user name." },
	{ "imap.delegate_folder", KEY_TEMPLATE, IN_TENANT(imap.delegate_folder), "", 0, 1000, login_names,
		.help = "Where a delegate finds another's mailbox among his own folders, such as "
			"shared/%{user}, the names being the owner's; empty: the owner's account is entered "
			"by authorization identity." },
	{ "imap.master_user", KEY_TEXT, IN_TENANT(imap.master_user), "", .max = 1000,
		.help = "Log in by SASL PLAIN with this identity on behalf of the user; the gateway then "
			"has to check passwords itself." },
	{ "imap.master_password_file", KEY_FILE, IN_TENANT(imap.master_password_file), "",
		.help = "The master user's password." },
	{ "imap.connect_timeout", KEY_DURATION, IN_TENANT(imap.connect_timeout), "10s", 100, HOUR,
		.help = "For one server: connecting, TLS, greeting." },
	{ "imap.command_timeout", KEY_DURATION, IN_TENANT(imap.command_timeout), "60s", 100, HOUR,
		.help = "A server that says nothing for so long is given up." },
	{ "imap.keep_warm", KEY_DURATION, IN_TENANT(imap.keep_warm), "0s", 0, HOUR,
		.help = "Keep the server session after QUIT for the next poll of the same login." },
	{ "imap.send_client_address", KEY_BOOL, IN_TENANT(imap.send_client_address), "false",
		.help = "Tell the server the client's address (IMAP ID x-originating-ip)." },
	{ "imap.read_ahead", KEY_SIZE, IN_TENANT(imap.read_ahead), "4M", 0, 1 << 30,
		.help = "Octets fetched ahead of a client that reads message after message; 0: off." },
	{ "imap.oauth2", KEY_SECTION, SCOPE_TENANT, .flags = KEY_NOT_YET,
		.help = "Present: XOAUTH2 or OAUTHBEARER to the server, passwords stay here." },
	{ "imap.oauth2.flow", KEY_CHOICE, IN_TENANT(imap.oauth2.flow), "device",
		.choices = oauth2_flows, .help = "How consent is given." },
	{ "imap.oauth2.token_url", KEY_TEXT, IN_TENANT(imap.oauth2.token_url), .min = 1,
		.flags = KEY_REQUIRED, .help = "Where tokens are issued." },
	{ "imap.oauth2.device_url", KEY_TEXT, IN_TENANT(imap.oauth2.device_url), "",
		.help = "Where the device flow begins." },
	{ "imap.oauth2.authorization_url", KEY_TEXT, IN_TENANT(imap.oauth2.authorization_url), "",
		.help = "Where the authorization code flow begins." },
	{ "imap.oauth2.client_id", KEY_TEXT, IN_TENANT(imap.oauth2.client_id), "",
		.help = "This gateway, as registered there." },
	{ "imap.oauth2.client_secret_file", KEY_FILE, IN_TENANT(imap.oauth2.client_secret_file), "",
		.help = "Its secret, where there is one." },
	{ "imap.oauth2.scope", KEY_TEXT, IN_TENANT(imap.oauth2.scope), "", .help = "What is asked for." },

	{ "maildir", KEY_SECTION, SCOPE_TENANT, .help = "The mail lies in Maildirs of this machine." },
	{ "maildir.path", KEY_PATH_TEMPLATE, IN_TENANT(maildir.path), .min = 1, .choices = login_names,
		.flags = KEY_REQUIRED, .help = "The Maildir of a login." },
	{ "maildir.folder_layout", KEY_CHOICE, IN_TENANT(maildir.folder_layout), "maildir++",
		.choices = layouts, .help = "Subfolders as .Name.Sub (maildir++) or Name/Sub (fs)." },
};
/* clang-format on */

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

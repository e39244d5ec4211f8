#!/bin/bash
# The flow goes one way: who may include what. A row forbids a pattern of #include everywhere but in
# the paths that its second part allows.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0

# only INCLUDE ALLOWED WHY: an #include that fits INCLUDE stands in files that fit ALLOWED alone.
only() {
	local wrong
	wrong=$(git grep -nE "^#include [<\"]$1" -- '*.c' '*.h' | grep -vE "^($2)" || true)
	if [ -n "$wrong" ]; then
		printf '%s\n  ^ %s\n' "$wrong" "$3"
		status=1
	fi
}
# never PLACE INCLUDE WHY: no file of PLACE has an #include that fits INCLUDE.
never() {
	local wrong
	wrong=$(git grep -nE "^#include [<\"]$2" -- "$1" || true)
	if [ -n "$wrong" ]; then
		printf '%s\n  ^ %s\n' "$wrong" "$3"
		status=1
	fi
}

only 'ucontext\.h' 'proxy/runtime/context\.h' 'stacks are switched in context.c alone'
only 'proxy/runtime/context\.h' 'proxy/runtime/(context|fiber)\.c' 'fibers are switched in fiber.c alone'
only 'libetpan/' 'backends/(imap/|pop3/|etpan_link)|tests/unit/imap/' 'libetpan is known to backends alone'
only 'yaml\.h' 'config/' 'YAML is known to config alone'
only 'sqlite3\.h' 'proxy/maildrop/|tests/unit/maildrop/' 'SQLite is known to the registry alone'
only 'libpq' 'proxy/maildrop/|tests/unit/maildrop/' 'PostgreSQL is known to the registry alone'
only 'curl/' 'proxy/runtime/http\.c' 'HTTP is known to one file alone'
only 'jansson' 'proxy/(login/oauth|admin/|adoption/id_json\.c)|tests/unit/login/' 'JSON is known to OAuth, to files of ids and to admin'
only 'cjose/' 'proxy/login/oauth|tests/unit/login/' 'JWT is known to OAuth alone'
only 'microhttpd' 'proxy/admin/' 'the HTTP server is known to admin alone'
only 'gsasl' 'proxy/login/' 'SASL is known to login alone'
only '(crypt|argon2|security/pam_appl)\.h' 'proxy/login/|tests/unit/login/' \
	'password hashes are known to login alone'
only 'systemd/' 'proxy/systemd\.c' 'systemd is known to one file alone'
only 'gssapi' 'proxy/runtime/gss\.c' 'GSSAPI is known to the runtime alone'
only 'openssl/(ssl|bio|x509|pem)' 'proxy/runtime/|tests/unit/' 'TLS is known to the runtime alone'
only 'openssl/' 'proxy/(runtime|login|maildrop|service)/|backends/(fingerprint|pop3/pop3_login)\.c|tests/unit/' \
	'OpenSSL: TLS in the runtime; hashes and random where logins and identities are kept'

never 'proxy/runtime' '(config|backends|proxy/(pop3|login|routing|maildrop|service|admin|verbs))/' \
	'the runtime knows nothing of mail'
never 'config' '(backends|proxy/(pop3|login|routing|maildrop|service|admin|verbs))/' \
	'config uses the runtime alone'
never 'backends' 'proxy/(pop3|login|routing|maildrop|service|admin|verbs)/' \
	'a backend never sees a session'
never 'backends/imap' 'backends/maildir/' 'backends do not know each other'
never 'backends/maildir' 'backends/imap/' 'backends do not know each other'
never 'proxy' 'backends/(imap|maildir)/' 'the proxy knows backends by backend.h and sink.h'
never 'proxy/routing' 'proxy/(pop3|login|maildrop|service)/' 'routing is pure'
never 'proxy/maildrop' 'proxy/(pop3|login|service)/' 'the maildrop never sees a session'
exit $status

#!/bin/bash
# popgate on this machine, with demo mail, in one command.
#
#   deploy/quickstart.sh            serves a demo Maildir on 127.0.0.1:1110 (STLS) and :1995 (TLS)
#   deploy/quickstart.sh --imap     the same in front of a Dovecot of its own
#   deploy/quickstart.sh --check    fetches every message with curl, compares, ends with 0 or 1
#
# Installs what is missing (Debian 12, as root), builds into build/release, keeps everything else in
# build/demo, which is made anew. Ctrl-C ends it.
# POPGATE_DEMO_PORT, POPGATE_DEMO_TLS_PORT, POPGATE_DEMO_IMAP_PORT and POPGATE_DEMO_DIR choose others.
set -euo pipefail
shopt -s lastpipe # `… | deliver` counts in this shell
cd "$(dirname "$0")/.."

port=${POPGATE_DEMO_PORT:-1110}
tls_port=${POPGATE_DEMO_TLS_PORT:-1995}
imap_port=${POPGATE_DEMO_IMAP_PORT:-1143}
demo=${POPGATE_DEMO_DIR:-build/demo}
login=demo@local.example
popgate=build/release/popgate

check=no
imap=no
for argument in "$@"; do
	case $argument in
	--check) check=yes ;;
	--imap) imap=yes ;;
	*)
		sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
		[ "$argument" = --help ] && exit 0
		exit 2
		;;
	esac
done

say() {
	printf '%s\n' "$*"
}

fail() {
	printf 'quickstart: %s\n' "$*" >&2
	exit 1
}

listens() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Every child this script starts, ended again however the script ends.
children=()
dovecot_directory=
cleanup() {
	trap '' INT TERM
	local pid
	for pid in "${children[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${children[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	[ -z "$dovecot_directory" ] || rm -rf "$dovecot_directory"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# wait_for PID PORT NAME LOG: until PORT answers; fails when PID ends before.
wait_for() {
	until listens "$2"; do
		if ! kill -0 "$1" 2>/dev/null; then
			cat "$4" >&2
			fail "$3 did not start; its log is above"
		fi
		sleep 0.1
	done
}

# The demo mail: LF line ends, as a delivery agent writes it.

n_messages=0

# deliver: a message from standard input into the Maildir, and what a client must get for it.
deliver() {
	n_messages=$((n_messages + 1))
	local file
	file=$mail/new/$((1700000000 + n_messages)).M${n_messages}P1.demo
	cat >"$file"
	sed 's/$/\r/' "$file" >"$demo/expected/$n_messages"
	# The last line ends in CRLF, too, where the file has no newline.
	[ -z "$(tail -c 1 "$file")" ] || printf '\n' >>"$demo/expected/$n_messages"
}

header() {
	printf 'From: Ann Sender <ann@sender.example>\nTo: %s\nSubject: %s\n' "$login" "$1"
	printf 'Date: Mon, 06 Jan 2025 10:%02d:00 +0000\n' "$n_messages"
	printf 'Message-ID: <%d@sender.example>\n' "$n_messages"
}

# attachment NAME OCTETS
attachment() {
	printf -- '--part\nContent-Type: application/octet-stream; name="%s"\n' "$1"
	printf 'Content-Disposition: attachment; filename="%s"\n' "$1"
	printf 'Content-Transfer-Encoding: base64\n\n'
	head -c "$2" /dev/urandom | base64
}

multipart() {
	header "$1"
	printf 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="part"\n\n'
	printf -- '--part\nContent-Type: text/plain; charset=utf-8\n\nSee the attachment.\n'
}

make_mail() {
	{ header 'Welcome'; printf '\nThis is popgate.\n'; } | deliver
	{ header 'Leading dots'; printf '\n.\n..\n.hidden\n...\n.\n'; } | deliver
	{ header 'Grüße aus Köln'; printf 'Content-Type: text/plain; charset=utf-8\n\n'
		printf 'Grüße, 你好, שלום, 🙂\n'; } | deliver
	{ header 'A line of 100,000 characters'; printf '\n%0100000d\n' 7; } | deliver
	{ multipart 'One attachment'; attachment data.bin 50000; printf -- '--part--\n'; } | deliver
	{ multipart 'Two attachments'; attachment a.bin 999; attachment b.bin 70000
		printf -- '--part--\n'; } | deliver
	{ header 'No body'; printf '\n'; } | deliver
	{ header 'No newline at the end'; printf '\nthe end'; } | deliver
	{ header 'Blank lines'; printf '\n\n\n\n\ntext\n\n\n'; } | deliver
	{ header 'Latin-1'; printf '\nGr\374\337e\n'; } | deliver
	{ header 'HTML'; printf 'Content-Type: text/html\n\n<p>Hello, <b>world</b>.</p>\n'; } | deliver
	{ header 'Two megabytes'; printf '\n'; head -c 1500000 /dev/urandom | base64; } | deliver
}

# Dovecot in front of $mail, which it owns: it gives no mail to root, and its other accounts must be
# able to pass through the folders above.
start_dovecot() {
	local me internal=dovecot anonymous=dovenull uid gid chroot=
	me=$(id -un)
	uid=$(id -u) gid=$(id -g)
	if [ "$uid" -eq 0 ]; then
		uid=$(id -u nobody) gid=$(id -g nobody)
		chown -R "$uid:$gid" "$dovecot_directory/mail"
	else
		internal=$me anonymous=$me chroot='chroot ='
	fi
	cat >"$dovecot_directory/dovecot.conf" <<CONF
base_dir = $dovecot_directory/run
state_dir = $dovecot_directory/state
log_path = $dovecot_directory/dovecot.log
protocols = imap
listen = 127.0.0.1
default_internal_user = $internal
default_internal_group = $(id -gn "$internal")
default_login_user = $anonymous
first_valid_uid = 1
mail_location = maildir:~/Maildir
ssl = required
ssl_cert = <$dovecot_directory/cert.pem
ssl_key = <$dovecot_directory/key.pem
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u $dovecot_directory/users
}
userdb {
  driver = static
  args = uid=$uid gid=$gid home=$dovecot_directory/mail
}
namespace inbox {
  inbox = yes
}
service anvil {
  $chroot
}
service stats {
  $chroot
}
service imap-login {
  $chroot
  inet_listener imap {
    port = $imap_port
  }
  inet_listener imaps {
    port = 0
  }
}
CONF
	cp "$demo/cert.pem" "$demo/key.pem" "$dovecot_directory"
	(umask 077 && printf '%s:%s\n' "$login" "$password" >"$dovecot_directory/users")
	[ "$(id -u)" -ne 0 ] || chown "$internal" "$dovecot_directory/users"
	PATH=$PATH:/usr/sbin dovecot -F -c "$dovecot_directory/dovecot.conf" \
		2>"$dovecot_directory/start.log" &
	children+=($!)
	wait_for $! "$imap_port" Dovecot "$dovecot_directory/start.log"
}

write_config() {
	cat <<CONF
hostname: localhost
state: sqlite:$demo/state.db
admin: {listen: ""}
listeners:
  - name: pop3
    listen: ["127.0.0.1:$port"]
    tls: starttls
  - name: pop3s
    listen: ["127.0.0.1:$tls_port"]
    tls: implicit
certificates:
  - certificate: $demo/cert.pem
    key: $demo/key.pem
tenants:
  - name: demo
CONF
	if [ $imap = yes ]; then
		cat <<CONF
    imap:
      servers: [127.0.0.1]
      port: $imap_port
      tls: starttls
      ca_file: $demo/cert.pem
CONF
	else
		cat <<CONF
    auth: {users_file: $demo/users}
    maildir: {path: $mail}
CONF
	fi
}

# fetch SCHEME PORT FOLDER: every message in one session.
fetch() {
	local urls=() n
	mkdir -p "$3"
	for n in $(seq "$n_messages"); do
		urls+=(-o "$3/$n" "$1://localhost:$2/$n")
	done
	curl --silent --show-error --fail-early --ssl-reqd --cacert "$demo/cert.pem" \
		--user "$login:$password" "${urls[@]}"
}

run_check() {
	local wrong=0 n scheme subject listed
	listed=$(curl --silent --show-error --ssl-reqd --cacert "$demo/cert.pem" \
		--user "$login:$password" "pop3://localhost:$port/" | wc -l) || true
	say "LIST: $listed messages, $n_messages expected"
	[ "$listed" -eq "$n_messages" ] || wrong=1
	fetch pop3 "$port" "$demo/got/pop3" || wrong=1
	fetch pop3s "$tls_port" "$demo/got/pop3s" || wrong=1
	for n in $(seq "$n_messages"); do
		subject=$(sed -n 's/^Subject: \(.*\)\r$/\1/p;/^\r$/q' "$demo/expected/$n")
		for scheme in pop3 pop3s; do
			if ! cmp "$demo/expected/$n" "$demo/got/$scheme/$n"; then
				say "message $n by $scheme: NOT what it should be: $subject"
				wrong=1
			fi
		done
		[ $wrong -ne 0 ] ||
			say "message $n by STLS and TLS: $(wc -c <"$demo/expected/$n") octets, the same: $subject"
	done
	if [ $wrong -ne 0 ]; then
		cat "$demo/popgate.log" >&2
		fail 'the check failed; the log is above'
	fi
	say "check passed: $n_messages messages, octet for octet, by STLS and by TLS"
}

for taken in "$port" "$tls_port" $([ $imap = no ] || echo "$imap_port"); do
	! listens "$taken" || fail "port $taken of 127.0.0.1 is taken: end what listens there, or choose" \
		"another with POPGATE_DEMO_PORT, POPGATE_DEMO_TLS_PORT or POPGATE_DEMO_IMAP_PORT"
done

groups=(build demo)
[ $imap = no ] || groups+=(imap)
deploy/install-dependencies.sh "${groups[@]}"

say 'building build/release'
cmake --preset release >/dev/null
cmake --build --preset release

say "preparing $demo"
rm -rf "$demo"
mkdir -p "$demo/expected"
demo=$(realpath "$demo")
password=$(openssl rand -hex 8)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
	-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
	-keyout "$demo/key.pem" -out "$demo/cert.pem" 2>/dev/null
mail=$demo/Maildir
if [ $imap = yes ]; then
	dovecot_directory=$(mktemp -d /tmp/popgate-demo.XXXXXX)
	chmod 711 "$dovecot_directory"
	mail=$dovecot_directory/mail/Maildir
fi
mkdir -p "$mail/cur" "$mail/new" "$mail/tmp"
make_mail
if [ $imap = yes ]; then
	start_dovecot
	say "Dovecot listens on 127.0.0.1:$imap_port"
else
	"$popgate" users set --file "$demo/users" "$login" <<<"$password"
fi
write_config >"$demo/popgate.yaml"
"$popgate" check -c "$demo/popgate.yaml" >"$demo/check.log" 2>&1 || {
	cat "$demo/check.log" >&2
	fail "$demo/popgate.yaml has mistakes"
}

"$popgate" serve -c "$demo/popgate.yaml" 2>"$demo/popgate.log" &
gateway=$!
children+=("$gateway")
wait_for "$gateway" "$tls_port" popgate "$demo/popgate.log"

if [ $check = yes ]; then
	run_check
	exit 0
fi

cat <<TEXT

popgate serves $n_messages messages:
  127.0.0.1:$port   POP3, TLS by STLS
  127.0.0.1:$tls_port   POP3 over TLS
  login     $login
  password  $password
  configuration  $demo/popgate.yaml
  log            $demo/popgate.log

Try:
  curl --ssl-reqd --cacert $demo/cert.pem --user $login:$password pop3://localhost:$port/
  curl --ssl-reqd --cacert $demo/cert.pem --user $login:$password pop3s://localhost:$tls_port/3

Ctrl-C ends it.
TEXT
wait "$gateway"

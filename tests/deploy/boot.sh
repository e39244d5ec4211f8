#!/bin/bash
# What tests/deploy/package.sh runs inside the system that it boots: the unit under a real systemd.
set -euo pipefail
login=joe@local.example
password=secret-$RANDOM$RANDOM

step() {
	printf '   %s\n' "$*"
}

fail() {
	printf 'boot: %s\n' "$*"
	systemctl --no-pager -l status popgate.service || true
	journalctl --no-pager -u popgate.service -n 40 || true
	exit 1
}

get() {
	curl -sS --max-time 20 --cacert /etc/popgate/tls/cert.pem --user "$login:$password" "$@"
}

property() {
	systemctl show -P "$1" popgate.service
}

# until_is PROPERTY VALUE
until_is() {
	for _ in $(seq 300); do
		[ "$(property "$1")" != "$2" ] || return 0
		sleep 0.1
	done
	fail "$1 is $(property "$1"), not $2"
}

cd /etc/popgate
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=DNS:localhost' -keyout tls/key.pem -out tls/cert.pem 2>/dev/null
chgrp popgate tls/key.pem
chmod 640 tls/key.pem
popgate users set --file secrets/users "$login" <<<"$password"
chown root:root secrets/users
chmod 600 secrets/users
mkdir -p /srv/mail/joe/Maildir/{cur,new,tmp}
printf 'Subject: one\n\nHello.\n' >/srv/mail/joe/Maildir/new/1700000000.M1P1.x
chown -R popgate:popgate /srv/mail
cat >tenants/local.yaml <<'YAML'
name: local
match: {domains: [local.example]}
auth: {users_file: "${CREDENTIALS_DIRECTORY}/secret_users"}
maildir: {path: "/srv/mail/%{user}/Maildir"}
YAML
mkdir -p /etc/systemd/system/popgate.service.d
cat >/etc/systemd/system/popgate.service.d/trial.conf <<'UNIT'
[Service]
ReadWritePaths=/srv/mail
WatchdogSec=2s
TimeoutStopSec=2s
RestartSec=100ms
UNIT
systemctl daemon-reload

systemctl start popgate.service || fail 'it does not start'
step "started: $(property StatusText)"
pid=$(property MainPID)
[ "$(stat -c %U "/proc/$pid")" = popgate ] || fail 'it runs as another account'
[ "$(sed -n 's/^CapEff:\t//p' "/proc/$pid/status")" = 0000000000000400 ] || fail 'it has other capabilities'
get --ssl-reqd pop3://localhost/1 | grep -q Hello || fail 'no message by STLS'
get pop3s://localhost/1 | grep -q Hello || fail 'no message by TLS'
step "served, with exposure $(systemd-analyze security popgate.service --no-pager | sed -n 's/.*level for [^:]*: //p')"

systemctl reload popgate.service || fail 'a good file is not reloaded'
until_is ActiveState active
echo 'workers: many' >>popgate.yaml
! systemctl reload popgate.service 2>/dev/null || fail 'a bad file is reloaded'
sed -i '$d' popgate.yaml
[ "$(property MainPID)" = "$pid" ] || fail 'a reload made it another process'
get pop3s://localhost/1 | grep -q Hello || fail 'no message after reloads'
step 'reloaded; refused a file with a mistake'

kill -STOP "$pid"
until_is NRestarts 1
until_is ActiveState active
[ "$(property MainPID)" != "$pid" ] || fail 'the watchdog did nothing'
step "the watchdog replaced a master that hung"

exec 3<>/dev/tcp/127.0.0.1/110
read -r _ <&3
systemctl --no-block stop popgate.service
until_is ActiveState deactivating
sleep 4 # beyond TimeoutStopSec, within shutdown_grace
printf 'NOOP\r\nQUIT\r\n' >&3
read -r _ <&3 || fail 'a session was cut off'
read -r farewell <&3 || true
[[ $farewell == +OK* ]] || fail 'a session was cut off'
exec 3>&-
until_is ActiveState inactive
[ "$(property Result)" = success ] || fail "it ended with $(property Result)"
step 'stopped when its session was through, later than TimeoutStopSec'

systemctl start popgate-pop3.socket popgate-pop3s.socket
[ "$(property ActiveState)" = inactive ] || fail 'it runs already'
get pop3s://localhost/1 | grep -q Hello || fail 'a connection to the socket did not start it'
(for _ in $(seq 20); do get pop3s://localhost/1 >/dev/null || echo refused; done) >/root/refused &
systemctl restart popgate.service
wait $!
[ ! -s /root/refused ] || fail 'a restart refused connections'
step 'sockets: started by a connection; a restart refused none'
systemctl stop popgate-pop3.socket popgate-pop3s.socket popgate.service
echo 'boot: all held'

#!/bin/bash
# deploy/compose.yaml, started, used and drained. By hand, as root, with podman-compose, curl, openssl
# and the images that it names (localhost/popgate:dev as tests/deploy/container.sh says):
#
#   tests/deploy/compose.sh
#
# In a copy of deploy/, on ports 10110 and 10995 of loopback; it leaves nothing behind.
# Ends with 0 when all of it held.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
cp -a deploy "$work/"
cd "$work/deploy"
project=popgate-trial-$$

compose() {
	podman-compose -p "$project" -f compose.yaml "$@" >>"$work/compose.log" 2>&1
}

cleanup() {
	compose down -v -t 5 || true
	podman network rm -f "${project}_inside" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT

step() {
	printf '%s\n' "-- $*"
}

fail() {
	printf 'compose: %s\n' "$*" >&2
	for name in haproxy popgate-1 popgate-2 dovecot; do
		podman logs "${project}_${name}_1" 2>&1 | tail -20 >&2
	done
	exit 1
}

step 'secrets, and what a trial needs otherwise'
rm -rf compose/secrets
compose/prepare.sh
sed -i 's/ports: \["110:1110", "995:1995"\]/ports: ["127.0.0.1:10110:1110", "127.0.0.1:10995:1995"]/
	s/127.0.0.1:3000:3000/127.0.0.1::3000/' compose.yaml
# podman-compose 1.0.3 does not look at ipam.
podman network create --subnet 172.30.110.0/24 --label "io.podman.compose.project=$project" \
	--label "com.docker.compose.project=$project" "${project}_inside" >/dev/null
password=$(cat compose/secrets/demo_password)

get() {
	curl -sS --max-time 20 --ssl-reqd --cacert compose/secrets/tls_cert --user "demo@example.org:$password" "$@"
}

step 'up'
compose up -d --no-build || { cat "$work/compose.log" >&2; fail 'it does not start'; }
for _ in $(seq 300); do
	! get pop3s://localhost:10995/ >/dev/null 2>&1 || break
	sleep 0.2
done
podman exec "${project}_dovecot_1" sh -c 'cd "/srv/mail/demo@example.org" &&
	printf "Subject: one\n\nHello.\n" >new/1700000000.M1P1.x && chown -R 1000:1000 .'
get pop3://localhost:10110/1 | grep -q Hello || fail 'no message by STLS'
get pop3s://localhost:10995/1 | grep -q Hello || fail 'no message by TLS'

step 'both gateways serve; the client is who it is'
for _ in $(seq 4); do get pop3s://localhost:10995/ >/dev/null; done
for name in popgate-1 popgate-2; do
	log=$(podman logs "${project}_${name}_1" 2>&1)
	grep -q '"event":"session closed"' <<<"$log" || fail "$name served nobody"
	grep '"event":"session closed"' <<<"$log" | grep -qv "\"address\":\"$(podman inspect \
		-f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "${project}_haproxy_1")\"" ||
		fail 'the address is that of HAProxy'
done

step 'one gateway drains: its session goes on, and nobody is refused'
# Two sessions, of which each gateway gets one.
exec 3<>/dev/tcp/127.0.0.1/10110 4<>/dev/tcp/127.0.0.1/10110
for session in 3 4; do
	read -r greeting <&$session
	[[ $greeting == +OK* ]] || fail "greeting: $greeting"
done
for _ in $(seq 60); do
	get pop3s://localhost:10995/ >/dev/null || echo refused
	sleep 0.2
done >"$work/loop" 2>&1 &
loop=$!
podman stop -t 90 "${project}_popgate-1_1" >/dev/null 2>&1 &
stopping=$!
wait $loop
[ ! -s "$work/loop" ] || { cat "$work/loop" >&2; fail 'somebody was refused'; }
for session in 3 4; do
	printf 'QUIT\r\n' >&$session
	read -r farewell <&$session
	[[ $farewell == +OK* ]] || fail "a session was cut off: $farewell"
done
wait $stopping
status=$(podman inspect -f '{{.State.ExitCode}}' "${project}_popgate-1_1")
[ "$status" = 0 ] || fail "it ended with $status"
echo 'compose: all held'

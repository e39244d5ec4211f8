#!/bin/bash
# The container image as it is to be run: no root, nothing writable but its state, no capability, 64 MB.
# By hand, with podman, curl and openssl, where the image is:
#
#   buildah bud --isolation chroot --format docker -t localhost/popgate:dev -f deploy/Dockerfile .
#   tests/deploy/container.sh [IMAGE]          default: localhost/popgate:dev
#
# Ends with 0 when all of it held.
set -euo pipefail
image=${1:-localhost/popgate:dev}
name=popgate-trial-$$
login=joe@local.example
password=$(openssl rand -hex 8)
directory=$(mktemp -d)

cleanup() {
	podman rm -f -t 0 "$name" >/dev/null 2>&1 || true
	podman volume rm -f "$name" >/dev/null 2>&1 || true
	rm -rf "$directory"
}
trap cleanup EXIT

step() {
	printf '%s\n' "-- $*"
}

fail() {
	printf 'container: %s\n' "$*" >&2
	podman logs "$name" >&2 || true
	exit 1
}

# is WHAT HAS WANTED
is() {
	[ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
	printf '   %s: %s\n' "$1" "$2"
}

inspect() {
	podman inspect --format "$2" "$1"
}

step 'the image'
size=$(inspect "$image" '{{.Size}}')
[ "$size" -le 120000000 ] || fail "$size octets are more than 120 MB"
printf '   size: %d MB\n' $((size / 1000000))
is user "$(inspect "$image" '{{.User}}')" 10110:10110
is title "$(inspect "$image" '{{index .Labels "org.opencontainers.image.title"}}')" popgate
inspect "$image" '{{.HealthCheck.Test}}' | grep -q health || fail 'there is no health check'

step 'a Maildir, a configuration, secrets'
chmod 755 "$directory"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=DNS:localhost' -keyout "$directory/key.pem" -out "$directory/cert.pem" 2>/dev/null
mkdir -p "$directory/mail/joe/Maildir"/{cur,new,tmp}
printf 'From: ann@b.example\nSubject: one\n\nHello.\n' >"$directory/mail/joe/Maildir/new/1700000000.M1P1.x"
chown -R 10110:10110 "$directory/mail"
cat >"$directory/popgate.yaml" <<CONF
hostname: pop.local.example
shutdown_grace: 20s
admin: {listen: "127.0.0.1:9110"}
listeners:
  - {name: pop3, listen: ["[::]:1110"], tls: starttls}
  - {name: pop3s, listen: ["[::]:1995"], tls: implicit}
certificates:
  - {certificate: /etc/popgate/cert.pem, key: /run/secrets/key.pem}
tenants:
  - name: local
    auth: {users_file: /run/secrets/users}
    maildir: {path: "/srv/mail/%{user}/Maildir"}
CONF
mkdir "$directory/secrets"
mv "$directory/key.pem" "$directory/secrets"
podman run --rm -i -v "$directory/secrets:/run/secrets" --user 0 "$image" \
	users set --file /run/secrets/users "$login" <<<"$password"
chown -R 10110:10110 "$directory/secrets"
chmod -R u=rX,go= "$directory/secrets"

step 'run'
podman run -d --name "$name" --read-only --cap-drop=ALL --security-opt=no-new-privileges --memory 64m \
	-p 127.0.0.1::1110 -p 127.0.0.1::1995 -v "$name:/var/lib/popgate" \
	-v "$directory/popgate.yaml:/etc/popgate/popgate.yaml:ro" \
	-v "$directory/cert.pem:/etc/popgate/cert.pem:ro" -v "$directory/mail:/srv/mail" \
	-v "$directory/secrets:/run/secrets:ro" "$image" >/dev/null
for _ in $(seq 100); do
	! podman logs "$name" 2>&1 | grep -q event=ready || break
	sleep 0.1
done
port() {
	podman port "$name" "$1" | sed 's/.*://'
}
pop3=$(port 1110) pop3s=$(port 1995)
get() {
	curl -sS --cacert "$directory/cert.pem" --user "$login:$password" "$@"
}
get --ssl-reqd "pop3://localhost:$pop3/1" | grep -q Hello || fail 'no message by STLS'
get "pop3s://localhost:$pop3s/1" | grep -q Hello || fail 'no message by TLS'
step 'without privileges, and well'
pid=$(inspect "$name" '{{.State.Pid}}')
is 'account of the master' "$(stat -c %u "/proc/$pid")" 10110
is capabilities "$(sed -n 's/^CapEff:\t//p' "/proc/$pid/status")" 0000000000000000
is 'no new privileges' "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$pid/status")" 1
! podman exec "$name" touch /etc/popgate/x 2>/dev/null || fail 'its root file system can be written'
podman healthcheck run "$name" || fail 'it is not healthy'
podman exec "$name" popgate health --ready || fail 'it is not ready'
printf '   memory: %s\n' "$(podman stats --no-stream --format '{{.MemUsage}}' "$name")"

step 'stop: a session may finish'
exec 3<>"/dev/tcp/127.0.0.1/$pop3"
read -r greeting <&3
[[ $greeting == +OK* ]] || fail "greeting: $greeting"
podman stop -t 60 "$name" >/dev/null &
stopping=$!
for _ in $(seq 100); do
	! podman logs "$name" 2>&1 | grep -q event=draining || break
	sleep 0.1
done
printf 'NOOP\r\nQUIT\r\n' >&3
read -r _ <&3
read -r farewell <&3
[[ $farewell == +OK* ]] || fail "the session was cut off: $farewell"
exec 3>&-
wait "$stopping"
is 'exit status' "$(inspect "$name" '{{.State.ExitCode}}')" 0
echo 'container: all held'

#!/bin/bash
# Makes deploy/compose/secrets: a certificate of its own making, and passwords. What is there stays.
# As root, since the gateways' files belong to the account of their image.
set -euo pipefail
cd "$(dirname "$0")"
account=10110 # of deploy/Dockerfile
mkdir -p secrets
chmod 711 secrets

random() {
	head -c 18 /dev/urandom | base64
}

# made NAME MODE OWNER: keeps standard input in secrets/NAME, unless that exists.
made() {
	local text
	text=$(cat)
	[ -e "secrets/$1" ] && return
	(umask 077 && printf '%s\n' "$text" >"secrets/$1")
	chown "$3:$3" "secrets/$1"
	chmod "$2" "secrets/$1"
	echo "made secrets/$1"
}

if [ ! -e secrets/tls_key ]; then
	key=$(mktemp)
	trap 'rm -f "$key"' EXIT
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout "$key" \
		-subj /CN=pop.example.org -addext 'subjectAltName=DNS:pop.example.org,DNS:localhost,DNS:dovecot' \
		2>/dev/null | made tls_cert 444 $account
	made tls_key 400 $account <"$key"
fi
random | made postgres_password 400 0
# libpq takes a password file only when nobody else may read it.
sed 's/^/postgres:5432:popgate:popgate:/' secrets/postgres_password | made pgpass 600 $account
random | made grafana_password 444 0
if [ ! -e secrets/dovecot_users ]; then
	random | made demo_password 400 0
	printf 'demo@example.org:%s\n' "$(openssl passwd -6 -stdin <secrets/demo_password)" |
		made dovecot_users 444 0
	echo 'demo@example.org may log in with the password of secrets/demo_password'
fi

#!/bin/bash
# Installs the Debian 12 packages that a purpose needs and that are missing; with nothing missing it
# needs neither root nor a network.
#
#   deploy/install-dependencies.sh [build] [package] [test] [demo] [imap] [bench]   default: build
#
# build: compile the gateway.  package: make a Debian package of it, too.  test: all of tests/run.sh.
# demo: deploy/quickstart.sh.
# imap: deploy/quickstart.sh --imap.  bench: the peers of tests/bench/run.sh.
set -euo pipefail

# shellcheck disable=SC2034 # the groups are used by name
build=(gcc libc6-dev cmake ninja-build pkg-config ca-certificates libuv1-dev libetpan-dev libyaml-dev
	libssl-dev libsqlite3-dev libargon2-dev libcrypt-dev libgsasl-dev libpam0g-dev krb5-multidev
	libcurl4-gnutls-dev libjansson-dev libcjose-dev libmicrohttpd-dev libpq-dev libsystemd-dev)
# shellcheck disable=SC2034
package=(dpkg-dev file)
demo=(curl openssl)
imap=(dovecot-imapd)
# shellcheck disable=SC2034
bench=(dovecot-pop3d nginx-light libnginx-mod-mail)
# shellcheck disable=SC2034
test=(clang clang-tidy clang-format libclang-rt-14-dev libcmocka-dev universal-ctags shellcheck
	python3-pytest python3-pytest-xdist python3-yaml fetchmail mpop procps git systemd haproxy
	python3-jwt python3-cryptography python3-prometheus-client chromium
	mandoc man-db prometheus zsh bash-completion
	krb5-kdc krb5-admin-server krb5-user python3-gssapi dovecot-gssapi gss-ntlmssp
	postgresql "${demo[@]}" "${imap[@]}")

# The OpenID provider of the tests runs on node; not only Debian's comes with an npm.
if ! command -v npm >/dev/null; then
	test+=(nodejs npm)
fi

is_installed() {
	dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

wanted=()
for group in "${@:-build}"; do
	case $group in
	build | package | test | demo | imap | bench)
		declare -n packages=$group
		wanted+=("${packages[@]}")
		;;
	*)
		echo "usage: $0 [build] [package] [test] [demo] [imap] [bench]" >&2
		exit 2
		;;
	esac
done

missing=()
for package in "${wanted[@]}"; do
	is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
	echo "$0: these packages are missing; run as root:" >&2
	echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

# Packages such as dovecot-imapd start a system service when they are installed. It would take ports
# and outlive us, so starting is forbidden meanwhile, and what we brought in does not start at boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# --no-remove: rather fail than take away a package that conflicts (libcurl4-openssl-dev does).
apt-get -q -y --no-remove install --no-install-recommends "${missing[@]}"

for package in "${missing[@]}"; do
	case $package in
	dovecot-imapd) service=dovecot ;;
	fetchmail | krb5-kdc | krb5-admin-server | postgresql | prometheus) service=$package ;;
	*) continue ;;
	esac
	if [ -d /run/systemd/system ]; then
		systemctl --quiet disable "$service" || true
	else
		update-rc.d "$service" disable >/dev/null 2>&1 || true
	fi
done

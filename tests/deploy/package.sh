#!/bin/bash
# The Debian package through its life: built, installed in a fresh Debian 12, booted there under
# systemd with the unit as it is, upgraded, removed, purged. By hand, as root, about two minutes:
#
#   apt-get install mmdebstrap systemd-container
#   tests/deploy/package.sh [--keep]         --keep leaves the root file system where it says
#
# Ends with 0 when all of it held.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
work=$(mktemp -d)
root=$work/root

cleanup() {
	if [ "${keep:-}" ]; then
		echo "left: $root"
	else
		rm -rf "$work"
	fi
}
trap cleanup EXIT
[ "${1:-}" != --keep ] || keep=yes

step() {
	printf '%s\n' "-- $*"
}

fail() {
	printf 'package: %s\n' "$*" >&2
	exit 1
}

in_root() {
	chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

# build VERSION: $work/popgate_VERSION_*.deb
build() {
	cmake -S "$top" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DCMAKE_INSTALL_PREFIX=/usr -DPOPGATE_TESTS=OFF >/dev/null
	cmake --build "$work/build" >/dev/null
	(cd "$work/build" && cpack -G DEB -D "CPACK_PACKAGE_VERSION=$1" -B "$work" >/dev/null)
	cp "$work"/popgate_"$1"_*.deb "$root/root/popgate_$1.deb"
}

install_version() {
	in_root apt-get -qq -y --no-install-recommends install "/root/popgate_$1.deb" >"$work/apt.log" 2>&1 ||
		{ cat "$work/apt.log" >&2; fail "version $1 cannot be installed"; }
	in_root dpkg -s popgate | grep -qx "Version: $1" || fail "it is not version $1"
}

# owned MODE OWNER:GROUP PATH
owned() {
	local has
	has=$(in_root stat -c '%a %U:%G' "$3") || fail "$3 is missing"
	[ "$has" = "$1 $2" ] || fail "$3 is $has, not $1 $2"
}

step 'a fresh Debian 12'
mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,curl,openssl bookworm "$root"
in_root apt-get -qq update

step 'build, install'
deploy/install-dependencies.sh build package
build 0.1.0
install_version 0.1.0
in_root popgate --version
in_root getent passwd popgate | grep -q :/usr/sbin/nologin || fail 'the account may log in'
owned 700 popgate:popgate /var/lib/popgate
owned 750 root:popgate /etc/popgate/tls
owned 700 root:root /etc/popgate/secrets
owned 644 root:root /etc/popgate/popgate.yaml
if [ -d "$top/docs/man" ]; then
	[ -e "$root/usr/share/man/man1/popgate.1" ] || fail 'there is no manual'
fi
in_root systemd-analyze verify --man=no popgate.service popgate-pop3.socket popgate-pop3s.socket
in_root systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/popgate.service | tail -1

step 'boot, and try the unit'
cp tests/deploy/boot.sh "$root/root/boot.sh"
cat >"$root/etc/systemd/system/trial.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash -c '/root/boot.sh >/root/boot.log 2>&1'
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=120
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../trial.service "$root/etc/systemd/system/multi-user.target.wants/trial.service"
timeout 180 systemd-nspawn --quiet --directory="$root" --machine="popgate-trial-$$" --private-network \
	--register=no --keep-unit --boot --console=pipe </dev/null >"$work/console.log" 2>&1 ||
	{ tail -50 "$work/console.log" >&2; cat "$root/root/boot.log" >&2 || true; fail 'the boot failed'; }
cat "$root/root/boot.log"
grep -qx 'boot: all held' "$root/root/boot.log" || fail 'see above'

step 'upgrade: a changed conffile stays'
echo '# mine' >>"$root/etc/popgate/popgate.yaml"
echo kept >"$root/var/lib/popgate/kept"
build 0.1.1
install_version 0.1.1
grep -qx '# mine' "$root/etc/popgate/popgate.yaml" || fail 'the conffile was replaced'
[ -e "$root/var/lib/popgate/kept" ] || fail 'the state is gone'

step 'remove: configuration and state stay'
in_root apt-get -qq -y remove popgate >/dev/null 2>&1
[ ! -e "$root/usr/bin/popgate" ] || fail 'the program stayed'
[ -e "$root/etc/popgate/popgate.yaml" ] || fail 'the conffile is gone'
[ -e "$root/var/lib/popgate/kept" ] || fail 'the state is gone'

step 'purge: nothing of it stays, what the administrator made does'
in_root apt-get -qq -y purge popgate >/dev/null 2>&1
[ ! -e "$root/var/lib/popgate" ] || fail 'the state stayed'
[ ! -e "$root/etc/popgate/popgate.yaml" ] || fail 'the conffile stayed'
[ -e "$root/etc/popgate/tls/cert.pem" ] || fail 'a certificate of the administrator is gone'
echo 'package: all held'

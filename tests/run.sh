#!/bin/bash
# All tests: what .ci/run calls and what the README names.
#
#   tests/run.sh                     everything
#   tests/run.sh lint|unit|e2e       one part (e2e: further arguments go to pytest)
#   tests/run.sh -k EXPRESSION       the end-to-end tests whose names fit
#
# Installs what is missing, builds with gcc and both sanitizers (build/asan) and with clang for its
# warnings (build/clang), then static checks, unit tests, and end-to-end tests, whose summary comes
# last. Ends with 0 only if every part passed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Fibers have stacks of their own; ASan's fake stacks do not follow them.
export ASAN_OPTIONS=detect_stack_use_after_return=0:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
failed=()

title() {
	printf '\n== %s\n' "$*"
}

# part NAME COMMAND…: runs it and remembers a failure, so that one run shows all of them.
part() {
	local name=$1
	shift
	title "$name"
	"$@" || failed+=("$name")
}

build() {
	title "build: $1"
	cmake --preset "$1" >/dev/null
	cmake --build --preset "$1"
}

lint() {
	local script
	for script in tests/lint/*.sh; do
		part "lint: $(basename "$script" .sh)" "$script"
	done
}

unit() {
	part unit ctest --test-dir build/asan --output-on-failure -j "$(nproc)"
}

e2e() {
	local n
	n=$(nproc)
	n=$((n < 2 ? 2 : n > 4 ? 4 : n))
	part "OpenID provider" tests/e2e/oidc/install.sh
	part "Kubernetes types" tests/deploy/kubernetes/install.sh
	part end-to-end /usr/bin/python3 -m pytest -p no:cacheprovider -q -n "$n" --dist loadgroup \
		tests/e2e "$@"
}

usage() {
	sed -n '4,6s/^# *//p' "$0" >&2
	exit 2
}

title dependencies
deploy/install-dependencies.sh build test
case ${1:-all} in
all)
	build asan
	build clang
	lint
	unit
	# What docs/conformance.md names must have passed in this run, the unit tests too.
	export POPGATE_UNIT_LOG=$PWD/build/asan/Testing/Temporary/LastTest.log
	e2e
	;;
lint)
	build clang
	lint
	;;
unit)
	build asan
	unit
	;;
e2e)
	build asan
	e2e "${@:2}"
	;;
-k)
	build asan
	e2e "$@"
	;;
*) usage ;;
esac

if [ ${#failed[@]} -gt 0 ]; then
	title "failed: ${failed[*]}"
	exit 1
fi

#!/bin/bash
# The benchmark: builds a release and the load generator, starts the gateway and its peers (Dovecot's
# POP3 server on a Maildir and over imapc, nginx as a relay, a floor that only sends the same octets),
# and prints one table of what each costs. No part of the tests.
#
#   tests/bench/run.sh [--json] [--keep] [CASE…]        all cases without any; --help names them
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/install-dependencies.sh build test bench >&2
cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build/bench --target popgate popgate_load popgate_relay popgate_floor >&2
ulimit -n "$(ulimit -Hn)"
POPGATE_BINARY=$PWD/build/bench/popgate exec /usr/bin/python3 tests/bench/compare.py "$@"

#!/bin/bash
# The benchmark: builds a release and the load generator, starts the gateway and its peers (Dovecot's
# POP3 server on a Maildir, and over imapc), and prints one table of what each costs.
#
#   tests/bench/run.sh [--json] [--messages N] [--sessions N] [WORK…]
#
# WORK: login poll poll-tls retr (all of them without any). No part of the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/install-dependencies.sh build test bench >&2
cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build/bench --target popgate popgate_load >&2
POPGATE_BINARY=$PWD/build/bench/popgate exec /usr/bin/python3 tests/bench/compare.py "$@"

#!/usr/bin/env bash
# No global name of ours is one that a library of ours exports: the linker would pick either, silently.
# usage: symbols.sh [BUILD_DIR]
set -euo pipefail
build=${1:-build/clang}
binary=$build/popgate
exported=$(ldd "$binary" | awk '$3 ~ /^\// {print $3}' | xargs nm -D --defined-only 2>/dev/null |
	awk 'NF == 3 {sub(/@.*/, "", $3); print $3}' | sort -u)
ours=$(find "$build" -name 'libpopgate_*.a' -print0 | xargs -0 nm --defined-only 2>/dev/null |
	awk '$2 ~ /^[TDBR]$/ {print $3}' | sort -u)
clashes=$(comm -12 <(echo "$exported") <(echo "$ours"))
if [ -n "$clashes" ]; then
	echo "these names of ours are exported by a library that popgate links:" >&2
	echo "$clashes" >&2
	exit 1
fi

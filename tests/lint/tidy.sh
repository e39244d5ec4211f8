#!/bin/bash
# clang-tidy with the checks of .clang-tidy, over the compile commands of build/clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/clang
if [ ! -e $build/compile_commands.json ]; then
	echo "$0: configure first: cmake --preset clang" >&2
	exit 2
fi
# Its count of suppressed warnings ("N warnings generated.") is no finding.
git ls-files -z '*.c' ':!tests/' |
	xargs -0 -r -n 4 -P "$(nproc)" clang-tidy --quiet -p $build \
		2> >(grep -v 'warnings\? generated' >&2)

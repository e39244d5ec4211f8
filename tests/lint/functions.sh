#!/bin/bash
# No function is longer than 80 lines (tests may be tables).
set -euo pipefail
cd "$(dirname "$0")/../.."
limit=80
git ls-files '*.c' ':!tests/' |
	ctags -L - -x --languages=C --kinds-C=f --fields=+ne --_xformat='%{end} %n %N %F' |
	awk -v limit=$limit '
		$1 - $2 + 1 > limit {
			printf "%s:%d: %s has %d lines, more than %d\n", $4, $2, $3, $1 - $2 + 1, limit
			found = 1
		}
		END { exit found }'

#!/bin/bash
# Shell scripts pass shellcheck.
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files -z '*.sh' '*.bash' .ci/run 'deploy/package/debian/p*' | xargs -0 -r shellcheck

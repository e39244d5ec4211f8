#!/bin/bash
# Every C file is as clang-format would write it.
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files -z '*.c' '*.h' | xargs -0 -r clang-format --dry-run -Werror

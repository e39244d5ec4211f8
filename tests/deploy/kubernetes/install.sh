#!/bin/bash
# Installs the types of the Kubernetes API, and the compiler that checks by them, into node_modules, as
# package-lock.json has it; without a network when that is there already. No script of a package runs.
set -euo pipefail
cd "$(dirname "$0")"
if cmp -s package-lock.json node_modules/.installed; then
	exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund
cp package-lock.json node_modules/.installed

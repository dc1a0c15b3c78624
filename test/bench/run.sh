#!/bin/sh
# Usage: test/bench/run.sh [--quick] [--only=NAME[,NAME]] [--growth] [--json=FILE] [...]; --help lists all options
#
# Measures uvrelay beside other relays: installs what is missing, builds the release programs, and runs everything in
# build/bench. docs/performance.md says what the figures mean.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v python3 >/dev/null || sh "$root/deps/setup" bench
exec python3 "$root/test/bench/bench.py" "$@"

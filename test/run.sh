#!/bin/sh
# Usage: test/run.sh [PRESET...]
#
# Everything there is to test, from a fresh clone: installs what is missing, reads the code, then builds and tests
# each preset; stops at the first failure. With presets named, only those are built and tested.
set -eu
cd "$(dirname "$0")/.."

sh deps/setup

if [ $# -eq 0 ]; then
  cmake --preset linux
  cmake --preset windows
  sh test/lint.sh
  cmake --preset clang # for its warnings
  cmake --build --preset clang
  set -- linux asan tsan windows # the last uses the first's program
fi

for preset; do
  cmake --preset "$preset"
  cmake --build --preset "$preset"
  # The thread sanitizer doesn't bear as much address randomization as some kernels do.
  if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then
    setarch -R ctest --preset "$preset"
  else
    ctest --preset "$preset"
  fi
done

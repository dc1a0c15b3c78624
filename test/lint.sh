#!/bin/sh
# Usage: test/lint.sh
#
# What reads the code and doesn't run it: clang-format on all C files, clang-tidy and gcc's analyzer on src/ as compiled
# for each system, cppcheck, what MSVC does not know, and the order of the rooms of src/, for which it builds the program
# for each system. Needs the presets linux and windows to be configured (test/run.sh does that).
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)

say() {
  echo "lint: $*"
}

case $(clang-format --version) in
*" 14."*)
  say clang-format
  find src include test -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
  ;;
*) say "clang-format: left out, as others than version 14 lay out some lines in another way" ;;
esac

# MinGW's compiler is named for its target, from which clang-tidy knows the target and finds its headers.
for preset in linux windows; do
  [ -f "build/$preset/compile_commands.json" ] || {
    echo "lint: build/$preset isn't configured: run 'cmake --preset $preset'" >&2
    exit 1
  }
done
# Its findings go to standard output, the count of those in system headers to standard error.
tidy() {
  if ! xargs -0 -r -n 1 -P "$jobs" clang-tidy --quiet -p "build/$1" 2>build/clang-tidy.log; then
    grep -v 'warnings\{0,1\} generated' build/clang-tidy.log >&2
    exit 1
  fi
}
say "clang-tidy, for Linux"
find src -name '*.c' -not -name '*_win.c' -print0 | tidy linux
say "clang-tidy, for Windows"
find src -name '*_win.c' -print0 | tidy windows

say "gcc -fanalyzer"
python3 test/analyze.py build/linux '*.c' '!*_win.c'
python3 test/analyze.py build/windows '*_win.c'

say cppcheck
cppcheck_all() {
  cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -j "$jobs" -I include -I src --file-list=- "$@"
}
find src -name '*.c' -not -name '*_win.c' | cppcheck_all --platform=unix64 -D__linux__ -D__GNUC__
find src -name '*.c' -not -name '*_unix.c' | cppcheck_all --platform=win64 -D_WIN32 -D__GNUC__

say "portable, what MSVC does not know"
python3 test/portable.py

say "stairs, the order of the rooms of src/"
for preset in linux windows; do
  cmake --build --preset "$preset" --target uvrelay >build/stairs.log || {
    cat build/stairs.log >&2
    exit 1
  }
done
python3 test/stairs.py

#!/bin/sh
# Usage: test/fuzz/run.sh [-b BUILD] NAME [OPTION...]
#
# Runs the fuzzer fuzz_NAME of the build directory BUILD (build/fuzz). Without options it does what the tests do: 20,000
# runs that begin with the corpus, always the same ones. Options are libFuzzer's, such as
# -max_total_time=600. What such a run finds to be new stays in BUILD/fuzz/found/NAME, where the next one takes it up.
#
# Whatever fails is in BUILD/fuzz/findings, and its path is printed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build/fuzz
if [ "${1-}" = -b ]; then
  build=$2
  shift 2
fi
name=${1-}
if [ -z "$name" ] || [ ! -x "$build/fuzz/fuzz_$name" ]; then
  echo "usage: test/fuzz/run.sh [-b BUILD] NAME [OPTION...]: there is no $build/fuzz/fuzz_$name" >&2
  exit 2
fi
shift

found=$build/fuzz/found/$name
if [ $# -eq 0 ]; then
  set -- -runs=20000 -seed=1
  found=$(mktemp -d)
  trap 'rm -rf "$found"' EXIT
  trap 'exit 1' HUP INT TERM
fi
mkdir -p "$found" "$build/fuzz/findings"
[ ! -f "$here/$name.dict" ] || set -- -dict="$here/$name.dict" "$@"

# cmocka's assertions, which the rigs use, abort then.
export CMOCKA_TEST_ABORT=1
code=0
"$build/fuzz/fuzz_$name" -print_final_stats=1 -verbosity=1 -artifact_prefix="$build/fuzz/findings/$name-" "$@" \
  "$found" "$here/corpus/$name" || code=$?
if [ $code -ne 0 ]; then
  echo "test/fuzz/run.sh: to see it again: CMOCKA_TEST_ABORT=1 $build/fuzz/fuzz_$name FILE, with the file named above" >&2
fi
exit $code

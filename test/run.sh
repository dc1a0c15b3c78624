#!/bin/sh
# Usage: test/run.sh [quick | PRESET...]
#
# Everything there is to test, from a fresh clone: installs what is missing, reads the code, builds and tests each
# preset; a preset whose tests fail does not keep the next ones from being tested. Most tests wait more than they compute,
# so the next preset is built while the one before is tested. With presets named, only those are built and tested.
#
# quick: the unit tests on Linux, and what reads the code; for working.
#
# At the end it prints what took longest, and the number of ctest's tests that passed and failed.
set -eu
cd "$(dirname "$0")/.."

sh deps/setup

logs=build/logs
mkdir -p $logs
rm -f $logs/*
background=
tests_failed=0

# What has taken how long, and the count of the tests, from the logs of ctest.
summary() {
  echo
  echo "What took longest, in seconds:"
  cat $logs/*.seconds | sort -rn | head -n 12
  for log in "$logs"/*.test; do
    preset=$(basename "$log" .test)
    sed -n "s|^ *[0-9]*/[0-9]* Test *#[0-9]*: \([^ ]*\) .* \([0-9.]*\) sec.*|\2 $preset: \1|p" "$log"
  done | sort -rn | head -n 12
  passed=$(cat $logs/*.test | grep -c '^ *[0-9]*/[0-9]* Test.*   Passed ') || true
  failed=$(cat $logs/*.test | grep '^ *[0-9]*/[0-9]* Test' | grep -vc '   Passed ') || true
  echo
  echo "$passed passed, $failed failed"
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
  status=$?
  # shellcheck disable=SC2086 # none, or one
  [ -z "$background" ] || kill $background 2>/dev/null || true
  [ "$status" -eq 0 ] || echo "test/run.sh: failed" >&2
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

now() {
  date +%s
}

# Runs a step: step NAME COMMAND...; keeps its output and shows it if it fails.
step() {
  name=$1
  shift
  begun=$(now)
  if "$@" >"$logs/$name" 2>&1; then
    echo "$(($(now) - begun)) $name" >"$logs/$name.seconds"
    echo "$name: done in $(($(now) - begun)) s"
    : >"$logs/$name.done"
  else
    cat "$logs/$name" >&2
    echo "$name: failed" >&2
    : >"$logs/$name.failed"
    return 1
  fi
}

build() {
  cmake --preset "$1" && cmake --build --preset "$1"
}

# Waits until a step in the background is done.
wait_for() {
  until [ -e "$logs/$1.done" ]; do
    [ ! -e "$logs/$1.failed" ] || exit 1
    sleep 0.2
  done
}

# tests PRESET [OPTION...]
tests() {
  preset=$1
  shift
  begun=$(now)
  # The thread sanitizer doesn't bear as much address randomization as some kernels do.
  fixed=
  if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then
    fixed="setarch -R"
  fi
  code=0
  $fixed ctest --preset "$preset" --output-log "$logs/$preset.test" "$@" || code=$?
  echo "$(($(now) - begun)) test-$preset" >"$logs/test-$preset.seconds"
  [ $code -eq 0 ] || tests_failed=1
}

# Of the static program, the tests of what its C library does: looking up names, starting programs, being hardened. By
# themselves, `test/run.sh static`, all its tests take as long as those of the preset linux.
of_the_c_library='package/test_(static|hardening)|linux/test_(allow|owner|hostile_near_ends|via_far_ends)$'

# What goes on beside the tests; the order is that in which it is waited for.
steps_of() {
  case $1 in
  quick) echo build-linux lint ;;
  all) echo build-linux build-windows lint build-static build-windows-x86 build-asan build-tsan build-fuzz build-clang ;;
  *) for preset; do echo "build-$preset"; done ;;
  esac
}
run_steps() {
  for name; do
    case $name in
    lint) step lint sh test/lint.sh ;;
    build-*) step "$name" build "${name#build-}" ;;
    esac || return 1
  done
}

[ $# -ne 0 ] || set -- all
# shellcheck disable=SC2046 # a list
case $1 in
quick)
  step build-linux build linux
  [ -f build/windows/compile_commands.json ] || step configure-windows cmake --preset windows
  step lint sh test/lint.sh &
  background=$!
  tests linux -R '^unit/'
  wait_for lint
  ;;
all)
  run_steps $(steps_of all) &
  background=$!
  for preset in linux windows windows-x86 asan tsan fuzz; do
    wait_for "build-$preset"
    tests "$preset"
  done
  wait_for build-static
  tests static -R "$of_the_c_library"
  wait_for lint
  wait_for build-clang # for its warnings
  ;;
*)
  run_steps $(steps_of "$@") &
  background=$!
  for preset; do
    wait_for "build-$preset"
    tests "$preset"
  done
  ;;
esac
wait "$background"
background=
summary
exit $tests_failed

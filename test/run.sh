#!/bin/sh
# Usage: test/run.sh [quick | PRESET...]
#
# Everything there is to test, from a fresh clone: installs what is missing, reads the code, builds and tests each
# preset. What fails does not keep the rest from being built and tested. Most tests wait more than they compute, so the
# next preset is built while the one before is tested. With presets named, only those are built and tested.
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
beside=
failed=0

# What has taken how long, and the count of the tests, from the logs of ctest.
summary() {
  echo
  echo "What took longest, in seconds:"
  cat $logs/*.seconds 2>/dev/null | sort -rn | head -n 12
  for log in "$logs"/*.test; do
    preset=$(basename "$log" .test)
    [ ! -e "$log" ] || sed -n "s|^ *[0-9]*/[0-9]* Test *#[0-9]*: \([^ ]*\) .* \([0-9.]*\) sec.*|\2 $preset: \1|p" "$log"
  done | sort -rn | head -n 12
  echo
  for name in "$logs"/*.failed; do
    [ ! -e "$name" ] || echo "failed: $(basename "$name" .failed)"
  done
  # Lines such as "12/130 Test #7: ...". A test that fails may have shown those of a ctest of its own, of another number.
  for log in "$logs"/*.test; do
    [ ! -e "$log" ] || awk '
      /^ *[0-9]+\/[0-9]+ Test/ { n = $0; sub(/^ *[0-9]+\//, "", n); if (!all) all = n + 0; if (n + 0 == all) print }' "$log"
  done >$logs/all
  left_out='[*]\(Skipped\|Not Run (Disabled)\) '
  echo "$(grep -c '   Passed ' $logs/all) passed, $(grep -v "$left_out" $logs/all | grep -vc '   Passed ') failed"
}

# Ends a process and all that it has started; in the background, Ctrl-C would not.
# shellcheck disable=SC2046,SC2317 # a list; called by the trap
end_all() {
  set -- "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null)
  kill "$1" 2>/dev/null || true
  shift
  for process; do
    end_all "$process"
  done
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
  status=$?
  for process in $background $beside; do
    end_all "$process"
  done
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

# build PRESET [TARGET...]
build() {
  preset=$1
  shift
  cmake --preset "$preset" && cmake --build --preset "$preset" ${1+--target "$@"}
}

# Waits until a step in the background is done. Fails if it has failed.
wait_for() {
  until [ -e "$logs/$1.done" ]; do
    if [ -e "$logs/$1.failed" ]; then
      failed=1
      return 1
    fi
    sleep 0.2
  done
}

# tests PRESET [OPTION...]
tests() {
  preset=$1
  shift
  begun=$(now)
  # The thread sanitizer doesn't bear as much address randomization as some kernels do, and of several thousand starts of
  # Wine, one fails because something lies where Wine has a page of its own.
  fixed=
  case $preset in
  tsan | windows*) ! setarch -R true 2>/dev/null || fixed="setarch -R" ;;
  esac
  code=0
  $fixed ctest --preset "$preset" --output-log "$logs/$preset.test" "$@" || code=$?
  echo "$(($(now) - begun)) test-$preset" >"$logs/test-$preset.seconds"
  [ $code -eq 0 ] || failed=1
}

# Tests of a preset that mostly wait, beside those of the next one: tests_beside STEP PRESET [OPTION...], where STEP is the
# step to wait for. What they print comes at end_beside.
tests_beside() {
  built=$1
  shift
  (wait_for "$built" && tests "$@"
    exit $failed) >$logs/beside 2>&1 &
  beside=$!
}
end_beside() {
  wait "$beside" || failed=1
  beside=
  cat $logs/beside
}

# Of the static program, the tests of what its C library does: looking up names, starting programs, being hardened. By
# themselves, `test/run.sh static`, all its tests take as long as those of the preset linux.
of_the_c_library='package/test_(static|hardening)|linux/test_(allow|owner|hostile_near_ends|via_far_ends)$'

# What goes on beside the tests; the order is that in which it is waited for.
steps_of() {
  case $1 in
  quick) echo build-linux lint ;;
  all) echo build-linux build-windows lint program-static build-windows-x86 build-asan build-tsan build-fuzz build-clang ;;
  *) for preset; do echo "build-$preset"; done ;;
  esac
}
run_steps() {
  # The tests go first, as some of them fail if they are kept waiting for a processor.
  sh -c 'renice -n 5 -p "$PPID"' >/dev/null 2>&1 || true
  for name; do
    case $name in
    lint) step lint sh test/lint.sh ;;
    program-*) step "$name" build "${name#program-}" uvrelay ;;
    build-*) step "$name" build "${name#build-}" ;;
    esac || true
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
  wait_for lint || true
  ;;
all)
  run_steps $(steps_of all) &
  background=$!
  for preset in linux windows windows-x86; do
    ! wait_for "build-$preset" || tests "$preset"
  done
  tests_beside program-static static -R "$of_the_c_library"
  ! wait_for build-asan || tests asan
  end_beside
  tests_beside build-fuzz fuzz
  ! wait_for build-tsan || tests tsan
  end_beside
  wait_for lint || true
  wait_for build-clang || true # for its warnings
  ;;
*)
  run_steps $(steps_of "$@") &
  background=$!
  for preset; do
    ! wait_for "build-$preset" || tests "$preset"
  done
  ;;
esac
wait "$background" || failed=1
background=
summary
exit $failed

#!/bin/sh
# Usage: test/demo.sh
#
# From nothing to curl, on Linux, getting an answer from a Windows program's named pipe: installs what is missing,
# builds, starts Node.js for Windows as a web server on a named pipe, and socat, which runs uvrelay.exe for each client
# of a Unix socket. Outside of WSL the Windows programs run under Wine. Ends with status 1 and a sentence where a step
# fails; leaves nothing running.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

directory=$(mktemp -d /tmp/uvr-demo-XXXXXX)
server=
listener=
wine_started=

# By printf, since some shells' echo takes backslashes for its own.
say() {
  printf 'demo: %s\n' "$*"
}
fail() {
  printf 'test/demo.sh: %s\n' "$*" >&2
  exit 1
}
stop() {
  status=$?
  trap - EXIT
  for pid in $listener $server; do
    kill "$pid" 2>/dev/null || continue
    tries=0
    while [ $tries -lt 50 ] && kill -0 "$pid" 2>/dev/null; do
      tries=$((tries + 1))
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  [ -z "$wine_started" ] || sh test/wine stop "$WINEPREFIX"
  rm -rf "$directory"
  exit "$status"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

# Runs a step and shows what it prints only if it fails.
quietly() {
  what=$1
  shift
  "$@" >"$directory/log" 2>&1 </dev/null && return
  cat "$directory/log" >&2
  fail "$what failed; what it printed is above"
}
# Waits up to a minute until the command succeeds; fails at once if the process has ended.
wait_for() {
  what=$1
  pid=$2
  shift 2
  tries=0
  until "$@"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      cat "$directory/server.log" "$directory/listener.log" >&2 2>/dev/null || true
      fail "$what has ended instead of listening; what it printed is above"
    fi
    tries=$((tries + 1))
    [ "$tries" -le 600 ] || fail "$what does not listen after a minute"
    sleep 0.1
  done
}

say "installing what is missing, building uvrelay.exe and uvrelay; this takes a minute the first time"
sh deps/setup demo || fail "the packages it needs could not be installed; see above"
# In directories of their own: without the tests, which need more packages.
for preset in linux windows; do
  quietly "configuring ($preset)" cmake --preset "$preset" -B "build/demo/$preset" -D UVRELAY_TESTS=OFF
  quietly "building ($preset)" cmake --build "build/demo/$preset" --target uvrelay
done
sh deps/node-win || fail "Node.js for Windows could not be had; see above"

set -- /proc/sys/fs/binfmt_misc/WSLInterop*
if [ -n "${WSL_INTEROP-}" ] || [ -e "$1" ]; then
  run=
  script=$(wslpath -w test/e2e/http_pipe_server.js)
  pipe=uvrelay-demo-$$ # docker_engine may be taken, by Docker
  say "this is WSL: Windows programs run directly"
else
  export WINEPREFIX="$root/build/wine" WINEDEBUG=-all WINEDLLOVERRIDES=winemenubuilder.exe,mscoree,mshtml= NODE_SKIP_PLATFORM_CHECK=1
  unset DISPLAY WAYLAND_DISPLAY
  run=wine
  script=Z:$(printf %s "$root/test/e2e/http_pipe_server.js" | tr / '\134')
  pipe=docker_engine
  wine_started=yes
  quietly "starting Wine" sh test/wine start "$WINEPREFIX"
  say "Windows programs run under $(wine --version 2>/dev/null)"
fi

say "starting Node.js for Windows as a web server on the named pipe \\\\.\\pipe\\$pipe"
$run "$root/build/node-win/node.exe" "$script" "\\\\.\\pipe\\$pipe" >"$directory/server.log" 2>&1 </dev/null &
server=$!
wait_for "Node.js" "$server" grep -q listening "$directory/server.log"

# socat splits the command at blanks, and a clone's path may have some.
relay=$directory/uvrelay.exe
printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$run" "$root/build/demo/windows/uvrelay.exe" >"$relay"
chmod +x "$relay"
socket=$directory/engine.sock
say "starting socat on the Unix socket $socket;"
say "  for each client it runs: uvrelay.exe -ep -s //./pipe/$pipe"
socat UNIX-LISTEN:"$socket",fork EXEC:"$relay -ep -s //./pipe/$pipe",nofork >"$directory/listener.log" 2>&1 </dev/null &
listener=$!
wait_for "socat" "$listener" test -S "$socket"

ask() {
  curl --silent --show-error --fail --max-time 60 --unix-socket "$socket" "$@" 2>"$directory/curl.log" && return
  cat "$directory/curl.log" "$directory/listener.log" >&2
  fail "curl got no answer through the pipe; see above"
}
say "curl --unix-socket $socket http://docker/_ping"
answer=$(ask http://docker/_ping)
printf '%s\n' "$answer"
case $answer in
*" for Windows_NT answers on \\\\.\\pipe\\$pipe") ;;
*) fail "that is not what the server on the pipe answers" ;;
esac

say "and 50 MB up, hashed by the server:"
head -c 50000000 /dev/urandom >"$directory/data"
answer=$(ask --data-binary "@$directory/data" http://docker/hash)
printf '%s\n' "$answer"
hash=$(sha256sum <"$directory/data")
case $answer in
*"\"length\":50000000,\"sha256\":\"${hash%% *}\""*) say "that is what sha256sum says here, too" ;;
*) fail "but sha256sum says ${hash%% *} here" ;;
esac

say "and with uvrelay for Linux as the client: printf 'GET /_ping ...' | uvrelay unix://$socket"
answer=$(printf 'GET /_ping HTTP/1.0\r\n\r\n' | timeout 60 build/demo/linux/uvrelay "unix://$socket" | tail -n 1)
printf '%s\n' "$answer"
case $answer in
*" for Windows_NT answers on \\\\.\\pipe\\$pipe") say "it works" ;;
*) fail "that is not what the server on the pipe answers" ;;
esac

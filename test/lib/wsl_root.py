"""The directory that becomes / in the stand-in WSL machine of wsl_machine.py: what of it is no mount."""

import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
USER, UID, OTHER_UID = "user", 1000, 1001
RELEASE = "5.15.167.4-microsoft-standard-WSL2"
LIBRARIES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
DIRECTORIES = ("dev", "etc", "home", "mnt/c", "mnt/windows", "opt", "proc", "root", "run", "sys", "tmp", "usr", "var/lib",
               "var/tmp")
#: What of the host's /etc is in that of the machine: what its programs need.
ETC = ("alternatives", "bash.bashrc", "dbus-1", "debian_version", "environment", "gnupg", "host.conf", "hosts", "inputrc",
       "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "login.defs", "nsswitch.conf", "os-release", "profile",
       "services", "shells", "skel", "ssh/ssh_config", "systemd", "terminfo")
PASSWD = ("root:x:0:0:root:/root:/bin/bash", "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
          "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin", f"{USER}:x:{UID}:{UID}::/home/{USER}:/bin/bash",
          f"other:x:{OTHER_UID}:{OTHER_UID}::/tmp:/bin/sh")
GROUP = ("root:x:0:", "daemon:x:1:", "tty:x:5:", "nogroup:x:65534:", f"{USER}:x:{UID}:", f"other:x:{OTHER_UID}:")

WSLPATH = r"""#!/bin/sh
# wslpath, as far as tests need it: -u (the default), -w, -m.
form=-u
case $1 in -?) form=$1; shift ;; esac
case $form in
-u) echo "$1" | sed 's,\\,/,g; s,^\([A-Za-z]\):,/mnt/\L\1,' ;;
*)
  path=$(realpath -m -- "$1")
  case $path in
  /mnt/[a-z] | /mnt/[a-z]/*) path=$(echo "$path" | sed 's,^/mnt/\(.\)/*,\U\1:/,') ;;
  *) path=//wsl.localhost/Debian$path ;;
  esac
  [ "$form" = -m ] && echo "$path" || echo "$path" | sed 's,/,\\,g'
  ;;
esac
"""


def give(*paths):
    """Makes these the user's, where that is somebody else."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, UID, UID, follow_symlinks=False)


@functools.cache
def init_program():
    """/init, translated: a static program, as nothing that it could need is certain to be there."""
    directory = tempfile.mkdtemp(prefix="uvr-init-", dir="/tmp")
    program = pathlib.Path(directory) / "init"
    source = HERE.parent / "peers" / "unix" / "wsl_machine_init.c"
    compiler = "musl-gcc" if shutil.which("musl-gcc") else "gcc"
    try:
        subprocess.run([compiler, "-static", "-O1", "-o", program, source], check=True, capture_output=True, timeout=60)
        return program.read_bytes()
    finally:
        shutil.rmtree(directory)


def make(directory, base, conf):
    """Makes root/, and beside it local/, which becomes /usr/local, and what replaces files of /proc. `base` is the root
    of the system whose /usr it has."""
    root = directory / "root"
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True)
    root.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    (root / "var/run").symlink_to("/run")
    for name in LIBRARIES:
        if (base / name).is_symlink():
            (root / name).symlink_to(os.readlink(base / name))
        elif (base / name).is_dir():
            (root / name).mkdir()
    _make_etc(root / "etc", base / "etc", conf)
    _make_home(root)
    _make_program(root / "init", init_program())
    _make_program(directory / "local/bin/wslpath", WSLPATH.encode())
    (directory / "osrelease").write_text(RELEASE + "\n")
    (directory / "version").write_text(f"Linux version {RELEASE} (root@f9c826d3017f) #1 SMP x86_64 GNU/Linux\n")


def _make_program(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)


def _make_etc(etc, source, conf):
    for name in ETC:
        (etc / name).parent.mkdir(exist_ok=True)
        with contextlib.suppress(OSError, shutil.Error):  # what this user cannot read, or is not there
            if (source / name).is_dir():
                shutil.copytree(source / name, etc / name, symlinks=True, ignore_dangling_symlinks=True)
            else:
                shutil.copy(source / name, etc / name)
    for name, lines in (("passwd", PASSWD), ("group", GROUP)):
        (etc / name).write_text("".join(line + "\n" for line in lines))
    # As Ubuntu's, and unlike Debian's own, it leaves PATH as WSL has set it.
    profile = (etc / "profile").read_text() if (etc / "profile").exists() else ""
    (etc / "profile").write_text(f'uvr_path=$PATH\n{profile}\n[ -z "$WSL_INTEROP" ] || PATH=$uvr_path\n'
                                 "export PATH\nunset uvr_path\n")
    (etc / "hostname").write_text("DESKTOP-TEST\n")
    (etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (etc / "wsl.conf").write_text(conf)


def _make_home(root):
    home = root / "home" / USER
    home.mkdir(mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        for file in (root / "etc" / "skel").iterdir():
            shutil.copy(file, home)
    give(home, *home.iterdir())

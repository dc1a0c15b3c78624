"""A clean Debian in a directory, for tests of packages: what a new installation has, OpenSSH's client and a systemd.

    with CleanRoot() as root:
        root.run("apt-get", "install", "-y", root.put(package))

mmdebstrap makes it from the archive that this machine's apt uses, once, in build/clean; each CleanRoot is a copy of it,
which shares the files of /usr by hard links: dpkg replaces files, and never writes into one. Commands run in namespaces
of their own, so that nothing in it sees this system's processes, reaches a network, or stays when the command has ended.

why_not() says why there can be none here: without root, without mmdebstrap, or without the archive.
"""

import contextlib
import fcntl
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

PLACE = pathlib.Path(__file__).resolve().parents[2] / "build" / "clean"
INCLUDE = "openssh-client,systemd,dbus-user-session"
PATIENCE = 500  # seconds; mmdebstrap downloads about 60 MB


def _system():
    """What this system is: its suite and the address of its archive."""
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    suite = dict(line.split("=", 1) for line in lines if "=" in line).get("VERSION_CODENAME", "").strip('"')
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                             f"Codename: {suite}", "Component: main"], capture_output=True, text=True, check=False)
    return suite, listed.stdout.split("\n")[0]


def _make(root):
    suite, archive = _system()
    if not suite or not archive:
        return "apt has no archive of this system's"
    part = root.with_suffix(".part")
    subprocess.run(["rm", "-rf", part], check=True)
    command = ["unshare", "--mount", "mmdebstrap", "--variant=minbase", f"--include={INCLUDE}", suite, part, archive]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace")
    except subprocess.TimeoutExpired:
        return f"mmdebstrap took more than {PATIENCE} seconds"
    if done.returncode != 0:
        return f"mmdebstrap failed: {(done.stdout + done.stderr).strip().splitlines()[-1]}"
    part.rename(root)
    return ""


@functools.cache
def _original():
    """The directory that copies are made of, and why there is none."""
    if os.geteuid() != 0:
        return None, "making a Debian needs root"
    if not shutil.which("mmdebstrap") or not shutil.which("apt-get"):
        return None, "there is no mmdebstrap"
    PLACE.mkdir(parents=True, exist_ok=True)
    root = PLACE / f"{_system()[0]}-2"
    with open(PLACE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        why = "" if root.is_dir() else _make(root)
    return (None if why else root), why


def why_not():
    return _original()[1]


def original():
    """The directory itself, for those who only read it."""
    return _original()[0]


class CleanRoot:
    def __init__(self):
        original, why = _original()
        assert not why, why
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="root-", dir=PLACE))
        self.path.chmod(0o755)
        for entry in original.iterdir():
            links = ["-l"] if entry.name == "usr" else []
            subprocess.run(["cp", "-a", *links, "--", entry, self.path / entry.name], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["rm", "-rf", "--one-file-system", self.path], check=True)

    def put(self, file):
        """Copies a file into it; gives the path that it has there."""
        with contextlib.suppress(shutil.SameFileError):
            shutil.copy(file, self.path / "root")
        return f"/root/{pathlib.Path(file).name}"

    def run(self, *words, fails=False, env=None):
        """Runs a command in it, as root, to its end; gives what it has printed."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                       "DEBIAN_FRONTEND": "noninteractive", **(env or {})}
        script = 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"'
        done = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-euc", script, self.path,
                               *map(str, words)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False, errors="replace")
        assert (done.returncode != 0) == fails, f"{words}: {done.returncode}\n{done.stdout}"
        return done.stdout

    #: What apt and dpkg write for themselves, and what is not kept.
    OWN = ("proc", "dev", "sys", "run", "tmp", "root", "var/cache", "var/log", "var/lib/apt", "var/lib/dpkg", "etc/ld.so.cache")

    def files(self):
        """All that is in it, by name: kind, permissions, owner, and where a link leads."""
        found = {}
        for directory, names, files in os.walk(self.path):
            place = os.path.relpath(directory, self.path)
            names[:] = [name for name in names if os.path.normpath(os.path.join(place, name)) not in self.OWN]
            for name in names + files:
                path, shown = os.path.join(directory, name), os.path.normpath(os.path.join(place, name))
                status = os.lstat(path)
                if shown not in self.OWN:
                    size = status.st_size if not os.path.isdir(path) else 0
                    found[shown] = (oct(status.st_mode), status.st_uid, status.st_gid, size)
        return found

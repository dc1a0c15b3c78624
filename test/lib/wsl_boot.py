"""Starts the stand-in WSL machine of wsl_machine.py: makes its namespaces, its tree of mounts and its process 1.

    wsl_boot.py SPECIFICATION

The specification is an object in JSON: `root`, the directory that becomes /; `mounts`, what is bound where, as [from,
to, "ro" or "rw"]; `proc`, files that replace those of /proc, by their names; `binfmt`, the line that is registered in
binfmt_misc, if any; `lent`, a directory and the user whose it seems to be; `cgroup`, the host's directory of the machine's control group, if any; `hostname`.

It prints the number of process 1, or an error to standard error, and ends when process 1 does, which is when its
standard input ends. Everything needs a kernel with user namespaces, whose binfmt_misc can be mounted in one (6.7 or
later). Run by root, the machine has all users; by another user, only root, who is that user.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import signal
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NS, NEW_UTS, NEW_USER, NEW_PID, NEW_NET, NEW_CGROUP = (0x20000, 0x4000000, 0x10000000, 0x20000000, 0x40000000,
                                                           0x2000000)
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442  # the same on every machine
CLONE, EMPTY_FROM, EMPTY_TO = 1, 0x4, 0x40
AT_FDCWD, EMPTY_PATH = -100, 0x1000
IDMAP = 0x100000
SET_FLAGS, UP, RUNNING = 0x8914, 0x1, 0x40


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def text(value):
    return None if value is None else os.fsencode(str(value))


def mount(source, target, kind=None, flags=0, data=None):
    check(LIBC.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(data)), f"mount {target}")


def bind(source, target, mode="rw"):
    mount(source, target, None, BIND | REC)
    if mode == "ro":
        kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)  # they cannot be taken back here
        mount(None, target, None, REMOUNT | BIND | RDONLY | kept)


def bind_exactly(source, target):
    """The same for a file whose name may be a link, as /proc/mounts is, which stays where it is and is covered."""
    tree = check(LIBC.syscall(OPEN_TREE, AT_FDCWD, text(source), CLONE | os.O_CLOEXEC), f"open_tree {source}")
    place = os.open(target, os.O_PATH | os.O_NOFOLLOW)
    try:
        check(LIBC.syscall(MOVE_MOUNT, tree, b"", place, b"", EMPTY_FROM | EMPTY_TO), f"move_mount {target}")
    finally:
        os.close(tree)
        os.close(place)


def user_map(uid):
    """Root has the users that it has here; anybody else is root there."""
    if uid != 0:
        return f"0 {uid} 1"
    lines = pathlib.Path("/proc/self/uid_map").read_text().splitlines()
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in map(str.split, lines))


def group_map(gid, uid):
    if uid != 0:
        return f"0 {gid} 1"
    lines = pathlib.Path("/proc/self/gid_map").read_text().splitlines()
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in map(str.split, lines))


def enter_namespaces():
    """Only a process outside may write the maps."""
    uid, gid, process = os.geteuid(), os.getegid(), pathlib.Path(f"/proc/{os.getpid()}")
    maps = user_map(uid), group_map(gid, uid)
    ready, go = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(go)
        try:
            os.read(ready, 1)
            if uid != 0:
                (process / "setgroups").write_text("deny")
            (process / "uid_map").write_text(maps[0])
            (process / "gid_map").write_text(maps[1])
        except OSError as error:
            print(f"wsl_boot: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    check(LIBC.unshare(NEW_USER | NEW_NS | NEW_PID | NEW_NET | NEW_UTS | NEW_CGROUP), "unshare")
    os.write(go, b"x")
    if os.waitpid(helper, 0)[1] != 0:
        sys.exit(1)
    os.setuid(0)
    os.setgid(0)


def user_space(uids):
    """The descriptor of a user namespace with this map of users, and of groups."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        LIBC.unshare(NEW_USER)
        os.write(go, b"x")
        os.close(go)
        signal.pause()  # until it is killed
        os._exit(0)
    os.close(go)
    try:
        os.read(ready, 1)
        for name in ("uid_map", "gid_map"):
            pathlib.Path(f"/proc/{child}/{name}").write_text(uids)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def lend(directory, uid):
    """What is root's in the directory is the user's in the machine, and the other way round: so files that Windows
    programs make, which run as root outside, are the user's own, as on a drive of WSL's."""
    check(LIBC.unshare(NEW_NS), "unshare")
    mount("none", "/", None, REC | PRIVATE)
    tree = check(LIBC.syscall(OPEN_TREE, AT_FDCWD, text(directory), CLONE | os.O_CLOEXEC), "open_tree")
    space = user_space(f"0 {uid} 1\n1 1 {uid - 1}\n{uid} 0 1\n{uid + 1} {uid + 1} 60000\n")
    try:
        attributes = struct.pack("<QQQQ", IDMAP, 0, 0, space)
        check(LIBC.syscall(MOUNT_SETATTR, tree, b"", EMPTY_PATH, attributes, len(attributes)), "mount_setattr")
        check(LIBC.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, text(directory), EMPTY_FROM), "move_mount")
    finally:
        os.close(space)
        os.close(tree)


def start_loopback():
    """A new network has this device alone, and it is down."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", UP | RUNNING))


def make_devices(root):
    dev = root / "dev"
    mount("none", dev, "tmpfs", NOSUID, "mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "tty", "fuse"):
        if os.path.exists(f"/dev/{name}"):
            (dev / name).touch()
            bind(f"/dev/{name}", dev / name)
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    mount("devpts", dev / "pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    mount("none", dev / "shm", "tmpfs", NOSUID | NODEV, "mode=1777")
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"),
                         ("stderr", "fd/2")):
        (dev / name).symlink_to(target)


def make_tree(spec):
    root = pathlib.Path(spec["root"])
    mount("none", "/", None, REC | PRIVATE)
    bind(root, root)
    for source, target, mode in spec["mounts"]:
        bind(source, root / target.lstrip("/"), mode)
    make_devices(root)
    proc = root / "proc"
    mount("proc", proc, "proc", NOSUID | NODEV | NOEXEC)
    mount("binfmt_misc", proc / "sys/fs/binfmt_misc", "binfmt_misc")
    for name, source in spec["proc"].items():
        bind_exactly(source, proc / name)
    mount("none", root / "sys", "tmpfs", 0, "mode=755")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    if spec.get("cgroup"):
        mount("cgroup2", root / "sys/fs/cgroup", "cgroup2", NOSUID | NODEV | NOEXEC)


def change_root(root):
    os.chdir(root)
    check(LIBC.pivot_root(b".", b"."), "pivot_root")
    check(LIBC.umount2(b".", DETACH), "umount2")
    os.chdir("/")


def be_process_1(spec):
    make_tree(spec)
    start_loopback()
    with contextlib.suppress(OSError):
        check(LIBC.sethostname(text(spec["hostname"]), len(spec["hostname"])), "sethostname")
    change_root(spec["root"])
    if spec.get("binfmt"):
        pathlib.Path("/proc/sys/fs/binfmt_misc/register").write_text(spec["binfmt"])
    os.execve("/init", ["/init"], {})


def main():
    spec = json.loads(sys.argv[1])
    if spec.get("cgroup"):
        (pathlib.Path(spec["cgroup"]) / "cgroup.procs").write_text(str(os.getpid()))
    if spec.get("lent") and os.geteuid() == 0:
        lend(*spec["lent"])
    enter_namespaces()
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        os.dup2(2, 1)  # the caller waits for the end of our output
        try:
            be_process_1(spec)
        except OSError as error:
            print(f"wsl_boot: {error}", file=sys.stderr)
            os.write(done, b"x")
        os._exit(1)
    os.close(done)
    if os.read(ready, 1) == b"":  # it was executed, which has closed the other end
        print(child, flush=True)
    os.close(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()

"""A small Linux machine that looks like WSL 2 to the programs in it, for tests, and for people:

    python3 test/lib/wsl_machine.py [--systemd] [--empty] [COMMAND...]      a shell in one; --help tells more

    with Machine() as machine:
        machine.install()                                # ~/.local/bin/uvrelay, and uvrelay.exe beside it
        result = machine.run("uvrelay setup --yes ssh-agent")
        assert result.code == 0 and result.out == "..." and result.err == ""

It has namespaces of its own (users, mounts, processes, network, control groups, name), so nothing in it touches the system that
it runs on, and nothing that runs in it outlives it. In it are

- /usr of the host, read-only, without /usr/local; an /etc with little in it; /home/USER, /tmp, /run, empty;
- /init as WSL's, registered in a binfmt_misc of the machine's own as WSLInterop: test/peers/unix/wsl_machine_init.c;
- /run/WSL/1_interop and 8_interop, the socket that WSL_INTEROP names: wsl_interop.py listens there, and starts the
  Windows programs under Wine, outside;
- /mnt/c, the drive C of a Wine prefix of the machine's own, which /proc/mounts says to be a drive of Windows; while the
  machine is there, all Windows programs that the test starts run in that prefix (winpeers.PipeServer, say);
- /proc/sys/kernel/osrelease and /proc/version as of a kernel of WSL;
- with `[boot] systemd=true` in wsl.conf, a real `systemd --user`, but none as process 1.

What it is not: uname -r tells the host's kernel; /mnt/c has the case and the permissions of a Linux disk, and is the
user's; processes see the mounts as they are in /proc/PID/mounts and mountinfo; of a network there is the loopback
interface only, which is not that of Windows; there is no terminal for Windows programs; /p and the other flags of WSLENV
mean nothing.

Files of the machine are read and written from outside by machine.host("/path"). why_not() says why there can be none on
this system; the fixture make_machine of test/e2e/conftest.py skips a test then.
"""

import configparser
import contextlib
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import wsl_root  # noqa: E402
from agent_forward import AgentForward  # noqa: E402
from privatewine import PrivateWine  # noqa: E402
from programs import SOON, Process, peer, setting, under_wine, windows_command  # noqa: E402
from winpeers import Peer, PipeServer  # noqa: E402
from wsl_interop import Interop  # noqa: E402
from wsl_root import LIBRARIES, OTHER_UID, UID, USER  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BINFMT = ":WSLInterop:M::MZ::/init:PF"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
WINDOWS_PATH = "/mnt/c/windows/system32:/mnt/c/windows"


class Result:
    """How a command has ended, and what it has written."""

    def __init__(self, done):
        self.command, self.code, self.out, self.err = done.args, done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"exit status {self.code}; output: {self.out!r}; errors: {self.err!r}"


def other_version(program, old, new):
    """The bytes of a program that says another version."""
    assert len(old) == len(new)
    for encoding in ("ascii", "utf-16-le"):
        program = re.sub(b"(?<![0-9.])" + re.escape(old.encode(encoding)) + b"(?![0-9.])", new.encode(encoding), program)
    return program


class Machine:
    """`conf` is the text of /etc/wsl.conf, read when the machine starts and at each login: [boot] systemd, [interop]
    enabled and appendWindowsPath. With `base`, the root of another system is taken in place of the host's /usr. With
    `own_system`, programs may be added to windows.system, the C:\\windows\\system32 that Windows programs see."""

    def __init__(self, conf="", base=None, own_system=False):
        self._stack = contextlib.ExitStack()
        self._base = pathlib.Path(base or "/")
        self._boot = self._process = self._manager = self._user_space = self._user_number = None
        try:
            self.windows = self._stack.enter_context(PrivateWine(own_system))
            self.path = pathlib.Path(self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="uvr-wsl-", dir="/tmp")))
            self.path.chmod(0o711)
            self.root = self.path / "root"
            wsl_root.make(self.path, self._base, conf)
            self.interop = Interop(self.windows.prefix, self.host, self.windows_path)
            self._stack.callback(self.interop.close)
            self._stack.callback(self._remove_cgroup)
            self.start()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._stack:
            self.stop()

    # ---- its files ----

    @property
    def home(self):
        """The user's home, from outside."""
        return self.root / "home" / USER

    @property
    def local_app_data(self):
        """%LOCALAPPDATA%, as a path of the machine."""
        return f"/mnt/c/users/{self.windows.user}/AppData/Local"

    def host(self, path):
        """The path on the host of a path of the machine; ~/ is the user's home."""
        path = os.path.normpath(str(path).replace("~", f"/home/{USER}", 1) if str(path).startswith("~") else str(path))
        for inside, outside in (("/mnt/c", self.windows.c), ("/mnt/windows", self.windows.windows)):
            if path == inside or path.startswith(inside + "/"):
                return outside / path[len(inside):].lstrip("/")
        if path.split("/")[1] in ("usr", *LIBRARIES):
            return self._base / path.lstrip("/")
        return self.root / path.lstrip("/")

    def windows_path(self, path):
        """What Windows calls it; what is not on drive C, by the host's path, as \\\\wsl.localhost would be."""
        path = os.path.normpath(str(path))
        path = "/mnt/c/windows" + path[len("/mnt/windows"):] if path.startswith("/mnt/windows") else path
        if path == "/mnt/c" or path.startswith("/mnt/c/"):
            return "C:" + (path[len("/mnt/c"):] or "/").replace("/", "\\")
        return "Z:" + str(self.host(path)).replace("/", "\\")

    def write(self, path, text, mode=0o644):
        """Writes a file of the user's, with its directories; a new file, as one that runs can't be written to."""
        file = self.host(path)
        missing = [parent for parent in file.parents if not parent.exists()]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
        wsl_root.give(file, *missing)
        return file

    def install(self, directory="~/.local/bin", version=None):
        """Puts the two programs there, as somebody does who has unpacked them. They can be made to say that they are of
        another version, which must have as many characters as theirs."""
        for name, setting_ in (("uvrelay", "UVRELAY"), ("uvrelay.exe", "UVRELAY_EXE")):
            data = pathlib.Path(setting(setting_)).read_bytes()
            self.write(f"{directory}/{name}", other_version(data, self.version, version) if version else data, 0o755)

    @functools.cached_property
    def version(self):
        """That of the programs that are tested."""
        return subprocess.run([setting("UVRELAY"), "--version"], check=True, capture_output=True, text=True,
                              timeout=SOON).stdout.split()[1]

    # ---- starting and stopping ----

    def _conf(self, section, name, default):
        parser = configparser.ConfigParser(strict=False)
        with contextlib.suppress(configparser.Error):
            parser.read_string(self.host("/etc/wsl.conf").read_text())
            return parser.getboolean(section, name, fallback=default)
        return default

    def _specification(self):
        mounts = [["/usr", "/usr", "ro"], [str(self.path / "local"), "/usr/local", "ro"],
                  [str(self.windows.c), "/mnt/c", "rw"], [str(self.windows.windows), "/mnt/windows", "ro"]]
        mounts[0][0] = str(self._base / "usr")
        for name in LIBRARIES:
            if (self.root / name).is_dir() and not (self.root / name).is_symlink():
                mounts.append([str(self._base / name), f"/{name}", "ro"])
        proc = {"sys/kernel/osrelease": self.path / "osrelease", "version": self.path / "version",
                "mounts": self.path / "mounts"}
        return {"root": str(self.root), "mounts": mounts, "hostname": "DESKTOP-TEST",
                "proc": {name: str(path) for name, path in proc.items()},
                "binfmt": BINFMT if self._conf("interop", "enabled", True) else "",
                "lent": [str(self.windows.c), UID], "cgroup": str(self._cgroup()) if self.has_systemd else ""}

    @property
    def has_systemd(self):
        return self._conf("boot", "systemd", False)

    def start(self):
        """As Windows starts the distribution at the first `wsl.exe`."""
        import json

        self._tell_mounts()
        (self.root / "run" / "WSL").mkdir(exist_ok=True)
        (self.root / "run" / "WSL").chmod(0o777)
        self._boot = subprocess.Popen([sys.executable, "-IS", HERE / "wsl_boot.py", json.dumps(self._specification())],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        number = self._boot.stdout.readline()
        if not number:
            self._boot.wait(SOON)
            raise OSError(f"no machine starts: {self._boot.stderr.read()}")
        self._process = int(number)
        self.mend_interop()
        if self.has_systemd:
            self._start_systemd()

    def stop(self):
        """As `wsl.exe --shutdown`: all processes of the machine end, whatever they do."""
        if self._boot is None:
            return
        self.interop.stop_listening()
        self._boot.stdin.close()
        try:
            self._boot.wait(SOON)
        finally:
            self._boot.kill()
            self._boot.wait()
            for file in (self._boot.stdout, self._boot.stderr):
                file.close()
            self._boot = self._process = None
            if self._manager is not None:
                self._manager.wait(SOON)
            if self._user_space is not None:
                self._user_space.communicate(timeout=SOON)
            self._manager = self._user_space = None

    def restart(self):
        """As after `wsl.exe --shutdown`, or after the computer has been started again: /run and /tmp are empty. What
        was started on Windows goes on, and what the machine had started there ends."""
        self.stop()
        for name in ("run", "tmp"):
            for path in (self.root / name).iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self.start()

    def _tell_mounts(self, drive=True):
        """What /proc/mounts says. It is written in place, as it is bound there."""
        table = ["none / ext4 rw,relatime 0 0", "none /mnt/wsl tmpfs rw,relatime 0 0", "proc /proc proc rw 0 0"]
        if drive:
            table.append(r"C:\134 /mnt/c 9p rw,noatime,aname=drvfs;path=C:\;uid=1000;gid=1000;symlinkroot=/mnt/,"
                         "cache=5,access=client,msize=65536,trans=fd,rfd=5,wfd=5 0 0")
        (self.path / "mounts").write_text("\n".join(table) + "\n")

    # ---- systemd ----

    def _cgroup(self):
        """The host's directory of the machine's control group, made; None where that is not permitted."""
        for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            directory = pathlib.Path(top) / self.path.name
            if (pathlib.Path(top) / "cgroup.procs").exists():
                with contextlib.suppress(FileExistsError):
                    directory.mkdir()
                return directory
        return None

    def _remove_cgroup(self):
        directory = self._cgroup_path()
        if directory is not None:
            for path, _, _ in os.walk(directory, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    def _cgroup_path(self):
        for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            if (pathlib.Path(top) / self.path.name).is_dir():
                return pathlib.Path(top) / self.path.name
        return None

    def _start_systemd(self):
        """A user's manager, as the system's would start it at the first login."""
        (self.root / "run/systemd/system").mkdir(parents=True)
        runtime = self.root / f"run/user/{UID}"
        runtime.mkdir(parents=True, mode=0o700)
        wsl_root.give(runtime)
        self._own_cgroup()
        with open(self.path / "systemd.log", "ab") as log:
            self._manager = subprocess.Popen(
                self.command(["/lib/systemd/systemd", "--user", "--log-target=console"], login=False, group="user"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + SOON
        while self.run(["systemctl", "--user", "is-system-running", "--wait"]).out not in ("running\n", "degraded\n"):
            told = (self.path / "systemd.log").read_text(errors="replace")
            assert self._manager.poll() is None and time.monotonic() < end, f"no systemd --user: {told}"
            time.sleep(0.02)

    def _own_cgroup(self):
        """The user's manager has a part of the tree of its own, as user@1000.service has."""
        for name in ("user", "session"):
            part = self._cgroup_path() / name
            part.mkdir(exist_ok=True)
        for path in (self._cgroup_path() / "user", *(self._cgroup_path() / "user").glob("cgroup.*")):
            with contextlib.suppress(OSError):
                wsl_root.give(path)

    # ---- running something ----

    def environment(self, login=True):
        """That of a session, or of a service that systemd or cron starts, which knows nothing of WSL."""
        path = SYSTEM_PATH
        if login and self._conf("interop", "appendWindowsPath", True):
            path += ":" + WINDOWS_PATH
        environment = {"HOME": f"/home/{USER}", "USER": USER, "LOGNAME": USER, "SHELL": "/bin/bash", "PATH": path,
                       "LANG": "C.UTF-8"}
        if login:
            environment |= {"WSL_DISTRO_NAME": "Debian", "WSL_INTEROP": "/run/WSL/8_interop", "WSLENV": "",
                            "NAME": "DESKTOP-TEST", "HOSTTYPE": "x86_64", "TERM": os.environ.get("TERM", "dumb")}
        if self.has_systemd:
            environment |= {"XDG_RUNTIME_DIR": f"/run/user/{UID}",
                            "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{UID}/bus"}
        return environment

    def command(self, words, root=False, login=True, env=None, cwd=None, group="session"):
        """The command of the host that runs these words in the machine."""
        environment = {**self.environment(login), **({"HOME": "/root", "USER": "root"} if root else {}), **(env or {})}
        enter = ["nsenter", f"--target={self._process}", "--user", "--mount", "--pid", "--net", "--uts",
                 "--cgroup", "--root", "--wd"]
        become = []
        if os.geteuid() == 0:
            enter += ["--setuid=0", "--setgid=0"] if root else [f"--setuid={UID}", f"--setgid={UID}"]
        else:
            enter += ["--preserve-credentials"]
            if not root:
                become = ["nsenter", f"--target={self._users()}", "--user", "--preserve-credentials", "--"]
        where = str(cwd or environment["HOME"])
        assigned = [f"{name}={value}" for name, value in environment.items() if value is not None]
        if self.has_systemd:
            enter = ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self._cgroup_path() / group / "cgroup.procs"), *enter]
        return [*enter, "--", *become, "/usr/bin/env", "-i", f"--chdir={where}", *assigned, *map(str, words)]

    def _users(self):
        """Without root, the machine has one user, who is root there; for all that the other user does there is a user
        namespace in it, in which that user has another number. Gives a process of it."""
        if self._user_space is None:
            self._user_space = self.popen(["unshare", "--user", f"--map-user={UID}", f"--map-group={UID}", "--", "/bin/sh",
                                           "-c", "echo $$; read end"], root=True, stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True)
            self._user_number = int(self._user_space.stdout.readline())
        return self._user_number

    def run(self, command, root=False, login=True, env=None, cwd=None, input="", timeout=60):
        """Runs a command to its end. A text is for a shell: with `login`, one that has read ~/.profile, as that of a
        terminal has; without, one that has not, as in a service. A list is started as it is."""
        if isinstance(command, str):
            command = ["/bin/bash", *(["-l"] if login else []), "-c", command]
        return Result(subprocess.run(self.command(command, root, login, env, cwd), input=input, timeout=timeout, text=True,
                                     capture_output=True, check=False, errors="replace"))

    def popen(self, command, root=False, login=True, env=None, cwd=None, **options):
        """Starts a command that stays, by subprocess.Popen."""
        if isinstance(command, str):
            command = ["/bin/bash", *(["-l"] if login else []), "-c", command]
        return subprocess.Popen(self.command(command, root, login, env, cwd), **options)

    def run_windows(self, *words, timeout=60):
        """Runs a program on the Windows side, as somebody there does."""
        return Result(subprocess.run(windows_command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                     timeout=timeout, check=False, errors="replace"))

    @contextlib.contextmanager
    def pipe(self, name, target):
        """A pipe of the Windows user's own that leads to an address of this side, such as tcp://127.0.0.1:PORT: what
        stands for a Windows program that listens there. uvrelay.exe serves it."""
        serve = [setting("UVRELAY_EXE"), "serve", "--control=off", "-v", f"{name}={target}"]
        with Process(windows_command(*serve), stdin=subprocess.DEVNULL) as process:
            process.wait_stderr(": listening")
            yield process

    @contextlib.contextmanager
    def agent(self, socket, name="//./pipe/openssh-ssh-agent"):
        """An agent's Unix socket of this side at the pipe where Windows has its ssh-agent."""
        with AgentForward(socket) as forward, self.pipe(name, f"tcp://127.0.0.1:{forward.port}"):
            yield forward

    @contextlib.contextmanager
    def broken_pipe(self, how, name="//./pipe/openssh-ssh-agent"):
        """A pipe of the Windows side that is of no use: its only place is taken (busy), or somebody else owns it
        (foreign). That a pipe denies its clients cannot be shown under Wine, which gives them all rights."""
        with contextlib.ExitStack() as stack:
            if how == "busy":
                stack.enter_context(PipeServer("recv-end", name=name, type="byte", limit=600))
                stack.enter_context(Peer("pipe_client", name, "--limit=600", "--", "recv-end")).event("connected")
            elif how == "foreign":
                stack.enter_context(PipeServer("recv-end", name=name, type="byte", limit=600, repeat=1000,
                                               sd="O:S-1-5-21-1-2-3-1001D:(A;;GA;;;WD)"))
            else:
                raise ValueError(how)
            yield

    def processes(self):
        """The command lines of what runs in the machine."""
        return list(self.pids().values())

    def pids(self):
        """The same, by the numbers that the processes have outside."""
        found, space = {}, os.readlink(f"/proc/{self._process}/ns/pid")
        for directory in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is not ours to look at
                if os.readlink(directory / "ns/pid") == space and int(directory.name) != self._process:
                    line = (directory / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").replace("\0", " ")
                    found[int(directory.name)] = line
        return found

    # ---- breaking it ----

    def mend_interop(self):
        self.break_interop("alive")

    def break_interop(self, how, seconds=10):
        """From now on, at each of the interop sockets, a process listens (alive); none does (stale); one takes
        connections and says nothing (hangs); somebody does who is another user (foreign, as root only); or there is no
        such socket (absent). WSL waits ten seconds for an answer; here it may be less."""
        (self.root / ".accept-ms").write_text(str(seconds * 1000))
        self.interop.stop_listening()
        for name in ("1_interop", "8_interop"):
            path = self.root / "run/WSL" / name
            if how == "absent":
                path.unlink(missing_ok=True)
            elif how == "foreign":
                self.interop.listen_as(OTHER_UID, path)
            elif how in ("alive", "hangs"):
                self.interop.listen(path, hangs=how == "hangs")
            elif how == "stale":
                self.interop.leave(path)
            else:
                raise ValueError(how)

    def binfmt(self, line):
        """Writes to binfmt_misc's entry WSLInterop: "-1" removes it, "0" disables it, "1" enables it again; any other
        line is for its `register`, such as BINFMT, which brings it back."""
        name = "WSLInterop" if line in ("-1", "0", "1") else "register"
        done = self.run(["/bin/sh", "-c", f"echo '{line}' >/proc/sys/fs/binfmt_misc/{name}"], root=True)
        assert done.code == 0, done

    def unmount_drive(self):
        """Until the machine is started again."""
        done = self.run(["umount", "-l", "/mnt/c"], root=True)
        assert done.code == 0, done
        self._tell_mounts(drive=False)

    @contextlib.contextmanager
    def hang_drive(self):
        """A process that looks at /mnt/c waits, as at a drive of Windows that does not answer."""
        code = (HERE / "hungdrive.py").read_text()
        with self.popen(["/usr/bin/python3", "-IS", "-c", code, "/mnt/c"], root=True, cwd="/", text=True,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout.readline() == "it hangs\n"
            try:
                yield
            finally:
                server.stdin.close()
                server.wait(SOON)
                self.run(["umount", "-l", "/mnt/c"], root=True)


@functools.cache
def why_not():
    """Why there can be no machine here; None: there can be one."""
    if not under_wine():
        return "the stand-in WSL machine is for systems that run Windows programs by Wine"
    for program in ("nsenter", "unshare"):
        if not shutil.which(program):
            return f"there is no {program}"
    trial = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && mount -t proc proc /proc"
    done = subprocess.run(["unshare", "-Umrpf", "sh", "-c", trial], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=SOON, check=False)
    return None if done.returncode == 0 else f"no binfmt_misc of one's own here: {done.stderr.strip()}"


def why_no_systemd():
    """The same for a machine with systemd."""
    if not pathlib.Path("/lib/systemd/systemd").exists():
        return "there is no systemd"
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if (pathlib.Path(top) / "cgroup.procs").exists() and os.access(top, os.W_OK):
            return why_not()
    return "no control group can be made here"


def _defaults():
    """What CMake sets for tests, for those who start this by hand: the builds of the presets linux and windows."""
    build = HERE.parent.parent / "build"
    for name, value in (("UVRELAY", build / "linux/uvrelay"), ("UVRELAY_EXE", build / "windows/uvrelay.exe"),
                        ("UVRELAY_PEERS", build / "windows/peers"), ("UVRELAY_RUN_EXE", "wine"),
                        ("WINEPREFIX", build / "wine"), ("WINEDEBUG", "-all"), ("LC_ALL", "C.UTF-8"),
                        ("WINEDLLOVERRIDES", "winemenubuilder.exe,mscoree,mshtml=")):
        os.environ.setdefault(name, str(value))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(name, None)
    needed = {setting("UVRELAY"): "UVRELAY", setting("UVRELAY_EXE"): "UVRELAY_EXE", str(peer("wsl_host")): "UVRELAY_PEERS"}
    for path, name in needed.items():
        if not os.path.exists(path):
            sys.exit(f"wsl_machine: there is no {path}: build the presets linux and windows, or set {name}")
    prefix = setting("WINEPREFIX")
    subprocess.run(["sh", HERE.parent / "wine", "start", prefix], check=True)


def main():
    import argparse

    parser = argparse.ArgumentParser(description="Starts a machine that looks like WSL 2, and a shell in it.")
    parser.add_argument("--systemd", action="store_true", help="with a systemd of the user's")
    parser.add_argument("--empty", action="store_true", help="without uvrelay and uvrelay.exe in ~/.local/bin")
    parser.add_argument("--root", action="store_true", help="the shell is root's")
    parser.add_argument("--base", help="the root of another system, whose /usr is taken in place of this one's")
    parser.add_argument("--agent", metavar="SOCKET", help="an ssh-agent's socket of this side, such as $SSH_AUTH_SOCK, "
                        "that answers at the pipe of the ssh-agent of Windows")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run in place of a shell")
    options = parser.parse_args()
    _defaults()
    if why_not():
        sys.exit(f"wsl_machine: {why_not()}")
    conf = "[boot]\nsystemd=true\n" if options.systemd else ""
    with Machine(conf, base=options.base) as machine, contextlib.ExitStack() as stack:
        if not options.empty:
            machine.install()
        if options.agent:
            stack.enter_context(machine.agent(options.agent))
        print(f"wsl_machine: / is {machine.root}, /mnt/c is {machine.windows.c}", file=sys.stderr)
        command = ["/bin/bash", "-l", *(["-c", " ".join(options.command)] if options.command else [])]
        return subprocess.run(machine.command(command, root=options.root), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""A place for one end-to-end test: a short directory with a home, the commands `uvrelay` and `uvrelay.exe` on the PATH,
and the recipes of docs/recipes.md, run there as they stand.

Everything started here carries a mark in its environment, which its children inherit. At the end all of that must be
gone, relays and the listeners' sockets included; what isn't is ended, and the test fails and names it.
"""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

from programs import Process, peer, setting, under_wine, unique_name, uvrelay_exe, windows_command, windows_path

HERE = pathlib.Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
RECIPES = HERE.parent.parent / "docs" / "recipes.md"

#: The longest that one step with several programs may take; in WSL, starting one from a Linux disk takes seconds.
LONG = 120


#: Each block of code of a page: its indentation, the name in the comment before it, its language, what is in it.
BLOCK = re.compile(r"^([ ]*)(?:<!-- recipe: ([\w-]+) -->\n+[ ]*)?```(\w*)\n(.*?)^[ ]*```$", re.DOTALL | re.MULTILINE)


def blocks():
    """Each block of code of docs/recipes.md: its name, or None, its language, and what is in it."""
    return [(name or None, language, textwrap.dedent(text))
            for _, name, language, text in BLOCK.findall(RECIPES.read_text())]


def recipe(name):
    """What is in the block that follows the mark `<!-- recipe: NAME -->` in docs/recipes.md."""
    found = [text for other, _, text in blocks() if other == name]
    assert len(found) == 1, f"{RECIPES.name} has {len(found)} recipes {name}"
    return found[0]


def pipe_name(well_known):
    """The name of a pipe of the test's own, in place of a well-known one: other tests run at the same time, and a real
    server may have it."""
    return unique_name(well_known)


def is_listening(path):
    """Whether a Unix socket there is listening (flag 0x10000), found out without connecting to it."""
    lines = (line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines())
    return any(fields[7:] == [str(path)] and fields[3] == "00010000" for fields in lines)


def wait_for(condition, what, timeout=LONG):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"{what}: not after {timeout} s"
        time.sleep(0.02)


def without_owner():
    """What a test replaces in a recipe whose pipe is Node's: Wine gives it no owner, while Windows gives one to every
    pipe."""
    return {' --owner="user,system,admins"': ""} if under_wine() else {}


def command_in_wsl():
    """uvrelay.exe as a shell in WSL has it, made of test/lib/wsl_init.py and test/peers/wsl_host.c."""
    return [sys.executable, "-IS", HERE.parent / "lib" / "wsl_init.py", *windows_command(peer("wsl_host")), "--",
            windows_path(uvrelay_exe())]


class Place:
    """With `wsl`, the Windows program is started by WSL's interop, or by the stand-in for it."""

    def __init__(self, wsl=False):
        self._directory = tempfile.TemporaryDirectory(prefix="uvr-", dir="/tmp")
        self.path = pathlib.Path(self._directory.name)
        self._mark = f"UVRELAY_TEST_PLACE={self.path}"
        self._started, self._sockets = [], []
        #: Whether what is left at the end fails the test.
        self.check = True
        home, commands = self.path / "home", self.path / "bin"
        home.mkdir(mode=0o700)
        commands.mkdir()
        (commands / "uvrelay").symlink_to(setting("UVRELAY"))
        command = commands / "uvrelay.exe"
        words = command_in_wsl() if wsl and under_wine() else windows_command(uvrelay_exe())
        command.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
        command.chmod(0o755)
        self.env = {**os.environ, "HOME": str(home), "PATH": f"{commands}:{os.environ['PATH']}",
                    "NODE_SKIP_PLATFORM_CHECK": "1", "UVRELAY_TEST_PLACE": str(self.path)}
        for name in ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "GNUPGHOME", "GPG_AGENT_INFO", "DOCKER_HOST"):
            self.env.pop(name, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        left = []
        try:
            self._stop()
            if self.check:
                left = self._what_is_left()
        finally:
            for pid, _command in self.processes():
                os.kill(pid, signal.SIGKILL)
            self._directory.cleanup()
        assert not left, f"left behind: {left}"

    def _stop(self):
        """Ends what was started here, each with all of its own that are still in its process group."""
        for process in reversed(self._started):
            if process.running:
                os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self._started):
            try:
                process.wait()
            finally:
                print(f"{process.command} ended with {process.popen.poll()}: {process.stderr}")
                process.kill()

    def _what_is_left(self):
        try:
            wait_for(lambda: not self.processes(), "no process is left", 20)
        except AssertionError:
            pass
        return self.processes() + [str(path) for path in self._sockets if path.exists()]

    def processes(self):
        """All processes that stem from here, as process id and command line."""
        found = []
        for directory in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (directory / "environ").read_bytes().split(b"\0"):
                    command = (directory / "cmdline").read_bytes().decode(errors="replace")
                    found.append((int(directory.name), command.split("\0")))
            except OSError:
                continue  # it has ended, or is none of ours
        return found

    def wait_for_relays_to_end(self, timeout=20):
        """Each connection's relay must end by itself once its client has gone."""
        def relays():
            return [command for _, command in self.processes()
                    if any(re.search(r"(^|[/\\])(uvrelay(\.exe)?|wsl_init\.py)$", word) for word in command[:3])
                    and "serve" not in command[:8]]
        wait_for(lambda: not relays(), f"all relays have ended, as {relays()}", timeout)

    def run(self, *command, code=0, timeout=LONG, **options):
        """Runs a program to its end, gives what it wrote to standard output, and asserts its exit status."""
        done = subprocess.run(list(map(str, command)), env=self.env, timeout=timeout, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, **({} if "input" in options else {"stdin": subprocess.DEVNULL}),
                              **options)
        error = done.stderr.decode(errors="replace")
        assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout[:2000]!r}; {error}"
        return done.stdout

    def start(self, *command, **options):
        """Starts a program that stays, in a process group of its own."""
        process = Process(command, stdin=subprocess.DEVNULL, env=self.env, start_new_session=True, **options)
        self._started.append(process)
        return process

    def listen(self, socket, command):
        """socat, listening on a Unix socket and running the command for each client."""
        self._listening(self.start("socat", f"UNIX-LISTEN:{socket},fork", f"EXEC:{command}"), socket)

    def start_recipe(self, name, socket, replace=None):
        """Runs a recipe until it listens on the socket, and takes over the environment that it exports."""
        text = recipe(name)
        for old, new in (replace or {}).items():
            assert old in text, f"there is no {old} in the recipe {name}: {text}"
            text = text.replace(old, new)
        exported = self.path / f"{name}.env"
        shell = self.start("sh", "-euc", f"{text}\nenv -0 >{exported}.part\nmv {exported}.part {exported}\nwait")
        self._listening(shell, socket)
        wait_for(exported.exists, "the recipe's environment")
        self.env = dict(entry.split("=", 1) for entry in exported.read_text().split("\0") if entry)

    def _listening(self, process, socket):
        self._sockets.append(pathlib.Path(socket))
        wait_for(lambda: is_listening(socket) or not process.running, f"{socket} is listening")
        assert process.running, f"{process.command} has ended: {process.stderr}"

    def start_node(self, script, *args):
        """Starts Node.js for Windows with a script of this directory, which prints "listening" when it is ready.

        What it prints goes to a file: under Wine, Node.js can't open a Unix pipe as a standard handle and fails in odd
        places when it tries to, such as when it closes a connection.
        """
        output = self.path / f"{script}.out"
        output.touch()
        command = windows_command(setting("UVRELAY_NODE"), windows_path(HERE / script), *args)
        process = self.start("sh", "-c", 'exec "$@" >>"$0" 2>&1', output, *command)
        wait_for(lambda: b"listening" in output.read_bytes() or not process.running, f"{script} is listening")
        assert process.running, f"{command} has ended: {output.read_text()}"
        return process

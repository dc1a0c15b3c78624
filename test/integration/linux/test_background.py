"""`uvrelay serve --background`: it goes on without the terminal, once, so that a line in ~/.profile can start it."""

import contextlib
import json
import os
import pty
import signal
import subprocess

import pytest
from control import Home
from programs import SOON
from serving import PROGRAM, ask, connect, listener, wait_for

pytestmark = pytest.mark.sanitized


class Background(Home):
    """A home in which serve is started in the background; none of them outlives the test."""

    def __init__(self, directory):
        super().__init__(directory)
        self.log = self.directory / ".local" / "state" / "uvrelay" / "serve.log"

    def start(self, *args, code=0, **options):
        done = self.run("serve", "--background", *args, **options)
        assert done.returncode == code and done.stdout == "", done
        return done.stderr

    def processes(self):
        lines = self.run("status", "--json").stdout.splitlines()
        return [json.loads(line)["pid"] for line in lines]

    def end(self):
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        wait_for(lambda: not self.processes(), "all have ended")


@pytest.fixture
def home(tmp_path):
    home = Background(tmp_path / "home")
    yield home
    home.end()


@pytest.fixture
def file(home, path, back):
    file = home.directory / ".config" / "uvrelay" / "routes.conf"
    file.parent.mkdir(parents=True)
    file.write_text(f"unix://{path}={back.address}\n")
    return file


def session_of(process):
    with open(f"/proc/{process}/stat", encoding="ascii") as stat:
        return int(stat.read().rpartition(")")[2].split()[3])


def test_it_listens_when_the_command_returns(home, file, path):
    assert home.start("-v") == ""
    with connect(f"unix://{path}") as client:
        ask(client)
        process, = home.processes()
        assert session_of(process) == process
        for number in (0, 1, 2):
            assert os.readlink(f"/proc/{process}/fd/{number}") == "/dev/null"
        assert home.log.stat().st_mode & 0o777 == 0o600
        assert ": listening\n" in home.log.read_text()


@pytest.mark.parametrize("state, log", [
    ("{}/state//", "state/uvrelay/serve.log"),
    ("state", ".local/state/uvrelay/serve.log"),
])
def test_where_the_log_is(home, file, state, log):
    home.env["XDG_STATE_HOME"] = state.format(home.directory)
    assert home.start("-v") == ""
    assert ": listening\n" in (home.directory / log).read_text()


def test_no_place_for_the_log(home):
    home.env.update(HOME="here", XDG_STATE_HOME="")
    text = home.start("tcp://127.0.0.1:0=tcp://127.0.0.1:9", code=1)
    assert "cannot determine where to write the log, because the home directory is not absolute: set HOME" in text


def test_a_line_in_the_profile(home, file, path):
    """In every shell, and in many at once."""
    several = [subprocess.Popen([PROGRAM, "serve", "--background"], env={**os.environ, **home.env},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(10)]
    for one in several:
        assert one.communicate(timeout=SOON) == (b"", b"") and one.returncode == 0
    assert len(home.processes()) == 1
    assert home.start("--config", file) == ""  # the same file
    assert home.start("--config", "~/.config/uvrelay/../uvrelay/routes.conf") == ""
    assert len(home.processes()) == 1


def test_one_that_was_started_otherwise(home, file):
    with home.serve("--config", file) as serve:
        assert home.start() == ""
        assert home.processes() == [serve.pid]


def test_others_run_beside_it(home, file, path, tmp_path, back):
    assert home.start() == ""
    route = f"unix://{tmp_path}/2={back.address}"
    assert home.start(route) == home.start(route) == ""
    assert len(home.processes()) == 2


@pytest.mark.parametrize("what, code", [("nonsense", 2), ("unix:///dev/null/s=tcp://127.0.0.1:9", 1)])
def test_an_error_at_the_start(home, what, code):
    text = home.start(what, code=code)
    assert text.startswith("uvrelay: ") and what.split("=", maxsplit=1)[0] in text
    assert home.processes() == []


def test_wrong_usage(home):
    assert "--nonsense" in home.start("--nonsense", code=2)


def test_somebody_else_listens(home, file, path):
    with listener(path):
        assert "another program is listening there" in home.start(code=1)
    assert home.processes() == []


def test_the_terminal_may_go(home, file, path):
    child, terminal = pty.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            os.execve("/bin/sh", ["sh", "-c", f"{PROGRAM} serve --background; echo done; read x"],
                      {**os.environ, **home.env})
        os._exit(127)
    text = b""
    while b"done" not in text:
        text += os.read(terminal, 4096)
    process, = home.processes()
    os.close(terminal)
    os.waitpid(child, 0)
    with connect(f"unix://{path}") as client:
        ask(client)
    assert home.processes() == [process]
    os.kill(process, signal.SIGHUP)  # a request, as there is no terminal
    wait_for(lambda: "read again" in home.log.read_text(), "it has read its file again")


def test_nothing_is_held_open(home, file):
    """A reader that waits for the end of the command's output waits no longer than for the command."""
    done = subprocess.run(f"{PROGRAM} serve --background | cat; {PROGRAM} serve --background 2>&1 | cat", shell=True,
                          env={**os.environ, **home.env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SOON,
                          check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert len(home.processes()) == 1


def test_the_log_is_where_it_is_said(home, file, tmp_path):
    home.start("-v", "--log-file", tmp_path / "log")
    assert ": listening\n" in (tmp_path / "log").read_text()
    assert not home.log.exists()


def test_no_place_for_the_log(home, file):
    (home.directory / ".local").write_text("a file is in the way")
    assert "serve.log" in home.start(code=1)


def test_a_home_that_cannot_be_written_to(home, path, back):
    """Without the place where it is asked it starts all the same, but cannot tell whether it runs already."""
    (home.directory / ".uvrelay").write_text("a file is in the way")
    route = f"unix://{path}={back.address}"
    assert home.start(route) == ""
    with connect(f"unix://{path}") as client:
        ask(client)
    assert "another program is listening there" in home.start(route, code=1)
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and route.encode() in open(f"/proc/{name}/cmdline", "rb").read():
                os.kill(int(name), signal.SIGTERM)
    wait_for(lambda: not path.exists(), "it has ended")

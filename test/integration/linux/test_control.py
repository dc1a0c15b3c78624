"""A running serve can be asked how it is doing, by its user alone: status, env, and what is sent to its socket."""

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess

import pytest
from control import Home
from programs import SOON, unique_name
from serving import PROGRAM, Target, ask, connect, echo, receive_all, wait_for
from via import MUX

pytestmark = pytest.mark.sanitized

NOBODY = "tcp://127.0.0.1:9"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def mode_of(path):
    return stat.S_IMODE(path.lstat().st_mode)


# Status.

def test_status(home, tmp_path, path, back):
    file = tmp_path / "conf"
    file.write_text(f"unix://{path}={back.address}\nunix://{tmp_path}/nobody={NOBODY}\n")
    with home.serve("--config", file) as serve:
        with serve.connect() as client:
            ask(client, b"12345")
            connect(f"unix://{tmp_path}/nobody").close()
            wait_for(lambda: home.status()[0]["routes"][1]["failed"] == 1, "the failure is counted")
            one, = home.status()
            assert one["pid"] == serve.pid and one["configurations"] == [str(file)]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", one["since"]) and one["age_ms"] < 60_000
            assert not one["stopping"] and "far_end" not in one
            first, second = one["routes"]
            assert (first["listen"], first["target"], first["listening"]) == (f"unix://{path}", back.address, True)
            assert [first[key] for key in ("open", "total", "failed", "to_target", "to_client")] == [1, 1, 0, 5, 5]
            assert "error" not in first
            assert (second["open"], second["total"]) == (0, 1)
            assert "connection refused" in second["error"] and second["error_age_ms"] < 60_000
            done = home.run("status")
        assert done.returncode == 0 and done.stderr == ""
        assert f"process {serve.pid}, " in done.stdout and f"  configuration: {file}\n" in done.stdout
        assert re.search(rf"^  - +1 +1 +0 +5 +5  unix://{path}={back.address}$", done.stdout, re.M), done.stdout
        assert re.search(r"^    last error, \d+ s ago: .*connection refused", done.stdout, re.M), done.stdout


def test_status_of_several(home, tmp_path):
    with home.serve(f"unix://{tmp_path}/1={NOBODY}") as one, home.serve(f"unix://{tmp_path}/2={NOBODY}") as two:
        assert {status["pid"] for status in home.status()} == {one.pid, two.pid}
        one.stop()
        assert [status["pid"] for status in home.status()] == [two.pid]
    assert list(home.run_directory.iterdir()) == []


def test_status_of_a_far_end(home, path, back):
    with home.serve("--via", " ".join(MUX), f"unix://{path}=via:{back.address}") as serve:
        assert home.status()[0]["far_end"] == {"state": "idle", "command": " ".join(MUX), "starts": 0}
        for starts in (1, 2):
            with serve.connect() as client:
                ask(client)
                far_end = home.status()[0]["far_end"]
                assert (far_end["state"], far_end["starts"]) == ("running", starts) and far_end["age_ms"] < 60_000
                os.kill(far_end["pid"], signal.SIGKILL)
                wait_for(lambda: home.status()[0]["far_end"]["state"] == "down", "the far end is down")
        far_end = home.status()[0]["far_end"]
        assert "pid" not in far_end and far_end["error_age_ms"] < 60_000
        assert re.search("killed|signal 9|SIGKILL", far_end["error"]), far_end
        assert "  far end: down, started 2 times: " in home.run("status").stdout


def test_nobody_runs(home):
    for command in (["status"], ["status", "--json"], ["reload"], ["status", "--watch=1"]):
        done = home.run(*command)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert "uvrelay serve" in done.stderr and "uvrelay setup" in done.stderr


@pytest.mark.parametrize("arguments", [["status", "x"], ["status", "--watch=0"], ["status", "--watch=x"], ["env", "x"],
                                       ["env", "--shell=perl"], ["env", "--nonsense"], ["reload", "x"],
                                       ["reload", "1", "2"], ["reload", "0"], ["reload", "--json"]], ids=" ".join)
def test_wrong_usage(home, arguments):
    done = home.run(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.splitlines()[1:] == [f"Try: uvrelay {arguments[0]} --help"], done


def test_help(home):
    for command in ("status", "env", "reload"):
        done = home.run(command, "--help")
        assert (done.returncode, done.stderr) == (0, "") and f"uvrelay {command}" in done.stdout
        assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_watch(home, path, back):
    """It prints again and again, and ends when its reader is gone."""
    with home.serve(f"unix://{path}={back.address}") as serve:
        with subprocess.Popen([PROGRAM, "status", "--json", "--watch=0.1"], env={**os.environ, **home.env},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
            seen = [json.loads(watch.stdout.readline()) for _ in range(3)]
            assert {one["pid"] for one in seen} == {serve.pid} and seen[0]["age_ms"] < seen[2]["age_ms"]
            watch.stdout.close()
            assert watch.wait(SOON) == 0 and watch.stderr.read() == b""


def test_watch_on_a_terminal(home, path, back):
    """It draws in the same place, and Ctrl-C ends it."""
    with home.serve(f"unix://{path}={back.address}") as serve:
        child, terminal = pty.fork()
        if child == 0:
            os.execve(PROGRAM, [PROGRAM, "status", "--watch=0.1"], {**os.environ, **home.env, "TERM": "xterm"})
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, terminal)
            text = b""
            while text.count(b"\x1b[H") < 3:
                assert select.select([terminal], [], [], SOON)[0], text
                text += os.read(terminal, 65536)
            assert f"process {serve.pid}".encode() in text
            os.write(terminal, b"\x03")
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT


# Env.

def environment_of(home, shell="sh", **options):
    """What a shell has after it has run what env prints."""
    done = subprocess.run([shell, "-c", f'eval "$({PROGRAM} env)"; printf %s "$SSH_AUTH_SOCK"'],
                          env={**os.environ, **home.env, "SSH_AUTH_SOCK": "none"}, capture_output=True, text=True,
                          timeout=SOON, check=True, **options)
    assert done.stderr == ""
    return done.stdout


def test_env_of_nobody(home):
    done = home.run("env")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("# ") and done.stdout.count("\n") == 1
    assert environment_of(home) == "none"


def test_env_of_a_serve_that_hangs(home, path, back):
    """A shell must be able to start."""
    with home.serve(f"unix://{path}={back.address}") as serve:
        serve.send_signal(signal.SIGSTOP)
        try:
            assert environment_of(home) == "none"
        finally:
            serve.send_signal(signal.SIGCONT)


def shells():
    return [shell for shell in ("sh", "bash", "zsh", "dash") if shutil.which(shell)]


@pytest.mark.parametrize("name", ["agent.sock", "it's; touch pwned $(touch pwned) `touch pwned` \\ \"x\" *", "\u00e4 \u2019"])
def test_env_of_a_preset(home, tmp_path, back, name):
    """Whatever the listener is called, a shell has it as it is, and runs nothing of it."""
    with home.serve(f"unix://{tmp_path}/{name}=@ssh-agent", "--via", " ".join(MUX), f"unix://{tmp_path}/2={back.address}"):
        for shell in shells():
            assert environment_of(home, shell, cwd=tmp_path) == f"{tmp_path}/{name}"
        assert not (tmp_path / "pwned").exists()
        assert home.run("env").stdout.count("\n") == 1


def test_env_of_two_presets(home):
    with home.serve("--via", " ".join(MUX), "@ssh-agent", "@docker", "@pageant") as serve:
        lines = home.run("env").stdout.splitlines()
        sockets = home.directory / ".uvrelay"
        assert lines == [f"export SSH_AUTH_SOCK='{sockets}/ssh-agent.sock';",
                         f"export DOCKER_HOST='unix://{sockets}/docker.sock';"]
        assert home.run("env", "--shell=fish").stdout.startswith(f"set -gx SSH_AUTH_SOCK '{sockets}/ssh-agent.sock';\n")
        serve.stop()
    assert home.run("env").stdout.startswith("# ")


def test_the_first_one_counts(home, tmp_path):
    far_end = ("--via", " ".join(MUX))
    with home.serve(*far_end, f"unix://{tmp_path}/1=@ssh-agent") as one:
        with home.serve(*far_end, f"unix://{tmp_path}/2=@ssh-agent") as two:
            number = 1 if one.pid < two.pid else 2
            assert environment_of(home) == f"{tmp_path}/{number}"
            assert home.run("env").stdout.count("\n") == 1


# The socket.

def test_it_is_for_its_user_alone(home, path, back):
    with home.serve(f"unix://{path}={back.address}") as serve:
        assert mode_of(home.socket(serve)) == 0o600
        assert mode_of(home.run_directory) == mode_of(home.run_directory.parent) == 0o700
    assert not home.socket(serve).exists()


@pytest.mark.parametrize("request_, answer", [
    (b"nonsense\n", b"error it does not know this request"),
    (b"\n", b"error it does not know this request"),
    (b"status json\n", b'ok\n{"pid":'),
    (b"env\n", b"ok\n"),
    (b"status\r\n", b"error it does not know"),
    (b"reload\n", b"ok\nit has no configuration file"),
    (b"x" * 255 + b"\n", b"error it does not know"),
    (b"x" * 256 + b"\n", b"error the request is too long\n"),
    (b"x" * 100_000, b"error the request is too long\n"),
], ids=lambda value: repr(value[:12]))
def test_requests(home, path, back, request_, answer):
    with home.serve(f"unix://{path}={back.address}") as serve:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SOON)
            client.connect(str(home.socket(serve)))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(request_)
            got = b""
            with contextlib.suppress(ConnectionResetError):  # what was too long was not read
                got = receive_all(client)
        assert got.startswith(answer) or (len(request_) > 65_536 and got == b""), got
        with serve.connect() as client:
            ask(client)


def test_a_request_in_pieces(home, path, back):
    with home.serve(f"unix://{path}={back.address}") as serve, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SOON)
        client.connect(str(home.socket(serve)))
        for piece in b"status json\n":
            client.sendall(bytes([piece]))
        assert receive_all(client).startswith(b"ok\n{")


def test_clients_that_say_nothing(home, path, back):
    """So many at a time; others wait; and those that say nothing are closed in time."""
    with home.serve(f"unix://{path}={back.address}") as serve:
        with serve.connect() as other:
            ask(other)
        serve.wait_closed()
        home.status()  # what the first client needs stays open
        before = serve.descriptors()
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(SOON)
                client.connect(str(home.socket(serve)))
            with serve.connect() as other:
                ask(other)
                assert serve.descriptors() <= before + 8 + 6
                ask(other)
        assert home.status()[0]["pid"] == serve.pid
        wait_for(lambda: serve.descriptors() == before, "all are closed")


def test_many_routes(home):
    """The answer is as long as it is."""
    name = unique_name("many")
    routes = [f"abstract:{name}-{number}={NOBODY}" for number in range(1000)]
    with home.serve(*routes, verbose=False):
        assert len(home.status()[0]["routes"]) == 1000


def test_what_a_dead_process_has_left(home, path, tmp_path, back):
    with home.serve(f"unix://{path}={back.address}") as serve:
        serve.send_signal(signal.SIGKILL)
        serve.wait()
        assert home.socket(serve).exists()
        assert home.run("status").returncode == 1
        assert not home.socket(serve).exists()
    other = home.run_directory / "12.sock"
    other.write_text("no socket")
    (home.run_directory / "x.sock").write_text("")
    with home.serve(f"unix://{tmp_path}/2={back.address}") as serve:
        assert [one["pid"] for one in home.status()] == [serve.pid]
    assert other.read_text() == "no socket"


def test_it_can_be_left_out(home, path, back):
    with home.serve("--control=off", f"unix://{path}={back.address}"):
        assert home.run("status").returncode == 1
        assert not home.run_directory.exists()


@pytest.mark.parametrize("verbose", [False, True])
def test_it_can_do_without(home, path, back, verbose):
    """Where it cannot listen it relays all the same."""
    (home.directory / ".uvrelay").write_text("a file is in the way")
    with home.serve(f"unix://{path}={back.address}", verbose=verbose) as serve:
        with connect(f"unix://{path}") as client:
            ask(client)
        if verbose:
            serve.wait_match("status, reload and env cannot reach this serve")
    assert ("status, reload and env cannot reach this serve" in serve.stderr) == verbose


def test_a_directory_of_others(home, path, back):
    (home.directory / ".uvrelay").mkdir()
    (home.directory / ".uvrelay").chmod(0o777)
    with home.serve(f"unix://{path}={back.address}") as serve:
        serve.wait_match("other users can write to it")
        assert not home.run_directory.exists()


def test_status_while_it_stops(home, path):
    with Target(path.parent / "t", echo) as target, home.serve("--drain=60", f"unix://{path}={target.address}") as serve:
        with serve.connect() as client:
            ask(client)
            serve.send_signal(signal.SIGTERM)
            wait_for(lambda: home.status()[0]["stopping"], "it is stopping")
            assert home.ask(serve, b"reload\n") == b"error it is stopping\n"
            ask(client)
        serve.ended(0)

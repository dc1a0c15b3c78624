"""uvrelay doctor where there is no WSL: what it prints, for people and as JSON, and what it says of routes and far ends.
What it says of WSL is in test/e2e/test_doctor.py."""

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import time

import pytest

import logschema
from programs import SOON
from serving import PROGRAM, EchoServer, Serve

MUX = f"{PROGRAM} mux"


def examine(*args, env=None, code=None):
    """The checks by name."""
    done = run("--json", *args, env=env)
    assert done.stderr == "", done
    checks = {check["check"]: check for check in logschema.check(json.loads(done.stdout), "doctor")}
    assert done.returncode == (1 if "bad" in {check["state"] for check in checks.values()} else 0), done
    assert code in (None, done.returncode), done
    return checks


def run(*args, env=None, **options):
    options = {"capture_output": True, **options}
    return subprocess.run([PROGRAM, "doctor", *args], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(env or {})},
                          stdin=subprocess.DEVNULL, text=True, timeout=3 * SOON, check=False, **options)


@pytest.fixture
def back(tmp_path):
    with EchoServer(tmp_path / "back") as server:
        yield server


@pytest.mark.sanitized
def test_nothing_of_wsl_is_said(tmp_path):
    checks = examine(f"unix://{tmp_path}/s=unix://{tmp_path}/none", code=1)
    name = f"of unix://{tmp_path}/s"
    assert list(checks) == ["program", "system", "systemd", "configuration", f"listener {name}", f"target {name}"]
    assert checks["system"]["text"].startswith("this is not WSL: ")
    assert checks[f"listener {name}"]["text"].endswith("it is free")
    assert checks[f"target {name}"] == {
        "check": f"target {name}", "state": "bad", "text": f"there is no socket unix://{tmp_path}/none (ENOENT)",
        "remedy": "# start the program that should listen there"}


def test_a_route_that_is_served(tmp_path, back):
    listen = f"unix://{tmp_path}/front"
    with Serve(f"{listen}={back.address}") as serve:
        checks = examine(f"{listen}={back.address}", code=0)
        assert checks[f"listener of {listen}"]["text"] == f"uvrelay serve is listening, process {serve.popen.pid}"
        assert re.search(r"^connected to \S+ in [\d.]+ ms$", checks[f"target of {listen}"]["text"])


def test_what_failed_last(tmp_path):
    """And where it leads, if the route has become another one since."""
    listen, home = f"unix://{tmp_path}/front", {"HOME": str(tmp_path)}
    with Serve(f"{listen}=unix://{tmp_path}/none", env=home) as serve:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "front"))
            assert client.recv(1) == b""
        serve.wait_match("failed: there is no socket")
        check = examine(f"{listen}=unix://{tmp_path}/none", env=home, code=1)[f"listener of {listen}"]
        assert check["state"] == "ok"
        assert re.fullmatch(rf"uvrelay serve is listening, process {serve.popen.pid}; its last failure, \d+ s ago: there is no "
                            rf"socket unix://{tmp_path}/none \(ENOENT\)", check["text"]), check
        check = examine(f"{listen}=unix://{tmp_path}/other", env=home, code=1)[f"listener of {listen}"]
        assert check["state"] == "warning" and check["remedy"] == f"{os.path.realpath(PROGRAM)} reload"
        assert f'but leads to "unix://{tmp_path}/none", not to "unix://{tmp_path}/other"' in check["text"]


@pytest.mark.parametrize("listen", ["tcp://127.0.0.1:{port}", "abstract:uvrelay-doctor-{pid}"])
def test_other_listeners(listen, back):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = listen.format(port=free.getsockname()[1], pid=os.getpid())
    assert examine(f"{listen}={back.address}", code=0)[f"listener of {listen}"]["text"].endswith("it is free")
    with Serve(f"{listen}={back.address}") as serve:
        assert f"process {serve.popen.pid}" in examine(f"{listen}={back.address}", code=0)[f"listener of {listen}"]["text"]


@pytest.mark.sanitized
def test_a_far_end(tmp_path, back):
    listen = f"unix://{tmp_path}/front"
    checks = examine(f"--via={MUX}", f"{listen}=via:{back.address}", f"{listen}2=via:unix://{tmp_path}/none", code=1)
    assert re.search(r" is ready after \d+ ms, and answers in [\d.]+ ms$", checks["far end"]["text"])
    assert checks[f"target of {listen}"]["state"] == "ok"
    assert checks[f"target of {listen}2"]["text"] == f"far end: there is no socket unix://{tmp_path}/none (ENOENT)"


def test_a_far_end_that_allows_little(tmp_path, back):
    """It answers all the same, and the target says so."""
    listen = f"unix://{tmp_path}/front"
    checks = examine(f"--via={MUX} --allow=tcp://127.0.0.1:1", f"{listen}=via:{back.address}", code=1)
    assert checks["far end"]["state"] == "ok" and "allow" in checks[f"target of {listen}"]["text"]


@pytest.mark.parametrize("via, text", [
    ("/bin/false", "/bin/false exited at once with status 1"),
    ("/bin/sh -c 'echo why >&2; exit 3'", "exited at once with status 3: why"),
    ("/bin/echo hello", 'the far end says "hello\\n" instead of uvrelay-mux/1'),
    ("/bin/sh -c 'kill -9 $$'", "was killed at once by signal 9"),
])
def test_far_ends_that_fail(tmp_path, via, text):
    listen = f"unix://{tmp_path}/front"
    checks = examine(f"--via={via}", f"{listen}=via:unix://{tmp_path}/x", code=1)
    assert text in checks["far end"]["text"]
    assert checks[f"target of {listen}"] == {"check": f"target of {listen}", "state": "skipped",
                                             "text": "see far end above", "remedy": ""}


def test_a_far_end_that_hangs(tmp_path):
    """It is given up, and is not left behind."""
    marker = f"1000.{os.getpid()}"
    since = time.monotonic()
    checks = examine(f"--via=/bin/sleep {marker}", f"unix://{tmp_path}/s=via:unix:///x", code=1)
    assert time.monotonic() - since < 20 + SOON / 10
    assert "did not send its protocol version within 9 s" in checks["far end"]["text"]
    left = subprocess.run(["pgrep", "-f", f"sleep {marker}"], capture_output=True, text=True, check=False).stdout
    assert left == ""


def test_a_target_that_hangs(tmp_path):
    """Its queue is full, and no client is accepted."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(tmp_path / "full"))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(tmp_path / "full"))
        check = examine(f"unix://{tmp_path}/s=unix://{tmp_path}/full", code=1)[f"target of unix://{tmp_path}/s"]
        assert check["state"] == "bad" and check["remedy"]


def test_a_file(tmp_path, back):
    file = tmp_path / "routes.conf"
    file.write_text(f"timeout=5\nunix://{tmp_path}/s={back.address}\n")
    file.chmod(0o622)
    check = examine(f"--config={file}")["configuration"]
    assert check["state"] == "warning" and "other users can write to" in check["text"]
    assert check["remedy"] == f"chmod go-w {file}"
    file.write_text("unix:///x\n")
    checks = examine(f"--config={file}", code=1)
    assert checks["configuration"]["text"].startswith(f"{file}:1:1: ")
    assert checks["targets"]["text"] == "see configuration above"
    assert "cannot read the file" in examine(f"--config={tmp_path}/none", code=1)["configuration"]["text"]


def test_a_file_that_hangs(tmp_path):
    os.mkfifo(tmp_path / "routes.conf")
    checks = examine(f"--config={tmp_path}/routes.conf", code=1)
    assert checks["configuration"]["text"] == "it did not finish within 3 s"
    assert checks["targets"]["state"] == "skipped"


def test_many_routes(tmp_path, back):
    """Their targets are tried at the same time."""
    routes = [f"unix://{tmp_path}/{i}={back.address}" for i in range(200)]
    since = time.monotonic()
    assert len(examine(*routes, code=0)) == 4 + 2 * 200
    assert time.monotonic() - since < 20 + SOON


def shown(*args, **environment):
    """What is printed on a terminal."""
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        with os.fdopen(terminal, "wb") as output:
            run(*args, env=environment, stdout=output, stderr=output, capture_output=False)
        data = b""
        with contextlib.suppress(OSError):
            while piece := screen.read(65536):
                data += piece
    return data.decode()


def test_on_a_terminal(tmp_path):
    route = f"unix://{tmp_path}/s=unix://{tmp_path}/none"
    text = shown(route, LANG="C.UTF-8", TERM="xterm")
    assert "\x1b[32m\u2713 ok\x1b[0m" in text and "\x1b[31m\u2717 bad\x1b[0m" in text
    text = shown(route, LANG="C", TERM="xterm")
    assert "\x1b[32mok\x1b[0m" in text and text.isascii()
    text = shown(route, LC_ALL="C", LANG="C.UTF-8", TERM="xterm")
    assert text.isascii()
    for environment in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        text = shown(route, LANG="C.UTF-8", **environment)
        assert "\x1b" not in text and "\u2717 bad" in text


def test_what_others_name(tmp_path):
    """Nothing that is shown moves the cursor, and a remedy is no other command."""
    bad = tmp_path / "a\x1b[2J$(touch pwned)'"
    bad.mkdir()
    bad.chmod(0o777)
    done = run(f"unix://{bad}/s=tcp://127.0.0.1:1")
    assert done.returncode == 2 and "\x1b" not in done.stderr, "an address has no control characters"
    bad = tmp_path / "a $(touch pwned)'"
    bad.mkdir()
    bad.chmod(0o777)
    [remedy] = [check["remedy"] for check in examine(f"unix://{bad}/s=tcp://127.0.0.1:1").values()
                if check["remedy"].startswith("chmod")]
    assert subprocess.run(["/bin/sh", "-c", remedy], cwd=tmp_path, check=False).returncode == 0
    assert bad.stat().st_mode & 0o777 == 0o755 and not (tmp_path / "pwned").exists()


def test_nobody_reads(tmp_path):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = run(f"unix://{tmp_path}/s=tcp://127.0.0.1:1", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cannot write to standard output" in done.stderr


@pytest.mark.parametrize("args", [["--nonsense"], ["nonsense"], ["unix:///a", "tcp://localhost:1"],
                                  ["unix:///a=unix:///b", "unix:///a=unix:///c"]])
def test_wrong_usage(args):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("uvrelay: ")
    assert done.stderr.splitlines()[1:] == ["Try: uvrelay doctor --help"]


def test_help():
    done = run("--help")
    assert done.returncode == 0 and done.stdout.startswith("Usage: uvrelay doctor ")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_it_disturbs_no_server(tmp_path):
    """A connection is made to each target, and nothing is sent."""
    received = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "target"))
        server.listen()
        examine(f"unix://{tmp_path}/s=unix://{tmp_path}/target", code=0)
        server.settimeout(SOON)
        with server.accept()[0] as client:
            client.settimeout(SOON)
            received.append(client.recv(100))
    assert received == [b""]

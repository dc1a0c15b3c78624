"""uvrelay.exe serve --log-file: as on Linux (linux/test_serve_log_file.py), and what Windows does in other ways: a file
that is open cannot be renamed by everybody, and its permissions are others."""

import re

import pytest

from programs import Relay, run_relay, under_wine, unique_pipe, windows_path
from serving import wait_for
from winpeers import PipeServer
from winserving import PipeClient


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


def lines(path):
    """Without their times, which all have."""
    found = path.read_text().splitlines() if path.exists() else []
    assert all(re.match(TIME, line) for line in found), found
    return [re.sub(TIME, "", line, count=1) for line in found]


def wait_line(path, pattern):
    wait_for(lambda: any(re.fullmatch(pattern, line) for line in lines(path)), f"{pattern} in {path}")


def connections(pipe, count):
    for _ in range(count):
        with PipeClient(pipe, "text=hello", "recv=5", "close") as client:
            client.finish()


def test_instead_of_standard_error(tmp_path):
    log, pipe = tmp_path / "größe.log", unique_pipe()
    with PipeServer("echo-end", repeat=10, type="byte") as server:
        for round_ in (1, 2):
            with Relay("serve", "-v", f"--log-file={windows_path(log)}", f"{pipe}={server.name}") as serve:
                wait_for(lambda: len([line for line in lines(log) if line.endswith(": listening")]) == round_, "listening")
                connections(pipe, 1)
                wait_for(lambda: len([line for line in lines(log) if "closed" in line]) == round_, "closed")
                assert serve.stderr == ""


def test_it_stays_small(tmp_path):
    log, old, pipe = tmp_path / "serve.log", tmp_path / "serve.log.1", unique_pipe()
    with PipeServer("echo-end", repeat=100, type="byte") as server, Relay(
            "serve", "-v", f"--log-file={windows_path(log)}", "--log-size=4K", f"{pipe}={server.name}"):
        wait_line(log, "uvrelay: .*: listening")
        connections(pipe, 40)
        wait_for(lambda: any("#40: closed" in line for line in lines(log)), "the last one")
        assert log.stat().st_size <= 4096 and old.stat().st_size <= 4096
        numbers = [int(found[1]) for line in lines(old) + lines(log) if (found := re.search(r"#(\d+): closed", line))]
        assert numbers == list(range(numbers[0], 41))


def test_errors_of_the_start_are_in_the_file(tmp_path):
    """A user who starts it hidden, at logon, sees nothing but the file."""
    log = tmp_path / "serve.log"
    result = run_relay("serve", f"--log-file={windows_path(log)}", "npipe:x=tcp://127.0.0.1:1?owner=x")
    assert result.code == 2 and "owner" in result.stderr and lines(log)[0] in result.stderr


@pytest.mark.parametrize("name, words", [("", "not a regular file"), ("none\\log", "cannot open the log file")])
def test_a_file_that_cannot_be_opened(tmp_path, name, words):
    result = run_relay("serve", f"--log-file={windows_path(tmp_path)}\\{name}", f"{unique_pipe()}=tcp://127.0.0.1:1")
    assert result.code == 1 and words in result.stderr


@pytest.mark.skipif(not under_wine(), reason="NUL is called otherwise")
def test_a_device():
    result = run_relay("serve", "--log-file=NUL", f"{unique_pipe()}=tcp://127.0.0.1:1")
    assert result.code == 1 and "not a regular file" in result.stderr

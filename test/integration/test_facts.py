"""uvrelay.exe facts: what setup and doctor ask the Windows program for, and that asking does not disturb the servers."""

import re

import pytest

from programs import SOON, Process, Relay, error_sentence, run_relay, uvrelay_exe, windows_command, windows_path
from winpeers import PipeServer

AGENT, DOCKER = "//./pipe/openssh-ssh-agent", "//./pipe/docker_engine"
SYSTEM = "S-1-5-18"


def facts():
    """All lines, as pairs of a name and a value."""
    result = run_relay("facts")
    assert (result.code, result.stderr) == (0, "")
    return [tuple(line.split("=", 1)) for line in result.stdout.decode().splitlines()]


def values(name):
    return [value for found, value in facts() if found == name]


def test_begins_with_its_version():
    lines = facts()
    assert lines[0] == ("facts", "1")
    assert [name for name, _ in lines[:9]] == ["facts", "version", "program", "user", "sid", "localappdata", "appdata",
                                              "userprofile", "windows"]
    found = dict(lines)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert re.fullmatch(r"[A-Z]:\\.*\\uvrelay\.exe", found["program"])
    assert re.fullmatch(r"S-1-5-21-\d+-\d+-\d+-\d+", found["sid"])
    assert re.fullmatch(r"[A-Z]:\\.*\\AppData\\Local", found["localappdata"], re.I)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["windows"])


def test_no_server(private_wine):
    assert values("pipe") == [] and values("socket") == []


def test_a_server_and_its_owner(private_wine):
    with PipeServer("recv-end", name=AGENT, type="byte", sd=f"O:{SYSTEM}D:(A;;GA;;;WD)", repeat=3) as server:
        [pipe] = values("pipe")
        path, owner, program = pipe.split("\t")
        assert (path, owner) == (r"\\.\pipe\openssh-ssh-agent", SYSTEM)
        assert program.endswith("\\pipe_server.exe")
        # One connection, with nothing in it, and the next client is served.
        assert (server.event("recv-end")["bytes"], len(server.all("connected"))) == (0, 1)
        server.event("listening", 2)
        assert len(server.all("connected")) == 1


def test_two_servers(private_wine):
    with PipeServer("recv-end", name=AGENT, repeat=2), PipeServer("recv-end", name=DOCKER, repeat=2):
        assert [pipe.split("\t")[0] for pipe in values("pipe")] == [r"\\.\pipe\openssh-ssh-agent", r"\\.\pipe\docker_engine"]


def test_a_busy_server_is_there(private_wine):
    """Its only instance is in use: it is listed, without what could not be asked, and asking ends in time."""
    with PipeServer("recv-end", name=AGENT, type="byte") as server, Relay(AGENT) as client:
        server.event("connected")
        assert values("pipe") == ["\\\\.\\pipe\\openssh-ssh-agent\t\t"]
        client.close_stdin()


def test_a_server_that_becomes_free_is_asked(private_wine):
    """Windows' ssh-agent has one instance at a time: in a burst of clients it is busy for moments."""
    with PipeServer("sleep=100", name=AGENT, type="byte", repeat=3) as server, Relay(AGENT):
        server.event("connected")
        [pipe] = values("pipe")
        assert pipe.split("\t")[2].endswith("\\pipe_server.exe")


def test_socket_files(private_wine):
    assert values("socket") == []
    directory = private_wine.local / "gnupg"
    directory.mkdir()
    (directory / "S.gpg-agent").write_bytes(b"1234\n" + bytes(16))
    (directory / "S.gpg-agent.ssh").write_bytes(b"1235\n" + bytes(16))
    (directory / "S.scdaemon").write_bytes(b"1236\n" + bytes(16))
    found = [value.split("\t") for value in values("socket")]
    [local] = values("localappdata")
    assert [path for path, _ in found] == [local + r"\gnupg\S.gpg-agent", local + r"\gnupg\S.gpg-agent.ssh"]
    assert all(re.fullmatch(r"S-1-[0-9-]+", owner) for _, owner in found)


def value_where(settings, name):
    """A value where cmd.exe has set variables so: Wine gives a program its own values of some."""
    program = windows_path(uvrelay_exe())
    with Process(windows_command("cmd", "/d", "/c", *f"set {settings}&& {program} facts".split())) as process:
        process.close_stdin()
        assert process.wait() == 0
        lines = process.stdout.decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)[name]


def test_values_are_utf_8():
    assert value_where("LOCALAPPDATA=C:\\Größe\\Ω", "localappdata") == "C:\\Größe\\Ω"


def test_a_variable_that_is_not_set():
    assert value_where("APPDATA=", "appdata") == ""


@pytest.mark.parametrize("words", [["x"], ["--x"], ["--help", "x"]])
def test_wrong_usage(words):
    result = run_relay("facts", *words)
    assert (result.code, result.stdout) == (2, b"")
    assert f'"{words[0]}"' in error_sentence(result.stderr) and "Try: uvrelay facts --help" in result.stderr


def test_help():
    result = run_relay("facts", "--help", timeout=SOON)
    assert result.code == 0 and result.stdout.startswith(b"Usage: uvrelay facts")

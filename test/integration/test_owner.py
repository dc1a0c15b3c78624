"""Who owns a pipe or a socket file: with owner=, uvrelay.exe sends nothing to a pipe that somebody has made who is not
named, as one has who took the name before its usual server. Wine lets a server say any owner; without that, its pipes
have none, which Windows' always have. It gives all rights to who opens a pipe, whatever the server grants."""

import re

import pytest

from assuanpeer import AssuanServer
from programs import error_sentence, run_relay, under_wine, unique_pipe, windows_command, windows_path, uvrelay_exe
from serving import ask, connect, ends
from via import Via
from winpeers import PipeServer
from winserving import PipeClient, Serve

pytestmark = pytest.mark.skipif(not under_wine(), reason="only under Wine may a server say that its pipe is another's")

SYSTEM, ADMINS, OTHER = "S-1-5-18", "S-1-5-32-544", "S-1-5-21-1-2-3-1001"
SHOWN = {SYSTEM: f"the system ({SYSTEM})", ADMINS: f"the administrators ({ADMINS})", OTHER: OTHER}
ALL = "D:(A;;GA;;;WD)"


def squatted(*actions, owner, **options):
    """A server's pipe with this owner."""
    return PipeServer(*actions, sd=f"O:{owner}{ALL}", **options)


@pytest.mark.parametrize("owner, list_", [(SYSTEM, "system"), (SYSTEM, "user,system"), (SYSTEM, SYSTEM), (ADMINS, "admins"),
                                          (ADMINS, f"root,{OTHER},{ADMINS.lower()}"), (OTHER, OTHER), (OTHER, "any")])
@pytest.mark.parametrize("type", ["byte", "message"])
def test_named(owner, list_, type):
    with squatted("recv=6", "text=late", owner=owner, type=type) as server:
        result = run_relay("-ep", f"--owner={list_}", server.name, stdin=b"secret")
        assert (result.code, result.stdout, result.stderr) == (0, b"late", "")
        server.finish()


@pytest.mark.parametrize("owner, list_", [(SYSTEM, "user"), (SYSTEM, "admins"), (ADMINS, "system"), (ADMINS, "user,system"),
                                          (OTHER, "user,system,admins"), (OTHER, OTHER + "-1"), (OTHER, OTHER[:-1])])
def test_not_named(owner, list_):
    """-p waits for who is absent or busy, not for another owner."""
    with squatted("recv-end", owner=owner) as server:
        result = run_relay("-p", f"--owner={list_}", server.name, stdin=b"secret")
        assert (result.code, result.stdout) == (1, b"")
        self = r", where user is S-1-5-21-[0-9-]+" if "user" in list_.split(",") else ""
        assert re.fullmatch(rf"{server.name} belongs to {re.escape(SHOWN[owner])}, but owner={list_} is required{self}: "
                            "nothing was sent to it", error_sentence(result.stderr))
        assert server.event("recv-end")["bytes"] == 0


@pytest.mark.parametrize("access", ["in", "out"])
def test_one_way(access):
    """Such a pipe is opened with fewer rights, and its owner can be asked nevertheless."""
    for list_, code in [("system", 0), ("user", 1)]:
        with squatted(*(["recv=6"] if access == "in" else ["text=late"]), owner=SYSTEM, access=access) as server:
            result = run_relay(f"--owner={list_}", server.name, stdin=b"secret" if access == "in" else b"")
            assert result.code == code, result.stderr
            assert result.stdout == (b"late" if access == "out" and code == 0 else b"")
            if access == "in":
                assert server.wait_any("recv")["bytes"] == (6 if code == 0 else 0)


def test_a_pipe_of_uvrelay_is_its_users():
    pipe = unique_pipe("listen")
    with PipeServer("echo-end") as server, Serve(f"{pipe}={server.name}"):
        result = run_relay("-ei", "--owner=system,admins", pipe, stdin=b"secret")
        assert result.code == 1 and "belongs to S-1-5-21-" in result.stderr
        result = run_relay("-ep", "--owner=user", pipe, stdin=b"")
        assert (result.code, result.stderr) == (0, "")


def test_a_pipe_without_an_owner():
    with PipeServer("recv-end") as server:
        result = run_relay("--owner=user", server.name, stdin=b"secret")
        assert result.code == 1 and error_sentence(result.stderr) == (
            f"cannot determine the owner of {server.name} (it has no owner), which owner= requires: nothing was sent to it")
        assert server.event("recv-end")["bytes"] == 0


def test_serve():
    """A client whose target is another's is closed; one whose target is not goes on."""
    good, bad = unique_pipe("good"), unique_pipe("bad")
    with squatted("echo-end", owner=ADMINS) as one, squatted("recv-end", owner=OTHER) as two, Serve(
            f"{good}={one.name}?owner=user,admins", f"{bad}={two.name}", options=["--owner=user"]) as serve:
        with PipeClient(bad, "recv-end") as client:
            client.finish()
        assert two.event("recv-end")["bytes"] == 0
        serve.wait_stderr(f"{two.name} belongs to {OTHER}, but owner=user is required")
        with PipeClient(good, "text=hello", "recv=5", "close") as client:
            client.finish()


def test_via(tmp_path):
    """The near end is one of Linux, which knows no SIDs; the far end is the one that asks."""
    mux = windows_command(uvrelay_exe(), "mux")
    path = tmp_path / "front"
    with squatted("recv-end", "next", "echo-end", owner=SYSTEM, type="byte") as server:
        with Via(f"unix://{path}={server.name}?owner=user,{OTHER}", f"unix://{path}2={server.name}?owner=system,{OTHER}",
                 via=mux) as serve:
            with connect(f"unix://{path}") as client:
                ends(client, b"secret")
            assert server.event("recv-end")["bytes"] == 0
            assert "belongs to the system (S-1-5-18), but owner=user,S-1-5-21-1-2-3-1001 is required" in serve.wait_closed().reason
            server.event("listening", 2)
            with connect(f"unix://{path}2") as client:
                ask(client)


def test_socket_file(tmp_path):
    """Wine gives files that are made outside of it the user that runs it, or no owner that is anybody here."""
    with AssuanServer(lambda connection: connection.sendall(b"hello")) as server:
        (tmp_path / "S.agent").write_bytes(server.file())
        file = windows_path(tmp_path / "S.agent")
        assert run_relay("-a", "--owner=user", file).stdout == b"hello"
        result = run_relay("-a", f"--owner=system,{OTHER}", file, stdin=b"secret")
        assert (result.code, result.stdout) == (1, b"")
        assert re.search(r"S\.agent belongs to S-1-[0-9-]+, but owner=system", error_sentence(result.stderr))


@pytest.mark.parametrize("list_, target, text", [
    ("root,1000", "//./pipe/x", "no user in owner=root,1000 can own //./pipe/x: write user, system, admins or a SID"),
    ("user", "tcp://127.0.0.1:1", "tcp://127.0.0.1:1 cannot have the option owner=user"),
])
def test_refused(list_, target, text):
    result = run_relay(f"--owner={list_}", target)
    assert result.code == 2 and error_sentence(result.stderr).startswith(text)

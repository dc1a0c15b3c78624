"""Pipes as standard handles whose end the program's parent has left in a state in which calls do not wait (PIPE_NOWAIT),
as programs of Cygwin and MSYS2 do: all bytes pass, and the state is as before when the program ends. Some of these ends
may not be changed, and some are changed again while it runs."""

import os
import pathlib
import time

import pytest

import bytestream
from programs import SAID_OF_WRONG_FLAG, error_sentence, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer

SIZE = 1_000_000
#: What can be changed; and what cannot, for one of three reasons: it is only for reading, as its server has made it; or
#: the handle gives no right to.
CHANGEABLE = ["anonymous-nowait", "message-duplex-nowait"]
INPUTS = [*CHANGEABLE, "anonymous-nowait-locked", "anonymous-nowait-blind", "overlapped-nowait", "overlapped-nowait-blind",
          "message-nowait", "message-read-nowait", "sync-message-nowait", "sync-message-read-nowait"]
OUTPUTS = ["anonymous-nowait", "anonymous-nowait-locked", "anonymous-nowait-blind", "overlapped-nowait",
           "overlapped-nowait-locked", "overlapped-nowait-blind", "message-nowait", "sync-message-nowait-locked"]


def program(*args):
    return [windows_path(uvrelay_exe()), *args]


def modes(parent):
    """The states that it was asked for, one after the other."""
    return [event["nowait"] for event in parent.all("mode")]


def processor_seconds(pipe):
    """Of the program that relays to this pipe."""
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().decode(errors="replace")
            if "uvrelay.exe" in command.split("\0")[0] and pipe in command and "parent.exe" not in command:
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    raise AssertionError("the program is not there")


# ---- bytes ----


@pytest.mark.parametrize("stdin", INPUTS)
def test_input(stdin):
    """Its beginning is late, and there is a pause in it: neither is the end."""
    with PipeServer("recv-end") as server, Parent(
            "sleep=200", f"send={SIZE},7001,3", "sleep=100", "text=end", "close-in", "wait=10000", stdin=stdin,
            program=program("-s", "-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        assert server.event("recv-end")["bytes"] == SIZE + 3
        parent.finish()
        assert parent.stderr == ""


@pytest.mark.parametrize("stdout", OUTPUTS)
def test_output(stdout):
    """The pipe is full most of the time."""
    with PipeServer(f"send={SIZE},50021,4", "close") as server, Parent(
            "sleep=300", "recv-end", "wait=10000", stdout=stdout, program=program(server.name)) as parent:
        output = parent.event("recv-end")
        assert (output["bytes"], output["sha256"]) == (SIZE, bytestream.sha256(SIZE, 4))
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert parent.stderr == ""
        server.finish()


@pytest.mark.parametrize("kind", ["anonymous-nowait", "anonymous-nowait-blind"])
def test_what_is_said(kind):
    """The help is several times what the pipe holds."""
    with Parent("sleep=200", "recv-end", "wait=10000", stdout=kind, program=program("help", "serve")) as parent:
        assert parent.event("exit")["code"] == 0
        assert parent.event("recv-end")["bytes"] > 4000
        parent.finish()
    with Parent("sleep=200", "recv-err-end", "wait=10000", options=[f"--stderr={kind}"],
                program=program("--wrong")) as parent:
        assert parent.event("exit")["code"] == 2
        assert parent.event("recv-err-end")["bytes"] == len(SAID_OF_WRONG_FLAG)
        parent.finish()


@pytest.mark.parametrize("copies", ["--both=", "--both-copies="])
@pytest.mark.parametrize("kind", ["duplex", "duplex-overlapped", "duplex-nowait", "duplex-overlapped-nowait"])
def test_one_pipe_for_both(kind, copies):
    """One that is not overlapped lets in one call at a time, on Windows: no read may wait there."""
    with PipeServer("recv=5", f"send={SIZE},50021,4", "text=there", "recv-end") as server, Parent(
            "text=hello", f"recv={SIZE}", "recv=5", "close-in", "wait=10000", options=[copies + kind],
            program=program("-ei", server.name)) as parent:
        assert parent.event("recv")["sha256"] == bytestream.sha256(SIZE, 4)
        assert parent.event("exit")["code"] == 0
        parent.finish()


# ---- given back ----


@pytest.mark.parametrize("stdin", CHANGEABLE)
@pytest.mark.parametrize("end", ["close-in", "ctrl-c", "await"])
def test_the_input_gets_its_state_back(stdin, end):
    """At the end of the input, at Ctrl-C, and at the target's end, which comes while a thread waits for input."""
    finish = ["recv-end"] if end != "await" else ["await", "close"]
    with PipeServer("recv=5", *finish) as server, Parent(
            "text=hello", "await", "mode=in", end, "wait=10000", "mode=in", stdin=stdin,
            options=["--keep=in", "--console"], program=program("-ei", server.name)) as parent:
        server.event("recv")
        parent.stdin.write(b"\n")
        if end == "await":
            parent.event("await", 2)
            server.go()
            parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] == (0xC000013A if end == "ctrl-c" else 0)
        parent.finish()
        assert modes(parent) == [0, 1]


@pytest.mark.parametrize("stdout", ["anonymous-nowait", "overlapped-nowait"])
def test_the_output_gets_its_state_back(stdout):
    with PipeServer("text=hello", "await", "close") as server, Parent(
            "recv=5", "mode=out", "await", "wait=10000", "mode=out", stdout=stdout, options=["--keep=out"],
            program=program(server.name)) as parent:
        parent.event("await")
        server.go()
        parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert modes(parent) == [0, 1]


def test_the_output_gets_its_state_back_when_it_is_closed():
    """While the input still goes on."""
    with PipeServer("text=hello", "zero", "recv-end") as server, Parent(
            "recv=5", "await", "mode=out", "close-in", "wait=10000", stdout="anonymous-nowait", options=["--keep=out"],
            program=program("-s", "-v", server.name)) as parent:
        parent.wait_stderr("end of input after 5 bytes")
        time.sleep(0.2)  # nothing else tells that the output is closed: the parent keeps its handle, too
        parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert modes(parent) == [1]


@pytest.mark.parametrize("words", [["//./pipe/uvrelay-none"], ["--owner=user", "tcp://127.0.0.1:1?owner=x"],
                                   ["--timeout=0.3", "-p", "//./pipe/uvrelay-none"], ["--wrong"], ["--version"],
                                   ["serve", "--config=-"], ["mux"]])
def test_whatever_goes_wrong(words):
    """Before anything is relayed, and with what never relays."""
    with Parent("text=wrong", "close-in", "wait=10000", "mode=in", "mode=out", stdin="anonymous-nowait",
                stdout="anonymous-nowait", options=["--keep=in", "--keep=out"], program=program(*words)) as parent:
        assert (parent.event("exit")["code"] == 0) == (words == ["--version"])
        parent.finish()
        assert modes(parent) == [1, 1]


def test_an_output_that_cannot_be_used():
    """The input was made ready already."""
    with Parent("wait=10000", "mode=in", stdin="anonymous-nowait", stdout="socket-listening", options=["--keep=in"],
                program=program("//./pipe/uvrelay-none")) as parent:
        assert parent.event("exit")["code"] == 1
        parent.finish()
        assert modes(parent) == [1]
        assert "is a listening socket" in error_sentence(parent.stderr)


@pytest.mark.parametrize("end", ["close-in", "ctrl-c"])
def test_a_far_end(end):
    with Parent("text=uvrelay-mux/1\n", "recv=14", "mode=in", end, "wait=10000", "mode=in", "mode=out",
                stdin="anonymous-nowait", stdout="anonymous-nowait", options=["--keep=in", "--keep=out", "--console"],
                program=program("mux")) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert modes(parent) == [0, 1, 1]


# ---- changed again ----


@pytest.mark.parametrize("stdin", [*CHANGEABLE, "anonymous", "message-duplex"])
def test_an_input_that_is_changed_while_it_runs(stdin):
    with PipeServer("recv-end") as server, Parent(
            "text=abc", "await", "set=in,nowait", f"send={SIZE},7001,3", "sleep=100", "set=in,wait", "set=in,nowait",
            "text=defg", "close-in", "wait=10000", "mode=in", stdin=stdin, options=["--keep=in"],
            program=program("-ei", "-v", server.name)) as parent:
        parent.wait_stderr("connected to")
        parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] == 0
        assert server.event("recv-end")["bytes"] == SIZE + 7
        parent.finish()


@pytest.mark.parametrize("stdout", ["anonymous-nowait", "anonymous", "overlapped-nowait", "overlapped", "message"])
def test_an_output_that_is_changed_while_it_runs(stdout):
    with PipeServer("text=abc", "await", f"send={SIZE},50021,4", "text=end", "recv-end") as server, Parent(
            "recv=3", "set=out,nowait", "await", "sleep=200", f"recv={SIZE}", "recv=3", "close-in", "wait=10000",
            stdout=stdout, options=["--keep=out"], program=program("-ei", server.name)) as parent:
        parent.event("await")
        server.go()
        parent.stdin.write(b"\n")
        assert parent.event("recv", 2)["sha256"] == bytestream.sha256(SIZE, 4)
        assert parent.event("exit")["code"] == 0
        parent.finish()


@pytest.mark.parametrize("stdin", ["anonymous-nowait", "anonymous-nowait-blind"])
def test_waiting_for_input_costs_little(stdin):
    """Nothing comes for a while: it must not try again and again without a pause."""
    with PipeServer("recv-end") as server, Parent(
            "await", "close-in", "wait=10000", stdin=stdin, program=program("-ei", "-v", server.name)) as parent:
        parent.wait_stderr("connected to")
        before = processor_seconds(server.name)
        time.sleep(1)
        after = processor_seconds(server.name)
        parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert after - before < 0.3

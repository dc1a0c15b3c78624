"""Sockets as standard input, output and error, as socat of Cygwin and MSYS2, and parents of Windows, hand them over: one
for both, two, or only one; what is no connection; and as the carrier of a mux."""

import itertools

import pytest

import bytestream
from programs import (SAID_OF_WRONG_FLAG, SOON, error_sentence, peer, unique_pipe, uvrelay_exe, windows_command,
                      windows_path)
from serving import connect
from via import Via
from winpeers import Parent, PipeServer
from winserving import PipeTarget, TcpEnd, TcpTarget, at_once

SIZE = 3_000_000
#: Each of these gives the child one connection for both ways, and the parent its other end.
BOTH = ["--both=socket", "--both-copies=socket", "--both=socket-attached", "--both-copies=socket-attached"]
EOF = 38  # how parent.exe reports the end of a socket's input: ERROR_HANDLE_EOF


def program(*args):
    return [windows_path(uvrelay_exe()), *args]


# ---- one socket for both ----


@pytest.mark.parametrize("both", BOTH)
def test_bytes_and_both_half_closes(both):
    """The client's end reaches the server, which answers after it; the server's end reaches the client."""
    with PipeServer("recv-end", f"send={SIZE},50021,4", "zero", "peek-gone") as server, Parent(
            f"send={SIZE},7001,3", "end-in", "recv-end", "wait=10000", options=[both],
            program=program("-s", server.name)) as parent:
        received = server.event("recv-end")
        assert (received["bytes"], received["end"], received["sha256"]) == (SIZE, 0, bytestream.sha256(SIZE, 3))
        output = parent.event("recv-end")
        assert (output["bytes"], output["end"], output["sha256"]) == (SIZE, EOF, bytestream.sha256(SIZE, 4))
        assert parent.event("exit")["code"] == 0
        parent.finish()
        server.finish()
        assert parent.stderr == ""


@pytest.mark.parametrize("both", BOTH)
def test_the_target_ends_first(both):
    with PipeServer("text=hi", "zero", "recv-end") as server, Parent(
            "recv-end", "text=hello", "end-in", "wait=10000", options=[both],
            program=program("-s", server.name)) as parent:
        assert parent.event("recv-end")["bytes"] == 2
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (5, 0)
        assert parent.event("exit")["code"] == 0
        parent.finish()


def test_a_target_on_tcp():
    """Both sides half-close, and nothing else initialises the sockets in another way."""
    with TcpTarget() as target, Parent(
            f"send={SIZE},7001,3", "end-in", "recv-end", "wait=10000", options=["--both=socket"],
            program=program(target.address)) as parent:
        end = target.accept()
        end.receive(SIZE, 3)
        end.wait_end()
        end.send(SIZE, 4)
        end.end()
        assert parent.event("recv-end")["sha256"] == bytestream.sha256(SIZE, 4)
        assert parent.event("exit")["code"] == 0
        parent.finish()


def test_a_small_answer_comes_at_once_while_the_input_is_silent():
    with PipeServer("recv=3", "text=there", "recv-end") as server, Parent(
            "text=abc", "recv=5", "end-in", "recv-end", "wait=10000", options=["--both=socket"],
            program=program("-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()


def test_what_was_written_arrives_although_the_reader_still_sends():
    """With -ep the program ends first; a close with input unread would reset the connection."""
    with PipeServer(f"send={SIZE},50021,4", "zero", "recv-end") as server, Parent(
            "text=more", "await", f"recv={SIZE}", "recv-end", "end-in", "wait=10000", options=["--both=socket"],
            program=program("-ep", server.name)) as parent:
        parent.event("await")
        server.event("zero")
        parent.stdin.write(b"\n")
        assert parent.event("recv")["sha256"] == bytestream.sha256(SIZE, 4)
        assert parent.event("recv-end")["end"] == EOF
        assert parent.event("exit")["code"] == 0
        parent.finish()


@pytest.mark.parametrize("kinds, code", [(BOTH[:1], 0), (["--stdin=socket", "--stdout=anonymous"], 1),
                                         (["--stdin=socket-sync", "--stdout=anonymous"], 1)])
def test_a_reset_by_the_peer_is_no_end_of_the_input(kinds, code):
    """The target must not take what it has got for all. As on Linux, it is a failure unless the reader has left, too."""
    with PipeServer("recv=5", "recv-end") as server, Parent(
            "text=hello", "await", "reset", "wait=10000", options=kinds, program=program("-s", "-v", server.name)) as parent:
        server.event("recv")
        parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] == code
        assert server.event("recv-end")["end"] != 0
        parent.finish()


def test_a_reader_that_leaves_is_noticed_while_nothing_is_written():
    with PipeServer("recv=5", "recv-end") as server, Parent(
            "text=hello", "await", "reset", "wait=10000", stdin="anonymous", options=["--stdout=socket"],
            program=program("-v", server.name)) as parent:
        server.event("recv")
        parent.stdin.write(b"\n")
        assert parent.event("exit")["code"] in (0, 1)
        parent.wait_stderr("the output is no longer being read")
        parent.finish()


# ---- two handles ----


@pytest.mark.parametrize("stdin, stdout", [pair for pair in itertools.product(
    ("socket", "socket-sync", "anonymous", "overlapped"), repeat=2) if any("socket" in kind for kind in pair)])
def test_one_or_two_sockets(stdin, stdout):
    end_in = "end-in" if "socket" in stdin else "close-in"
    with PipeServer("recv-end", f"send={SIZE},50021,4", "zero", "peek-gone") as server, Parent(
            f"send={SIZE},7001,3", end_in, "recv-end", "close-out", "wait=10000", stdin=stdin, stdout=stdout,
            program=program("-s", server.name)) as parent:
        received = server.event("recv-end")
        assert (received["bytes"], received["end"], received["sha256"]) == (SIZE, 0, bytestream.sha256(SIZE, 3))
        assert parent.event("recv-end")["sha256"] == bytestream.sha256(SIZE, 4)
        assert parent.event("exit")["code"] == 0
        parent.finish()
        server.finish()


@pytest.mark.parametrize("stdout", ["socket", "socket-sync"])
def test_the_end_of_the_output_is_seen_while_the_input_goes_on(stdout):
    with PipeServer("text=hi", "zero", "recv-end") as server, Parent(
            "recv-end", "text=hello", "close-out", "close-in", "wait=10000", stdout=stdout,
            program=program("-s", server.name)) as parent:
        assert parent.event("recv-end")["bytes"] == 2
        assert server.event("recv-end")["bytes"] == 5
        assert parent.event("exit")["code"] == 0
        parent.finish()


# ---- what cannot be used ----


@pytest.mark.parametrize("both", ["--both=socket-sync", "--both-copies=socket-sync"])
@pytest.mark.parametrize("words", [["tcp://127.0.0.1:1"], ["//./pipe/none"], ["mux"]])
def test_one_that_is_not_overlapped_is_refused_for_both(both, words):
    """On Windows, nothing could be written to it while a read waits: it would hang."""
    with Parent("wait=10000", options=[both], program=program(*words)) as parent:
        assert parent.event("exit")["code"] == 1
        parent.finish()
        sentence = error_sentence(parent.stderr)
        assert sentence.startswith("standard input and output are the same non-overlapped socket")
        assert "WSA_FLAG_OVERLAPPED" in sentence


@pytest.mark.parametrize("which", ["stdin", "stdout"])
@pytest.mark.parametrize("kind, why", [("listening", "a listening socket, not a connection"),
                                       ("unconnected", "a socket that is not connected"),
                                       ("datagram", "a datagram socket")])
def test_no_connection(kind, why, which):
    name = unique_pipe("none")
    for words in [["-p", name], ["mux"]]:
        with Parent("wait=10000", program=program(*words), **{which: f"socket-{kind}"}) as parent:
            assert parent.event("exit")["code"] == 1
            parent.finish()
            assert why in error_sentence(parent.stderr)
            assert f"standard {which[3:]}put" in parent.stderr


# ---- what is said, and what is read besides ----


def test_help_for_nobody():
    with Parent("wait=10000", stdout="socket-unconnected", program=program("--help")) as parent:
        assert parent.event("exit")["code"] == 1
        parent.finish()
        assert error_sentence(parent.stderr).startswith("cannot write to standard output: ")
        assert "not open" not in parent.stderr


@pytest.mark.parametrize("kind", ["socket", "socket-sync"])
def test_standard_error(kind):
    with PipeServer("recv-end") as server, Parent(
            "text=abc", "close-in", "recv-err-end", "wait=10000", options=[f"--stderr={kind}"],
            program=program("-v", "-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        assert parent.event("recv-err-end")["bytes"] > 100
        parent.finish()


def test_one_handle_for_all_three():
    """As a super-server gives it: what is said goes to the client, too, before and after the bytes."""
    with PipeServer("recv-end", f"send={SIZE},50021,4", "zero", "peek-gone") as server, Parent(
            f"send={SIZE},7001,3", "end-in", "recv-end", "wait=10000", options=["--both=socket", "--stderr=same"],
            program=program("-s", "-v", server.name)) as parent:
        assert server.event("recv-end")["sha256"] == bytestream.sha256(SIZE, 3)
        assert SIZE + 50 < parent.event("recv-end")["bytes"] < SIZE + 2000
        assert parent.event("exit")["code"] == 0
        parent.finish()
        server.finish()


@pytest.mark.parametrize("kind", ["socket", "socket-sync"])
def test_help_and_usage(kind):
    with Parent("recv-end", "wait=10000", stdout=kind, program=program("--help")) as parent:
        assert parent.event("exit")["code"] == 0
        assert parent.event("recv-end")["bytes"] > 2000
        parent.finish()
    with Parent("recv-err-end", "wait=10000", options=[f"--stderr={kind}"], program=program("--wrong")) as parent:
        assert parent.event("exit")["code"] == 2
        assert parent.event("recv-err-end")["bytes"] == len(SAID_OF_WRONG_FLAG)
        parent.finish()


@pytest.mark.parametrize("kind", ["socket", "socket-sync"])
def test_routes_for_serve(kind):
    with Parent("text=# routes\n", "text=wrong", "end-in", "wait=10000", stdin=kind,
                program=program("serve", "--config=-")) as parent:
        assert parent.event("exit")["code"] == 2
        parent.finish()
        assert "-:2:1:" in error_sentence(parent.stderr)


# ---- a carrier ----


def test_the_carrier_of_a_mux(tmp_path):
    """`uvrelay serve` of Linux speaks through a parent to a far end whose standard input and output are one socket."""
    path = tmp_path / "front"
    via = windows_command(peer("parent"), "--both=socket", "--log=stderr", "bridge", "wait=10000", "--",
                          *program("mux"))
    with PipeTarget("message") as target, Via(f"unix://{path}={target.address}", via=via) as serve:
        with connect(f"unix://{path}") as connection:
            connection.settimeout(SOON)
            client, end = TcpEnd.__new__(TcpEnd), target.accept()
            client.socket = connection
            at_once(lambda: client.send(SIZE, 3), lambda: end.receive(SIZE, 3))
            client.end()
            end.wait_end()
            at_once(lambda: end.send(SIZE, 4), lambda: client.receive(SIZE, 4))
            end.close()
        serve.wait_closed()


@pytest.mark.parametrize("how", ["end-in", "reset"])
def test_a_far_end_ends_with_its_carrier(how):
    with Parent("text=uvrelay-mux/1\n", "recv=14", how, "wait=10000", options=["--both=socket"],
                program=program("mux")) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert parent.stderr == ""

"""Writes of nothing to a standard input that is a pipe: in byte mode they are no end of the input, in message mode they
are. And messages that are longer than a buffer."""

import pytest

import bytestream
from programs import error_sentence, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer

SIZE = 1_000_000


def program(*args):
    return [windows_path(uvrelay_exe()), *args]


@pytest.mark.parametrize("stdin", ["anonymous", "overlapped", "message", "sync-message", "anonymous-nowait",
                                   "sync-message-nowait", "message-nowait"])
def test_an_empty_write_is_no_end_of_the_input(stdin):
    """In byte mode. Under Wine, a pipe of the byte type does not show it to its reader at all."""
    with PipeServer("recv-end") as server, Parent(
            "text=abc", "sleep=100", "zero", "zero", "sleep=100", "text=defg", "zero", "close-in", "wait=10000",
            stdin=stdin, program=program("-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        assert server.event("recv-end")["bytes"] == 7
        parent.finish()


@pytest.mark.parametrize("stdin", ["message-duplex", "sync-message-read"])
def test_in_message_mode_it_is(stdin):
    with PipeServer("recv-end") as server, Parent(
            "text=abc", "sleep=100", "zero", "wait=10000", stdin=stdin, program=program("-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        assert server.event("recv-end")["bytes"] == 3
        parent.finish()


@pytest.mark.parametrize("stdin", ["sync-message-read", "message-duplex", "message-read"])
def test_messages_that_are_longer_than_a_buffer(stdin):
    with PipeServer("recv-end") as server, Parent(
            f"send={SIZE},100003,3", "close-in", "wait=10000", stdin=stdin, program=program("-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        received = server.event("recv-end")
        assert (received["bytes"], received["sha256"]) == (SIZE, bytestream.sha256(SIZE, 3))
        parent.finish()


def test_an_empty_write_to_the_carrier_of_a_far_end():
    with Parent("sleep=200", "zero", "sleep=100", "text=uvrelay-mux/1\n", "recv=14", "zero", "sleep=100", "close-in",
                "wait=10000", stdin="sync-message", program=program("mux")) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert parent.stderr == ""


def test_an_empty_write_among_the_routes_of_serve():
    with Parent("text=# routes\n", "sleep=200", "zero", "sleep=100", "text=wrong", "close-in", "wait=10000",
                stdin="sync-message", program=program("serve", "--config=-")) as parent:
        assert parent.event("exit")["code"] == 2
        parent.finish()
        assert "-:2:1:" in error_sentence(parent.stderr)

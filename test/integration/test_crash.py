"""As linux/test_crash.py, for the Windows program: who sees a reset when it is killed, and who an end."""

import functools
import os
import signal
import socket
import time

import bytestream
import pytest
from programs import SOON, Relay, outcome, read_slowly
from winserving import Serve, TcpTarget, at_once, make_target, port_of

LARGE = 3 << 20


def stream(seed, size=LARGE):
    return b"".join(bytestream.chunks(size, seed))


def connect(serve):
    """A client that holds few bytes, so that most of what is sent to it waits in other places."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    made.settimeout(SOON)
    made.connect(("127.0.0.1", port_of(serve.address)))
    return made


def kill(program):
    os.kill(program.pid, signal.SIGKILL)
    program.popen.wait(SOON)


class Kept(Exception):
    """Wine's server has kept a TCP connection of a process that was killed, as it does now and then, so that the peer
    sees nothing at all. (The chaos excuses the same.) An end where a reset is due is never that."""


def seen(connection):
    """What a peer sees of a kill."""
    try:
        return outcome(connection, timeout=5)
    except TimeoutError as why:
        raise Kept from why


def unless_kept(test):
    """Tries a test again where Wine has kept the connection."""
    @functools.wraps(test)
    def tried(*args, **kwargs):
        for _ in range(6):
            try:
                return test(*args, **kwargs)
            except Kept as why:
                kept = why
        raise kept
    return tried


@pytest.mark.parametrize("kind", ["tcp", "assuan"])
@unless_kept
def test_killed_in_mid_stream(kind, tmp_path):
    with make_target(kind, tmp_path) as target, Serve(f"tcp://127.0.0.1:0={target.address}") as serve:
        with connect(serve) as client:
            end = target.accept()
            client.sendall(b"hello")
            assert end.socket.recv(5) == b"hello"
            end.socket.sendall(b"hello")
            assert client.recv(5) == b"hello"
            kill(serve)
            assert seen(client) == (b"", "reset")
            assert seen(end.socket) == (b"", "reset")


@unless_kept
def test_killed_while_much_is_under_way(tmp_path):
    """Writes that the system has not finished are no end either."""
    sent = stream(1, 8 << 20)
    with TcpTarget() as target, Serve(f"tcp://127.0.0.1:0={target.address}") as serve, connect(serve) as client:
        end = target.accept()
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(sent * 8)
        kill(serve)
        data, how = seen(end.socket)
        assert how == "reset" and (sent * 8).startswith(data)


@unless_kept
def test_killed_when_one_direction_has_ended():
    """Who had been sent all has all, and its end; the other one sees a reset."""
    with TcpTarget() as target, Serve(f"tcp://127.0.0.1:0={target.address}") as serve, connect(serve) as client:
        end = target.accept()
        client.sendall(b"a request")
        client.shutdown(socket.SHUT_WR)
        assert outcome(end.socket) == (b"a request", "end")
        kill(serve)
        assert seen(client) == (b"", "reset")


@unless_kept
def test_a_one_shot_program_is_killed():
    with TcpTarget() as target, Relay(target.address) as program:
        end = target.accept()
        program.write(b"hello")
        assert end.socket.recv(5) == b"hello"
        kill(program)
        assert seen(end.socket) == (b"", "reset")


@pytest.mark.parametrize("by", ["client", "target"])
def test_all_arrives_after_both_have_ended(by):
    """Megabytes, however slowly they are read."""
    with TcpTarget() as target, Serve(f"tcp://127.0.0.1:0={target.address}") as serve, connect(serve) as client:
        end = target.accept().socket
        ended, told = (client, end) if by == "client" else (end, client)
        told.shutdown(socket.SHUT_WR)
        assert outcome(ended) == (b"", "end")

        def send():
            ended.sendall(stream(2))
            ended.shutdown(socket.SHUT_WR)

        assert at_once(send, lambda: read_slowly(told))[1] == (stream(2), "end")


def test_all_arrives_after_linger():
    with TcpTarget() as target, Serve(f"tcp://127.0.0.1:0={target.address}?eof=none&linger=0.5") as serve, connect(
            serve) as client:
        end = target.accept()
        client.sendall(stream(3, 150_000))
        client.shutdown(socket.SHUT_WR)
        serve.wait_closed()
        assert read_slowly(end.socket) == (stream(3, 150_000), "end")


@pytest.mark.parametrize("chatty", [False, True])
def test_all_arrives_from_a_one_shot_program(chatty):
    """It exits when all is written, even if the target reads slowly, and still sends."""
    with TcpTarget() as target, Relay("-ei", target.address) as program:
        end = target.accept()
        program.write(stream(4, 150_000))
        program.stdin.close()
        got = b""
        for _ in range(10 if chatty else 0):
            end.socket.sendall(b"y" * 100)
            got += end.socket.recv(10_000)
            time.sleep(0.01)
        rest, how = outcome(end.socket)
        assert (got + rest == stream(4, 150_000), how) == (True, "end")
        end.close()
        assert program.wait() == 0

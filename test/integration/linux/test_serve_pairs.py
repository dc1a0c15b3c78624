"""All that uvrelay serve can listen on, with each target: bytes, ends, and whoever vanishes."""

import contextlib
import os
import socket
import threading
import time

import bytestream
import pytest
from assuanpeer import refused_port
from programs import SOON
from serving import (SANITIZED, Front, Target, ask, connect, echo, ends, receive_all, receive_exactly, swap, target,
                     vanish)

SIZE = 4_000_000 if SANITIZED else 20_000_000


class Pair:
    def __init__(self, front, back, directory):
        self.front, self.back, self._directory = front, back, directory

    @contextlib.contextmanager
    def relaying(self, talk, *args):
        """Gives the program, the target, and a function that connects."""
        with Front(self.front, self._directory) as front, target(self.back, talk, self._directory) as back:
            with front.serve(back.address, *args) as serve:
                yield serve, back, lambda: front.connect(serve)


#: With sanitizers each kind is once on each side.
PAIRS = [(front, back) for i, front in enumerate(Front.KINDS) for j, back in enumerate(Target.KINDS)
         if (i + j) % 4 == 0 or not SANITIZED]


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(request, tmp_path):
    return Pair(*request.param, tmp_path)


def test_echo(pair):
    with pair.relaying(echo) as (serve, back, connect):
        for data in (b"x", b"hello\r\n\0", bytes(range(256)) * 500):
            with connect() as client:
                ask(client, data)
                ask(client, data)
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == b""
        back.wait(3)
        assert serve.wait_closed(3).bytes == (256_000, 256_000)


def test_the_target_speaks_first(pair):
    with pair.relaying(lambda connection: (connection.sendall(b"OK"), echo(connection))) as (_, back, connect):
        with connect() as client:
            assert receive_exactly(client, 2) == b"OK"
            ask(client)
        back.wait()


def test_a_late_reply_after_the_client_has_ended(pair):
    def talk(connection):
        text = receive_all(connection)
        time.sleep(0.8)
        connection.sendall(text.upper())

    with pair.relaying(talk, "--linger=0.2") as (serve, back, connect):
        with connect() as client:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"QUESTION"
        back.wait()
        assert serve.wait_closed().bytes == (8, 8)


def test_the_target_ends_and_the_client_still_sends(pair):
    got = []

    def talk(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(receive_all(connection))

    with pair.relaying(talk) as (serve, back, connect):
        with connect() as client:
            assert receive_all(client) == b"bye"
            time.sleep(0.3)
            for piece in bytestream.chunks(1_000_000):
                client.sendall(piece)
        back.wait()
        assert got == [bytestream.data(1_000_000)]
        assert serve.wait_closed().bytes == (1_000_000, 3)


def test_much_both_ways_at_once(pair):
    got = []
    with pair.relaying(lambda connection: got.append(swap(connection, SIZE, 2))) as (serve, back, connect):
        with connect() as client:
            assert swap(client, SIZE, 1) == bytestream.sha256(SIZE, 2)
        back.wait()
        assert got == [bytestream.sha256(SIZE, 1)]
        assert serve.wait_closed().bytes == (SIZE, SIZE)


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize("pair", [("unix", "unix"), ("unix", "tcp"), ("tcp", "unix"), ("tcp", "tcp")],
                         ids="-to-".join, indirect=True)
def test_a_client_vanishes_and_the_target_is_silent(pair, unread):
    """The session must end without any help of the target, which neither writes nor closes."""
    over = threading.Event()

    def talk(connection):
        receive_exactly(connection, 5)
        if unread:
            connection.sendall(b"nobody will read this")
        assert over.wait(2 * SOON), "the session did not end"
        ends(connection)

    with pair.relaying(talk) as (serve, back, connect):
        client = connect()
        client.sendall(b"hello")
        serve.wait_match("#1: opened")
        time.sleep(0.2)
        vanish(client)
        serve.wait_closed(timeout=2 * SOON)
        over.set()
        back.wait()


def test_a_client_vanishes_and_the_target_reads_nothing(tmp_path):
    """What is still to be delivered is no reason to keep the target's connection for ever."""
    over = threading.Event()

    def talk(connection):
        assert over.wait(2 * SOON), "the session did not end"

    with Pair("unix", "unix", tmp_path).relaying(talk, "--linger=0.5") as (serve, back, connect):
        client = connect()
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                client.send(b"x" * 65536)
        vanish(client)
        try:
            serve.wait_closed(timeout=2 * SOON)
        finally:
            over.set()
        back.wait()


def test_a_client_closes_and_the_target_gets_all_of_it(pair):
    """A close, which on TCP is no more than an end of input."""
    got = []

    def talk(connection):
        time.sleep(0.3)
        got.append(receive_all(connection))

    with pair.relaying(talk) as (serve, back, connect):
        with connect() as client:
            client.sendall(b"y" * 100_000)
        back.wait()
        assert got == [b"y" * 100_000]
        assert serve.wait_closed().bytes == (100_000, 0)


def test_a_client_vanishes_while_the_target_sends(pair):
    def talk(connection):
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(b"x" * 65536)

    with pair.relaying(talk) as (serve, back, connect):
        with connect() as client:
            receive_exactly(client, 100_000)
        back.wait()
        assert serve.wait_closed().bytes[1] >= 100_000


def test_the_target_closes(pair):
    with pair.relaying(lambda connection: connection.sendall(b"hi")) as (serve, back, connect):
        with connect() as client:
            assert receive_all(client) == b"hi"
            with pytest.raises(ConnectionError):
                end = time.monotonic() + SOON
                while time.monotonic() < end:
                    client.sendall(b"is there anybody?")
                    time.sleep(0.01)
        back.wait()
        assert serve.wait_closed().bytes[1] == 2


def test_the_target_vanishes(pair):
    def talk(connection):
        receive_exactly(connection, 5)
        vanish(connection)

    with pair.relaying(talk) as (serve, back, connect):
        with connect() as client:
            client.sendall(b"hello")
            ends(client)
            serve.wait_closed()
        back.wait()


def absent(back, directory):
    """A target that is not there; the sentence's beginning about it; and how to make it be there."""
    path = directory / "later"
    if back == "unix":
        return f"unix://{path}", f"there is no socket unix://{path} (ENOENT)", lambda: Target(path, echo)
    port = refused_port()
    if back == "tcp":
        return (f"tcp://127.0.0.1:{port}", f"cannot connect to tcp://127.0.0.1:{port}: connection refused",
                lambda: Target(port, echo))

    def later():
        made = target(back, echo, directory)
        os.rename(directory / "back", path)
        return made
    return f"assuan://{path}", f"there is no socket file {path} (ENOENT)", later


def test_an_absent_target(pair, tmp_path):
    """Its client is closed at once, the log says why, and the next client may have more luck."""
    address, sentence, later = absent(pair.back, tmp_path)
    with Front(pair.front, tmp_path) as front, front.serve(address) as serve:
        begin = time.monotonic()
        for number in (1, 2):
            with front.connect(serve) as client:
                ends(client)
            assert sentence in serve.wait_match(rf"=\S+ #{number}: closed after .*$")[0]
        assert time.monotonic() - begin < 10
        with later(), front.connect(serve) as client:
            ask(client)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("cygwin", [False, True])
def test_a_socket_file_that_a_dead_server_has_left(tmp_path, verbose, cygwin):
    with target("cygwin" if cygwin else "assuan", echo, tmp_path) as dead:
        pass
    with Front("unix", tmp_path) as front, front.serve(dead.address, verbose=verbose) as serve:
        with connect(front.address) as client:
            ends(client)
        line = serve.wait_match(r"#1: .*nobody listens on port.*\(ECONNREFUSED\).*$")[0]
        assert ("closed after" in line) == verbose
        assert dead.nonce.hex() not in serve.stderr and dead.nonce.hex().upper() not in serve.stderr


def test_a_client_vanishes_and_a_slow_target_gets_all_of_it(tmp_path):
    """Even though what the target says meanwhile shows that nobody hears it."""
    size = 1_500_000
    got = []

    def talk(connection):
        data = bytearray()
        with contextlib.suppress(ConnectionError):  # behind all bytes: what was said is unread
            while piece := connection.recv(16384):
                data += piece
                with contextlib.suppress(OSError):
                    connection.sendall(b"so far")
                time.sleep(0.1)
        got.append(bytes(data))

    with Pair("unix", "unix", tmp_path).relaying(talk) as (serve, back, connect):
        client = connect()
        for piece in bytestream.chunks(size):
            client.sendall(piece)
        vanish(client)
        back.wait()
        assert got == [bytestream.data(size)]
        serve.wait_closed(timeout=2 * SOON)

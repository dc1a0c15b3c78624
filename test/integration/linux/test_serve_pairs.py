"""All that uvrelay serve can listen on, with each target: bytes and their ends, and targets that are not there."""

import os
import socket
import time

import bytestream
import pytest
from assuanpeer import refused_port
from programs import SOON
from serving import SANITIZED, Front, Target, ask, connect, echo, ends, receive_all, receive_exactly, swap, target

SIZE = 4_000_000 if SANITIZED else 20_000_000


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
        time.sleep(0.4)
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


@pytest.mark.sanitized
def test_much_both_ways_at_once(pair):
    got = []
    with pair.relaying(lambda connection: got.append(swap(connection, SIZE, 2))) as (serve, back, connect):
        with connect() as client:
            assert swap(client, SIZE, 1) == bytestream.sha256(SIZE, 2)
        back.wait()
        assert got == [bytestream.sha256(SIZE, 1)]
        assert serve.wait_closed().bytes == (SIZE, SIZE)


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
        assert time.monotonic() - begin < SOON
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
        line = serve.wait_match(r"#1: .*nothing is listening on port.*\(ECONNREFUSED\).*$")[0]
        assert ("closed after" in line) == verbose
        assert dead.nonce.hex() not in serve.stderr and dead.nonce.hex().upper() not in serve.stderr

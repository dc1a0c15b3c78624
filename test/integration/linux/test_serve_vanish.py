"""Clients and targets that close or vanish while uvrelay serve relays between them: what was sent arrives, the other
side hears of it, and nothing stays. These tests mostly wait."""

import contextlib
import socket
import threading
import time

import bytestream
import pytest
from programs import SOON
from serving import PAIRS, Pair, Serve, Target, all_at_once, connect, ends, receive_all, receive_exactly, vanish
from via import Via

pytestmark = pytest.mark.sanitized


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize("pair", [("unix", "unix"), ("unix", "tcp"), ("tcp", "unix"), ("tcp", "tcp")],
                         ids="-to-".join, indirect=True)
def test_a_client_vanishes_and_the_target_is_silent(pair, unread):
    """The session must end without any help of the target, which neither writes nor closes."""
    said, over = threading.Event(), threading.Event()

    def talk(connection):
        receive_exactly(connection, 5)
        if unread:
            connection.sendall(b"nobody will read this")
        said.set()
        assert over.wait(2 * SOON), "the session did not end"
        ends(connection)

    with pair.relaying(talk) as (serve, back, connect):
        client = connect()
        client.sendall(b"hello")
        assert said.wait(SOON)
        vanish(client)
        serve.wait_closed(timeout=2 * SOON)
        over.set()
        back.wait()


def test_a_client_vanishes_and_the_target_reads_nothing(tmp_path):
    """What is still to be delivered is no reason to keep the target's connection forever."""
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


@pytest.mark.parametrize("via", ["", "via:"])
def test_a_target_that_goes_on_sending_is_not_drained_for_long(tmp_path, via):
    """What it sends after its client has gone reaches no one. It would keep a core busy."""
    sent = [0]

    def talk(connection):
        receive_exactly(connection, 5)
        with contextlib.suppress(ConnectionError):
            while True:
                sent[0] += connection.send(b"x" * 65536)

    start = Via if via else Serve
    with Target(0, talk) as back, start(f"unix://{tmp_path}/front={via}{back.address}") as serve:
        with connect(f"unix://{tmp_path}/front") as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            receive_exactly(client, 30_000_000)
        back.wait()
        # All buffers on the way may have been full.
        assert sent[0] - serve.wait_closed().bytes[1] < 64_000_000


def check_that_the_client_hears_of_it(pair):
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


def test_the_target_closes(tmp_path):
    """It takes the program some seconds to be sure, so all pairs are tested at once."""
    all_at_once(tmp_path, {"-to-".join(kinds): lambda place, kinds=kinds: check_that_the_client_hears_of_it(
        Pair(*kinds, place)) for kinds in PAIRS})


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


def test_a_client_vanishes_and_a_slow_target_gets_all_of_it(tmp_path):
    """Even though what the target says meanwhile shows that its client is gone."""
    size = 1_500_000
    got = []

    def talk(connection):
        data = bytearray()
        with contextlib.suppress(ConnectionError):  # after all bytes: what was said is unread
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

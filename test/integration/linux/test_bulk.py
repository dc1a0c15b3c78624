"""What is fast for long is spliced through pipes of the system: the bytes arrive both ways at once, the counts are right,
the ends are passed on, and the pipes are closed when they are no longer needed."""

import os
import socket
import threading

import bytestream
import pytest
from programs import SOON
from serving import Serve, Target, connect, receive_exactly, swap, wait_for

pytestmark = pytest.mark.sanitized

SIZE = 16_000_003


def pipe_ends(serve):
    links = []
    for fd in os.listdir(f"/proc/{serve.pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{serve.pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return sum(link.startswith("pipe:") for link in links)


@pytest.mark.parametrize("back", ["unix", "tcp"])
@pytest.mark.parametrize("front", ["unix", "tcp"])
def test_both_ways_at_once(path, front, back):
    most = [0]
    hashes = []

    def talk(connection):
        hashes.append(swap(connection, SIZE, 2))

    with Target(0 if back == "tcp" else f"{path}.target", talk) as target, Serve(
            f"{'tcp://127.0.0.1:0' if front == 'tcp' else f'unix://{path}'}={target.address}") as serve:
        before = pipe_ends(serve)
        done = threading.Event()

        def look():
            while not done.wait(0.001):
                most[0] = max(most[0], pipe_ends(serve) - before)

        looker = threading.Thread(target=look)
        looker.start()
        try:
            with connect(serve.listen() if front == "tcp" else f"unix://{path}") as client:
                assert swap(client, SIZE, 1) == bytestream.sha256(SIZE, 2)
            wait_for(lambda: hashes, "the other end")
        finally:
            done.set()
            looker.join()
        assert hashes == [bytestream.sha256(SIZE, 1)]
        assert serve.wait_closed().bytes == (SIZE, SIZE)
        # A pipe has two ends. From a Unix socket to TCP, bytes are copied, which costs less.
        assert 0 < most[0] <= (4 if front == back else 2)
        wait_for(lambda: pipe_ends(serve) == before, "the pipes to be closed")


def test_a_target_that_stops_reading(path):
    """Its pipe stays, and what is in it arrives when it reads again."""
    go = threading.Event()
    received = []

    def talk(connection):
        received.append(receive_exactly(connection, 4_000_000))
        go.wait(SOON)
        while piece := connection.recv(1 << 16):
            received.append(piece)

    with Target(f"{path}.target", talk) as target, Serve(f"unix://{path}={target.address}") as serve:
        data = bytestream.data(SIZE, 1)
        with connect(f"unix://{path}") as client:
            client.sendall(data[:4_000_000])
            wait_for(lambda: received, "the first bytes")
            sent = 4_000_000
            client.settimeout(1)
            with pytest.raises(TimeoutError):
                while True:
                    sent += client.send(data[sent:sent + 65536])
            client.settimeout(SOON)
            assert sent < 6_000_000  # no more than the sockets and a pipe hold
            go.set()
            client.sendall(data[sent:])
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        assert b"".join(received) == data
        assert serve.wait_closed().bytes == (SIZE, 0)

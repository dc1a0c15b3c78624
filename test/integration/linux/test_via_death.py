"""kill -9 of either end at random moments: nothing hangs, nothing is left, nothing half looks whole, and the service is
back at once. The moments come from a seed that is printed."""

import contextlib
import hashlib
import os
import random
import signal
import socket
import struct
import threading
import time

import pytest

import bytestream
from programs import SOON
from serving import SANITIZED, Target, connect, receive_exactly, wait_for
from via import Via, alive

pytestmark = pytest.mark.sanitized

SEED = int(os.environ.get("UVRELAY_TEST_SEED", time.time_ns() % 1_000_000))
CHILD_ROUNDS, SERVE_ROUNDS = (20, 10) if SANITIZED else (60, 40)
CLIENTS, MOST = 4, 3_000_000

#: Within this the service must be back.
BACK = SOON / 2


def question(kind, size, seed):
    return struct.pack(">cQQ", kind, size, seed)


def answer(connection):
    """What it is asked for: an echo of 16 bytes, so many bytes and their hash, or to take so many and tell theirs."""
    with contextlib.suppress(OSError, AssertionError):
        while True:
            kind, size, seed = struct.unpack(">cQQ", receive_exactly(connection, 17))
            if kind == b"d":
                for piece in bytestream.chunks(size, seed):
                    connection.sendall(piece)
                connection.sendall(bytes.fromhex(bytestream.sha256(size, seed)))
            elif kind == b"u":
                hash_ = hashlib.sha256()
                while size > 0:
                    piece = connection.recv(min(size, 1 << 18))
                    assert piece
                    hash_.update(piece)
                    size -= len(piece)
                connection.sendall(hash_.digest())
            else:
                connection.sendall(struct.pack(">QQ", size, seed))


class Transfer:
    """A client that goes on until its connection ends. What it has got must be whole or visibly not."""

    def __init__(self, address, source):
        self.kind, self.failure, self.whole = source.choice([b"d", b"u"]), None, 0
        self._sizes = [source.randrange(MOST) for _ in range(50)]
        self._connection = connect(address)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with self._connection:
                for number, size in enumerate(self._sizes):
                    if not (self._down if self.kind == b"d" else self._up)(size, number % 5 + 1):
                        return
                    self.whole += 1
        except Exception as failure:
            self.failure = failure

    def _receive(self, count):
        """Gives what came, less if the connection ends before."""
        data = bytearray()
        with contextlib.suppress(ConnectionError):
            while len(data) < count and (piece := self._connection.recv(min(count - len(data), 1 << 18))):
                data += piece
        return bytes(data)

    def _down(self, size, seed):
        with contextlib.suppress(ConnectionError):
            self._connection.sendall(question(b"d", size, seed))
        data = self._receive(size + 32)
        assert data[:size] == bytestream.data(size, seed)[:len(data)], "other bytes than were sent"
        if len(data) < size + 32:
            return False
        assert data[size:].hex() == bytestream.sha256(size, seed)
        return True

    def _up(self, size, seed):
        try:
            self._connection.sendall(question(b"u", size, seed))
            for piece in bytestream.chunks(size, seed):
                self._connection.sendall(piece)
        except ConnectionError:
            return False
        data = self._receive(32)
        assert not data or data.hex() == bytestream.sha256(size, seed)[:2 * len(data)]
        return len(data) == 32

    def join(self, what):
        self.thread.join(SOON)
        assert not self.thread.is_alive(), f"{what}: a client's connection did not end"
        if self.failure:
            raise AssertionError(what) from self.failure


def assert_back(address, what):
    """A connection that is made at once waits as long as it must, and then is served."""
    begin = time.monotonic()
    while True:
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError), connect(address) as client:
            client.sendall(question(b"e", 7, 9))
            assert receive_exactly(client, 16) == struct.pack(">QQ", 7, 9)
            break
        assert time.monotonic() - begin < SOON, what
        time.sleep(0.005)
    return time.monotonic() - begin


@pytest.fixture(params=["unix", "tcp"])
def target(request, tmp_path):
    with Target(tmp_path / "target" if request.param == "unix" else 0, answer) as target:
        yield target


def test_killed_children(tmp_path, target):
    source, address, longest, whole = random.Random(SEED), f"unix://{tmp_path}/s", 0, 0
    print("seed", SEED)
    with Via(f"{address}=via:{target.address}") as serve:
        assert_back(address, "at first")
        for number in range(1, CHILD_ROUNDS // 2 + 1):
            transfers = [Transfer(address, source) for _ in range(CLIENTS)]
            pid = serve.far_pid(number)
            time.sleep(source.uniform(0, 0.1))
            os.kill(pid, signal.SIGKILL)
            longest = max(longest, assert_back(address, f"round {number}"))
            for transfer in transfers:
                transfer.join(f"round {number}")
                whole += transfer.whole
        wait_for(lambda: target.open <= 1, "the targets' connections have ended")
        assert len(serve.far_ends()) == 1 and serve.running
    print(f"{whole} whole transfers; back after {longest:.3f} s at most")
    assert longest < BACK


def test_killed_serve(tmp_path, target):
    """Its far end ends by itself, and so do its connections; another serve takes over the socket that is left."""
    source, address, longest, whole = random.Random(SEED + 1), f"unix://{tmp_path}/s", 0, 0
    print("seed", SEED + 1)
    for number in range(1, SERVE_ROUNDS // 2 + 1):
        with contextlib.ExitStack() as stack:
            serve = Via(f"{address}=via:{target.address}")
            stack.callback(serve.end_all)
            longest = max(longest, assert_back(address, f"round {number}"))
            transfers = [Transfer(address, source) for _ in range(CLIENTS)]
            time.sleep(source.uniform(0, 0.1))
            far = serve.far_pid()
            serve.kill()
            begin = time.monotonic()
            for transfer in transfers:
                transfer.join(f"round {number}")
                whole += transfer.whole
            serve.assert_alone()
            wait_for(lambda: not alive(far), "the far end has ended")
            assert time.monotonic() - begin < BACK
            wait_for(lambda: target.open == 0, "the targets' connections have ended")
    print(f"{whole} whole transfers; served after {longest:.3f} s at most")
    assert longest < BACK


def test_a_connection_made_while_it_is_down_waits(tmp_path, target):
    """Many of them; and all are served."""
    address = f"unix://{tmp_path}/s"
    with Via(f"{address}=via:{target.address}") as serve:
        assert_back(address, "at first")
        os.kill(serve.far_pid(), signal.SIGKILL)
        clients = [connect(address) for _ in range(50)]
        for number, client in enumerate(clients):
            client.sendall(question(b"e", number, 1))
        for number, client in enumerate(clients):
            assert receive_exactly(client, 16) == struct.pack(">QQ", number, 1)
            client.close()
        serve.wait_match(r"started \(process", 2)
        assert len(serve.matches(r"started \(process")) == 2


def test_a_far_end_that_is_killed_again_and_again(tmp_path, target):
    """Before it can do anything: clients wait; when it is let live, they are served."""
    address, end = f"unix://{tmp_path}/s", time.monotonic() + 1.5
    with Via(f"{address}=via:{target.address}") as serve, contextlib.ExitStack() as stack:
        number = 0
        while time.monotonic() < end and number < 3:
            number += 1
            client = stack.enter_context(connect(address))
            client.sendall(question(b"e", 3, 4))
            with contextlib.suppress(ProcessLookupError):
                os.kill(serve.far_pid(number), signal.SIGKILL)
            client.settimeout(SOON)
        with contextlib.suppress(ConnectionResetError):
            client.recv(16)  # an answer, or the end where it had been connected
        with connect(address) as other:
            other.sendall(question(b"e", 5, 6))
            assert receive_exactly(other, 16) == struct.pack(">QQ", 5, 6)


def test_a_cut_is_no_end(tmp_path):
    """Where there is a difference, as with TCP: no peer takes what was cut for complete."""
    seen = []

    def talk(connection):
        connection.sendall(receive_exactly(connection, 5))
        try:
            seen.append(connection.recv(1))
        except ConnectionResetError:
            seen.append("reset")

    with Target(0, talk) as target, contextlib.ExitStack() as stack:
        serve = Via(f"tcp://127.0.0.1:0=via:{target.address}")
        stack.callback(serve.end_all)
        with serve.connect() as client:
            client.sendall(b"hello")
            receive_exactly(client, 5)
            os.kill(serve.far_pid(), signal.SIGKILL)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        target.wait(1)
        with serve.connect() as client:
            client.sendall(b"hello")
            receive_exactly(client, 5)
            serve.kill()
            target.wait(2)
    assert seen[1] == "reset"


def test_a_killed_far_end_is_told(tmp_path, target):
    with Via(f"unix://{tmp_path}/s=via:{target.address}", verbose=True) as serve, socket.socket(
            socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/s")
        client.sendall(question(b"e", 1, 2))
        receive_exactly(client, 16)
        os.kill(serve.far_pid(), signal.SIGKILL)
        assert client.recv(1) == b"" if target.address.startswith("unix") else True
        serve.wait_match(r"^uvrelay: far end: .*(signal 9|SIGKILL|killed)")
        assert "failed" in serve.wait_closed().reason

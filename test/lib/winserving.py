"""`uvrelay.exe serve` under test, and what is at both sides of it: clients and targets that are TCP sockets of ours or
pipes of test/peers, all told what to do by the same calls, so that a test can be run over all pairs.

An end is one connection: send, receive, both at the same time, end (the half-close of its kind), wait for the other's
end, close, reset. A target gives an end for each client that comes.
"""

import concurrent.futures
import hashlib
import os
import re
import socket
import struct
import time

import pytest

import bytestream
import logschema
from assuanpeer import cygwin_file, plain_file, receive_exactly
from programs import SOON, Relay, unique_pipe, windows_path
from winpeers import Peer, PipeServer

LISTENERS = ["tcp", "byte", "message"]
TARGETS = ["tcp", "byte", "message", "assuan", "cygwin"]
PAIRS = [(listener, target) for listener in LISTENERS for target in TARGETS]

#: What begins with a route in its canonical form.
ROUTE = r"(.*?)=(?=[a-z]+:|//)"

BROKEN_PIPE = 109
NO_DATA = 232
NOT_CONNECTED = 233


def at_once(*calls):
    """Makes the calls at the same time and gives their results; fails as the first that fails."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


# ---- ends ----


class TcpEnd:
    can_end = True

    def __init__(self, connection):
        self.socket = connection
        connection.settimeout(SOON)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, count, seed=1, message=65536):
        for piece in bytestream.chunks(count, seed, message):
            self.socket.sendall(piece)

    def receive(self, count, seed=1):
        hash_, left = hashlib.sha256(), count
        while left > 0:
            piece = self.socket.recv(min(left, 1 << 18))
            assert piece, f"the end, with {left} bytes of {count} to come"
            hash_.update(piece)
            left -= len(piece)
        assert hash_.hexdigest() == bytestream.sha256(count, seed)

    def both(self, count, seed, other_count, other_seed):
        at_once(lambda: self.send(count, seed), lambda: self.receive(other_count, other_seed))

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)

    def wait_end(self):
        """Until the other side has ended its input or is gone."""
        try:
            assert self.socket.recv(1) == b"", "a byte came instead of the end"
        except ConnectionResetError:
            pass

    wait_gone = wait_end

    def pour(self):
        """Sends without end, until nothing is taken."""
        try:
            while True:
                self.socket.sendall(bytes(65536))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class PipeEnd:
    """A connection of a peer that takes commands."""

    def __init__(self, peer, type):
        self.peer, self.can_end = peer, type == "message"

    def do(self, action, event=None):
        """Lets the peer do it, waits until it is done, and gives the line that it printed for it."""
        self.peer.done = getattr(self.peer, "done", 0) + 1
        self.peer.write(action.encode() + b"\n")
        self.peer.event("did", self.peer.done, 3 * SOON)
        return self.peer.all(event or action.partition("=")[0])[-1]

    def send(self, count, seed=1, message=65536):
        self.do(f"send={count},{message},{seed}")

    def receive(self, count, seed=1):
        received = self.do(f"recv={count}")
        assert (received["bytes"], received["sha256"]) == (count, bytestream.sha256(count, seed))

    def both(self, count, seed, other_count, other_seed):
        received = self.do(f"both={count},65536,{seed},{other_count}", "recv-end")
        assert (received["bytes"], received["sha256"]) == (other_count, bytestream.sha256(other_count, other_seed))

    def end(self):
        self.do("zero")

    def wait_end(self):
        received = self.do("recv-end")
        assert received["bytes"] == 0, "bytes came instead of the end"
        assert received["end"] in (0, BROKEN_PIPE, NOT_CONNECTED), received

    def wait_gone(self):
        """As wait_end, but a zero-byte message is not enough."""
        received = self.do("recv-end")
        if received["end"] == 0:
            received = self.do("recv-end")
        assert received["bytes"] == 0 and received["end"] in (BROKEN_PIPE, NOT_CONNECTED), received

    def pour(self):
        sent = self.do("try-send=4000000000", "send")
        assert sent["error"] in (BROKEN_PIPE, NO_DATA, NOT_CONNECTED), sent

    def close(self):
        self.do("close")
        self.peer.write(b".\n")

    reset = close


# ---- clients ----


class PipeClient(Peer):
    """pipe_client.exe: actions as test/peers/pipe_actions.h tells them."""

    def __init__(self, name, *actions, limit=60, **options):
        options = {"limit": limit, **options}
        super().__init__("pipe_client", name, *(f"--{key.replace('_', '-')}={value}" for key, value in options.items()),
                         "--", *actions)


class Client:
    """A client of a listener; `mode` is how it reads a pipe, by default in messages if there are any."""

    def __init__(self, listener, address, mode=None):
        self._peer = None
        if listener == "tcp":
            self.end_of_it = TcpEnd(socket.create_connection(("127.0.0.1", port_of(address)), SOON))
        else:
            self._peer = PipeClient(pipe_of(address), "commands", mode=mode or listener)
            try:
                self._peer.event("connected")
            except BaseException:
                self._peer.kill()
                raise
            self.end_of_it = PipeEnd(self._peer, listener)

    def __enter__(self):
        return self.end_of_it

    def __exit__(self, *_):
        if self._peer:
            self._peer.kill()
        else:
            self.end_of_it.socket.close()


def port_of(address):
    return int(re.fullmatch(r"tcp://(?:127\.0\.0\.1|\[::1\]):(\d+)", address)[1])


def pipe_of(address):
    """The name by which peers open the pipe of an address, which is its canonical form, too."""
    return re.fullmatch(r"(?:npipe:)?(//\./pipe/[^/?]+)(\?.*)?", address)[1]


# ---- targets ----


class TcpTarget:
    """A TCP server; with `file`, one behind a libassuan socket file of the format."""

    def __init__(self, file=None, format=None):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SOON)
        self._format, self._nonce, self._ends = format, os.urandom(16), []
        self.port = self._listener.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        if format:
            make = cygwin_file if format == "cygwin" else plain_file
            file.write_bytes(make(self.port, self._nonce))
            self.address = "assuan:///" + windows_path(file).replace("\\", "/")

    def accept(self):
        end = TcpEnd(self._listener.accept()[0])
        self._ends.append(end)
        if self._format:
            assert receive_exactly(end.socket, 16) == self._nonce, "not the nonce of the file"
        if self._format == "cygwin":
            end.socket.sendall(self._nonce)
            receive_exactly(end.socket, 12)
            end.socket.sendall(struct.pack("<3I", os.getpid(), 1000, 1000))
        return end

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self._ends:
            end.socket.close()
        self._listener.close()


class PipeTarget:
    """A pipe with one instance: its clients are served one after the other."""

    def __init__(self, type, name=None):
        self.server = PipeServer("commands", type=type, name=name, repeat=1000)
        self.address = self.server.name
        self._type, self._clients = type, 0

    def accept(self):
        self._clients += 1
        self.server.event("connected", self._clients)
        return PipeEnd(self.server, self._type)

    def wait_listening(self):
        """Until the next client can come."""
        self.server.event("listening", self._clients + 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.kill()


def make_target(kind, tmp_path):
    if kind in ("byte", "message"):
        return PipeTarget(kind)
    if kind == "tcp":
        return TcpTarget()
    return TcpTarget(tmp_path / f"S.{kind}", kind)


def listen_address(kind):
    """An address that is free; of TCP, the port is chosen by the program."""
    if kind == "tcp":
        return "tcp://127.0.0.1:0"
    return unique_pipe("listen") + ("?mode=message" if kind == "message" else "")


# ---- the program ----


class Serve(Relay):
    """uvrelay.exe serve with these routes; with -v, which is the default, it listens when constructed."""

    def __init__(self, *routes, options=(), verbose=True, **process):
        super().__init__("serve", *(["-v"] if verbose else []), *options, *routes, **process)
        self.listens, self.routes = [], []
        if verbose and routes:
            try:
                self.wait_lines(r"\S+: listening", len(routes))
            except BaseException:
                self.kill()
                raise
            self.routes = [line.removesuffix(": listening") for line in self.lines(r"\S+: listening")]
            self.listens = [re.match(ROUTE, route)[1] for route in self.routes]

    @property
    def address(self):
        """Where the first route listens."""
        return self.listens[0]

    def lines(self, pattern=".*"):
        """The whole lines of standard error that match, without the program's name."""
        lines = self.stderr.split("\n")[:-1]
        assert all(line.startswith("uvrelay: ") for line in lines), lines
        lines = [line.removeprefix("uvrelay: ") for line in lines]
        return [line for line in lines if re.fullmatch(pattern, line)]

    def wait_lines(self, pattern, count=1, timeout=SOON):
        """Waits for so many lines that match and gives them."""
        end = time.monotonic() + timeout
        while len(found := self.lines(pattern)) < count:
            assert self.running or len(self.lines(pattern)) >= count, f"it has ended: {self.stderr}"
            assert time.monotonic() < end, f"no {count} lines {pattern!r} after {timeout} s: {self.stderr}"
            time.sleep(0.01)
        return found

    def wait_closed(self, number=1, timeout=SOON):
        """The line that reports the end of a connection of the first route."""
        route = re.escape(self.routes[0])
        return self.wait_lines(rf"{route} #{number}: closed after .*", 1, timeout)[0]

    def failures(self):
        """The lines of what has failed."""
        return [line for line in self.lines() if ": failed: " in line]

    def objects(self):
        """With --json: the objects so far."""
        return logschema.check_lines(self.stderr)

    def wait_object(self, event, number=1, timeout=SOON):
        end = time.monotonic() + timeout
        while len(found := [object_ for object_ in self.objects() if object_["event"] == event]) < number:
            assert time.monotonic() < end, f"no {number} objects {event!r} after {timeout} s: {self.stderr}"
            time.sleep(0.01)
        return found[number - 1]

    def descriptors(self):
        """Under Wine a handle is a descriptor, of this process or in the server's process; here the former count."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_descriptors(self, most, timeout=SOON):
        end = time.monotonic() + timeout
        while (now := self.descriptors()) > most:
            assert time.monotonic() < end, f"{now} descriptors, more than {most}, after {timeout} s"
            time.sleep(0.05)


def connect(serve, listener, **options):
    return Client(listener, serve.address, **options)


# ---- all pairs ----

ALL_PAIRS = pytest.mark.parametrize("kinds", PAIRS, ids="-".join)


def of_pairs(wanted):
    pairs = [(listener, target) for listener, target in PAIRS if wanted(listener, target)]
    return pytest.mark.parametrize("kinds", pairs, ids="-".join)


class Rig:
    """A target, the program before it, and as many clients as wanted."""

    def __init__(self, kinds, tmp_path, stack, *options):
        self.listener, self.target_kind = kinds
        self._stack = stack
        self.target = stack.enter_context(make_target(self.target_kind, tmp_path))
        self.serve = stack.enter_context(
            Serve(f"{listen_address(self.listener)}={self.target.address}", options=options))

    def client(self, **options):
        return self._stack.enter_context(connect(self.serve, self.listener, **options))

    def connected(self):
        """A client and its other end, which have exchanged a byte: both are open, and the relay runs."""
        client = self.client()
        end = self.target.accept()
        client.send(1, 9)
        end.receive(1, 9)
        end.send(1, 8)
        client.receive(1, 8)
        return client, end

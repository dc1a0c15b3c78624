"""`uvrelay serve --via COMMAND`, the far ends that it starts, and `uvrelay mux` spoken to by hand.

Whatever `Via` starts carries a mark in its environment, which its children inherit: when serve has ended, all of that
must be gone, too. `RawMux` is a near end that says only what a test tells it to: frames of yamux, whose header has
version, type, flags, stream and length.
"""

import contextlib
import hashlib
import os
import pathlib
import selectors
import shlex
import signal
import socket
import struct
import sys
import threading
import time

import bytestream
from programs import SOON, Process, unique_name
from serving import PROGRAM, Serve

GREETING = b"uvrelay-mux/1\n"

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
FIRST_WINDOW = 256 * 1024
HEADER = struct.Struct(">BBHII")

#: A far end of this very program.
MUX = [PROGRAM, "mux"]

#: What its near end gives a far end whose input has ended, before it sends a signal.
FAR_END_SECONDS = 5


def far_end(path, text, mode=0o755):
    """Writes a Python program to be a far end; MUX is ours, and GREETING what it says first."""
    path.write_text(f"#!{sys.executable} -IS\nimport os, signal, subprocess, sys, time\n"
                    f"MUX = {MUX!r}\nGREETING = {GREETING!r}\n{text}\n")
    path.chmod(mode)
    return [str(path)]


# ---- processes ----


def alive(pid):
    """Whether there is such a process; one that has ended and whose status was not asked for counts as gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def marked(mark):
    """All processes with this in their environment, as process id and command line, but Wine's server and services,
    which the first Windows program starts."""
    found = []
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (directory / "environ").read_bytes():
                command = (directory / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").replace("\0", " ")
                if not command.lower().startswith("c:\\windows\\") and "/wineserver" not in command.split(" ")[0]:
                    found.append((int(directory.name), command))
        except OSError:
            continue  # it has ended, or is none of ours
    return found


def assert_none_is_left(mark, timeout=5):
    """Asserts that all processes with this mark end."""
    end = time.monotonic() + timeout
    while left := marked(mark):
        assert time.monotonic() < end, f"left behind after {timeout} s: {left}"
        time.sleep(0.01)


def assert_ends(mux):
    """In time, when its input ends."""
    begin = time.monotonic()
    mux.close_stdin()
    code = mux.popen.wait(20)
    assert time.monotonic() - begin < FAR_END_SECONDS and code == 0, (code, mux.stderr)


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has ended")


class Via(Serve):
    """uvrelay serve, through the far end that this command, a list or a line, starts."""

    def __init__(self, *args, via=None, env=None, **options):
        self.mark = unique_name("mark") + "."  # no beginning of another one
        command = via if isinstance(via, str) else shlex.join(via or MUX)
        try:
            super().__init__("--via", command, *args, env={"UVRELAY_TEST_MARK": self.mark, **(env or {})}, **options)
        except BaseException:
            self.end_all()
            raise

    def far_ends(self):
        """What it has started and is there, and what that has started."""
        return [pid for pid, _ in marked(self.mark) if pid != self.pid]

    def far_pid(self, number=1):
        """The process of the far end that was started as the first, second, …; needs -v."""
        return int(self.wait_match(r"^uvrelay: far end: .* started \(process (\d+)\)$", number)[1])

    def __exit__(self, failure, *rest):
        super().__exit__(failure, *rest)
        if failure is None:
            self.assert_alone()
        self.end_all()

    def assert_alone(self, timeout=5):
        """Asserts that nothing that was started is left."""
        assert_none_is_left(self.mark, timeout)

    def end_all(self):
        for pid, _ in marked(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


# ---- many clients from one thread ----


class _Talk:
    """Sends a stream, ends if it is to, and hashes what comes: until the end, or as many bytes as were sent."""

    def __init__(self, connection, size, seed, half_close):
        connection.setblocking(False)
        self.connection, self.size, self.seed, self._half_close = connection, size, seed, half_close
        self._pieces, self._left = bytestream.chunks(size, seed), memoryview(b"")
        self.hash, self.received, self.sent_all, self.over = hashlib.sha256(), 0, False, size == 0 and not half_close

    def write(self):
        while not self.sent_all:
            if not self._left:
                self._left = memoryview(next(self._pieces, b""))
            if not self._left:
                self.sent_all = True
                if self._half_close:
                    self.connection.shutdown(socket.SHUT_WR)
                return
            self._left = self._left[self.connection.send(self._left):]

    def read(self):
        while not self.over:
            piece = self.connection.recv(1 << 18)
            self.received += len(piece)
            self.hash.update(piece)
            self.over = not piece or (not self._half_close and self.received >= self.size)


def assert_echoed_at_once(connections, sizes, half_close=True, timeout=60):
    """Talks to an echo over all connections at once: each must give back its own stream, and then the end if it has got
    ours. Each is closed when it is through."""
    end = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        talks = [_Talk(connection, size, seed, half_close)
                 for seed, (connection, size) in enumerate(zip(connections, sizes), 1)]
        for talk in talks:
            selector.register(talk.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, talk)
        while selector.get_map():
            assert time.monotonic() < end, f"{len(selector.get_map())} are not through after {timeout} s"
            for key, events in selector.select(1):
                talk = key.data
                with contextlib.suppress(BlockingIOError):
                    if events & selectors.EVENT_WRITE:
                        talk.write()
                        selector.modify(talk.connection, selectors.EVENT_READ, talk)
                with contextlib.suppress(BlockingIOError):
                    talk.read()
                if talk.over:
                    selector.unregister(talk.connection)
                    talk.connection.close()
    for talk in talks:
        assert (talk.received, talk.hash.hexdigest()) == (talk.size, bytestream.sha256(talk.size, talk.seed))


def mixed_sizes(count, most):
    """From nothing and one byte up, each about as often, around the sizes of frames and windows, too."""
    odd = [0, 1, 64, 4095, 16384, 16385, 65536, 100_000, FIRST_WINDOW, FIRST_WINDOW + 1]
    return [min(odd[i % len(odd)] if i % 3 else i * most // count, most) for i in range(count)]


def fill(connections, most, quiet=0.5):
    """Sends on all of these until none takes any more for a while, at most so many bytes on each; gives how many were
    taken in all."""
    sent, last, block = dict.fromkeys(connections, 0), time.monotonic(), bytes(65536)
    for connection in connections:
        connection.setblocking(False)
    while time.monotonic() - last < quiet:
        before = sum(sent.values())
        for connection in sent:
            with contextlib.suppress(BlockingIOError):
                while sent[connection] < most:
                    sent[connection] += connection.send(block)
        if sum(sent.values()) > before:
            last = time.monotonic()
        else:
            time.sleep(0.02)
    return sum(sent.values())


# ---- yamux by hand ----


def frame(type, flags, stream, length, data=b"", version=0):
    return HEADER.pack(version, type, flags, stream, length) + data


class RawStream:
    """A stream of RawMux. What was received is credited when it is taken, unless `credits` is False."""

    def __init__(self, mux, number):
        self.mux, self.number = mux, number
        self.came, self.window, self.credits = bytearray(), FIRST_WINDOW, True
        self.acknowledged = self.ended = self.was_reset = self.sent_end = False

    def _wait(self, condition, what, timeout=SOON):
        with self.mux.changed:
            done = self.mux.changed.wait_for(lambda: condition() or self.mux.over, timeout)
            assert done and condition(), (f"stream {self.number}: {what}: not so; {bytes(self.came[:100])!r}, ended: "
                                          f"{self.ended}, reset: {self.was_reset}; {self.mux.stderr}")

    def send(self, data, size=16384):
        """Sends as the window allows, in frames of this size."""
        view = memoryview(data)
        while view:
            self._wait(lambda: self.window > 0 or self.was_reset, "a window")
            assert not self.was_reset
            part = bytes(view[:min(size, self.window)])
            with self.mux.changed:
                self.window -= len(part)
            self.mux.send(frame(DATA, 0, self.number, len(part), part))
            view = view[len(part):]

    def end(self):
        self.mux.send(frame(WINDOW, FIN, self.number, 0))

    def reset(self):
        self.mux.send(frame(WINDOW, RST, self.number, 0))

    def credit(self, count):
        self.mux.send(frame(WINDOW, 0, self.number, count))

    def receive(self, count):
        self._wait(lambda: len(self.came) >= count or self.ended or self.was_reset, f"{count} bytes")
        assert len(self.came) >= count, f"{bytes(self.came[:200])!r}, and no more: reset: {self.was_reset}"
        with self.mux.changed:
            taken = bytes(self.came[:count])
            del self.came[:count]
        if self.credits and taken:
            self.credit(len(taken))
        return taken

    def receive_all(self):
        """All up to the end of input, which must come in order."""
        data = b""
        while True:
            self._wait(lambda: self.came or self.ended or self.was_reset, "bytes or the end")
            if not self.came:
                assert self.ended and not self.was_reset, "a reset came"
                return data
            data += self.receive(len(self.came))

    def line(self):
        """The line that answers a request."""
        self._wait(lambda: b"\n" in self.came or self.ended or self.was_reset, "a line")
        return self.receive(self.came.index(b"\n") + 1)

    def wait_reset(self):
        self._wait(lambda: self.was_reset, "a reset")

    def wait_over(self):
        """Until nothing more can come."""
        self._wait(lambda: self.ended or self.was_reset, "its end")


class RawMux(Process):
    """`uvrelay mux` with these arguments, and its near end."""

    def __init__(self, *args, greet=GREETING, command=MUX, **options):
        self.streams, self.frames, self.greeting, self.over = {}, [], b"", False
        self.changed, self._writing, self._next = threading.Condition(), threading.Lock(), 1
        super().__init__([*command, *args], collect=False, **options)
        threading.Thread(target=self._read, daemon=True).start()
        self.send(greet)

    def _read(self):
        try:
            file = os.fdopen(os.dup(self.popen.stdout.fileno()), "rb")
            with file:
                greeting = file.readline()
                with self.changed:
                    self.greeting = greeting
                    self.changed.notify_all()
                while len(head := file.read(HEADER.size)) == HEADER.size:
                    version, type_, flags, stream, length = HEADER.unpack(head)
                    data = file.read(length) if type_ == DATA else b""
                    with self.changed:
                        self._take(version, type_, flags, stream, length, data)
                        self.changed.notify_all()
        finally:
            with self.changed:
                self.over = True
                self.changed.notify_all()

    def _take(self, version, type_, flags, number, length, data):
        self.frames.append((version, type_, flags, number, length))
        stream = self.streams.get(number)
        if stream is None:
            return
        stream.acknowledged |= bool(flags & ACK)
        if type_ == DATA:
            stream.came += data
        elif type_ == WINDOW:
            stream.window += length
        stream.ended |= bool(flags & FIN)
        stream.was_reset |= bool(flags & RST)

    def send(self, data):
        with self._writing:
            self.write(data)

    def wait_greeting(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.greeting or self.over, SOON), "no greeting"
        return self.greeting

    def wait_frame(self, match, what, timeout=SOON):
        """Waits for a frame (version, type, flags, stream, length) that matches, and gives it."""
        with self.changed:
            self.changed.wait_for(lambda: self.over or any(match(*one) for one in self.frames), timeout)
            found = [one for one in self.frames if match(*one)]
        assert found, f"no {what}: {self.frames[-10:]}; {self.stderr}"
        return found[0]

    def open(self, request=None):
        """Opens a stream and, if there is a request, sends it."""
        stream = RawStream(self, self._next)
        self._next += 2
        with self.changed:
            self.streams[stream.number] = stream
        self.send(frame(WINDOW, SYN, stream.number, 0))
        if request is not None:
            stream.send(request)
        return stream

    def connect(self, address):
        """A stream that leads there."""
        stream = self.open(f"CONNECT {address}\n".encode())
        assert (line := stream.line()) == b"OK\n", line
        return stream

    def refusal(self, request):
        """What the far end answers instead, which is followed by the end: the code and the sentence."""
        stream = self.open(request if isinstance(request, bytes) else f"CONNECT {request}\n".encode())
        word, code, text = stream.line().decode().removesuffix("\n").split(" ", 2)
        assert word == "ERR" and text
        assert stream.receive_all() == b""
        stream.end()
        return code, text

    def not_allowed(self, address):
        """That --allow does not let it connect there: the sentence."""
        code, text = self.refusal(address)
        assert code == "EACCES" and "allowed" in text, (code, text)
        return text

    def end(self, code=0, timeout=SOON):
        """Ends its input, upon which it must end, and gives what it wrote to standard error."""
        with contextlib.suppress(OSError):
            self.close_stdin()
        assert self.wait(timeout) == code, self.stderr
        return self.stderr

"""`uvrelay mux` and near ends that mean harm, or are broken: what they can cost it, and that a connection beside what
they do goes on. What breaks the rules of yamux, and what is no greeting, is in test_via_by_hand.py."""

import contextlib
import os
import time

import pytest

from cost import Cost, quiet
from hungfile import hung
from programs import Process
from serving import Target, ends, wait_for
from via import ACK, DATA, FIN, GO_AWAY, GREETING, MUX, PING, RST, SYN, WINDOW, RawMux, frame

MANY = 500_000


@pytest.fixture
def mux():
    with RawMux() as process:
        process.wait_greeting()
        yield process


@pytest.fixture
def beside(mux, back):
    """A connection that is asked while something else is under way: gives how long the slowest answer took."""
    stream = mux.connect(back.address)

    def ask():
        begin = time.monotonic()
        stream.send(b"hello")
        assert stream.receive(5) == b"hello"
        return time.monotonic() - begin
    ask()
    return ask


def flood(mux, piece, count):
    """Sends the piece so many times, many in a write."""
    at_once = max(1, 65536 // len(piece))
    for _ in range(-(-count // at_once)):
        mux.send(piece * at_once)


def answered(mux, value):
    """Asserts that it answers a ping, after all that it was sent before."""
    mux.send(frame(PING, SYN, 0, value))
    mux.wait_frame(lambda version, type_, flags, stream, length: (type_, flags, length) == (PING, ACK, value), "answer", 60)


FLOODS = {
    "pings": frame(PING, SYN, 0, 1),
    "answers-to-no-ping": frame(PING, ACK, 0, 1),
    "window-updates-of-none": frame(WINDOW, 0, 99, 0xFFFFFFFF),
    "ends-of-none": frame(WINDOW, FIN, 99, 0),
    "resets-of-none": frame(WINDOW, RST, 99, 0),
    "data-of-none": frame(DATA, 0, 99, 1, b"x"),
    "much-data-of-none": frame(DATA, 0, 99, 65536, bytes(65536)),
    "flags-of-none": frame(WINDOW, ACK | FIN | RST, 99, 0),
}


@pytest.mark.parametrize("name", FLOODS)
def test_frames_that_mean_nothing(mux, beside, name):
    piece = FLOODS[name]
    count = MANY if len(piece) < 100 else 2000
    with Cost(mux, f"{count} {name}", kib=2048, processor=10):
        flood(mux, piece, count)
        answered(mux, 0x77)
        print(f"the connection beside waits {beside():.3f} s")
    quiet(mux, name)


@pytest.mark.parametrize("name, piece", [
    ("window-updates", lambda number: frame(WINDOW, 0, number, 0xFFFFFFFF)),
    ("empty-data", lambda number: frame(DATA, 0, number, 0)),
    ("acknowledgements", lambda number: frame(WINDOW, ACK, number, 0)),
    ("ends", lambda number: frame(WINDOW, FIN, number, 0))], ids=lambda one: one if isinstance(one, str) else "")
def test_frames_of_an_open_connection(mux, back, beside, name, piece):
    """They change nothing, and the connection they are of is as good as before (or ends, if they say so)."""
    stream = mux.connect(back.address)
    with Cost(mux, f"{MANY} {name}", kib=2048, processor=10):
        flood(mux, piece(stream.number), MANY)
        answered(mux, 0x77)
        beside()
    if name == "ends":
        assert stream.receive_all() == b""
    else:
        for _ in range(3):
            stream.send(bytes(200_000))
            assert len(stream.receive(200_000)) == 200_000


def test_answers_that_nobody_reads(back):
    """A near end that pings and does not read: what it sends is no longer taken once the answers fill the pipe, and
    when it reads, all is there."""
    with Process(MUX, collect=False) as mux:
        mux.write(GREETING)
        os.set_blocking(mux.stdin.fileno(), False)
        sent, pings = 0, b"".join(frame(PING, SYN, 0, number) for number in range(1 << 16))
        with Cost(mux, "answers that nobody reads", kib=2048, processor=5):
            last = time.monotonic()
            while sent < len(pings) and time.monotonic() - last < 1:
                if count := mux.stdin.write(pings[sent:sent + 4096]):
                    sent, last = sent + count, time.monotonic()
                else:
                    time.sleep(0.01)
            assert sent < 500_000, f"it took {sent} bytes"
            quiet(mux, "answers that nobody reads")
        # And now they are read: each answer is there, in order.
        os.set_blocking(mux.stdin.fileno(), True)
        wanted = -(-sent // 12)
        mux.write_in_thread([pings[sent:wanted * 12]])
        number = 0
        with os.fdopen(os.dup(mux.popen.stdout.fileno()), "rb") as out:
            assert out.readline() == GREETING
            while number < wanted:
                came = out.read(12)
                assert len(came) == 12
                if came[1] == PING and came[3] & ACK:
                    assert came == frame(PING, ACK, 0, number)
                    number += 1
        mux.close_stdin()
        assert mux.wait() == 0


def pour(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(bytes(65536))


def test_bytes_that_nobody_reads(tmp_path):
    """All windows are open wide, the targets send as fast as they can, and the near end does not read."""
    with Target(tmp_path / "target", pour, 1000) as target, Process(MUX, collect=False) as mux:
        mux.write(GREETING)
        with Cost(mux, "100 targets that pour", kib=100 * 3 * 64 + 4096, processor=5):
            for number in range(1, 201, 2):
                request = f"CONNECT {target.address}\n".encode()
                mux.write(frame(WINDOW, SYN, number, 0x7FFFFFFF) + frame(DATA, 0, number, len(request), request))
            wait_for(lambda: target.open == 100, "all are connected")
            quiet(mux, "100 targets that pour", seconds=2)
        mux.kill()


# Streams.

def test_streams_without_end(mux, beside):
    """There is room for 1,024. What is beyond is refused, also when it asks for nothing."""
    count = 50_000
    with Cost(mux, f"{count} streams", kib=20_000, processor=10):
        for first in range(0, count, 1000):
            mux.send(b"".join(frame(WINDOW, SYN, 1001 + 2 * number, 0) for number in range(first, first + 1000)))
        answered(mux, 0x77)
        print(f"the connection beside waits {beside():.3f} s")
    refused = {one[3] for one in mux.frames if one[1:3] == (WINDOW, RST)}
    assert count - len(refused) <= 2 * 1024, len(refused)
    quiet(mux, f"{count} streams")
    # When they are gone there is room again.
    mux.send(b"".join(frame(WINDOW, RST, 1001 + 2 * number, 0) for number in range(count)))
    mux._next = 1_000_001
    assert mux.refusal("unix:///nonexistent/socket")[0] == "ENOENT"


def test_streams_that_are_reset_at_once(mux, beside, tmp_path):
    """Each asks for a connection first, which is then not made, or undone."""
    with Target(tmp_path / "target", ends, 4000) as target:
        request = f"CONNECT {target.address}\n".encode()
        descriptors = len(os.listdir(f"/proc/{mux.pid}/fd"))
        with Cost(mux, "20000 streams that are reset", kib=20_000, processor=20):
            for first in range(0, 20_000, 100):
                mux.send(b"".join(
                    frame(WINDOW, SYN, number, 0) + frame(DATA, 0, number, len(request), request) +
                    frame(WINDOW, RST, number, 0) for number in range(1001 + 2 * first, 1001 + 2 * first + 200, 2)))
            answered(mux, 0x77)
            print(f"the connection beside waits {beside():.3f} s")
        wait_for(lambda: len(os.listdir(f"/proc/{mux.pid}/fd")) <= descriptors, "the descriptors are as before")
        wait_for(lambda: target.open == 0, "the target's connections are over")
        quiet(mux, "20000 streams that are reset")


def test_streams_that_are_reset_while_they_wait_for_a_file(mux, beside, tmp_path):
    """A socket file on a drive that does not answer: opening it cannot be given up. No more is begun than may be under
    way at a time, and what has not begun is forgotten."""
    path = tmp_path / "S.hung"
    path.write_bytes(b"1\n" + bytes(16))
    request = f"CONNECT assuan://{path}\n".encode()
    with hung(path):
        with Cost(mux, "20000 opens of a hung file", kib=20_000, processor=20):
            for first in range(0, 20_000, 100):
                mux.send(b"".join(
                    frame(WINDOW, SYN, number, 0) + frame(DATA, 0, number, len(request), request) +
                    frame(WINDOW, RST, number, 0) for number in range(1001 + 2 * first, 1001 + 2 * first + 200, 2)))
            answered(mux, 0x77)
            print(f"the connection beside waits {beside():.3f} s")
        quiet(mux, "20000 opens of a hung file")


def test_requests_a_byte_at_a_time(mux, beside, tmp_path):
    """A thousand of them, none of which comes to its end; then all do."""
    with Target(tmp_path / "target", ends, 4000) as target:
        request = f"CONNECT {target.address}\n".encode()
        streams = [mux.open() for _ in range(1000)]
        with Cost(mux, "1000 slow requests", kib=16_000, processor=20):
            for at in range(len(request) - 1):
                mux.send(b"".join(frame(DATA, 0, one.number, 1, request[at:at + 1]) for one in streams))
            answered(mux, 0x77)
            print(f"the connection beside waits {beside():.3f} s")
            assert target.open == 0
            quiet(mux, "1000 slow requests")
        mux.send(b"".join(frame(DATA, 0, one.number, 1, b"\n") for one in streams))
        for one in streams:
            assert one.line() == b"OK\n"
        wait_for(lambda: target.open == 1000, "all are connected")


@pytest.mark.parametrize("part", [frame(WINDOW, SYN, 1001, 0)[:7], frame(DATA, SYN, 1001, 5000, bytes(100)),
                                  frame(DATA, 0, 99, 0xFFFFFFFF, bytes(5))],
                         ids=["in-a-header", "in-data", "in-data-of-none"])
def test_a_frame_that_stops_half_way(mux, beside, part):
    """Nothing can come after it; it waits for the rest without work, and ends when its input does. The broken frame is
    reported."""
    mux.send(part)
    quiet(mux, "half a frame")
    with contextlib.suppress(OSError):
        mux.close_stdin()
    assert mux.wait() in (0, 1)
    assert len(mux.stderr.splitlines()) <= 1


# Windows.

def test_a_byte_at_a_time(mux, beside, tmp_path):
    """A near end that allows one byte after the other: each is sent as it is allowed, and nothing else waits."""
    with Target(tmp_path / "target", pour) as target:
        stream = mux.open(f"CONNECT {target.address}\n".encode())
        stream.credits = False
        wait_for(lambda: len(stream.came) == 256 * 1024, "a window's worth")
        with Cost(mux, "20000 bytes, one by one", kib=1024, processor=10):
            flood(mux, frame(WINDOW, 0, stream.number, 1), 20_000)
            answered(mux, 0x77)
            beside()
        wait_for(lambda: len(stream.came) >= 256 * 1024 + 20_000, "all that was allowed")


# The greeting, and the good-bye.

@pytest.mark.parametrize("piece", [b"uvrelay-mux/" + b"1" * 65536, b"\0" * 65536], ids=["version", "zeros"])
def test_a_greeting_without_end(piece):
    with RawMux(greet=b"") as mux, contextlib.suppress(OSError):
        with contextlib.suppress(OSError):
            for _ in range(1000):
                mux.send(piece)
        assert mux.wait() == 1
        assert len(mux.stderr.splitlines()) == 1 and len(mux.stderr) < 1000


def test_what_comes_behind_the_good_bye(mux, beside):
    """The connection that is there goes on, and nothing new is made."""
    mux.send(frame(GO_AWAY, 0, 0, 0))
    with Cost(mux, "streams behind a go-away", kib=20_000, processor=10), contextlib.suppress(OSError):
        for first in range(0, 20_000, 100):
            mux.send(b"".join(frame(GO_AWAY, 0, 0, 0) + frame(WINDOW, SYN, number, 0)
                              for number in range(1001 + 2 * first, 1001 + 2 * first + 200, 2)))
        answered(mux, 0x77)
        beside()
    assert mux.end() == ""

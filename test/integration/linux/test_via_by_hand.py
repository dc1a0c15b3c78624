"""`uvrelay mux`, whose near end is written out by hand: the protocol on the wire, and what breaks its rules."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time

import pytest

import bytestream
from assuanpeer import refused_port
from programs import SOON, Process, error_sentence
from serving import SANITIZED, EchoServer, Target, echo, ends, receive_all, receive_exactly, vanish, wait_for
from via import (ACK, DATA, FIN, FIRST_WINDOW, GO_AWAY, GREETING, MUX, PING, RST, SYN, WINDOW, RawMux, alive, frame)

pytestmark = pytest.mark.sanitized

HINT = 0x75760000


@pytest.fixture
def mux():
    with RawMux() as mux:
        yield mux


def hello(mux, back):
    """A stream that has echoed."""
    stream = mux.connect(back.address)
    stream.send(b"hello")
    assert stream.receive(5) == b"hello"
    return stream


# What is said.

def test_it_speaks_first():
    """The line, and then a ping that tells how much of a window it would like to be used at first."""
    with RawMux(greet=b"") as mux:
        assert mux.wait_greeting() == GREETING
        mux.send(GREETING)
        version, type_, flags, stream, value = mux.wait_frame(lambda *_: True, "frame")
        assert (version, type_, flags, stream) == (0, PING, SYN, 0)
        assert value & 0xFFFF0000 == HINT and 32 <= value & 0xFFFF <= 256, hex(value)
        assert mux.end() == ""


def test_pings_are_answered(mux):
    for value in (0, 1, 0xFFFFFFFF, HINT | 32, 0x12345678):
        mux.send(frame(PING, SYN, 0, value))
        mux.wait_frame(lambda *one: one == (0, PING, ACK, 0, value), f"answer to {value:#x}")
    mux.send(b"".join(frame(PING, SYN, 0, 1000 + number) for number in range(500)))
    for number in range(500):
        mux.wait_frame(lambda *one: one == (0, PING, ACK, 0, 1000 + number), f"answer to ping {number}")
    assert mux.end() == ""


def test_a_connection(mux, back):
    stream = hello(mux, back)
    assert stream.acknowledged
    stream.send(b"x" * 100_000)
    assert stream.receive(100_000) == b"x" * 100_000
    stream.end()
    assert stream.receive_all() == b""
    assert mux.end() == ""


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_request_in_pieces_with_bytes_right_behind_it(mux, back, size):
    """Before the answer has come: they are the connection's first."""
    stream = mux.open()
    stream.send(f"CONNECT {back.address}\nhello".encode() + bytes(500), size)
    assert stream.line() == b"OK\n"
    assert stream.receive(505) == b"hello" + bytes(500)
    stream.end()
    assert stream.receive_all() == b""


def test_all_in_one_write(back):
    """Greeting, opening, request, bytes and end; the opening by a frame of data, as the specification allows."""
    request = f"CONNECT {back.address}\nhello".encode()
    with Process(MUX) as mux:
        mux.write(GREETING + frame(DATA, SYN | FIN, 1, len(request), request))
        wait_for(lambda: b"OK\n" in mux.stdout and b"hello" in mux.stdout, "the answer and the echo")
        wait_for(lambda: frame(WINDOW, FIN, 1, 0) in mux.stdout, "the end of the connection")
        mux.close_stdin()
        assert mux.wait() == 0 and mux.stderr == ""


def test_half_close_to_the_target(mux, tmp_path):
    def talk(connection):
        text = receive_all(connection)
        time.sleep(0.3)
        connection.sendall(text.upper())

    with Target(tmp_path / "target", talk) as back:
        stream = mux.connect(back.address)
        stream.send(b"question")
        stream.end()
        assert stream.receive_all() == b"QUESTION"
        back.wait()


def test_half_close_from_the_target(mux, tmp_path):
    got = []

    def talk(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(receive_all(connection))

    with Target(tmp_path / "target", talk) as back:
        stream = mux.connect(back.address)
        assert stream.receive_all() == b"bye"
        stream.send(b"still here")
        stream.end()
        back.wait()
        assert got == [b"still here"]


def test_a_reset_from_the_near_end(mux, tmp_path):
    """The target hears of it, by a reset where it can."""
    seen = []

    def talk(connection):
        receive_exactly(connection, 1)
        try:
            seen.append(connection.recv(1))
        except ConnectionResetError:
            seen.append("reset")

    for where in (tmp_path / "target", 0):
        with Target(where, talk) as back:
            stream = mux.connect(back.address)
            stream.send(b"x")
            time.sleep(0.1)
            stream.reset()
            back.wait()
    assert seen == [b"", "reset"]


def test_a_reset_from_the_target(mux):
    def talk(connection):
        receive_exactly(connection, 1)
        vanish(connection)

    with Target(0, talk) as back:
        stream = mux.connect(back.address)
        stream.send(b"x")
        stream.wait_reset()
        back.wait()
        assert not stream.ended
    assert f"uvrelay: {back.address}: " in mux.end() and "ECONNRESET" in mux.stderr


def test_frames_for_streams_that_are_over(mux, back):
    """A near end that has not heard of the end yet is no reason for anything."""
    stream = hello(mux, back)
    stream.reset()
    for type_, flags, data in ((DATA, 0, b"late"), (WINDOW, 0, b""), (WINDOW, FIN, b""), (WINDOW, RST, b""),
                               (DATA, FIN, b"late")):
        mux.send(frame(type_, flags, stream.number, len(data), data))
    hello(mux, back)
    assert mux.end() == ""


# What is refused.

@pytest.mark.parametrize("verbose", [False, True])
def test_refusals(tmp_path, verbose):
    """The near end learns why, and reports it: so the far end's log has it with -v only."""
    with RawMux(*(["-v"] if verbose else [])) as mux:
        refuse_some(mux, tmp_path, verbose)
        assert len(mux.end().splitlines()) == (5 if verbose else 0)


def refuse_some(mux, tmp_path, verbose):
    (tmp_path / "file").write_text("no socket")
    port = refused_port()
    for address, code in ((f"unix://{tmp_path}/absent", "ENOENT"), (f"tcp://127.0.0.1:{port}", "ECONNREFUSED"),
                          (f"unix://{tmp_path}/file", "ECONNREFUSED|ENOTSOCK"),
                          (f"assuan://{tmp_path}/absent", "ENOENT"), (f"assuan://{tmp_path}/file", r"\w+")):
        found, text = mux.refusal(address)
        assert found in code.split("|") or code == r"\w+", (address, found, text)
        assert address.partition("?")[0] in text or "file" in text, text
        if verbose:
            wait_for(lambda: f"uvrelay: {address}: " in mux.stderr, f"a line for {address}")


@pytest.mark.parametrize("request_", [
    b"CONNECT\n", b"CONNECT \n", b"\n", b"connect unix:///x\n", b"GET / HTTP/1.1\r\n\r\n", b"CONNECT nonsense\n",
    b"CONNECT fd://3\n", b"CONNECT via:unix:///x\n", b"CONNECT unix:///x?max=3\n", b"CONNECT unix:///x?nonsense=1\n",
    b"CONNECT unix:///x?eof=sometimes\n", b"CONNECT unix:///x\x00\n", b"CONNECT unix:///\xff\xfe\n",
    b"CONNECT unix:///x y\n", b"CONNECT  unix:///x\n", b"x" * 2049, b"CONNECT unix:///" + b"x" * 5000 + b"\n"],
    ids=lambda request: request[:30].decode("latin-1").encode("unicode_escape").decode())
def test_a_request_that_is_none(mux, back, request_):
    """EINVAL, and the others go on. A path that only looks odd may simply not exist."""
    code, text = mux.refusal(request_)
    assert code in ("EINVAL", "ENAMETOOLONG", "ENOTSUP", "ENOENT"), (code, text)
    if not request_.startswith(b"CONNECT unix:///"):
        assert code in ("EINVAL", "ENOTSUP"), (code, text)
    assert text.isprintable()
    hello(mux, back)
    assert all(line.startswith("uvrelay: ") and line.isprintable() for line in mux.end().splitlines()), mux.stderr


def test_a_request_that_ends_or_is_reset(mux, back):
    for finish in ("end", "reset"):
        stream = mux.open(b"CONNECT unix:///tm")
        getattr(stream, finish)()
        if finish == "end":
            stream.wait_over()
    hello(mux, back)


def test_allow():
    with EchoServer(0) as back:
        with RawMux("--allow", "unix:///a/*", "--allow", f"tcp://127.0.0.1:{back.address.rpartition(':')[2]}") as mux:
            code, text = mux.refusal("unix:///b/c")
            assert code == "EACCES" and f"unix:///a/*, {back.address}" in text and "unix:///b/c" in text
            assert mux.refusal("unix:///a/c")[0] == "ENOENT"
            assert mux.refusal("unix:///a/../b/c")[0] in ("EACCES", "ENOENT")
            # Another spelling of what is allowed is the same; one of what is not is not.
            hello(mux, back)
            stream = mux.connect(f"{back.address}?eof=none")
            stream.send(b"hello")
            assert stream.receive(5) == b"hello"
            code, text = mux.refusal("tcp://127.0.0.1:9?eof=none")
            assert code == "EACCES"


# Windows, frames, turns.

def test_it_sends_no_more_than_the_window(mux, tmp_path):
    """256 KiB and not one byte more; then as much as is credited."""
    def talk(connection):
        with contextlib.suppress(OSError):
            for piece in bytestream.chunks(2_000_000, 3):
                connection.sendall(piece)
            ends(connection)

    with Target(tmp_path / "target", talk) as back:
        stream = mux.open(f"CONNECT {back.address}\n".encode())
        stream.credits = False
        assert stream.line() == b"OK\n"
        wait_for(lambda: len(stream.came) + len("OK\n") >= FIRST_WINDOW, "a window's worth")
        time.sleep(0.3)
        assert len(stream.came) == FIRST_WINDOW - len("OK\n")
        for credit in (1, 10, 16384, 100_000):
            before = len(stream.came)
            stream.credit(credit)
            wait_for(lambda: len(stream.came) >= before + credit, "as much as was credited")
            time.sleep(0.05)
            assert len(stream.came) == before + credit
        stream.reset()
        back.wait()


def longest_frame(mux, directory, total):
    """Of those in which the target's bytes come; the stream has a large window."""
    with Target(directory / "target", lambda connection: connection.sendall(bytestream.data(total, 6))) as back:
        stream = mux.connect(back.address)
        stream.credit(8_000_000)
        came = b"".join(stream.receive(100_000) for _ in range(total // 100_000))
    assert came == bytestream.data(total, 6)
    return max(one[4] for one in mux.frames if one[1] == DATA)


def test_frames_fill_a_pipe_at_most(mux, tmp_path):
    """A frame may have half of the window, but with its header no more than a pipe of Linux takes at once."""
    assert 16384 < longest_frame(mux, tmp_path, 900_000) <= 65536 - 12


def test_frames_of_a_long_transfer(mux, tmp_path):
    """It is spliced. Frames are even longer only if the near end reads faster than it does here."""
    assert 16384 < longest_frame(mux, tmp_path, 12_000_000) <= 240 * 1024


def test_streams_take_turns(mux, tmp_path):
    """One has much to send and all the window it wants; the other's few bytes come soon, and the frames that follow them
    are short, although they are spliced."""
    def talk(connection):
        if receive_exactly(connection, 1) == b"p":
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(bytes(65536))
        echo(connection)

    with Target(tmp_path / "target", talk) as back:
        poured, asked = mux.connect(back.address), mux.connect(back.address)
        poured.credit(1 << 30)
        poured.send(b"p")
        asked.send(b"e")
        wait_for(lambda: len(poured.came) > 4 << 20, "a flood, which is spliced by now")
        begin = time.monotonic()
        for _ in range(20):
            asked.send(b"hello")
            assert asked.receive(5) == b"hello"
        assert time.monotonic() - begin < SOON
        mux.kill()
    came = [(number, length) for _, type_, _, number, length in mux.frames if type_ == DATA]
    first = came.index((asked.number, 5))
    assert max(length for number, length in came[first:first + 30] if number == poured.number) <= 16384


def test_it_takes_no_more_than_it_has_credited(mux, tmp_path):
    """A near end that sends more breaks the rules."""
    with Target(tmp_path / "target", lambda connection: (time.sleep(3), ends(connection))) as back:
        stream = mux.connect(back.address)
        with contextlib.suppress(OSError):
            for _ in range(1000):
                mux.send(frame(DATA, 0, stream.number, 16384, bytes(16384)))
        mux.wait_frame(lambda version, type_, flags, number, code: (type_, code) == (GO_AWAY, 1), "go-away")
        assert mux.wait() == 1 and error_sentence(mux.stderr.splitlines()[-1])


def test_much_data_by_hand(mux, tmp_path):
    size = 1_000_000 if SANITIZED else 5_000_000
    data = bytestream.data(size, 4)
    with Target(tmp_path / "target", echo) as back:
        stream = mux.connect(back.address)
        for at in range(0, size, 200_000):
            stream.send(data[at:at + 200_000])
            assert stream.receive(min(200_000, size - at)) == data[at:at + 200_000]
        stream.end()
        assert stream.receive_all() == b""
        back.wait()


# How it ends.

def test_the_end_of_its_input_cuts_what_is_open(mux, back):
    """At once, and orderly."""
    hello(mux, back)
    wait_for(lambda: back.open == 1, "it is open")
    assert mux.end(0) == ""
    wait_for(lambda: back.open == 0, "the target was told")


def arrives_before_the_end(path):
    """Whether a target that reads late gets all that was sent to it before the near end has left."""
    got, ended = [], threading.Event()

    def talk(connection):
        connection.shutdown(socket.SHUT_WR)
        assert ended.wait(SOON)
        with contextlib.suppress(ConnectionResetError):
            got.append(receive_all(connection))

    data = os.urandom(300_000)  # more than the socket holds
    with RawMux() as mux, Target(path, talk) as back:
        mux.wait_greeting()
        stream = mux.connect(back.address)
        stream.send(data)
        stream.end()
        assert stream.receive_all() == b""
        mux.close_stdin()
        time.sleep(0.05)
        ended.set()
        back.wait()
        mux.end()
    return got == [data]


def test_what_was_sent_before_the_end_arrives(tmp_path):
    """For the near end that connection is over, and its client is content. The far end waits for less than a second,
    which may be too short on a machine with much to do, but not again and again."""
    assert any(arrives_before_the_end(tmp_path / f"target-{number}") for number in range(5))


def test_an_input_that_ends_at_once():
    done = subprocess.run(MUX, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert (done.returncode, done.stdout[:len(GREETING)], done.stderr) in ((0, GREETING, b""), (0, b"", b""))


def test_go_away(mux, back):
    """The near end's good-bye: what is open goes on, and then all ends."""
    stream = hello(mux, back)
    mux.send(frame(GO_AWAY, 0, 0, 0))
    with contextlib.suppress(AssertionError, OSError):
        stream.send(b"more")
    assert mux.end() == ""


def test_an_output_that_nobody_reads_any_more(back):
    """The reader of its output is gone, and its input stays open: it ends nevertheless."""
    with Process(MUX, collect=False) as mux:
        mux.popen.stdout.close()
        mux.write(GREETING + frame(PING, SYN, 0, 1))
        assert mux.wait() in (0, 1)


def test_its_near_end_is_killed(back, tmp_path):
    """Then it ends, whatever it is at."""
    read, write = os.pipe()
    holder = subprocess.Popen(["sleep", "100"], stdout=write, stdin=subprocess.DEVNULL)
    os.close(write)
    mux = subprocess.Popen(MUX, stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(read)
    try:
        time.sleep(0.2)
        assert alive(mux.pid)
        holder.kill()
        assert mux.wait(SOON) in (0, 1)
    finally:
        for process in (holder, mux):
            process.kill()
            process.wait()
        mux.stderr.close()


# Rubbish.

@pytest.mark.parametrize("text, words", [
    (b"hello\r\n", ['"hello\\r\\n"', "uvrelay-mux/1"]),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ["GET / HTTP/1.1", "uvrelay-mux/1"]),
    (b"SSH-2.0-OpenSSH_9.2\r\n", ["SSH-2.0"]),
    (b"\0" * 1000, ["uvrelay-mux/1"]),
    (bytes(range(128, 256)) * 1000, ["uvrelay-mux/1"]),
    (b"uvrelay-mux/2\n", ["uvrelay-mux/2", "uvrelay-mux/1"]),
    (b"uvrelay-mux/1\r\n", ["uvrelay-mux/1"]),
    (b"uvrelay-mux/11\n", ["uvrelay-mux/11"]),
    (b"x" * 100_000, ["uvrelay-mux/1"])], ids=range(9))
def test_a_near_end_that_is_alien(text, words):
    with RawMux(greet=b"") as mux:
        with contextlib.suppress(OSError):
            mux.send(text)
        assert mux.wait() == 1
        sentence = error_sentence(mux.stderr)
        assert all(word in sentence for word in words), sentence
        assert sentence.isprintable() and len(sentence) < 1000


def header(version=0, type=0, flags=0, stream=1, length=0):
    return struct.pack(">BBHII", version, type, flags, stream, length)


@pytest.mark.parametrize("bad", [
    header(version=1), header(type=4), header(type=255), header(version=255, type=255, flags=65535),
    header(type=WINDOW, flags=SYN, stream=2), header(type=WINDOW, flags=SYN, stream=0), header(type=DATA, stream=0),
    header(type=WINDOW, flags=SYN, stream=1) * 2, header(type=DATA, flags=SYN, stream=1, length=0xFFFFFFFF),
    header(type=DATA, flags=SYN, stream=1, length=FIRST_WINDOW + 1), header(type=PING, flags=SYN, stream=7),
    header(type=GO_AWAY, stream=0, length=1), b"rubbish rubbish rubbish", b"\xff" * 1000],
    ids=range(14))
def test_frames_that_break_the_rules(bad, back):
    """One sentence and status 1, or nothing at all where it is no worse than odd; but never a crash, and never silence
    about an end."""
    with RawMux() as mux:
        with contextlib.suppress(OSError):
            mux.send(bad)
            mux.send(frame(PING, SYN, 0, 0x1234))
        with contextlib.suppress(OSError):
            mux.close_stdin()
        code = mux.wait()
        assert code in (0, 1), mux.stderr
        if code == 1:
            assert error_sentence(mux.stderr)
        else:
            assert "Sanitizer" not in mux.stderr
            mux.wait_frame(lambda _, type_, flags, *rest: (type_, flags) == (PING, ACK), "answer to the ping")


def test_random_rubbish(back):
    """Seeds that are printed: half of it frames that could be."""
    import random
    for seed in range(10 if SANITIZED else 30):
        print("seed", seed)
        source = random.Random(seed)
        with RawMux() as mux:
            with contextlib.suppress(OSError):
                for _ in range(200):
                    type_, length = source.choice([0, 1, 2, 3]), source.choice([0, 1, 100, 1 << 16, 1 << 31])
                    mux.send(frame(type_, source.randrange(16), source.choice([0, 1, 3, 5, 2, 99]), length,
                                   source.randbytes(length) if type_ == DATA and length < 1000 else b""))
                mux.close_stdin()
            with contextlib.suppress(OSError, ValueError):
                mux.close_stdin()
            assert mux.wait() in (0, 1), mux.stderr
            assert "Sanitizer" not in mux.stderr and "runtime error" not in mux.stderr, mux.stderr


# The command line.

@pytest.mark.parametrize("args", [["--nonsense"], ["unix:///x"], ["--allow"], ["--window-total=x"],
                                  ["--window-total=1"], ["--window-total"], ["--window-total=99999999999999999999G"]])
def test_wrong_usage(args):
    done = subprocess.run([*MUX, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 2 and done.stdout == b"", done
    error_sentence(done.stderr.decode())


@pytest.mark.parametrize("size", ["131072", "128K", "1M", "1G"])
def test_window_total(size, back):
    with RawMux("--window-total", size) as mux:
        hello(mux, back)
        assert mux.end() == ""


def test_help():
    done = subprocess.run([*MUX, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, text=True)
    assert done.returncode == 0 and "--allow" in done.stdout and "--window-total" in done.stdout


def test_v_tells_the_story(back):
    with RawMux("-v") as mux:
        stream = hello(mux, back)
        wait_for(lambda: back.address in mux.stderr and "opened" in mux.stderr, "it is told")
        stream.end()
        stream.receive_all()
        wait_for(lambda: "closed" in mux.stderr, "its end is told")
        assert all(line.startswith("uvrelay: ") for line in mux.end().splitlines())

"""`uvrelay.exe serve`, over all pairs of what it listens on and what it connects to: bytes, half-closes, ends."""

import contextlib
import time

import pytest

from assuanpeer import cygwin_file, plain_file, refused_port
from programs import SOON, unique_pipe, windows_path
from winserving import (PAIRS, PipeTarget, Serve, at_once, connect, listen_address, make_target)

BULK = 20_000_000
#: Longer than the linger that holds where an end cannot be passed on.
LATE = 1.4

ALL_PAIRS = pytest.mark.parametrize("kinds", PAIRS, ids="-".join)


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


@pytest.fixture
def rig(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda kinds, *options: Rig(kinds, tmp_path, stack, *options)


def of_pairs(wanted):
    pairs = [(listener, target) for listener, target in PAIRS if wanted(listener, target)]
    return pytest.mark.parametrize("kinds", pairs, ids="-".join)


# ---- bytes ----


@ALL_PAIRS
def test_question_and_answer(kinds, rig):
    """Several in one connection, and a second client after the first."""
    rig = rig(kinds)
    for number in (1, 2):
        client, end = rig.client(), rig.target.accept()
        for size in (1, 1000, 65536, 100_000):
            client.send(size, size)
            end.receive(size, size)
            end.send(size, size + 1)
            client.receive(size, size + 1)
        client.close()
        end.wait_end()
        end.close()
        closed = rig.serve.wait_closed(number)
        assert "; 166537 bytes to the target, 166537 bytes to the client" in closed
        if number == 1 and rig.target_kind in ("byte", "message"):
            rig.target.wait_listening()


@ALL_PAIRS
def test_the_target_talks_first(kinds, rig):
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    end.send(300, 3)
    client.receive(300, 3)


@ALL_PAIRS
def test_much_both_ways_at_once(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()
    at_once(lambda: client.both(BULK, 1, BULK, 2), lambda: end.both(BULK, 2, BULK, 1))
    client.close()
    end.wait_end()
    end.close()
    assert f"; {BULK + 1} bytes to the target, {BULK + 1} bytes to the client" in rig.serve.wait_closed()


# ---- half-closes ----


@of_pairs(lambda listener, target: listener != "byte" and target != "byte")
def test_half_close_of_the_client(kinds, rig):
    """The end comes after all bytes, and the answer may take its time."""
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    client.send(200_000, 3)
    client.end()
    end.receive(200_000, 3)
    end.wait_end()
    time.sleep(LATE)
    end.send(200_000, 4)
    client.receive(200_000, 4)
    end.close()
    client.wait_gone()
    assert "; 200000 bytes to the target, 200000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener != "byte" and target != "byte")
def test_half_close_of_the_target(kinds, rig):
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    end.send(200_000, 3)
    end.end()
    client.receive(200_000, 3)
    client.wait_end()
    time.sleep(LATE)
    client.send(200_000, 4)
    end.receive(200_000, 4)
    client.end()
    end.wait_gone()
    client.wait_gone()
    assert "; 200000 bytes to the target, 200000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener != "byte" and target == "byte")
def test_half_close_of_the_client_before_a_target_that_has_none(kinds, rig):
    """The target is closed when it has been silent for a second, not while it still answers."""
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    client.send(200_000, 3)
    client.end()
    end.receive(200_000, 3)
    for seed in (4, 5, 6):
        time.sleep(0.6)
        end.send(1000, seed)
        client.receive(1000, seed)
    end.wait_gone()
    client.wait_gone()
    assert "; 200000 bytes to the target, 3000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener == "byte" and target != "byte")
def test_half_close_of_the_target_before_a_client_that_has_none(kinds, rig):
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    end.send(200_000, 3)
    end.end()
    client.receive(200_000, 3)
    for seed in (4, 5, 6):
        time.sleep(0.6)
        client.send(1000, seed)
        end.receive(1000, seed)
    client.wait_gone()
    end.wait_gone()
    assert "; 3000 bytes to the target, 200000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener != "byte" and target == "byte")
def test_linger(kinds, rig):
    rig = rig(kinds, "--linger=3")
    client, end = rig.connected()
    client.end()
    time.sleep(1.8)
    end.send(1000, 4)
    client.receive(1000, 4)
    end.wait_gone()
    client.wait_gone()


@of_pairs(lambda listener, target: listener == "message" and target in ("tcp", "message"))
def test_half_close_to_a_client_that_reads_in_byte_mode(kinds, rig):
    """It sees a zero-byte message only when it has read all before: the relay must wait for that."""
    rig = rig(kinds)
    client, end = rig.client(mode="byte"), rig.target.accept()
    end.send(50_000, 3)
    end.end()
    time.sleep(0.3)
    client.receive(50_000, 3)
    received = client.do("recv-end")
    assert (received["bytes"], received["end"]) == (0, 0)
    client.send(1000, 4)
    end.receive(1000, 4)


# ---- ends ----


@ALL_PAIRS
def test_client_gone(kinds, rig):
    """What it sent comes first; then the target is closed. (Under Wine a reset often looks like an end of input, which
    is passed on as such: the relay then waits for the target's own end.)"""
    rig = rig(kinds)
    client, end = rig.connected()
    client.send(40_000, 3)
    if rig.listener == "tcp":
        end.receive(40_000, 3)  # a reset discards what is under way
        client.reset()
        end.wait_end()
        end.close()
    else:
        client.close()
        end.receive(40_000, 3)
        end.wait_gone()
    rig.serve.wait_closed()


@ALL_PAIRS
def test_client_gone_while_much_comes(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()

    def leave():
        time.sleep(0.5)
        client.close()

    at_once(end.pour, leave)
    rig.serve.wait_closed()


@ALL_PAIRS
def test_client_gone_that_never_read(kinds, rig):
    """The pipes and buffers between are full, so the relay is in the middle of a write, not of a read."""
    rig = rig(kinds)
    client, end = rig.connected()

    def leave():
        time.sleep(1)
        client.reset()

    at_once(end.pour, leave)
    rig.serve.wait_closed()


@ALL_PAIRS
def test_target_gone(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()
    end.send(40_000, 3)
    if isinstance(rig.target, PipeTarget):
        end.close()
        client.receive(40_000, 3)
        client.wait_gone()
    else:
        client.receive(40_000, 3)
        end.reset()
        client.wait_end()
        client.close()
    rig.serve.wait_closed()


@ALL_PAIRS
def test_target_gone_while_much_comes(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()

    def leave():
        time.sleep(0.5)
        end.reset()

    at_once(client.pour, leave)
    rig.serve.wait_closed()


@ALL_PAIRS
def test_target_closes_after_its_last_word(kinds, rig):
    """An orderly end: all of it reaches a client that reads it late."""
    rig = rig(kinds)
    client, end = rig.connected()

    def read_late():
        time.sleep(0.5)
        client.receive(1_000_000, 3)
        client.wait_end()

    def talk():
        end.send(1_000_000, 3)
        end.close()

    at_once(talk, read_late)
    client.close()
    rig.serve.wait_closed()


# ---- targets that can't be reached ----


def absent_target(kind, tmp_path):
    """Its address, what the log must say, and how it can be made later."""
    if kind == "tcp":
        port = refused_port()
        return f"tcp://127.0.0.1:{port}", "ECONNREFUSED"
    if kind in ("byte", "message"):
        return unique_pipe("absent"), r"ERROR_FILE_NOT_FOUND, 2"
    file = tmp_path / f"S.{kind}"
    file.write_bytes((cygwin_file if kind == "cygwin" else plain_file)(refused_port(), bytes(range(65, 81))))
    return "assuan:///" + windows_path(file).replace("\\", "/"), "ECONNREFUSED"


@ALL_PAIRS
def test_target_absent(kinds, tmp_path):
    """Each client is closed at once; the reason is in the log, without -v too."""
    listener, target = kinds
    address, reason = absent_target(target, tmp_path)
    with Serve(f"{listen_address(listener)}={address}") as serve:
        for number in (1, 2):
            started = time.monotonic()
            with connect(serve, listener) as client:
                client.wait_gone()
            assert time.monotonic() - started < SOON / 2
            closed = serve.wait_closed(number)
            assert reason in closed, closed
            assert "; 0 bytes to the target, 0 bytes to the client" in closed
        assert serve.running


@of_pairs(lambda listener, target: target in ("byte", "assuan"))
def test_target_comes_later(kinds, tmp_path):
    listener, target = kinds
    address, reason = absent_target(target, tmp_path)
    with Serve(f"{listen_address(listener)}={address}") as serve:
        with connect(serve, listener) as client:
            client.wait_gone()
        made = PipeTarget("byte", name=address) if target == "byte" else make_target(
            target, tmp_path)
        with made, connect(serve, listener) as client:
            end = made.accept()
            client.send(5)
            end.receive(5)


@of_pairs(lambda listener, target: target in ("byte", "message"))
def test_target_busy(kinds, rig):
    """The only instance is taken: the second client waits, with what it has sent, until it is free."""
    rig = rig(kinds)
    first, first_end = rig.connected()
    second = rig.client()
    second.send(1000, 5)
    time.sleep(0.7)
    assert not rig.serve.lines(".*#2: closed.*")
    first.send(1, 3)
    first_end.receive(1, 3)
    first_end.close()
    first.wait_gone()
    second_end = rig.target.accept()
    second_end.receive(1000, 5)
    second_end.send(1000, 6)
    second.receive(1000, 6)


@of_pairs(lambda listener, target: target in ("byte", "message"))
def test_target_busy_until_the_timeout(kinds, rig):
    rig = rig(kinds, "--timeout=1")
    first, first_end = rig.connected()
    started = time.monotonic()
    second = rig.client()
    second.wait_gone()
    assert time.monotonic() - started >= 0.9
    closed = rig.serve.wait_closed(2)
    assert "ERROR_PIPE_BUSY, 231" in closed and "1 s" in closed, closed
    first.send(10, 3)
    first_end.receive(10, 3)


@of_pairs(lambda listener, target: target == "byte")
def test_client_gone_while_the_target_is_busy(kinds, rig):
    """Its session ends at the latest when the target is free, and leaves it free."""
    rig = rig(kinds)
    _first, first_end = rig.connected()
    second = rig.client()
    rig.serve.wait_lines(".* #2: opened")
    second.reset()
    time.sleep(0.3)
    first_end.close()
    rig.serve.wait_closed(2)


# ---- messages ----

SIZES = [1, 2, 3, 100, 1023, 1024, 1025, 4096, 65535, 65536, 65537, 131072, 200_001, 524_288, 1_000_003, 1 << 20]


@pytest.fixture
def messages(rig):
    rig = rig(("message", "message"))
    client = rig.client()
    return client, rig.target.accept()


def test_messages_one_at_a_time(messages):
    client, end = messages
    for size in SIZES:
        for here, there in ((client, end), (end, client)):
            at_once(lambda: here.do(f"send={size},{size},{size}"),
                    lambda: there.do("recv-message"))
            got = there.peer.all("recv-message")[-1]
            assert (got["messages"], got["bytes"], got["sizes"]) == (1, size, [size])


def test_messages_in_a_row(messages):
    """The reader is behind: what waits between must not run together, nor come apart."""
    client, end = messages
    for here, there in ((client, end), (end, client)):
        def send_all():
            for size in SIZES * 3:
                here.do(f"send={size},{size},{size}", "send")
            here.end()

        at_once(send_all, lambda: (time.sleep(0.5), there.do("recv-end")))
        got = there.peer.all("recv-end")[-1]
        assert got["sizes"] == SIZES * 3 and got["end"] == 0


def test_a_message_for_a_byte_pipe_and_back(rig):
    """Where one side has no messages their bytes are what counts."""
    for kinds in (("message", "byte"), ("byte", "message")):
        here = rig(kinds)
        client, end = here.client(), here.target.accept()
        at_once(lambda: client.send(1_000_003, 3, 1 << 20), lambda: end.receive(1_000_003, 3))
        at_once(lambda: end.send(1_000_003, 4, 1 << 20), lambda: client.receive(1_000_003, 4))

"""`uvrelay.exe serve` with targets that cannot be reached, from each kind of what it listens on; and messages that stay
messages."""

import time

import pytest

from assuanpeer import cygwin_file, plain_file, refused_port
from programs import SOON, unique_pipe, windows_path
from winserving import ALL_PAIRS, PipeTarget, Serve, at_once, connect, listen_address, make_target, of_pairs


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
            assert time.monotonic() - started < SOON
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
    rig.serve.wait_lines(r".* #2: opened( by process \d+)?")
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

        at_once(send_all, lambda: (time.sleep(0.3), there.do("recv-end")))
        got = there.peer.all("recv-end")[-1]
        assert got["sizes"] == SIZES * 3 and got["end"] == 0


def test_a_message_for_a_byte_pipe_and_back(rig):
    """Where one side has no messages their bytes are what counts."""
    for kinds in (("message", "byte"), ("byte", "message")):
        here = rig(kinds)
        client, end = here.client(), here.target.accept()
        at_once(lambda: client.send(1_000_003, 3, 1 << 20), lambda: end.receive(1_000_003, 3))
        at_once(lambda: end.send(1_000_003, 4, 1 << 20), lambda: client.receive(1_000_003, 4))

"""Bytes through uvrelay.exe and a pipe, unchanged: every value, every size, in bulk and both ways at once, with
message and byte pipes."""

import concurrent.futures
import hashlib
import itertools
import os

import pytest

import bytestream
from programs import Relay, run_relay
from winpeers import PipeServer

TYPES = ["message", "byte"]
BULK = 100_000_000
SIZES = [1, 2, 5, 63, 64, 255, 256, 1023, 1024, 1025, 4096, 32767, 32768, 65535, 65536, 65537, 100_000, 131_072,
         262_145, (1 << 20) - 1, 1 << 20]


def concatenated(sizes):
    return b"".join(bytestream.data(size, seed) for seed, size in enumerate(sizes, 1))


@pytest.mark.parametrize("type", TYPES)
def test_each_size_from_the_pipe(type):
    actions = [f"send={size},{size},{seed}" for seed, size in enumerate(SIZES, 1)]
    with PipeServer(*actions, "close", type=type) as server:
        result = run_relay(server.name)
        assert result.stdout == concatenated(SIZES), "the bytes are not those that were sent"
        assert result.code == 0 and result.stderr == ""
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_each_size_to_the_pipe(type):
    actions = [action for size in SIZES for action in ("recv=" + str(size), "text=.")]
    with PipeServer(*actions, "close", type=type) as server, Relay(server.name) as relay:
        for number, size in enumerate(SIZES, 1):
            relay.write(bytestream.data(size, number))
            relay.out.wait_count(number)  # so that the next bytes come by themselves
            received = server.event("recv", number)
            assert received["sha256"] == bytestream.sha256(size, number), f"other bytes of {size} arrived"
            assert received["open"] == 0, f"of {size} bytes, the last {received['open']} end within a message"
            if type == "message" and size <= 4096:
                assert received["sizes"] == [size], f"{size} bytes written at once came as {received['sizes']}"
        assert relay.wait() == 0 and relay.stdout == b"." * len(SIZES)
        server.finish()


@pytest.mark.parametrize("buffer", [0, 1, 512, 4096, 1 << 20])
def test_pipes_with_other_buffers(buffer):
    options = {"in": buffer, "out": buffer}
    with PipeServer("echo-end", "zero", **options) as server:
        result = run_relay("-s", "-ep", server.name, stdin=bytestream.data(300_000, 3))
        assert result.stdout == bytestream.data(300_000, 3)
        assert result.code == 0 and result.stderr == ""
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_all_byte_values(type):
    values = bytes(range(256))
    text = values + values[::-1] + b"\r\n\n\r\x1a\x00\xff" * 40 + os.urandom(1_000_000) + b"\x1a"
    with PipeServer(f"echo={len(text)}", "close", type=type) as server, Relay(server.name) as relay:
        relay.write_in_thread([text])
        assert relay.wait() == 0
        assert relay.stdout == text
        assert server.event("echo")["sha256"] == hashlib.sha256(text).hexdigest()
        server.finish()


def test_no_bytes_at_all():
    with PipeServer("recv-end", "close") as server:
        result = run_relay("-s", server.name)
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (0, 0), "not exactly the zero-byte message"
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_bulk_to_the_pipe(type):
    with PipeServer(f"recv={BULK}", "close", type=type) as server, Relay(server.name) as relay:
        writer = relay.write_in_thread(bytestream.chunks(BULK, 7))
        received = server.event("recv", timeout=60)
        assert received["sha256"] == bytestream.sha256(BULK, 7)
        writer.join()
        assert relay.wait() == 0 and relay.stderr == ""
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_bulk_from_the_pipe(type):
    with PipeServer(f"send={BULK},65536,8", "close", type=type) as server, Relay(server.name) as relay:
        assert relay.wait(60) == 0
        assert relay.out.count == BULK
        assert relay.out.sha256 == bytestream.sha256(BULK, 8)
        assert relay.stderr == ""
        server.finish()


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("message", [65536, 1 << 20])
def test_bulk_both_ways_at_once(type, message):
    with PipeServer(f"both={BULK},{message},9,{BULK}", "close", type=type) as server, Relay(server.name) as relay:
        writer = relay.write_in_thread(bytestream.chunks(BULK, 10))
        assert relay.wait(60) == 0
        writer.join()
        received = server.event("recv-end")
        assert received["bytes"] == BULK and received["sha256"] == bytestream.sha256(BULK, 10)
        assert relay.out.count == BULK and relay.out.sha256 == bytestream.sha256(BULK, 9)
        assert server.event("send")["received_meanwhile"] > BULK // 20, "the two directions took turns"
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_many_small_exchanges(type):
    """A request and its answer, again and again: nothing is held back to wait for more."""
    with PipeServer("echo=6400", "close", type=type) as server, Relay(server.name) as relay:
        for number in range(100):
            relay.write(bytestream.data(64, number))
            relay.out.wait_count(64 * (number + 1))
        assert relay.wait() == 0
        assert relay.stdout == b"".join(bytestream.data(64, number) for number in range(100))
        server.finish()


#: Arguments of the relay and the server's script; SIZE bytes are sent and, but for -ei, come back.
EXCHANGES = [
    (["-s"], ["recv-end", "send=SIZE,50021,4", "close"]),
    (["-s"], ["recv-end", "send=SIZE,50021,4", "zero", "peek-gone"]),
    (["-s", "-ep"], ["recv-end", "send=SIZE,50021,4", "zero", "peek-gone"]),
    (["-s"], ["read-mode=byte", "recv-end", "send=SIZE,50021,4", "close"]),
    (["-ei"], ["recv-end"]),
]


def exchange(args, script, size):
    with PipeServer(*(action.replace("SIZE", str(size)) for action in script)) as server:
        result = run_relay(*args, server.name, stdin=bytestream.data(size, 4))
        assert (result.code, result.stderr) == (0, ""), (args, script, size)
        assert result.stdout == (b"" if "-ei" in args else bytestream.data(size, 4)), (args, script, size)
        assert server.event("recv-end")["sha256"] == bytestream.sha256(size, 4), (args, script, size)
        server.finish()


def test_many_relays_at_once():
    """What happens at the same time happens in many orders: each end with each size, six at a time."""
    cases = list(itertools.product(EXCHANGES, [0, 1, 1000, 65536, 65537, 200_000], range(3)))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(exchange, *case, size) for case, size, _ in cases]:
            done.result()

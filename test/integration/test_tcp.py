"""tcp:// from Windows: bytes and half-closes both ways, and what is said when no process answers."""

import socket
import time

import pytest

import bytestream
from assuanpeer import LoopbackServer, receive_all, receive_exactly, refused_port
from programs import Relay, error_sentence, run_relay, under_wine

SIZE = 3_000_000


def question_and_answer(connection):
    """The answer begins only when the question has ended: the client's half-close must come through."""
    assert receive_all(connection) == bytestream.data(SIZE, 3)
    connection.sendall(bytestream.data(SIZE, 4))


@pytest.mark.parametrize("args", [[], ["-s"]])
def test_half_close_of_the_client(args):
    with LoopbackServer(question_and_answer) as server:
        result = run_relay(*args, f"tcp://127.0.0.1:{server.port}", stdin=bytestream.data(SIZE, 3))
        server.wait()
        assert (result.code, result.stderr) == (0, "")
        assert result.stdout == bytestream.data(SIZE, 4)


def test_half_close_of_the_server():
    """Its end of input leaves the other direction open."""
    def talk(connection):
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        assert receive_all(connection) == b"and goodbye"

    with LoopbackServer(talk) as server, Relay(f"tcp://127.0.0.1:{server.port}") as relay:
        relay.out.wait_count(5)
        time.sleep(0.3)
        assert relay.running
        relay.write(b"and goodbye")
        relay.close_stdin()
        assert relay.wait() == 0 and relay.stderr == ""
        server.wait()
        assert relay.stdout == b"hello"


def test_ep_ends_with_the_server():
    def talk(connection):
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        receive_all(connection)

    with LoopbackServer(talk) as server, Relay("-ep", f"tcp://127.0.0.1:{server.port}") as relay:
        assert relay.wait(3) == 0
        assert (relay.stdout, relay.stderr) == (b"hello", "")
        server.wait()


def test_ei_ends_once_all_is_written():
    def talk(connection):
        assert receive_all(connection) == bytestream.data(100_000, 3)

    with LoopbackServer(talk) as server:
        result = run_relay("-ei", f"tcp://127.0.0.1:{server.port}", stdin=bytestream.data(100_000, 3))
        server.wait()
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")


def test_bulk_both_ways_at_once():
    size = 50_000_000

    def talk(connection):
        connection.setblocking(True)
        for piece in bytestream.chunks(size, 5):
            connection.sendall(piece)
            receive_exactly(connection, len(piece))
        connection.shutdown(socket.SHUT_WR)
        assert receive_all(connection) == b""

    with LoopbackServer(talk) as server, Relay(f"tcp://127.0.0.1:{server.port}") as relay:
        writer = relay.write_in_thread(bytestream.chunks(size, 6), close=True)
        assert relay.wait(60) == 0 and relay.stderr == ""
        writer.join()
        server.wait()
        assert (relay.out.count, relay.out.sha256) == (size, bytestream.sha256(size, 5))


def test_names_and_ipv6():
    def talk(connection):
        connection.sendall(b"hello")

    with LoopbackServer(talk) as server:
        result = run_relay("-ep", f"tcp://localhost:{server.port}")
        assert (result.code, result.stdout, result.stderr) == (0, b"hello", "")
    try:
        six = LoopbackServer(talk, family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with six as server:
        result = run_relay("-ep", f"tcp://[::1]:{server.port}")
        assert (result.code, result.stdout, result.stderr) == (0, b"hello", "")


def test_the_server_resets():
    """A reset is a failure, and told as one; it is no hang."""
    def talk(connection):
        connection.sendall(b"hello")
        time.sleep(0.5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with LoopbackServer(talk) as server, Relay(f"tcp://127.0.0.1:{server.port}") as relay:
        assert relay.wait(5) == 1
        assert relay.stdout == b"hello"
        assert f"tcp://127.0.0.1:{server.port}" in error_sentence(relay.stderr)


def test_refused():
    target = f"tcp://127.0.0.1:{refused_port()}"
    result = run_relay(target)
    sentence = error_sentence(result.stderr)
    assert target in sentence and "(ECONNREFUSED)" in sentence
    assert (result.code, result.stdout) == (1, b"")


def test_refused_with_timeout():
    target = f"tcp://127.0.0.1:{refused_port()}"
    result = run_relay("--timeout=60", target)
    assert target in error_sentence(result.stderr)
    assert result.code == 1


def test_unknown_host():
    result = run_relay("--timeout=20", "tcp://no-such-host.invalid:80", timeout=40)
    assert "no-such-host.invalid" in error_sentence(result.stderr)
    assert result.code == 1


@pytest.mark.parametrize("address", ["tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0",
                                     "tcp://127.0.0.1:65536", "tcp://127.0.0.1:x", "tcp://:80", "tcp://[::1:80",
                                     "tcp://127.0.0.1:80/path", "tcp://127.0.0.1:-1", "tcp://127.0.0.1: 80"])
def test_malformed(address):
    result = run_relay(address)
    assert result.code == 2 and result.stdout == b""
    assert address in result.stderr.splitlines()[0]


@pytest.mark.skipif(not under_wine(), reason="a listener of WSL need not be seen from Windows")
def test_v_tells_of_tcp():
    with LoopbackServer(lambda connection: connection.sendall(b"hello")) as server:
        target = f"tcp://127.0.0.1:{server.port}"
        result = run_relay("-v", "-ep", target)
        assert result.code == 0
        assert f"connecting to {target}" in result.stderr and "connected" in result.stderr

"""What the options of a route do: timeout, idle, linger, max, eof."""

import contextlib
import socket
import threading
import time

import pytest
from programs import SOON
from serving import (EchoServer, Serve, Target, ask, connect, ends, listener, receive_all, receive_exactly, wait_for)


def silent_cygwin_file(tmp_path, port):
    """A socket file whose server never answers the nonce."""
    file = tmp_path / "file"
    file.write_text(f"!<socket >{port} s {'-'.join(['12345678'] * 4)}\0")
    return f"assuan://{file}"


# timeout

@pytest.mark.parametrize("where", ["listener", "target", "flag"])
def test_a_target_that_does_not_answer(tmp_path, path, where):
    with Target(0, receive_all) as silent:
        query = "?timeout=0.7"
        listen, back = f"unix://{path}", silent_cygwin_file(tmp_path, silent.address.rpartition(":")[2])
        route = {"listener": f"{listen}{query}={back}", "target": f"{listen}={back}{query}",
                 "flag": f"{listen}={back}"}[where]
        with Serve(*(["--timeout=0.7"] if where == "flag" else []), route) as serve:
            with serve.connect() as client:
                begin = time.monotonic()
                ends(client)
                assert 0.6 <= time.monotonic() - begin < SOON
            assert "did not answer within 0.7 s" in serve.wait_closed().reason
        silent.wait()


def fill(path, stack):
    """A listening socket that takes no more clients, until somebody accepts."""
    made = stack.enter_context(listener(path, backlog=0))
    with contextlib.suppress(BlockingIOError):
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect(str(path))
    return made


def test_a_busy_unix_socket_is_tried_again(tmp_path, path):
    """Its queue of clients is full: it is there and will take more."""
    with contextlib.ExitStack() as stack:
        busy = fill(tmp_path / "busy", stack)
        with Serve(f"unix://{path}=unix://{tmp_path}/busy") as serve, serve.connect() as client:
            client.sendall(b"hello")
            time.sleep(0.7)
            assert not serve.matches("closed after")
            busy.settimeout(SOON)
            while True:
                connection, _ = busy.accept()
                with connection:
                    connection.setblocking(False)
                    time.sleep(0.2)
                    with contextlib.suppress(BlockingIOError):
                        if connection.recv(5) == b"hello":
                            break


def test_a_busy_unix_socket_is_not_tried_for_ever(tmp_path, path):
    with contextlib.ExitStack() as stack:
        fill(tmp_path / "busy", stack)
        with Serve(f"unix://{path}?timeout=0.7=unix://{tmp_path}/busy") as serve, serve.connect() as client:
            begin = time.monotonic()
            ends(client)
            assert 0.6 <= time.monotonic() - begin < SOON
            assert "EAGAIN" in serve.wait_closed().reason or "busy" in serve.wait_closed().reason


# idle

def test_idle_ends_what_is_silent(tmp_path, path):
    with EchoServer(tmp_path / "back") as back:
        with Serve(f"unix://{path}?idle=1={back.address}") as serve:
            with serve.connect() as busy, serve.connect() as silent:
                begin = time.monotonic()
                while time.monotonic() - begin < 2.5:
                    ask(busy)
                    time.sleep(0.05)
                silent.settimeout(0.1)
                assert silent.recv(1) == b""
                ask(busy)
                ends(busy)
            wait_for(lambda: back.open == 0, "the target's connections have ended")
            serve.wait_closed(2)
            assert [found[1] for found in serve.matches(r"#(\d): closed")] == ["2", "1"]


def test_bytes_of_one_direction_are_enough(tmp_path, path):
    def talk(connection):
        for _ in range(12):
            connection.sendall(b"x")
            time.sleep(0.2)
        receive_all(connection)

    with Target(tmp_path / "back", talk) as back, Serve(f"unix://{path}?idle=1={back.address}") as serve:
        with serve.connect() as client:
            assert receive_all(client) == b"x" * 12
        back.wait()


def test_without_idle_silence_is_fine(tmp_path, path):
    with EchoServer(tmp_path / "back") as back, Serve(f"unix://{path}?linger=0.1={back.address}") as serve:
        with serve.connect() as client:
            ask(client)
            time.sleep(2)
            ask(client)


# linger and eof

def test_eof_none_and_linger(tmp_path, path):
    """The client's end cannot be signalled to the target: when it has been silent for long enough all ends."""
    story = []

    def talk(connection):
        receive_exactly(connection, 5)
        begin = time.monotonic()
        connection.settimeout(0.3)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.sendall(b"x")
        connection.settimeout(SOON)
        ends(connection)
        story.append(time.monotonic() - begin)

    with Target(tmp_path / "back", talk) as back, Serve(
            f"unix://{path}?linger=1={back.address}?eof=none") as serve, serve.connect() as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"xxxxx"
        back.wait()
        assert 2.2 <= story[0] < 10
        assert "1 s" in serve.wait_closed().reason or "silent" in serve.wait_closed().reason


def test_eof_none_to_the_client(tmp_path, path):
    """The target's end cannot be signalled to the client, and its bytes are taken as long as they come."""
    got = []

    def talk(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(receive_all(connection))

    with Target(tmp_path / "back", talk) as back, Serve(
            f"unix://{path}?linger=1&eof=none={back.address}") as serve, serve.connect() as client:
        assert receive_exactly(client, 3) == b"bye"
        client.settimeout(0.3)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.sendall(b"x")
        client.settimeout(SOON)
        ends(client)
        back.wait()
        assert got == [b"xxxxx"]


def test_eof_auto_is_the_default(tmp_path, path):
    for query in ("", "?eof=auto"):
        def talk(connection):
            connection.sendall(receive_all(connection))

        with Target(tmp_path / f"back{len(query)}", talk) as back:
            with Serve(f"unix://{path}{query}={back.address}{query}") as serve, serve.connect() as client:
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == b"hello"


# max

def most_open(serve):
    """How many connections were open at a time. The target sees a new one before it sees the end of an old one."""
    open_ = [0]
    for event in serve.matches(r"#\d+: (opened|closed)\b"):
        open_.append(open_[-1] + (1 if event[1] == "opened" else -1))
    return max(open_)


@pytest.mark.parametrize("listen", ["unix", "tcp"])
def test_at_max_clients_wait_and_are_served_later(tmp_path, path, listen):
    address = f"unix://{path}" if listen == "unix" else "tcp://127.0.0.1:0"
    with EchoServer(tmp_path / "back") as back, Serve(f"{address}?max=3={back.address}") as serve:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(serve.connect()) for _ in range(8)]
            for number, client in enumerate(clients):
                client.sendall(b"%d" % number)
            for number, client in enumerate(clients[:3]):
                assert receive_exactly(client, 1) == b"%d" % number
            for client in clients[3:]:
                client.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                client.settimeout(SOON)
            for number, client in enumerate(clients):
                if number >= 3:
                    assert receive_exactly(client, 1) == b"%d" % number
                client.close()
        assert serve.wait_closed(8) and most_open(serve) == 3 and back.total == 8


def test_max_is_for_each_route(tmp_path, path):
    with EchoServer(tmp_path / "back") as back:
        routes = [f"unix://{path}{number}={back.address}" for number in range(4)]
        with Serve("--max=1", *routes) as serve, contextlib.ExitStack() as stack:
            for number in range(4):
                ask(stack.enter_context(serve.connect(number)))
            assert back.open == 4


def test_a_client_that_waits_and_leaves_is_no_trouble(tmp_path, path):
    with EchoServer(tmp_path / "back") as back, Serve(f"unix://{path}?max=1={back.address}") as serve:
        with serve.connect() as first:
            ask(first)
            for _ in range(5):
                serve.connect().close()
        with serve.connect() as client:
            ask(client)


def test_many_threads_at_max(tmp_path, path):
    """More than the socket's queue holds."""
    failures = []
    with EchoServer(tmp_path / "back") as back, Serve(f"unix://{path}?max=2={back.address}") as serve:
        def work():
            try:
                for _ in range(10):
                    with connect(f"unix://{path}", 60) as client:
                        ask(client)
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures and most_open(serve) == 2 and back.total == 500

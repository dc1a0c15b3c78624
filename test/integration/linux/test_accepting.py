"""Accepting and connecting at once: what must not change where that is not possible, because the target's backlog is
full, because there are no descriptors, or because the limit of them is lowered meanwhile."""

import contextlib
import resource
import signal
import threading
import time

import pytest
from programs import SOON
from serving import EchoServer, Serve, connect, listener, receive_all, receive_exactly, wait_for

pytestmark = pytest.mark.sanitized


def timer(port, local):
    """What /proc/net/tcp shows of the connection with this local, or remote, port: 2 is the timer of a keepalive."""
    with open("/proc/net/tcp") as file:
        for line in file:
            fields = line.split()
            address = fields[1 if local else 2]
            if fields[3] == "01" and int(address.partition(":")[2], 16) == port:
                return int(fields[5].partition(":")[0], 16)
    return None


@pytest.fixture
def full():
    """A TCP target whose backlog takes one connection, and which accepts none."""
    with listener(0, 0) as made:
        yield made


def address(target):
    return f"tcp://127.0.0.1:{target.getsockname()[1]}"


# The target's backlog.

def test_a_full_backlog_is_waited_for(path, full):
    """Each client gets its connection as soon as the target accepts it."""
    with Serve(f"unix://{path}={address(full)}") as serve, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(f"unix://{path}")) for _ in range(4)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        serve.wait_match("#4: opened")
        full.settimeout(SOON)
        accepted = [stack.enter_context(full.accept()[0]) for _ in clients]
        for connection in accepted:
            connection.settimeout(SOON)
            connection.sendall(receive_exactly(connection, 1))
        for number, client in enumerate(clients):
            assert receive_exactly(client, 1) == b"%d" % number
        for client in clients:
            client.close()
        assert int(serve.wait_closed(4).duration) > 500  # the system asks again after a second


def test_a_full_backlog_until_the_time_is_up(path, full):
    with Serve(f"unix://{path}={address(full)}?timeout=300ms") as serve, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(f"unix://{path}")) for _ in range(3)]
        wait_for(lambda: serve.matches(f"{address(full)} did not answer within 0.3 s"), "a time-out")
        assert receive_all(clients[-1]) == b""


def test_the_end_while_a_full_backlog_is_waited_for(path, full):
    """Of the client, then of the program."""
    with Serve("--drain=0", f"unix://{path}={address(full)}") as serve, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(f"unix://{path}")) for _ in range(3)]
        serve.wait_match("#3: opened")
        clients[1].close()
        serve.stop()
        assert receive_all(clients[2]) == b""


def test_a_target_that_is_not_there(path):
    """The error is the one that the system reports."""
    with listener(0) as made:
        gone = address(made)
    with Serve(f"unix://{path}={gone}") as serve, connect(f"unix://{path}") as client:
        assert receive_all(client) == b""
        assert f"cannot connect to {gone}: connection refused" in serve.wait_closed().reason


# Descriptors.

@pytest.mark.parametrize("where", ["unix", "tcp"])
def test_a_limit_that_is_lowered_and_raised(path, tmp_path, where):
    """By another process, after many were accepted without a look at each. Nobody is lost."""
    with EchoServer(0 if where == "tcp" else tmp_path / "back") as back, Serve(
            f"unix://{path}={back.address}") as serve, contextlib.ExitStack() as stack:
        def more(count):
            clients = [stack.enter_context(connect(f"unix://{path}")) for _ in range(count)]
            for client in clients:
                client.sendall(b"hello")
            return clients

        first = more(20)
        assert all(receive_exactly(client, 5) == b"hello" for client in first)
        hard = resource.prlimit(serve.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(serve.pid, resource.RLIMIT_NOFILE, (serve.descriptors() + 10, hard))
        second = more(40)
        serve.wait_match(": paused: ")
        assert back.open < 30
        resource.prlimit(serve.pid, resource.RLIMIT_NOFILE, (300, hard))
        assert all(receive_exactly(client, 5) == b"hello" for client in second)
        assert back.total == 60
        for client in first + second:
            client.close()
        serve.wait_closed(60)
        assert not serve.matches("closed after.*EMFILE")


def test_routes_that_compete_for_the_last_descriptors(tmp_path):
    """All clients come at once, when none has been accepted near the limit before."""
    routes, count = 4, 80
    with EchoServer(tmp_path / "back") as back, contextlib.ExitStack() as stack:
        fronts = [f"unix://{tmp_path}/{number}" for number in range(routes)]
        with Serve(*(f"{front}={back.address}" for front in fronts), preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (300, 300))) as serve:
            serve.send_signal(signal.SIGSTOP)
            clients = [stack.enter_context(connect(front)) for front in fronts for _ in range(count)]
            for client in clients:
                client.sendall(b"hello")
            serve.send_signal(signal.SIGCONT)
            serve.wait_match(": paused: ")
            wait_for(lambda: len(serve.matches(": opened")) == back.total, "each accepted client has its target")

            def work(client):
                client.settimeout(4 * SOON)
                results.append(receive_exactly(client, 5))
                client.close()

            results = []
            threads = [threading.Thread(target=work, args=(client,)) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert results == [b"hello"] * len(clients) and back.total == len(clients)
            serve.wait_closed(len(clients))
            assert not serve.matches("EMFILE.*bytes? to the target")


def test_one_client_after_another_gets_its_turn_beside_busy_ones(path, back):
    """One is accepted in each turn of the loop, however busy the others are."""
    with Serve(f"unix://{path}={back.address}", verbose=False) as serve, contextlib.ExitStack() as stack:
        busy, over = [stack.enter_context(connect(f"unix://{path}")) for _ in range(4)], threading.Event()

        def pour(client):
            while not over.is_set():
                client.sendall(b"x" * 65536)
                receive_exactly(client, 65536)

        threads = [threading.Thread(target=pour, args=(client,)) for client in busy]
        for thread in threads:
            thread.start()
        try:
            began = time.monotonic()
            clients = [stack.enter_context(connect(f"unix://{path}")) for _ in range(200)]
            for client in clients:
                client.sendall(b"hello")
            assert all(receive_exactly(client, 5) == b"hello" for client in clients)
            assert time.monotonic() - began < SOON
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert serve.running


# Socket options.

@pytest.mark.parametrize("listen, expected", [("tcp://127.0.0.1:0", 0), ("tcp://0.0.0.0:0", 2)])
def test_a_keepalive_only_where_it_can_find_something(listen, expected):
    """A listener on all addresses may have clients on other computers; a target at 127.0.0.1 is on this one."""
    with EchoServer(0) as back, Serve("--allow-remote", f"{listen}={back.address}") as serve:
        port, target_port = (int(one.rpartition(":")[2]) for one in (serve.listen(), back.address))
        with connect(f"tcp://127.0.0.1:{port}") as client:
            client.sendall(b"hello")
            assert receive_exactly(client, 5) == b"hello"
            wait_for(lambda: timer(port, local=True) == expected, "the timer of the socket to the client")
            wait_for(lambda: timer(target_port, local=False) == 0, "the timer of the socket to the target")

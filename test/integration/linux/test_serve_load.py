"""Many clients, many routes, many connections, and too few descriptors: all are served, and nothing is left."""

import contextlib
import os
import re
import resource
import signal
import threading
import time

import pytest
from programs import SOON
from serving import SANITIZED, EchoServer, Serve, Target, ask, connect, receive_exactly, wait_for

pytestmark = pytest.mark.sanitized

#: How long many clients may take; the fast ones take a few seconds.
LONG = 120


@pytest.fixture(autouse=True)
def many_descriptors():
    """For the tests themselves, which hold both ends of each connection."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8192 if before[1] == resource.RLIM_INFINITY else min(before[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], most), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def limit_descriptors(soft, hard=None):
    """For the program: as most systems have it, 1,024 that a program may raise."""
    def limit():
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if hard is None else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
    return limit


def settled(serve):
    """How many descriptors are open without connections, once there was one: at the first libuv opens one to keep."""
    with serve.connect() as client:
        ask(client)
    serve.wait_closed()
    return serve.descriptors()


def routes(kinds, tmp_path):
    """Listener and target of these kinds, "unix-tcp"."""
    front, back = kinds.split("-")
    return (f"unix://{tmp_path}/front" if front == "unix" else "tcp://127.0.0.1:0",
            tmp_path / "back" if back == "unix" else 0)


# Many at once.

@pytest.mark.parametrize("kinds", ["unix-unix", "tcp-tcp"])
def test_many_clients_at_once(tmp_path, kinds):
    count = 300 if SANITIZED else 1000
    listen, where = routes(kinds, tmp_path)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * count + 100:
        pytest.skip("this machine allows too few descriptors")
    with EchoServer(where) as back, Serve(f"{listen}={back.address}", verbose=True,
                                          preexec_fn=limit_descriptors(1024)) as serve:
        descriptors = settled(serve)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(serve.connect()) for _ in range(count)]
            for turn in range(3):
                for number, client in enumerate(clients):
                    client.sendall(b"%d of client %06d" % (turn, number))
                for number, client in enumerate(clients):
                    client.settimeout(LONG)
                    assert receive_exactly(client, 18) == b"%d of client %06d" % (turn, number)
            assert back.most == count
        serve.wait_closed(count + 1, LONG)
        assert not serve.matches("paused")
        wait_for(lambda: serve.descriptors() == descriptors, "the descriptors are as before")


@pytest.mark.parametrize("kinds", ["unix-unix", "tcp-tcp"])
def test_more_clients_than_descriptors_at_once(tmp_path, kinds):
    """Clients that stay: those that cannot be served yet wait, and get their turn when others have left."""
    listen, where = routes(kinds, tmp_path)
    with EchoServer(where) as back, Serve(f"{listen}={back.address}",
                                          preexec_fn=limit_descriptors(64, 64)) as serve:
        clients = [serve.connect() for _ in range(100)]
        for number, client in enumerate(clients):
            client.sendall(b"%03d" % number)
        for number, client in enumerate(clients):
            client.settimeout(LONG)
            assert receive_exactly(client, 3) == b"%03d" % number
            client.close()
        assert back.total == 100
        serve.wait_closed(100)
        serve.wait_match(": paused: ")
        assert not re.search("EMFILE", "".join(found[0] for found in serve.matches("closed after.*")))
        serve.wait_match(": accepting again")


def test_out_of_descriptors_nobody_is_dropped(tmp_path):
    """Each client in a thread of its own: it connects, asks a few times, and leaves."""
    failures, count = [], 60 if SANITIZED else 200
    with EchoServer(tmp_path / "back") as back, Serve(f"unix://{tmp_path}/front={back.address}",
                                                      preexec_fn=limit_descriptors(40, 40)) as serve:
        def work(number):
            try:
                with connect(f"unix://{tmp_path}/front", LONG) as client:
                    for turn in range(5):
                        ask(client, b"%d of %d" % (turn, number))
            except Exception as failure:
                failures.append((number, failure))

        descriptors = settled(serve)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert not failures and back.total == count + 1
        serve.wait_closed(count + 1)
        assert not serve.matches("EMFILE.*bytes? to the target")
        wait_for(lambda: serve.descriptors() == descriptors, "the descriptors are as before")


def test_out_of_descriptors_on_several_routes(tmp_path):
    """They share the descriptors, and each gets its turn."""
    failures = []
    with EchoServer(tmp_path / "back") as back:
        addresses = [f"unix://{tmp_path}/{number}" for number in range(5)]
        with Serve(*(f"{address}={back.address}" for address in addresses),
                   preexec_fn=limit_descriptors(40, 40)) as serve:
            def work(address):
                try:
                    for _ in range(5):
                        with connect(address, LONG) as client:
                            ask(client)
                            time.sleep(0.02)
                            ask(client)
                except Exception as failure:
                    failures.append((address, failure))

            threads = [threading.Thread(target=work, args=(address,)) for address in addresses * 10]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LONG)
            assert not failures and back.total == 250
            assert not serve.matches("closed after.*EMFILE")


def test_waiting_for_descriptors_costs_no_time_on_the_processor(tmp_path):
    with EchoServer(tmp_path / "back") as back, Serve(f"unix://{tmp_path}/front={back.address}",
                                                      preexec_fn=limit_descriptors(40, 40)) as serve:
        clients = [serve.connect() for _ in range(60)]
        serve.wait_match(": paused: ")
        time.sleep(0.5)
        before = serve.processor_seconds()
        time.sleep(2)
        assert serve.processor_seconds() - before < 0.3
        for client in clients:
            client.close()


# Many routes.

def test_many_routes_in_one_process(tmp_path):
    count = 200
    with EchoServer(tmp_path / "back") as one, EchoServer(0) as two:
        config = tmp_path / "routes"
        listens = [f"unix://{tmp_path}/{number}" if number % 2 else "tcp://127.0.0.1:0" for number in range(count)]
        targets = [(one, two)[number // 2 % 2].address for number in range(count)]
        config.write_text("".join(f"{listen}={target}\n" for listen, target in zip(listens, targets)))
        with Serve("--config", config) as serve:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(serve.connect(number)) for number in range(count)]
                for number, client in enumerate(clients):
                    ask(client, b"route %d" % number)
                assert (one.open, two.open) == (count // 2, count // 2)
            serve.wait_closed(count)
            before = len(serve.stderr)
            serve.send_signal(signal.SIGUSR1)
            wait_for(lambda: serve.stderr.count("\n", before) == count + 1, "a table of them all")
    assert [name for name in os.listdir(tmp_path) if name not in ("back", "routes")] == []


# Many one after another.

@pytest.mark.parametrize("kinds, count", [("unix-unix", 10_000), ("tcp-tcp", 3_000), ("unix-none", 2_000)])
def test_many_connections_one_after_another(tmp_path, kinds, count):
    """Open descriptors end where they began, and memory, which has its final size soon, does not grow. Of those with
    no target, each is a failure."""
    count = count // 10 if SANITIZED else count
    listen, where = routes(kinds.replace("none", "unix"), tmp_path)
    with EchoServer(where) as back, Serve("--drain=0", f"{listen}={back.address}{'.none' if 'none' in kinds else ''}",
                                          verbose=False) as serve:
        front = listen if listen.startswith("unix") else serve.port()

        def some(number):
            for turn in range(number):
                with connect(front) as client:
                    if "none" in kinds:
                        with contextlib.suppress(ConnectionError):
                            assert client.recv(1) == b""
                    else:
                        ask(client, b"connection %d" % turn)
            wait_for(lambda: back.open == 0, "the target's connections have ended")

        some(count // 5)
        time.sleep(0.3)
        descriptors, memory = serve.descriptors(), serve.resident_kib()
        some(count - count // 5)
        wait_for(lambda: serve.descriptors() <= descriptors < 20, "the descriptors are as before")
        assert back.total == (0 if "none" in kinds else count)
        if not SANITIZED:
            assert serve.resident_kib() - memory < 500


def test_idle_connections_hold_no_buffers(tmp_path):
    """A thousand of 64 KiB each way would be 128 MB."""
    if SANITIZED:
        pytest.skip("memory is not the program's own")
    with EchoServer(tmp_path / "back") as back, Serve(f"unix://{tmp_path}/front={back.address}",
                                                      verbose=False) as serve, contextlib.ExitStack() as stack:
        before = serve.resident_kib()
        clients = [stack.enter_context(connect(f"unix://{tmp_path}/front")) for _ in range(500)]
        for client in clients:
            ask(client, b"x" * 10_000)
        assert serve.resident_kib() - before < 10_000


def test_a_slow_client_does_not_slow_others(tmp_path):
    """One that reads nothing of what its target sends, at full speed, beside one that asks."""
    def talk(connection):
        if receive_exactly(connection, 1) == b"f":
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"x" * 65536)
        else:
            while piece := connection.recv(65536):
                connection.sendall(piece)

    with Target(tmp_path / "back", talk) as back, Serve(f"unix://{tmp_path}/front={back.address}") as serve:
        stuck = [serve.connect() for _ in range(10)]
        for client in stuck:
            client.sendall(b"f")
        time.sleep(0.5)
        memory = serve.resident_kib()
        with serve.connect() as client:
            client.sendall(b"e")
            begin = time.monotonic()
            for _ in range(100):
                ask(client)
            assert time.monotonic() - begin < SOON
        assert serve.resident_kib() - memory < 5000 or SANITIZED
        for client in stuck:
            client.close()
        serve.wait_closed(11)

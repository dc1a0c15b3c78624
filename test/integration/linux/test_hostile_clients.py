"""`uvrelay serve` and clients and targets that mean harm, or are broken, by the thousand: what they can cost it, and that
others go on. Many clients that ask, and that wait for their turn, are in test_serve_load.py; what they can do to the log
is in test_serve_flood.py."""

import contextlib
import resource
import selectors
import socket
import threading
import time

import pytest

from cost import Cost, quiet
from serving import PROGRAM, EchoServer, Serve, Target, ask, connect, ends, receive_exactly, slowest, vanish, wait_for
from via import RawMux

#: How long many clients may take; they take a second.
LONG = 120

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp"])


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """As many as there may be; gives how many clients can be held, whose both ends are ours."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield min(5000, before[1] // 2 - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def limited(number):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


@contextlib.contextmanager
def serving(kind, back, tmp_path, *options, **more):
    """A serve with a route of this kind and one beside it, and a client there."""
    front = f"unix://{tmp_path}/front" if kind == "unix" else "tcp://127.0.0.1:0"
    with Serve("--drain=0", *options, f"{front}={back.address}", f"unix://{tmp_path}/beside={back.address}", **more) as serve:
        serve.front = serve.listen()
        with connect(f"unix://{tmp_path}/beside") as serve.beside:
            slowest(serve.beside)
            yield serve


# Many.

@KINDS
def test_many_that_say_nothing(kind, back, tmp_path, descriptors):
    """They cost 4 KiB each, and nothing while they are silent; one that asks is served; nothing of them stays."""
    count = descriptors
    with serving(kind, back, tmp_path, f"--max={count + 10}", verbose=True) as serve:
        files = serve.descriptors()
        with contextlib.ExitStack() as stack:
            with Cost(serve, f"{count} silent clients", kib=4 * count + 3000, processor=30):
                for made in range(1, count + 1):
                    stack.enter_context(connect(serve.front, LONG))
                    if made % 500 == 0 or made == count:  # the kernel lets only so many wait
                        wait_for(lambda: back.open == made + 1, "all are connected", LONG)
                print(f"the connection beside waits {slowest(serve.beside):.3f} s")
            quiet(serve, f"{count} silent clients")
            with connect(serve.front) as client:
                ask(client)
        wait_for(lambda: serve.descriptors() == files, "the descriptors are as before", LONG)
        assert not serve.matches("failed:")


@KINDS
def test_many_that_reset_at_once(kind, back, tmp_path):
    """Whatever the kernel makes of them; a Unix socket knows no reset, so they close."""
    count = 5000
    with serving(kind, back, tmp_path, verbose=True) as serve:
        files = serve.descriptors()
        with Cost(serve, f"{count} clients that reset", kib=4000, processor=30):
            most = 0
            for made in range(count):
                vanish(connect(serve.front, LONG))
                most = max(most, slowest(serve.beside, 1)) if made % 50 == 0 else most
            print(f"the connection beside waits {max(most, slowest(serve.beside)):.3f} s")
            wait_for(lambda: serve.descriptors() == files and back.open == 1, "the descriptors are as before", LONG)
            quiet(serve, f"{count} clients that reset")
        with connect(serve.front) as client:
            ask(client)


@KINDS
def test_more_than_may_be_at_a_time(kind, back, tmp_path):
    """A route's crowd waits for its own kind only: the route beside goes on, and so does theirs, once some leave."""
    with serving(kind, back, tmp_path, "--max=50") as serve, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(serve.front, LONG)) for _ in range(100)]
        wait_for(lambda: back.open == 51, "as many as may be")
        slowest(serve.beside)
        quiet(serve, "a crowd")
        for client in crowd[:60]:
            client.close()
        for client in crowd[60:]:
            ask(client)


@KINDS
def test_64_descriptors_and_300_clients(kind, tmp_path):
    """None is lost, each gets its turn, and while they wait nothing is computed."""
    with EchoServer(tmp_path / "back" if kind == "unix" else 0) as back, contextlib.ExitStack() as stack:
        with serving(kind, back, tmp_path, preexec_fn=limited(64)) as serve:
            with Cost(serve, "300 clients and 64 descriptors", kib=3000, processor=10):
                clients = [stack.enter_context(connect(serve.front, LONG)) for _ in range(300)]
                for number, client in enumerate(clients):
                    client.sendall(b"%03d" % number)
                serve.wait_match(": paused: ")
                quiet(serve, "300 clients and 64 descriptors")
                slowest(serve.beside)
                for number, client in enumerate(clients):
                    assert receive_exactly(client, 3) == b"%03d" % number
                    client.close()
            assert back.total == 301
            serve.wait_closed(300)
            assert not serve.matches("closed after.*(EMFILE|failed)")


def test_64_descriptors_and_300_streams(tmp_path):
    """The far end of a mux: what it has no descriptor for is refused with EMFILE, upon which a near end asks again, as
    below; nothing that is open suffers, and when it is over there is room."""
    with EchoServer(tmp_path / "back") as back, RawMux(preexec_fn=limited(64)) as mux:
        beside = mux.connect(back.address)
        with Cost(mux, "300 streams and 64 descriptors", kib=4000, processor=10):
            streams = [mux.open(f"CONNECT {back.address}\n".encode()) for _ in range(300)]
            answers = [stream.line() for stream in streams]
            beside.send(b"hello")
            assert beside.receive(5) == b"hello"
        fine = [stream for stream, answer in zip(streams, answers) if answer == b"OK\n"]
        refused = {answer for answer in answers if answer != b"OK\n"}
        print(f"{len(fine)} are connected; {refused}")
        assert len(fine) >= 40 and all(answer.startswith(b"ERR EMFILE ") for answer in refused)
        for stream in streams:
            stream.reset()
        wait_for(lambda: back.open == 1, "they are over")
        again = mux.connect(back.address)
        again.send(b"hello")
        assert again.receive(5) == b"hello"


def test_300_clients_of_a_far_end_with_64_descriptors(tmp_path, path):
    """All are served, though who was refused and tries again may come after others."""
    via = f"sh -c 'ulimit -n 64; exec {PROGRAM} mux'"
    with EchoServer(tmp_path / "back") as back, contextlib.ExitStack() as stack:
        with Serve("--drain=0", "--via", via, f"unix://{path}=via:{back.address}", verbose=True) as serve:
            clients = [stack.enter_context(connect(f"unix://{path}", LONG)) for _ in range(300)]
            with Cost(serve, "300 clients of a far end with 64 descriptors", kib=4000, processor=10):
                waiting = selectors.DefaultSelector()
                for number, client in enumerate(clients):
                    client.sendall(b"%03d" % number)
                    waiting.register(client, selectors.EVENT_READ, b"%03d" % number)
                while waiting.get_map():
                    ready = waiting.select(LONG)
                    assert ready, f"{len(waiting.get_map())} of them are not served within {LONG} s"
                    for key, _ in ready:
                        assert receive_exactly(key.fileobj, 3) == key.data
                        waiting.unregister(key.fileobj)
                        key.fileobj.close()


def test_clients_that_send_many_descriptors(back, tmp_path):
    """They never become the program's own, whose limit they would reach."""
    with serving("unix", back, tmp_path, preexec_fn=limited(64)) as serve:
        files = most = serve.descriptors()
        with Cost(serve, "2000 messages with 200 descriptors each", kib=2000, processor=20):
            for _ in range(100):
                with connect(serve.front) as client:
                    for _ in range(20):
                        socket.send_fds(client, [b"x"], [0] * 200)
                        most = max(most, serve.descriptors())
                    assert receive_exactly(client, 20) == b"x" * 20
        assert most <= files + 20  # some connections may be closed late; a single message has 200
        slowest(serve.beside)


# What does not stop.

def pour(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(bytes(65536))


@KINDS
@pytest.mark.parametrize("way", ["pours", "half-closes"])
def test_a_target_that_never_stops(kind, way, tmp_path):
    """Ten clients do not read what it sends forever, having half-closed or not: its bytes stay where they are."""
    with Target(tmp_path / "back" if kind == "unix" else 0, pour) as pouring, EchoServer(tmp_path / "echo") as back:
        front = f"unix://{tmp_path}/front" if kind == "unix" else "tcp://127.0.0.1:0"
        with Serve("--drain=0", f"{front}={pouring.address}", f"unix://{tmp_path}/beside={back.address}") as serve:
            address = serve.listen()
            with connect(f"unix://{tmp_path}/beside") as serve.beside, contextlib.ExitStack() as stack:
                slowest(serve.beside)
                with Cost(serve, f"ten targets, whose client {way}", kib=10 * 200 + 500, processor=3):
                    clients = [stack.enter_context(connect(address)) for _ in range(10)]
                    if way == "half-closes":
                        for client in clients:
                            client.shutdown(socket.SHUT_WR)
                    wait_for(lambda: pouring.open == 10, "all are connected")
                    time.sleep(0.3)
                    quiet(serve, f"a target that {way}", seconds=1)
                    print(f"the connection beside waits {slowest(serve.beside):.3f} s")
                # And it flows as ever for one that reads.
                for _ in range(3):
                    receive_exactly(clients[0], 10_000_000)
                slowest(serve.beside)


def test_idle_ends_those_that_never_stop_but_stand(tmp_path):
    """Without a reader no byte moves: the time limit counts."""
    with Target(tmp_path / "back", pour) as target:
        with Serve("--drain=0", "--idle=1", f"unix://{tmp_path}/s={target.address}") as serve:
            with connect(f"unix://{tmp_path}/s") as client:
                client.shutdown(socket.SHUT_WR)
                serve.wait_closed()
            target.wait()


# A web page's request.

@pytest.mark.parametrize("host", ["127.0.0.1", "rebound.example", ""])
def test_a_request_of_a_web_page_is_bytes_like_others(host, tmp_path):
    """Nothing of it is looked at, a Host of another name no more than the rest: the target gets it as it is. Only the
    target can tell it from what it expects."""
    came = []
    request = (f"POST / HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nContent-Length: 9\r\n\r\n").encode() + b"\0\0\0\1\x0b\r\n\r\n"

    def talk(connection):
        came.append(receive_exactly(connection, len(request)))
        connection.sendall(b"answer")

    with Target(tmp_path / "back", talk) as target:
        with Serve(f"tcp://127.0.0.1:0={target.address}") as serve, serve.connect() as client:
            client.sendall(request)
            assert receive_exactly(client, 6) == b"answer"
            ends(client)
        target.wait()
    assert came == [request]

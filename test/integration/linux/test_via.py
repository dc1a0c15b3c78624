"""Connections through a far end, both ends the Linux program: bytes, ends, failures, options, load, memory."""

import contextlib
import os
import re
import resource
import socket
import threading
import time

import pytest

import bytestream
from assuanpeer import refused_port
from programs import SOON
from serving import (SANITIZED, EchoServer, Target, ask, connect, echo, ends, listener, receive_all, receive_exactly,
                     swap, vanish, wait_for)
from via import MUX, Via, alive, assert_echoed_at_once, fill, marked, mixed_sizes, resident_kib

SIZE = 4_000_000 if SANITIZED else 20_000_000
MIB = 1024  # in KiB


@pytest.fixture(autouse=True)
def many_descriptors():
    """For the tests themselves, which hold both ends of each connection, and for what they start."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8192 if before[1] == resource.RLIM_INFINITY else min(before[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], most), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Chain:
    """A listener and a target of these kinds with two programs between them."""

    def __init__(self, front, back, directory):
        self.listen = f"unix://{directory}/front" if front == "unix" else "tcp://127.0.0.1:0"
        self.where = directory / "target" if back == "unix" else 0

    @contextlib.contextmanager
    def relaying(self, talk, *args, query="", **options):
        """Gives the program and the target."""
        with Target(self.where, talk) as back, Via(*args, f"{self.listen}=via:{back.address}{query}",
                                                   **options) as serve:
            yield serve, back


@pytest.fixture(params=["unix-unix", "tcp-tcp", "unix-tcp"])
def chain(request, tmp_path):
    return Chain(*request.param.split("-"), tmp_path)


@pytest.fixture
def unix(tmp_path):
    return Chain("unix", "unix", tmp_path)


# Bytes and ends.

def test_echo(chain):
    with chain.relaying(echo) as (serve, back):
        for data in (b"x", b"hello\r\n\0", bytes(range(256)) * 500):
            with serve.connect() as client:
                ask(client, data)
                ask(client, data)
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == b""
        back.wait(3)
        assert serve.wait_closed(3).bytes == (256_000, 256_000)
        assert len(serve.matches(r"far end: .* started \(process")) == 1


def test_the_target_speaks_first(chain):
    with chain.relaying(lambda connection: (connection.sendall(b"OK"), echo(connection))) as (serve, back):
        with serve.connect() as client:
            assert receive_exactly(client, 2) == b"OK"
            ask(client)
        back.wait()


def test_much_both_ways_at_once(chain):
    got = []
    with chain.relaying(lambda connection: got.append(swap(connection, SIZE, 2))) as (serve, back):
        with serve.connect() as client:
            assert swap(client, SIZE, 1) == bytestream.sha256(SIZE, 2)
        back.wait()
        assert got == [bytestream.sha256(SIZE, 1)]
        assert serve.wait_closed().bytes == (SIZE, SIZE)


def test_a_late_reply_after_the_client_has_ended(chain):
    """The half-close goes through, so that linger does not count."""
    def talk(connection):
        text = receive_all(connection)
        time.sleep(0.4)
        connection.sendall(text.upper())

    with chain.relaying(talk, "--linger=0.2") as (serve, back):
        with serve.connect() as client:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"QUESTION"
        back.wait()
        assert serve.wait_closed().bytes == (8, 8)


def test_the_target_ends_and_the_client_still_sends(chain):
    got = []

    def talk(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(receive_all(connection))

    with chain.relaying(talk, "--linger=0.2") as (serve, back):
        with serve.connect() as client:
            assert receive_all(client) == b"bye"
            time.sleep(0.4)
            client.sendall(b"still here")
            client.shutdown(socket.SHUT_WR)
            back.wait()
        assert got == [b"still here"]
        assert serve.wait_closed().bytes == (10, 3)


def test_an_answer_is_whole_when_the_target_closes_behind_it(chain):
    """Nothing of it is cut off by the end that follows."""
    def talk(connection):
        receive_exactly(connection, 1)
        for piece in bytestream.chunks(3_000_000, 5):
            connection.sendall(piece)

    with chain.relaying(talk) as (serve, back):
        for _ in range(3):
            with serve.connect() as client:
                client.sendall(b"?")
                assert receive_all(client) == bytestream.data(3_000_000, 5)
        back.wait(3)


@pytest.mark.sanitized
def test_a_client_that_vanishes(chain):
    """In the midst of a transfer; its target hears of it at once, not after some patience for each."""
    def talk(connection):
        with contextlib.suppress(OSError):
            while connection.sendall(bytes(65536)) is None:
                pass

    with chain.relaying(talk) as (serve, back):
        begin = time.monotonic()
        for number in range(1, 25):
            client = serve.connect()
            receive_exactly(client, 100_000)
            vanish(client)
            back.wait(number)
        assert time.monotonic() - begin < SOON
        serve.wait_closed(24)
        assert serve.far_pid() in serve.far_ends() and not serve.matches("far end: .*(ended|broke)")


def test_a_target_that_vanishes(chain):
    """Its client's connection ends, and not as if all was well where the target's did not."""
    def talk(connection):
        receive_exactly(connection, 5)
        connection.sendall(b"part of an")
        vanish(connection)

    with chain.relaying(talk) as (serve, back):
        for number in range(1, 6):
            with serve.connect() as client:
                client.sendall(b"hello")
                ends(client)
            closed = serve.wait_closed(number)
            if back.address.startswith("tcp"):
                assert closed.reason.startswith("failed: "), closed
        with connect(serve.listen()) as client:
            ends(client, b"hello")


# Targets that can't be reached.

@pytest.mark.parametrize("what", ["absent", "refused"])
def test_a_target_that_is_not_there(tmp_path, what):
    """The client waits for it until the timeout, or is let go at once; the reason comes from the far end."""
    address = f"unix://{tmp_path}/absent" if what == "absent" else f"tcp://127.0.0.1:{refused_port()}"
    with Via("--timeout=1", f"unix://{tmp_path}/s=via:{address}", verbose=False) as serve:
        begin = time.monotonic()
        with connect(f"unix://{tmp_path}/s") as client:
            ends(client)
        assert time.monotonic() - begin < SOON
        code = "ENOENT" if what == "absent" else "ECONNREFUSED"
        serve.wait_match(rf"^uvrelay: unix://{tmp_path}/s=via:{re.escape(address)} #1: .*\({code}\)")
        assert "far end: uvrelay: " not in serve.stderr  # which would tell it again


def test_a_busy_target_is_tried_again_until_the_timeout(tmp_path):
    """A Unix socket whose queue is full is EAGAIN or EBUSY at the far end, and the client waits."""
    with listener(tmp_path / "target", backlog=0) as target, contextlib.ExitStack() as stack:
        filler = stack.enter_context(socket.socket(socket.AF_UNIX))
        filler.connect(str(tmp_path / "target"))
        with Via("--timeout=1", f"unix://{tmp_path}/short=via:unix://{tmp_path}/target",
                 f"unix://{tmp_path}/long?timeout=15=via:unix://{tmp_path}/target") as serve:
            with connect(f"unix://{tmp_path}/short") as client:
                begin = time.monotonic()
                ends(client)
                assert 0.9 < time.monotonic() - begin < SOON
            with connect(f"unix://{tmp_path}/long") as client:
                time.sleep(0.3)
                target.accept()[0].close()
                with contextlib.closing(accept_one_that_speaks(target, client)) as connection:
                    client.sendall(b"hello")
                    assert receive_exactly(connection, 5) == b"hello"


def accept_one_that_speaks(target, client):
    """The connection that belongs to the client, besides others that were given up."""
    client.sendall(b"!")
    target.settimeout(SOON)
    while True:
        connection, _ = target.accept()
        connection.settimeout(SOON)
        if connection.recv(1) == b"!":
            return connection
        connection.close()


def test_allow(tmp_path):
    """What no pattern matches is not even looked for; the refusal names the patterns."""
    with EchoServer(tmp_path / "yes-1") as yes, EchoServer(tmp_path / "no") as no, EchoServer(0) as tcp:
        via = [*MUX, "--allow", f"unix://{tmp_path}/yes-?", "--allow", "tcp://127.0.0.1:*"]
        with Via(*(f"unix://{tmp_path}/{number}=via:{back.address}" for number, back in enumerate((yes, no, tcp))),
                 via=via) as serve:
            for number in (0, 2):
                with serve.connect(number) as client:
                    ask(client)
            with serve.connect(1) as client:
                ends(client)
            line = serve.wait_match(rf"/1=via:unix://{tmp_path}/no #1: .*not allowed.*$")[0]
            assert f"unix://{tmp_path}/yes-?, tcp://127.0.0.1:*" in line and f"unix://{tmp_path}/no" in line
            assert (yes.total, no.total, tcp.total) == (1, 0, 1)


# Options.

def test_eof_none_of_a_target_is_the_far_ends_to_do(unix):
    """The client's end cannot be signalled to the target, and all ends when it has been silent for linger."""
    def talk(connection):
        receive_exactly(connection, 5)
        connection.settimeout(0.3)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.sendall(b"x")
        connection.settimeout(SOON)
        ends(connection)

    with unix.relaying(talk, "--linger=1", query="?eof=none") as (serve, back), serve.connect() as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"xxx"
        back.wait()


def test_idle(unix):
    with unix.relaying(echo, "--idle=0.5") as (serve, back), serve.connect() as client:
        ask(client)
        begin = time.monotonic()
        ends(client)
        assert time.monotonic() - begin < SOON
        back.wait()
        assert "silent" in serve.wait_closed().reason


def test_an_impersonation_level_is_for_pipes(unix):
    with Via(f"{unix.listen}=via:unix:///nowhere?impersonation=delegation", wait=False) as serve:
        assert "impersonation" in serve.ended(2)


def test_max(unix):
    with unix.relaying(echo, "--max=2") as (serve, back), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(serve.connect()) for _ in range(3)]
        for client in clients:
            client.sendall(b"?")
        for client in clients[:2]:
            receive_exactly(client, 1)
        clients[2].settimeout(0.2)
        with pytest.raises(TimeoutError):
            clients[2].recv(1)
        clients[2].settimeout(SOON)
        clients[0].close()
        receive_exactly(clients[2], 1)


# Many.

def test_one_child_for_all(tmp_path):
    with EchoServer(tmp_path / "one") as one, EchoServer(0) as two:
        with Via(f"unix://{tmp_path}/1=via:{one.address}", f"unix://{tmp_path}/2=via:{two.address}") as serve:
            with contextlib.ExitStack() as stack:
                for number in range(50):
                    ask(stack.enter_context(serve.connect(number % 2)))
                assert len(serve.far_ends()) == 1
            assert len(serve.matches(r"started \(process")) == 1
            assert (one.total, two.total) == (25, 25)


@pytest.mark.sanitized
def test_many_at_once(unix):
    count = 100 if SANITIZED else 300
    with unix.relaying(echo) as (serve, _), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(serve.connect()) for _ in range(count)]
        assert_echoed_at_once(clients, mixed_sizes(count, 400_000))
        serve.wait_closed(count)
        assert not serve.matches("#.*(failed|reset|broke)")


def test_many_one_after_another(unix):
    """Open descriptors of both programs end where they began."""
    with unix.relaying(echo, verbose=True) as (serve, _):
        def some(count):
            for _ in range(count):
                with serve.connect() as client:
                    ask(client)

        some(50)
        serve.wait_closed(50)
        far = serve.far_pid()
        before = serve.descriptors(), len(os.listdir(f"/proc/{far}/fd"))
        some(300)
        serve.wait_closed(350)
        wait_for(lambda: (serve.descriptors(), len(os.listdir(f"/proc/{far}/fd"))) == before, "descriptors as before")


# Those that stall.

def choose(connection):
    """What its first byte asks for: to send without end, to read nothing, or to echo."""
    what = receive_exactly(connection, 1)
    with contextlib.suppress(OSError):
        if what == b"p":
            while True:
                connection.sendall(bytes(65536))
        if what == b"s":
            time.sleep(SOON)
        echo(connection)


@pytest.mark.sanitized
@pytest.mark.parametrize("direction", ["to the client", "to the target"])
@pytest.mark.parametrize("kinds", ["unix-unix", "tcp-tcp"])
def test_a_stalled_reader_stalls_only_itself(tmp_path, kinds, direction):
    chain = Chain(*kinds.split("-"), tmp_path)
    with chain.relaying(choose, "--drain=0") as (serve, _), contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(serve.connect()) for _ in range(3)]
        for client in stalled:
            client.sendall(b"p" if direction == "to the client" else b"s")
        if direction == "to the target":
            fill(stalled, 100 << 20, 0.3)
        else:
            time.sleep(0.3)
        with serve.connect() as client:
            client.sendall(b"e")
            begin = time.monotonic()
            for _ in range(50):
                ask(client)
            assert time.monotonic() - begin < SOON
            assert swap(client, 2_000_000, 3) == bytestream.sha256(2_000_000, 3)


class Sink:
    """Accepts, and reads nothing; or sends all that it can, if `pour` is called."""

    def __init__(self, path):
        self._listener, self.connections = listener(path, 2048), []
        self.address = f"unix://{path}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.connections.append(self._listener.accept()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(SOON)
        for connection in self.connections:
            connection.close()


@pytest.mark.parametrize("budget, count", [(64, 1000), (8, 100)])
@pytest.mark.parametrize("direction", ["to the clients", "to the targets"])
def test_memory_with_many_stalled_streams(tmp_path, direction, budget, count):
    """Both programs stay within the budget, besides what so many connections that transfer nothing need anyway. The one
    that sends holds two buffers of each connection, each of half its window, and may need a little more: buffers that
    were larger before stay in memory."""
    if SANITIZED:
        pytest.skip("memory is not the program's own")
    window = [] if budget == 64 else ["--window-total", f"{budget}M"]
    with Sink(tmp_path / "sink") as sink, EchoServer(tmp_path / "echo") as back:
        routes = f"unix://{tmp_path}/1=via:{sink.address}", f"unix://{tmp_path}/2=via:{back.address}"
        with Via("--drain=0", *window, *routes, via=[*MUX, *window]) as serve, contextlib.ExitStack() as stack:
            def memory():
                return serve.resident_kib(), resident_kib(serve.far_pid())

            clients = [stack.enter_context(serve.connect(0)) for _ in range(count)]
            wait_for(lambda: len(sink.connections) == count, "all are connected")
            before = memory()
            moved = fill(sink.connections if direction == "to the clients" else clients, 100 << 20)
            time.sleep(0.5)
            grown = [now - then for now, then in zip(memory(), before)]
            print(f"{count} streams stalled {direction} with {moved >> 20} MiB on the way, of which the sockets' "
                  f"buffers hold a part; serve had {before[0]} KiB and has {grown[0]} more, mux had {before[1]} and "
                  f"has {grown[1]} more; the budget is {budget * MIB} KiB")
            with serve.connect(1) as client:
                begin = time.monotonic()
                for _ in range(20):
                    ask(client)
                assert time.monotonic() - begin < SOON
            sending, receiving = grown if direction == "to the targets" else reversed(grown)
            assert receiving < budget * MIB
            assert sending < budget * MIB * 5 / 4
            assert sum(grown) > budget * MIB // 8, "nothing was held: is this measured?"


# When it starts and ends.

def test_it_starts_with_the_first_connection(unix):
    with unix.relaying(echo) as (serve, _):
        time.sleep(0.3)
        assert serve.far_ends() == [] and not serve.matches("far end")
        with serve.connect() as client:
            ask(client)
        assert serve.far_ends() == [serve.far_pid()]
        serve.wait_match(r"^uvrelay: far end: .* is ready$")


def test_eager(unix):
    with unix.relaying(echo, "--eager") as (serve, _):
        serve.wait_match(r"^uvrelay: far end: .* is ready$")
        pid = serve.far_pid()
        with serve.connect() as client:
            ask(client)
        assert serve.far_ends() == [pid]


@pytest.mark.parametrize("drain", ["0", "20"])
def test_stopping_leaves_no_child(unix, drain):
    with unix.relaying(echo, f"--drain={drain}") as (serve, _):
        with serve.connect() as client:
            ask(client)
            pid = serve.far_pid()
            serve.send_signal(15)
            if drain != "0":
                time.sleep(0.3)
                ask(client, b"drains")
                client.close()
            serve.ended(0, 10)
            assert not alive(pid)


def test_the_far_end_hears_no_ctrl_c(unix):
    """It is in a session of its own, so that connections can drain."""
    with unix.relaying(echo, start_new_session=True) as (serve, _):
        with serve.connect() as client:
            ask(client)
            assert os.getsid(serve.far_pid()) != os.getsid(serve.pid)
            os.killpg(serve.pid, 2)
            time.sleep(0.3)
            ask(client, b"drains")
        serve.ended(0)


def test_it_costs_no_processor_time_when_nothing_happens(unix):
    with unix.relaying(choose) as (serve, _), serve.connect() as client, serve.connect() as other:
        client.sendall(b"p")
        other.sendall(b"e")
        ask(other)
        time.sleep(0.5)

        def used():
            return sum(sum(map(int, open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[11:13]))
                       for pid in (serve.pid, serve.far_pid()))

        before = used()
        time.sleep(1)
        assert used() - before < 0.2 * os.sysconf("SC_CLK_TCK")


def test_nothing_is_said_when_all_is_well(unix):
    with unix.relaying(echo, verbose=False) as (serve, _):
        for _ in range(3):
            with connect(unix.listen) as client:
                ask(client)
        wait_for(lambda: len(marked(serve.mark)) == 2, "both run")
        assert serve.stop() == ""

"""Pipe servers, and clients of pipes that are listened on, that mean harm, or are broken: what they can cost the program,
and that the connections beside theirs go on. Pushing at a reader that has stopped, by the one-shot program, is in
test_backpressure.py; many clients that ask, and that leave at once, are in test_serve_many.py."""

import contextlib
import re
import socket
import threading
import time

import pytest

import bytestream
from cost import Cost, quiet, settle
from programs import SOON, Relay, run_relay, under_wine, unique_pipe
from winpeers import PipeServer
from winserving import PipeClient, Serve, TcpEnd, TcpTarget, pipe_of, port_of

pytestmark = pytest.mark.skipif(not under_wine(), reason="what it costs is read from /proc")

TYPES = pytest.mark.parametrize("type", ["byte", "message"])

#: Longer than the longest message that is kept whole.
HUGE = 256 << 20


class Echo:
    """A TCP target that echoes, and a client of ours that is asked while something else is under way."""

    def __init__(self, stack, **options):
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection):
        with contextlib.suppress(OSError), connection:
            while piece := connection.recv(1 << 16):
                connection.sendall(piece)

    def beside(self, serve, stack):
        """Through the last route."""
        self._client = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(serve.listens[-1])), SOON))
        self._client.settimeout(SOON)
        self.slowest(5)

    def slowest(self, count=20):
        """How long the slowest of some answers takes."""
        most = 0
        for _ in range(count):
            begin = time.monotonic()
            self._client.sendall(b"hello")
            assert self._client.recv(5, socket.MSG_WAITALL) == b"hello"
            most = max(most, time.monotonic() - begin)
        return most


@contextlib.contextmanager
def serving(*routes, options=(), **more):
    """uvrelay.exe serve with these routes and one beside them."""
    with contextlib.ExitStack() as stack:
        echo = Echo(stack)
        serve = stack.enter_context(Serve(*routes, f"tcp://127.0.0.1:0={echo.address}", options=("--drain=0", *options), **more))
        echo.beside(serve, stack)
        yield serve, echo


def client_of(serve):
    """A TCP client of the first route."""
    return TcpEnd(socket.create_connection(("127.0.0.1", port_of(serve.address)), SOON))


# Servers.

@TYPES
def test_servers_that_never_read(type):
    """Each of ten clients gets rid of what fits on the way."""
    with PipeServer("sleep=60000", type=type, instances=10, at_once=10) as server:
        with serving(f"tcp://127.0.0.1:0={server.name}") as (serve, echo), contextlib.ExitStack() as stack:
            with Cost(serve, "ten servers that never read", kib=10 * 300 + 4000, processor=5):
                clients = [stack.enter_context(contextlib.closing(client_of(serve).socket)) for _ in range(10)]
                server.event("connected", 10)
                for client in clients:
                    client.setblocking(False)
                sent, last = 0, time.monotonic()
                while time.monotonic() - last < 0.5:
                    for client in clients:
                        with contextlib.suppress(BlockingIOError):
                            sent += client.send(bytes(65536))
                            last = time.monotonic()
                    time.sleep(0.001)
                print(f"{sent} bytes are taken; the connection beside waits {echo.slowest():.3f} s")
                assert sent < 10 * 12_000_000
                quiet(serve, "ten servers that never read", seconds=1)


@TYPES
def test_a_server_that_sends_a_byte_now_and_then(type):
    """Each comes when it is sent, and between them nothing is done."""
    with PipeServer("dribble=8,250", "close", type=type) as server:
        with serving(f"tcp://127.0.0.1:0={server.name}") as (serve, echo):
            client = client_of(serve)
            with client.socket, Cost(serve, "8 bytes in 2 s", kib=8000, processor=0.5):
                for number in range(8):
                    assert client.socket.recv(10) == bytes([number])
                assert client.socket.recv(1) == b""
            echo.slowest()


def test_a_flood_of_zero_byte_messages_is_one_end():
    """The first ends the output; those after it are read and mean nothing."""
    with PipeServer("send=5", "await", "zeros=3000", "await", "close") as server, Relay(server.name) as relay:
        server.event("await")
        with Cost(relay, "a flood of zero-byte messages", kib=8000, processor=10):
            server.go()
            server.event("zeros", timeout=60)
            settle(relay)  # they may wait to be read
            quiet(relay, "a flood of zero-byte messages", seconds=1)
        assert relay.running
        server.go()
        relay.close_stdin()
        assert relay.wait() == 0 and relay.stdout == bytestream.data(5)


@pytest.mark.parametrize("end", ["server", "client"])
def test_a_flood_of_zero_byte_messages_in_serve(end):
    """Of the target, or of the client of a pipe that is listened on."""
    with contextlib.ExitStack() as stack:
        if end == "server":
            server = stack.enter_context(PipeServer("zeros=3000", "recv=5", "sleep=300", "close"))
            serve, echo = stack.enter_context(serving(f"tcp://127.0.0.1:0={server.name}?linger=off"))
        else:
            target = stack.enter_context(TcpTarget())
            serve, echo = stack.enter_context(serving(f"{unique_pipe('listen')}?mode=message={target.address}?linger=off"))
        with Cost(serve, "a flood of zero-byte messages", kib=8000, processor=10):
            if end == "server":
                client = client_of(serve)
                client.wait_end()
                peer = server
            else:
                peer = stack.enter_context(PipeClient(pipe_of(serve.address), "zeros=3000", "recv-end", mode="message"))
                at_target = target.accept()
                at_target.wait_end()
            print(f"the connection beside waits {echo.slowest():.3f} s")
            peer.event("zeros", timeout=60)
            settle(serve)
            quiet(serve, "a flood of zero-byte messages")
            # The other direction is as good as ever.
            if end == "server":
                client.socket.sendall(b"hello")
                client.end()
            else:
                at_target.send(5)
                at_target.close()
        peer.event("recv" if end == "server" else "recv-end")


def test_a_huge_message_for_the_one_shot_program():
    """It has no boundaries to keep: the bytes come through as they come."""
    with PipeServer(f"message={HUGE},5", "await", "close") as server, Relay(server.name, collect=False) as relay:
        server.event("connected")
        with Cost(relay, f"a message of {HUGE} bytes", kib=8000, processor=60):
            out = relay.collect(keep=0)
            out.wait_count(HUGE, 60)
        server.go()
        assert relay.wait() == 0
        assert (out.count, out.sha256) == (HUGE, bytestream.sha256(HUGE, 5))


@pytest.mark.parametrize("end", ["server", "client"])
def test_a_huge_message_between_two_pipes(end):
    """There it would have to be kept whole: it is refused once it is longer than 16 MiB, and no more is held."""
    listen = f"{unique_pipe('listen')}?mode=message"
    target_does, client_does = [f"message={HUGE}"], ["recv-end"]
    if end == "client":
        target_does, client_does = client_does, target_does
    with PipeServer(*target_does) as server, serving(f"{listen}={server.name}") as (serve, echo):
        with Cost(serve, f"a message of {HUGE} bytes", kib=40 << 10, processor=30):
            with PipeClient(pipe_of(serve.address), *client_does, mode="message") as client:
                line = serve.wait_closed()
                assert re.search("failed: .* sent a message of more than 16777216 bytes", line), line
                client.event("message" if end == "client" else "recv-end")
            print(line, f"the connection beside waits {echo.slowest():.3f} s")
        wait_resident(serve, 24 << 10)


def wait_resident(serve, kib):
    """What was held is given back."""
    end = time.monotonic() + SOON
    while serve.resident_kib() > kib:
        assert time.monotonic() < end, f"{serve.resident_kib()} KiB are held"
        time.sleep(0.05)


@TYPES
def test_a_server_that_disconnects_again_and_again(type):
    """Its clients end, one after the other; nothing of them stays."""
    count = 100
    with PipeServer("send=10", "disconnect", type=type, repeat=count + 20) as server:
        with serving(f"tcp://127.0.0.1:0={server.name}") as (serve, echo):
            def one():
                client = client_of(serve)
                with contextlib.suppress(ConnectionError), client.socket:
                    while client.socket.recv(100):
                        pass
            for _ in range(20):
                one()
            files = serve.descriptors()
            with Cost(serve, f"{count} that are disconnected", kib=8000, processor=10):
                most = 0
                for number in range(count):
                    one()
                    most = max(most, echo.slowest(1)) if number % 20 == 0 else most
                print(f"the connection beside waits {most:.3f} s")
                quiet(serve, f"{count} that are disconnected")
            serve.wait_descriptors(files + 2)


def test_a_server_that_disconnects_is_not_asked_for_ever():
    """By the one-shot program: it has been connected, so -p does not begin anew."""
    with PipeServer("disconnect", repeat=100) as server:
        result = run_relay("-p", "-v", server.name, stdin=b"")
        assert result.code == 0 and len(server.all("connected")) == 1, (result.stderr, server.all("connected"))


# Clients.

def pour(end):
    with contextlib.suppress(OSError):  # it may be closed meanwhile
        end.pour()


@TYPES
def test_clients_that_never_read(type):
    """Their target sends as fast as it can."""
    with TcpTarget() as target:
        listen = f"{unique_pipe('listen')}?mode={type}"
        with serving(f"{listen}={target.address}") as (serve, echo):
            with Cost(serve, "ten clients that never read", kib=10 * 300 + 4000, processor=5):
                with PipeClient(pipe_of(serve.address), "await", at_once=10, mode=type) as clients:
                    for _ in range(10):
                        end = target.accept()
                        threading.Thread(target=pour, args=(end,), daemon=True).start()
                    clients.event("await", 10)
                    time.sleep(0.5)
                    print(f"the connection beside waits {echo.slowest():.3f} s")
                    quiet(serve, "ten clients that never read", seconds=1)


@TYPES
def test_many_clients_that_say_nothing(type):
    """300 of them, and one that asks."""
    count = 300
    with contextlib.ExitStack() as stack:
        back = Echo(stack)
        listen = f"{unique_pipe('listen')}?mode={type}"
        serve, echo = stack.enter_context(serving(f"{listen}={back.address}"))
        with Cost(serve, f"{count} silent clients of a pipe", kib=16 * count, processor=30):
            with PipeClient(pipe_of(serve.address), "await", at_once=count, mode=type) as clients:
                clients.event("await", count, 60)
                print(f"the connection beside waits {echo.slowest():.3f} s")
                quiet(serve, f"{count} silent clients of a pipe")
                with PipeClient(pipe_of(serve.address), "text=hello", "recv=5", mode=type) as asks:
                    asks.event("recv")
        echo.slowest()


@TYPES
def test_clients_that_connect_and_leave_without_a_pause(type):
    """The pipe is there for the next one all the time, and the route beside goes on."""
    count = 100
    with contextlib.ExitStack() as stack:
        back = Echo(stack)
        listen = f"{unique_pipe('listen')}?mode={type}"
        serve, echo = stack.enter_context(serving(f"{listen}={back.address}", options=("--idle=20",)))
        with Cost(serve, f"{4 * count} clients that leave", kib=8000, processor=60):
            with PipeClient(pipe_of(serve.address), "close", at_once=4, repeat=count, mode=type) as clients:
                most = 0
                while clients.running:
                    most = max(most, echo.slowest(1))
                    time.sleep(0.02)
                clients.finish(60)
            print(f"the connection beside waits {most:.3f} s")
            serve.wait_lines(r".*the same \d+ times.*|.* #\d+: closed after .*", 1)
            quiet(serve, "clients that leave", seconds=1)
        with PipeClient(pipe_of(serve.address), "text=hello", "recv=5", mode=type) as asks:
            asks.event("recv")

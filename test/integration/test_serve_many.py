"""`uvrelay.exe serve` with many clients at once, many one after another, and many routes; it ends where it began."""

import contextlib
import re
import socket
import threading
import time

import pytest

import bytestream
from assuanpeer import refused_port
from programs import SOON, under_wine, unique_pipe
from winpeers import PipeServer
from winserving import (LISTENERS, PipeClient, Serve, at_once, connect, listen_address, pipe_of, port_of)

AT_ONCE = 100
IN_TURN = 500
SIZE = 10_000

EACH_LISTENER = pytest.mark.parametrize("listener", LISTENERS)


class EchoServer:
    """On TCP, for as many as come; counts them, and those that are here."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._changed = threading.Condition()
        self.came = self.here = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _count(self, change):
        with self._changed:
            self.came += change > 0
            self.here += change
            self._changed.notify_all()

    def _echo(self, connection):
        self._count(1)
        try:
            with connection:
                connection.settimeout(60)
                while piece := connection.recv(65536):
                    connection.sendall(piece)
        except OSError:
            pass
        self._count(-1)

    def wait_here(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: self.here == count, SOON), f"{self.here} are here, not {count}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo():
    with EchoServer() as server:
        yield server


def tcp_conversation(port, size=SIZE, before_close=lambda: None):
    with socket.create_connection(("127.0.0.1", port), SOON) as client:
        client.sendall(bytestream.data(size))
        answer = b""
        while len(answer) < size:
            piece = client.recv(size)
            assert piece, f"the end after {len(answer)} bytes"
            answer += piece
        assert answer == bytestream.data(size)
        before_close()


def assert_all_echoed(client, clients):
    received = client.all("recv-end")
    assert len(received) == clients
    assert {(event["bytes"], event["sha256"]) for event in received} == {(SIZE, bytestream.sha256(SIZE))}


def connect_when_there(port):
    end = time.monotonic() + SOON
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), SOON)
        except ConnectionRefusedError:
            assert time.monotonic() < end, f"nothing is listening on {port}"
            time.sleep(0.02)


@EACH_LISTENER
def test_many_at_once(listener, echo):
    """All are open at the same time, and each gets its own bytes."""
    with Serve(f"{listen_address(listener)}={echo.address}") as serve:
        if listener == "tcp":
            barrier = threading.Barrier(AT_ONCE)
            at_once(*[lambda: tcp_conversation(port_of(serve.address), SIZE, lambda: barrier.wait(60))
                      for _ in range(AT_ONCE)])
        else:
            with PipeClient(pipe_of(serve.address), f"both={SIZE},1000,1,{SIZE}", "meet", at_once=AT_ONCE) as client:
                client.finish(60)
                assert_all_echoed(client, AT_ONCE)
        echo.wait_here(0)
        assert echo.came == AT_ONCE
        closed = serve.wait_lines(r".* #\d+: closed after .*", AT_ONCE)
        assert len(closed) == AT_ONCE
        assert all(f"; {SIZE} bytes to the target, {SIZE} bytes to the client" in line for line in closed), closed
        assert not serve.failures()


@pytest.mark.parametrize("type", ["byte", "message"])
def test_many_at_once_from_pipe_to_pipe(type):
    """The target has so many instances and not one more; clients that come too early wait."""
    with PipeServer(f"echo={SIZE}", "recv-end", type=type, instances=20, at_once=20, repeat=5) as server:
        with Serve(f"{listen_address(type)}={server.name}") as serve, PipeClient(
                pipe_of(serve.address), f"both={SIZE},1000,1,{SIZE}", at_once=50, repeat=2) as client:
            client.finish(60)
            assert_all_echoed(client, 100)
            serve.wait_lines(r".* #\d+: closed after .*", 100)
            assert not serve.failures()
        server.finish()


@EACH_LISTENER
@pytest.mark.skipif(not under_wine(), reason="descriptors are counted in /proc")
def test_many_in_turn(listener, echo):
    """Descriptors and memory end where they began."""
    with Serve(f"{listen_address(listener)}={echo.address}") as serve:
        def talk(times):
            if listener == "tcp":
                for _ in range(times):
                    tcp_conversation(port_of(serve.address), 100)
            else:
                with PipeClient(pipe_of(serve.address), "send=100", "recv=100", repeat=times) as client:
                    client.finish(60)
            echo.wait_here(0)

        talk(50)
        serve.wait_lines(r".*: closed after .*", 50)
        descriptors, memory = serve.descriptors(), serve.resident_kib()
        talk(IN_TURN)
        serve.wait_lines(r".*: closed after .*", 50 + IN_TURN)
        serve.wait_descriptors(descriptors)
        assert serve.resident_kib() < memory + 1024, f"{memory} KiB before"


@pytest.mark.skipif(not under_wine(), reason="descriptors are counted in /proc")
@pytest.mark.parametrize("type", ["byte", "message"])
def test_many_in_turn_to_a_pipe(type):
    """Four instances: with one, the pipe would not be there between two clients."""
    with PipeServer("echo=100", "recv-end", type=type, instances=4, at_once=4, repeat=250) as server:
        with Serve(f"{listen_address(type)}={server.name}") as serve:
            def talk(times):
                with PipeClient(pipe_of(serve.address), "send=100", "recv=100", repeat=times) as client:
                    client.finish(60)

            talk(50)
            serve.wait_lines(r".*: closed after .*", 50)
            descriptors = serve.descriptors()
            talk(200)
            closed = serve.wait_lines(r".*: closed after .*", 250)
            assert not serve.failures()
            serve.wait_descriptors(descriptors)


@pytest.mark.skipif(not under_wine(), reason="descriptors are counted in /proc")
def test_many_failures_in_turn():
    """A target that is not there costs nothing that stays."""
    with Serve(f"{listen_address('tcp')}=npipe:uvrelay-test-absent") as serve:
        def knock(times):
            for _ in range(times):
                with connect(serve, "tcp") as client:
                    client.wait_gone()

        knock(20)
        serve.wait_lines(r".*: closed after .*", 20)
        descriptors = serve.descriptors()
        knock(100)
        serve.wait_lines(r".*: closed after .*", 120)
        serve.wait_descriptors(descriptors)


def clients_that_leave(serve, listener, times):
    """Each opens and is gone."""
    if listener == "tcp":
        for _ in range(times):
            socket.create_connection(("127.0.0.1", port_of(serve.address)), SOON).close()
    else:
        with PipeClient(pipe_of(serve.address), "close", repeat=times) as client:
            client.finish(60)


@EACH_LISTENER
def test_many_that_leave_at_once(listener, echo):
    """Some are gone before they are accepted. Those who come next are served."""
    with Serve(f"{listen_address(listener)}={echo.address}") as serve:
        clients_that_leave(serve, listener, 200)
        with connect(serve, listener) as client:
            client.send(1000, 3)
            client.receive(1000, 3)
        echo.wait_here(0)
        assert not serve.failures()


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
@pytest.mark.parametrize("listener, target",
                         [("byte", "tcp"), ("message", "message"), ("tcp", "byte"), ("tcp", "absent")])
def test_handles_do_not_grow(listener, target, echo):
    """A pipe's handle is no descriptor under Wine. Its value tells: a new handle gets the lowest that is free."""
    def handles(trace):
        return [int(handle, 16) for handle in re.findall(r"trace:file:Nt\w+File \(0x([0-9a-f]{1,6}),", trace)]

    with contextlib.ExitStack() as stack:
        address = echo.address
        if target == "absent":
            address = "npipe:uvrelay-test-absent"
        elif target != "tcp":
            address = stack.enter_context(PipeServer("echo=100", "recv-end", type=target, instances=4, at_once=4,
                                                     repeat=250)).name
        pipe = unique_pipe("listen")
        listen = f"tcp://127.0.0.1:{refused_port()}" if listener == "tcp" else f"{pipe}?mode={listener}"
        serve = stack.enter_context(Serve(f"{listen}={address}", options=["--linger=0.05"], verbose=False,
                                          env={"WINEDEBUG": "+file"}))

        def talk(times):
            if listener == "tcp":
                for _ in range(times):
                    with connect_when_there(port_of(listen)) as client:
                        if target != "absent":
                            client.sendall(bytes(100))
                        answer = 0
                        while answer < 100 and (piece := client.recv(100)):
                            answer += len(piece)
            else:
                with PipeClient(pipe, "send=100", "recv=100", repeat=times) as client:
                    client.finish(60)

        talk(40)
        before = serve.stderr
        talk(160)
        after = serve.stderr
        assert len(handles(after)) >= len(handles(before)) + 160, "where is the trace?"
        assert max(handles(after)) <= max(handles(before)) + 0x40


def test_many_routes(echo):
    """Each of 200 listens by itself."""
    count = 100
    routes = [f"{listen_address(listener)}={echo.address}" for listener in ("tcp", "byte") for _ in range(count)]
    with Serve(*routes) as serve:
        assert len(set(serve.listens)) == 2 * count
        for listen in serve.listens[:count:9]:
            tcp_conversation(port_of(listen))
        for listen in serve.listens[count::25]:
            with PipeClient(pipe_of(listen), f"both={SIZE},1000,1,{SIZE}") as client:
                client.finish()
        echo.wait_here(0)


@EACH_LISTENER
def test_max(listener, echo):
    """One at a time: the second waits to be accepted, and nothing of it is lost."""
    with Serve(f"{listen_address(listener)}={echo.address}", options=["--max=1"]) as serve:
        with connect(serve, listener) as first:
            first.send(10, 3)
            first.receive(10, 3)

            def second():
                with connect(serve, listener) as client:
                    client.send(1000, 4)
                    client.receive(1000, 4)

            thread = threading.Thread(target=second)
            thread.start()
            thread.join(0.7)
            assert thread.is_alive() and echo.came == 1
            first.close()
        thread.join(SOON)
        assert not thread.is_alive() and echo.came == 2

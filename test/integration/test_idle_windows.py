"""Idle is idle in the Windows program, too: what uvrelay.exe serve does not do while nothing happens on its connections.
Under Wine only, where its threads are those of Linux."""

import contextlib
import socket
import time

import pytest

from programs import times_slept, under_wine, unique_pipe
from winpeers import PipeServer
from winserving import PipeClient, Serve, TcpTarget, port_of

#: The log looks once, 10 s after its last line, whether it has left out others like it.
SETTLE, WATCH = 11, 10
#: Looking each half second would be 20 times.
MOST = 10


@pytest.mark.skipif(not under_wine(), reason="nothing tells how often a process of Windows wakes up")
def test_serve_does_not_wake_up():
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(TcpTarget())
        pipe = stack.enter_context(PipeServer("try-echo-end", type="byte", instances=8, at_once=8))
        listen = unique_pipe("listen")
        serve = stack.enter_context(Serve(f"tcp://127.0.0.1:0={tcp.address}", f"tcp://127.0.0.1:0={pipe.name}",
                                          f"{listen}={tcp.address}"))
        for number in range(16):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(serve.listens[number % 2]))))
            client.sendall(b"x")
            if number % 2 == 0:
                assert tcp.accept().socket.recv(1) == b"x"
            else:
                assert client.recv(1) == b"x"
        client = stack.enter_context(PipeClient(listen, "send=1", "await", mode="byte"))
        tcp.accept().receive(1)
        time.sleep(SETTLE)
        before = times_slept(serve.pid)
        time.sleep(WATCH)
        assert times_slept(serve.pid) - before < MOST

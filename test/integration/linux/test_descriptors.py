"""What no relay of bytes can pass on: descriptors. The bytes that they come with arrive, and the log says what does not,
once for each side of a connection."""

import json
import signal
import socket
import subprocess

import pytest
from programs import SOON
from serving import PROGRAM, Serve, Target, ask, connect, echo, receive_all, receive_exactly, wait_for

pytestmark = pytest.mark.sanitized

WARNING = "sends descriptors (SCM_RIGHTS), which a byte relay cannot pass on"


def send(connection, data, count=1):
    assert socket.send_fds(connection, [data], [0] * count) == len(data)


@pytest.mark.parametrize("kind", ["unix", "abstract", "tcp"])
def test_of_a_client(path, kind):
    """Whatever the target is."""
    with Target({"unix": f"{path}.target", "abstract": f"abstract:{path}", "tcp": 0}[kind], echo) as target, Serve(f"unix://{path}={target.address}", verbose=False) as serve:
        for number in (1, 2):
            with connect(f"unix://{path}") as client:
                for data in (b"one", b"two", b"three"):
                    send(client, data, 3)
                    assert receive_exactly(client, len(data)) == data
            wait_for(lambda expected=number: serve.stderr.count(WARNING) == expected, "a warning")
        assert serve.stderr == f"uvrelay: warning: a client of unix://{path} {WARNING}: what needs them fails\n" * 2


@pytest.mark.parametrize("before", [1, 100, 3000])
def test_behind_other_bytes(path, before):
    """One read takes both."""
    with Target(f"{path}.target", echo) as target, Serve(f"unix://{path}={target.address}") as serve:
        with connect(f"unix://{path}") as client:
            serve.send_signal(signal.SIGSTOP)
            client.sendall(b"x" * before)
            send(client, b"y")
            client.sendall(b"z")
            serve.send_signal(signal.SIGCONT)
            assert receive_exactly(client, before + 2) == b"x" * before + b"yz"
        wait_for(lambda: WARNING in serve.stderr, "a warning")


def test_the_sender_leaves_at_once(path):
    """Each read ends where descriptors were sent, and the rest arrives though its sender has left."""
    received = []
    with Target(0, lambda connection: received.append(receive_all(connection))) as target, Serve(
            f"unix://{path}={target.address}") as serve:
        with connect(f"unix://{path}") as client:
            serve.send_signal(signal.SIGSTOP)
            for data in (b"one", b"two", b"three"):
                send(client, data)
        serve.send_signal(signal.SIGCONT)
        wait_for(lambda: received, "the end")
        assert received == [b"onetwothree"]


def test_of_a_target(path):
    def answer(connection):
        send(connection, b"take this")
        receive_all(connection)

    with Target(f"{path}.target", answer) as target, Serve("--json", f"unix://{path}={target.address}",
                                                                  verbose=False) as serve:
        with connect(f"unix://{path}") as client:
            assert receive_exactly(client, 9) == b"take this"
        wait_for(lambda: WARNING in serve.stderr, "a warning")
        events = [json.loads(line) for line in serve.stderr.splitlines()]
        assert [one["text"] for one in events if one["event"] == "warning"] == [
            f"unix://{path}.target {WARNING}: what needs them fails"]


def test_of_a_target_of_the_far_end(path):
    def answer(connection):
        send(connection, b"take this")
        receive_all(connection)

    with Target(f"{path}.target", answer) as target, Serve(
            "--via", f"{PROGRAM} mux", f"unix://{path}=via:{target.address}", verbose=False) as serve:
        with connect(f"unix://{path}") as client:
            send(client, b"and this")
            assert receive_exactly(client, 9) == b"take this"
        wait_for(lambda: serve.stderr.count(WARNING) == 2, "two warnings")
        assert f"far end: uvrelay: warning: unix://{path}.target {WARNING}" in serve.stderr


def test_of_an_inherited_socket(path):
    """As the one-shot program has it from socat's nofork."""
    ours, theirs = socket.socketpair()
    with Target(f"{path}.target", echo) as target, ours:
        relay = subprocess.Popen([PROGRAM, target.address], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
        theirs.close()
        for data in (b"one", b"two"):
            send(ours, data)
            assert receive_exactly(ours, len(data)) == data
        ours.shutdown(socket.SHUT_WR)
        assert relay.communicate(timeout=SOON)[1].decode() == (
            f"uvrelay: warning: standard input {WARNING}: what needs them fails\n")
        assert relay.returncode == 0


def test_nobody_sends_any(path, back):
    """Not even where each message brings its sender's credentials."""
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(path))
        passed.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        passed.listen()
        with Serve(f"fd://3={back.address}", sockets=[passed], verbose=False) as serve:
            for _ in range(3):
                with connect(f"unix://{path}") as client:
                    for size in (1, 5000, 100000):
                        ask(client, b"x" * size)
            serve.stop()
            assert serve.stderr == ""

"""absent=wait: a target that is not there is waited for, until the timeout, or until the client leaves, or serve stops;
directly and through a far end."""

import contextlib
import os
import socket
import time

import pytest

from assuanpeer import plain_file, receive_exactly as receive_nonce, refused_port
from programs import SOON
from serving import Serve, connect, ends, listener, wait_for
from via import MUX, Via

HOW = pytest.mark.parametrize("how", ["here", "via"])
KINDS = ["unix", "stale", "tcp", "assuan", "refused assuan", "abstract"]
NONCE = bytes(range(16))


@contextlib.contextmanager
def waiting(how, path, target, *args, **options):
    if how == "here":
        with Serve(*args, f"unix://{path}={target}", **options) as serve:
            yield serve
    else:
        with Via(*args, f"unix://{path}=via:{target}", via=MUX, **options) as serve:
            yield serve


class Absent:
    """A target that is not there yet."""

    def __init__(self, kind, directory):
        self.kind, self.where = kind, directory / "target"
        self.port = refused_port()
        self.name = f"abstract:uvrelay-absent-{os.getpid()}-{self.port}"
        self.address = {"unix": f"unix://{self.where}", "stale": f"unix://{self.where}",
                        "tcp": f"tcp://127.0.0.1:{self.port}", "abstract": self.name}.get(kind, f"assuan://{self.where}")
        if kind == "stale":
            listener(self.where).close()
        if kind == "refused assuan":
            self.where.write_bytes(plain_file(self.port, NONCE))

    def appear(self):
        if self.kind == "stale":
            self.where.unlink()
        made = listener({"unix": self.where, "stale": self.where, "abstract": self.name}.get(self.kind, self.port))
        made.settimeout(SOON)
        if self.kind == "assuan":
            other = self.where.with_name("other")
            other.write_bytes(plain_file(self.port, NONCE))
            other.rename(self.where)
        return made

    def accept(self, made):
        connection = made.accept()[0]
        connection.settimeout(SOON)
        if "assuan" in self.kind:
            assert receive_nonce(connection, 16) == NONCE
        return connection


@HOW
@pytest.mark.parametrize("kind", KINDS)
def test_it_appears(how, kind, tmp_path):
    target = Absent(kind, tmp_path)
    with waiting(how, tmp_path / "s", target.address + "?absent=wait", verbose=False) as serve:
        with connect(f"unix://{tmp_path / 's'}") as client:
            client.sendall(b"hello")
            client.settimeout(0.6)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.settimeout(SOON)
            with target.appear() as made, target.accept(made) as end:
                end.sendall(end.recv(5))
                assert client.recv(5) == b"hello"
        assert "no " not in serve.stderr and "nothing is listening" not in serve.stderr, "each attempt is told of"


@HOW
@pytest.mark.parametrize("options", ["", "?absent=fail"])
def test_unless_asked_it_is_not_waited_for(how, tmp_path, options):
    with waiting(how, tmp_path / "s", f"unix://{tmp_path / 'no'}{options}", "--timeout=60") as serve:
        with connect(f"unix://{tmp_path / 's'}") as client:
            ends(client)
        assert "there is no socket" in serve.wait_closed().reason


@HOW
def test_the_timeout(how, tmp_path):
    with waiting(how, tmp_path / "s", f"unix://{tmp_path / 'no'}", "--absent=wait", "--timeout=0.7") as serve:
        begin = time.monotonic()
        with connect(f"unix://{tmp_path / 's'}") as client:
            ends(client)
        assert 0.6 <= time.monotonic() - begin < SOON
        assert "gave up" in serve.wait_closed().reason and "no socket" in serve.wait_closed().reason


@HOW
@pytest.mark.parametrize("front", ["unix", "tcp"])
def test_a_client_that_leaves_is_not_waited_with(how, front, tmp_path):
    """Whatever it has sent: no client would get the answer. One that has only ended its input still waits."""
    listen = f"unix://{tmp_path / 's'}" if front == "unix" else "tcp://127.0.0.1:0"
    target = Absent("unix", tmp_path)
    options = [f"{listen}={'via:' if how == 'via' else ''}{target.address}?absent=wait&timeout=off"]
    with Via(*options, via=MUX) if how == "via" else Serve(*options) as serve:
        with connect(serve.listen()) as patient:
            patient.sendall(b"hello")
            patient.shutdown(socket.SHUT_WR)
            for number in range(2, 5):
                with connect(serve.listen()) as client:
                    client.sendall(b"x" * number)
                    if number == 3:
                        client.shutdown(socket.SHUT_WR)
                    serve.wait_match(rf"#{number}: opened")
                assert "gone" in serve.wait_match(rf"#{number}: closed after .*")[0]
            with target.appear() as made, target.accept(made) as end:
                assert end.recv(10) == b"hello"
                end.sendall(b"at last")
                assert patient.recv(10) == b"at last"


@HOW
def test_stopping_does_not_wait(how, tmp_path):
    """The drain is for connections that go on; a client that waits gets its error at once."""
    with waiting(how, tmp_path / "s", f"unix://{tmp_path / 'no'}?absent=wait&timeout=off", "--drain=60") as serve:
        with connect(f"unix://{tmp_path / 's'}") as client:
            serve.wait_match(r"#1: opened")
            if how == "via":
                wait_for(lambda: serve.far_ends(), "the far end runs")
            time.sleep(0.3)
            serve.stop()
            ends(client)
        assert "closed after" in serve.stderr and "stopped" in serve.stderr


def test_it_comes_and_goes(tmp_path):
    """As the pipe of a virtual machine's serial port does: each client waits for the next time."""
    target = Absent("unix", tmp_path)
    with Serve(f"unix://{tmp_path / 's'}={target.address}?absent=wait&timeout=off") as serve:
        for _ in range(3):
            with connect(serve.listen()) as client:
                time.sleep(0.2)
                with target.appear() as made, target.accept(made) as end:
                    end.sendall(b"boot")
                    assert client.recv(10) == b"boot"
                target.where.unlink()
                ends(client)


def test_a_bad_value(tmp_path):
    for options, words in (("?absent=no", "wait or fail"), ("?absent=wait&absent=wait", "twice")):
        with Serve(f"unix://{tmp_path / 's'}=unix:///x{options}", wait=False) as serve:
            assert words in serve.ended(2)
    with Serve(f"unix://{tmp_path / 's'}?absent=wait=unix:///x", wait=False) as serve:
        assert "target" in serve.ended(2)

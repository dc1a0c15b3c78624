"""What the far end inherits of `uvrelay serve`: three descriptors, and in WSL a fourth. Neither it nor what it leaves
behind holds anything else of serve's, or of what serve was given."""

import os
import signal
import socket

import pytest

from programs import unique_name
from serving import EchoServer, connect, listener, wait_for
from via import Via, alive, far_end, marked

#: Tells its descriptors, closes none, and is the far end then.
SCRIPT = ("numbers = [number for number in range(256) if os.path.exists('/proc/self/fd/%d' % number)]\n"
          "links = ['%d=%s' % (number, os.readlink('/proc/self/fd/%d' % number)) for number in numbers]\n"
          "os.write(2, ('has ' + ' '.join(links) + '\\n').encode())\n"
          "os.execv(MUX[0], MUX)\n")


@pytest.fixture
def back(tmp_path):
    with EchoServer(tmp_path / "back") as server:
        yield server


def assert_three_pipes(serve):
    has = dict(pair.split("=", 1) for pair in serve.wait_match(r"far end: has (.*)$")[1].split(" "))
    assert sorted(has) == ["0", "1", "2"] and all(value.startswith("pipe:") for value in has.values()), has


def test_three_pipes(tmp_path, back):
    """Though serve has inherited others, which it knows nothing of, and listens and is connected itself."""
    path = tmp_path / "front"
    reading, writing = os.pipe()
    with open("/dev/null", "rb") as nothing, socket.socketpair()[0] as pair, Via(
            f"unix://{path}=via:{back.address}", f"unix://{path}2={back.address}", f"tcp://127.0.0.1:0={back.address}",
            via=far_end(tmp_path / "far", SCRIPT), pass_fds=(writing, nothing.fileno(), pair.fileno())) as serve:
        os.close(writing)
        with connect(f"unix://{path}2"), connect(f"unix://{path}"):
            assert_three_pipes(serve)
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_sockets_from_systemd(tmp_path, back):
    """Neither the one that serve listens on nor the others."""
    sockets = [listener(tmp_path / name) for name in ("one", "two", "three")]
    with Via(f"fd://two=via:{back.address}", via=far_end(tmp_path / "far", SCRIPT), sockets=sockets,
             names=["one", "two", "three"]) as serve:
        with connect(f"unix://{tmp_path}/two"):
            assert_three_pipes(serve)
    for one in sockets:
        one.close()


def test_the_log_ends_with_serve(tmp_path, back):
    """Its reader sees the end, though what the far end has left behind is still there: serve's log has another
    descriptor in serve, as a shell's redirections leave it."""
    path, script, mark = tmp_path / "front", tmp_path / "far", unique_name("stays")
    reading, writing = os.pipe()
    via = far_end(script, f"subprocess.Popen(['sleep', '100'], env={{'STAYS': {mark!r}}}, start_new_session=True,\n"
                  "                 close_fds=False)\n"
                  "os.execv(MUX[0], MUX)\n")
    with Via(f"unix://{path}=via:{back.address}", via=via, pass_fds=(writing,)) as serve:
        os.close(writing)
        with connect(f"unix://{path}") as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        serve.stop()  # which waits for the end of the log, too
        assert os.read(reading, 1) == b""
        [(pid, _)] = marked(f"STAYS={mark}")
        assert alive(pid)
        os.kill(pid, signal.SIGKILL)
    os.close(reading)

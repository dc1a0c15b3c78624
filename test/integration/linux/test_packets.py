"""Sockets that take packets, as those of syslog and journald do, in place of a stream: as a target of the program alone,
of `serve` and of a far end, and where something listens."""

import socket
import subprocess

import pytest
from programs import SOON, unique_name
from serving import PROGRAM, Serve, connect, refused, wait_for

pytestmark = pytest.mark.sanitized

WORDS = "it is a datagram or seqpacket socket, but uvrelay relays byte streams"


@pytest.fixture(params=["unix", "abstract"])
def place(request, tmp_path):
    """The name to bind to, and the address."""
    if request.param == "unix":
        return str(tmp_path / "packets"), f"unix://{tmp_path}/packets"
    name = unique_name("packets")
    return f"\0{name}", f"abstract:{name}"


@pytest.fixture(params=[socket.SOCK_DGRAM, socket.SOCK_SEQPACKET], ids=["datagram", "seqpacket"])
def address(request, place):
    with socket.socket(socket.AF_UNIX, request.param) as server:
        server.bind(place[0])
        if request.param == socket.SOCK_SEQPACKET:
            server.listen()
        server.setblocking(False)
        yield place[1]
        with pytest.raises(BlockingIOError):  # no client came, and nothing
            (server.recv if request.param == socket.SOCK_DGRAM else lambda _: server.accept())(1)


@pytest.mark.parametrize("flag", ["-ei", "-p"])
def test_as_target_of_the_program(address, flag):
    done = subprocess.run([PROGRAM, flag, address], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON,
                          check=False)
    assert (done.returncode, done.stderr) == (1, f"uvrelay: cannot connect to {address}: {WORDS} (EPROTOTYPE)\n")


@pytest.mark.parametrize("via", [False, True])
def test_as_target_of_serve(path, address, via):
    far = ["--via", f"{PROGRAM} mux"] if via else []
    with Serve(*far, f"unix://{path}={'via:' if via else ''}{address}") as serve:
        with connect(f"unix://{path}") as client:
            client.settimeout(SOON)
            assert client.recv(1) == b""
        wait_for(lambda: f"cannot connect to {address}: {WORDS}" in serve.stderr, "the sentence")


def test_where_it_listens(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{tmp_path}/s")
        assert "receives datagrams there" in refused(f"unix://{tmp_path}/s=tcp://127.0.0.1:1", code=1)
        assert (tmp_path / "s").is_socket()

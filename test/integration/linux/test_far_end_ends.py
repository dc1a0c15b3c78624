"""`uvrelay mux` ends within five seconds when its input has ended, whatever hangs then. Its near end gives it so long
before it sends a signal."""

import os
import time

from hungfile import hung
from nameserver import NameServer
from programs import Process
from serving import listener, wait_for
from via import GREETING, MUX, PING, SYN, RawMux, assert_ends, frame


def fill(mux, data):
    """Writes until nothing is taken for half a second."""
    os.set_blocking(mux.stdin.fileno(), False)
    last = time.monotonic()
    while time.monotonic() - last < 0.5:
        if mux.stdin.write(data):
            last = time.monotonic()
        time.sleep(0.001)


def test_an_output_that_nobody_reads():
    """So that it does not read its input either, whose end would not show."""
    with Process(MUX, collect=False) as mux:
        mux.write(GREETING)
        fill(mux, frame(PING, SYN, 0, 1) * 300)
        assert_ends(mux)


def test_an_output_that_is_read_late():
    """It is none that is lost: all is answered, though it was silent for some time."""
    with Process(MUX, collect=False) as mux:
        mux.write(GREETING)
        fill(mux, frame(PING, SYN, 0, 1) * 300)
        time.sleep(2.5)  # it has looked twice by then
        assert mux.running
        os.set_blocking(mux.stdin.fileno(), True)
        assert mux.popen.stdout.read(100).startswith(GREETING)


def test_a_socket_that_is_never_read(tmp_path):
    with listener(tmp_path / "back"), RawMux() as mux:
        mux.connect(f"unix://{tmp_path}/back").send(bytes(250_000))
        assert_ends(mux)


def test_a_name_that_is_not_found():
    with NameServer() as server, RawMux(command=[*server.wrap, *MUX]) as mux:
        mux.open(b"CONNECT tcp://no.example.test:80\n")
        wait_for(lambda: server.queries("no.example.test"), "a query")
        assert_ends(mux)


def test_a_file_that_cannot_be_opened(tmp_path):
    (tmp_path / "file").write_bytes(b"1\n" + bytes(16))
    with hung(tmp_path / "file"), RawMux() as mux:
        mux.open(f"CONNECT assuan://{tmp_path}/file\n".encode())
        time.sleep(0.1)  # it is being opened
        assert_ends(mux)

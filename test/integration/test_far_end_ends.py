"""`uvrelay.exe mux` ends within five seconds when its input has ended, whatever hangs then. Its near end gives it so
long before it sends a signal."""

import time

import pytest

from nameserver import NameServer
from programs import Process, peer, unique_pipe, uvrelay_exe, windows_command, windows_path
from serving import wait_for
from via import FAR_END_SECONDS, RawMux, assert_ends
from winpeers import PipeServer

EXE_MUX = windows_command(uvrelay_exe(), "mux")


@pytest.mark.parametrize("type", ["byte", "message"])
def test_a_pipe_that_is_never_read(type):
    """Writes to it wait, and so does the end of the input after them, which is flushed first."""
    with PipeServer("await", type=type) as server, RawMux(command=EXE_MUX) as mux:
        mux.connect(server.name).send(bytes(200_000))
        assert_ends(mux)


def test_the_end_of_input_behind_what_is_never_read():
    with PipeServer("await", type="message") as server, RawMux(command=EXE_MUX) as mux:
        stream = mux.connect(server.name)
        stream.send(b"hello")
        stream.end()
        time.sleep(0.2)  # the flush begins
        assert_ends(mux)


def test_a_pipe_that_is_busy():
    with PipeServer("await", type="byte", instances=1) as server, RawMux(command=EXE_MUX) as mux:
        mux.connect(server.name)
        mux.open(f"CONNECT {server.name}\n".encode())
        mux.open(f"CONNECT {unique_pipe('nothing')}?absent=wait&timeout=off\n".encode())
        assert_ends(mux)


def test_a_name_that_is_not_found():
    with NameServer() as server, RawMux(command=[*server.wrap, *EXE_MUX]) as mux:
        for number in range(3):
            mux.open(f"CONNECT tcp://no-{number}.example.test:80\n".encode())
        wait_for(lambda: server.queries("no-0.example.test"), "a query")
        assert_ends(mux)


def test_an_output_that_nobody_reads():
    """So that it does not read its input either, whose end would not show."""
    command = windows_command(peer("near_end"), windows_path(uvrelay_exe()), "mux")
    with Process(command) as near_end:
        assert near_end.wait(30) == 0
        word, milliseconds, status = near_end.stdout.decode().splitlines()[-1].split()
        assert word == "ended" and int(milliseconds) < 1000 * FAR_END_SECONDS and status == "0"


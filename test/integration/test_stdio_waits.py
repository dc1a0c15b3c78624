"""What `uvrelay.exe -p -ei` does when its standard input ends while there is no pipe yet: it ends, unless bytes have come
that somebody may still take."""

import pytest

from programs import unique_pipe, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer

PIPES = ["anonymous", "anonymous-nowait", "anonymous-nowait-blind", "overlapped", "message", "message-duplex",
         "sync-message-read"]


def program(*args):
    return [windows_path(uvrelay_exe()), "-p", "-ei", "-v", *args]


@pytest.mark.parametrize("stdin", [*PIPES, "socket"])
def test_it_does_not_outlive_its_input(stdin):
    end = "end-in" if stdin == "socket" else "close-in"
    with Parent("sleep=300", end, "wait=10000", stdin=stdin, program=program(unique_pipe("none"))) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        assert "the input has ended; 0 bytes sent, 0 bytes received" in parent.stderr


@pytest.mark.parametrize("stdin", ["anonymous", "overlapped", "socket"])
def test_it_waits_while_there_is_input(stdin):
    """All of it arrives, though it had ended long before somebody took it."""
    name, end = unique_pipe("later"), "end-in" if stdin == "socket" else "close-in"
    with Parent("text=hello", end, "sleep=1200", "await", "wait=10000", stdin=stdin, program=program(name)) as parent:
        parent.event("await")  # longer than from one look to the next
        with PipeServer("recv-end", name=name) as server:
            parent.stdin.write(b"\n")
            assert server.event("recv-end")["bytes"] == 5
            assert parent.event("exit")["code"] == 0
            parent.finish()

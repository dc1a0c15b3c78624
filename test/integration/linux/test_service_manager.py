"""What serve tells the service manager: a line on its state, which changes with it, seldom, and costs nothing while it
does not. The same with systemd itself is in e2e/test_journal.py."""

import contextlib
import re
import signal
import socket
import time

import pytest

from serving import Serve, ask, connect, ends, wait_for
from via import Via

pytestmark = pytest.mark.sanitized


def said(serve):
    return [line.removeprefix("STATUS=") for line in serve._notify.lines() if line.startswith("STATUS=")]


def wait_said(serve, line):
    wait_for(lambda: said(serve)[-1:] == [line], f"{line!r} in {serve._notify.lines()}")


def test_connections(path, back):
    with Serve(f"unix://{path}={back.address}", f"unix://{path}2={back.address}") as serve:
        assert said(serve) == ["2 routes, 0 connections"]
        with connect(f"unix://{path}") as one:
            ask(one)
            wait_said(serve, "2 routes, 1 connection")
            with connect(f"unix://{path}2") as two:
                ask(two)
                wait_said(serve, "2 routes, 2 connections")
                serve.send_signal(signal.SIGTERM)
                wait_said(serve, "stopping, 2 connections")
        serve.wait()
        assert serve._notify.lines()[-2:] == ["STOPPING=1", "STATUS=stopping, 2 connections"]


def test_many_changes_are_one_line(path, back):
    """As none is left after two seconds, there is nothing to tell. If they take longer here, there are a few lines."""
    with Serve(f"unix://{path}={back.address}") as serve:
        begin = time.monotonic()
        for _ in range(200):
            with connect(f"unix://{path}") as client:
                ask(client)
        wait_for(lambda: serve.matches("#200: closed"), "the last one is closed")
        time.sleep(2.5)
        wait_said(serve, "1 route, 0 connections")
        assert len(said(serve)) <= 1 + (time.monotonic() - begin) / 2


def test_a_reload(path, back, config):
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve:
        assert said(serve) == ["1 route, 0 connections"]
        config.write(f"unix://{path}={back.address}", f"unix://{path}2={back.address}", f"unix://{path}3={back.address}")
        config.reload()
        wait_said(serve, "3 routes, 0 connections")


def test_a_reload_that_loses_a_listener(path, back, config, tmp_path):
    """It is to be made again, with other permissions, and a file has taken the place of its directory."""
    one = tmp_path / "d" / "1"
    one.parent.mkdir()
    config.write(f"unix://{one}={back.address}", f"unix://{path}={back.address}")
    with config.serve() as serve:
        assert said(serve) == ["2 routes, 0 connections"]
        one.parent.rename(tmp_path / "moved")
        (tmp_path / "d").write_text("a file")
        config.reload(f"unix://{one}?perm=0666={back.address}", f"unix://{path}={back.address}", code=1)
        wait_for(lambda: said(serve)[-1:] != ["2 routes, 0 connections"], "it is said")
        assert said(serve)[-1] == "1 route, 0 connections"


def test_the_far_end(path, tmp_path):
    """That it does not work is told with the reason, without control characters."""
    script = tmp_path / "far"
    script.write_text("#!/bin/sh\nprintf 'no\\033[31m way\\n' >&2\nexit 3\n")
    script.chmod(0o755)
    with Via(f"unix://{path}=via:unix:///none?timeout=0.2", via=[str(script)]) as serve:
        assert said(serve) == ["1 route, 0 connections, far end idle"]
        with connect(f"unix://{path}") as client:
            ends(client)
        wait_for(lambda: "far end down: " in said(serve)[-1], "it is down")
        assert re.fullmatch(r"1 route, \d connections?, far end down: .* exited at once with status 3: no\\x1b\[31m way",
                            said(serve)[-1])


def test_a_far_end_that_works(path, back):
    with Via(f"unix://{path}=via:{back.address}") as serve, connect(f"unix://{path}") as client:
        ask(client)
        wait_said(serve, "1 route, 1 connection, far end running")


def test_a_manager_that_reads_nothing(path, back):
    """Relaying goes on, and what it has missed is told later."""
    with Serve(f"unix://{path}={back.address}") as serve:
        with contextlib.suppress(BlockingIOError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            while True:
                filler.sendto(b"x", serve._notify.environment["NOTIFY_SOCKET"].replace("@", "\0", 1))
        with connect(f"unix://{path}") as client:
            ask(client)
            time.sleep(2.5)
            ask(client)
            serve._notify.lines()  # takes all of it
            with connect(f"unix://{path}") as other:
                ask(other)
                wait_said(serve, "1 route, 2 connections")

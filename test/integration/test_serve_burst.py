"""500 clients that come to `uvrelay.exe serve` at the same moment: none is refused."""

import re
import time

import pytest

from programs import SOON, Process, peer, under_wine, uvrelay_exe, windows_command, windows_path
from winserving import Serve

CLIENTS = 500


def test_500_at_once():
    """test/peers/burst.c does it all: TCP, with and without max=20, and pipes in byte and in message mode."""
    with Process(windows_command(peer("burst"), f"--clients={CLIENTS}", "--wait=60", "--limit=180",
                                 f"--program={windows_path(uvrelay_exe())}")) as burst:
        code = burst.wait(200)
        lines = burst.stdout.decode().splitlines()
    assert code == 0 and len(lines) == 4, (code, lines, burst.stderr)
    for line, address in zip(lines, (r"tcp://\S+", r"tcp://\S+", r"//\./pipe/\S+", r"//\./pipe/\S+")):
        assert re.match(rf"ok: {address}: {CLIENTS} clients at once: {CLIENTS} served, 0 refused, 0 failed; ", line)


def test_the_burst_can_fail():
    """Where no process listens, every client is refused, and the exit code says so."""
    for address in ("tcp://127.0.0.1:1", "//./pipe/uvrelay-test-absent"):
        with Process(windows_command(peer("burst"), "--clients=3", address)) as burst:
            assert burst.wait() == 1
            assert b"NOT OK: " in burst.stdout and b"0 served, 3 refused, 0 failed" in burst.stdout


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
@pytest.mark.parametrize("host, sockets", [("127.0.0.1", 1), ("localhost", 2)])
def test_the_backlog_is_asked_for_as_windows_wants_it(host, sockets):
    """As a negative number (SOMAXCONN_HINT), and before any other: a second call of listen changes nothing."""
    with Serve(f"tcp://{host}:0=tcp://127.0.0.1:1", verbose=False, env={"WINEDEBUG": "+winsock"}) as serve:
        end = time.monotonic() + SOON
        while serve.stderr.count(":WS2_AcceptEx listener ") < sockets and time.monotonic() < end:
            time.sleep(0.01)
        listens = re.findall(r"trace:winsock:listen socket (\w+), backlog (-?\d+)", serve.stderr)
    first = {}
    for listener, backlog in listens:
        first.setdefault(listener, int(backlog))
    assert len(first) == sockets and set(first.values()) == {-4096}, listens

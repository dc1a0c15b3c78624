"""Each failure is in the log once, whichever process meets it: serve, the far end, or both; and it says what to try."""

import re

import pytest

from serving import PROGRAM, Serve, connect, wait_for
from via import Via


def fail_once(serve, listen):
    """A client whose target cannot be reached; gives the log, when it reports the client and its far end has ended."""
    with connect(listen) as client:
        assert client.recv(1) == b""
    wait_for(lambda: " #1: " in serve.stderr, "the client's end")
    return serve.stop()


@pytest.fixture
def listen(tmp_path):
    return f"unix://{tmp_path}/front"


def test_a_target_that_is_absent(tmp_path, listen):
    with Serve(f"{listen}=unix://{tmp_path}/none", verbose=False) as serve:
        log = fail_once(serve, listen)
    assert log.count("there is no socket") == 1 and log.count("\n") == 1
    assert ": start its server, or set absent=wait to wait for it (client: process " in log


@pytest.mark.parametrize("allow, told, hint", [
    ("", "there is no socket", "start its server, or set absent=wait to wait for it"),
    (" --allow=tcp://*", "is not allowed", "allow it where the far end is started, with mux --allow=PATTERN"),
])
def test_a_target_that_the_far_end_cannot_reach(tmp_path, listen, allow, told, hint):
    with Via(f"{listen}=via:unix://{tmp_path}/none", via=f"{PROGRAM} mux{allow}", verbose=False) as serve:
        log = fail_once(serve, listen)
    assert log.count(told) == 1 and log.count("\n") == 1, log
    assert f": {hint} (client: process " in log


def test_a_far_end_that_says_why_it_ends(tmp_path, listen):
    """Its last line is the reason, and is not reported twice; the lines before it are reported as they come."""
    far = tmp_path / "far"
    far.write_text("#!/bin/sh\necho first >&2\necho no luck >&2\nexit 3\n")
    far.chmod(0o755)
    with Via("--timeout=0.05", f"{listen}=via:unix://{tmp_path}/none", via=str(far), verbose=False) as serve:
        log = fail_once(serve, listen)
    lines = [line for line in log.splitlines() if "far end: " in line and " #1: " not in line]
    assert lines[0] == "uvrelay: far end: first"
    assert re.fullmatch(rf"uvrelay: far end: {far} exited at once with status 3: no luck; .*", lines[1])
    assert "uvrelay: far end: no luck" not in log


def test_a_line_of_a_far_end_that_works(tmp_path, listen):
    """It is reported, although it was the last one before the far end was of use."""
    far = tmp_path / "far"
    far.write_text(f"#!/bin/sh\necho all is well >&2\nexec {PROGRAM} mux\n")
    far.chmod(0o755)
    with Via(f"{listen}=via:unix://{tmp_path}/none", via=str(far), verbose=False) as serve:
        log = fail_once(serve, listen)
    assert log.count("uvrelay: far end: all is well\n") == 1


def test_a_listener_that_cannot_be_made(tmp_path):
    routes = [f"unix://{tmp_path}/front=tcp://127.0.0.1:1", "unix:///proc/front=tcp://127.0.0.1:1"]
    with Serve(*routes, wait=False) as serve:
        log = serve.ended(1)
    assert log.count("\n") == 1 and "cannot listen on unix:///proc/front" in log

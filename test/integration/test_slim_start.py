"""That a relay between standard input and output and a pipe has no more than it needs: no libraries that only other
relays need, from Wine's trace of what is loaded, and one thread for each direction."""

import pathlib
import re

import pytest

from programs import Relay, run_relay, setting, under_wine
from winpeers import PipeServer

pytestmark = pytest.mark.skipif(not under_wine(), reason="needs Wine's trace, and threads that are those of Linux")
delayed = pytest.mark.skipif(setting("UVRELAY_DELAY_LOAD") != "ON", reason="it imports other libraries itself")


def loaded(text):
    return {name.lower() for name in re.findall(r"Loaded L\"[^\"]*?([^\"\\]+)\" at", text)}


@delayed
@pytest.mark.parametrize("type", ["message", "byte"])
def test_libraries_for_a_pipe(type):
    with PipeServer("recv-end", type=type) as server:
        result = run_relay("-ei", server.name, env={"WINEDEBUG": "+loaddll"})
        server.finish()
    assert result.code == 0
    assert loaded(result.stderr) == {"kernel32.dll", "kernelbase.dll", "msvcrt.dll", "uvrelay.exe"}


@delayed
def test_the_network_is_loaded_where_it_is_needed():
    """So the trace would show it."""
    result = run_relay("tcp://127.0.0.1:1", env={"WINEDEBUG": "+loaddll"})
    assert result.code == 1 and "ws2_32.dll" in loaded(result.stderr)


def test_threads():
    """None of libuv's pool, each of which has 8 MiB committed for its stack on Windows."""
    with PipeServer("echo=5", "recv-end") as server, Relay("-ei", server.name) as relay:
        relay.write(b"hello")
        relay.out.wait_count(5)
        names = sorted(path.read_text().strip() for path in pathlib.Path(f"/proc/{relay.pid}/task").glob("*/comm"))
        assert len(names) == 3 and "libuv-worker" not in names, names
        relay.close_stdin()
        assert relay.wait() == 0
        server.finish()

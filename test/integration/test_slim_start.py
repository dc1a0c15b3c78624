"""That a relay between standard input and output and a pipe starts without the libraries that only others need, from
Wine's trace of what is loaded."""

import re

import pytest

from programs import run_relay, setting, under_wine
from winpeers import PipeServer

pytestmark = [pytest.mark.skipif(not under_wine(), reason="needs Wine's trace"),
              pytest.mark.skipif(setting("UVRELAY_DELAY_LOAD") != "ON", reason="it imports other libraries itself")]


def loaded(text):
    return {name.lower() for name in re.findall(r"Loaded L\"[^\"]*?([^\"\\]+)\" at", text)}


@pytest.mark.parametrize("type", ["message", "byte"])
def test_libraries_for_a_pipe(type):
    with PipeServer("recv-end", type=type) as server:
        result = run_relay("-ei", server.name, env={"WINEDEBUG": "+loaddll"})
        server.finish()
    assert result.code == 0
    assert loaded(result.stderr) == {"kernel32.dll", "kernelbase.dll", "msvcrt.dll", "uvrelay.exe"}


def test_the_network_is_loaded_where_it_is_needed():
    """So the trace would show it."""
    result = run_relay("tcp://127.0.0.1:1", env={"WINEDEBUG": "+loaddll"})
    assert result.code == 1 and "ws2_32.dll" in loaded(result.stderr)

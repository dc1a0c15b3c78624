"""How the pipe is opened, from the system's own trace: overlapped, with security flags that keep the server from acting
as the user, for both ways, not shared; and nothing else in the trace opens the pipe otherwise."""

import re

import pytest

from programs import run_relay, under_wine
from winpeers import PipeServer

pytestmark = pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")

OVERLAPPED, SQOS_PRESENT = 0x40000000, 0x00100000
LEVELS = {"anonymous": 0x00000, "identification": 0x10000, "impersonation": 0x20000, "delegation": 0x30000}


@pytest.mark.parametrize("args, level", [([], "anonymous")] + [([f"--impersonation={level}"], level)
                                                               for level in LEVELS])
@pytest.mark.parametrize("type", ["message", "byte"])
def test_open_flags(args, level, type):
    with PipeServer("recv-end", type=type) as server:
        result = run_relay("-ei", *args, server.name, env={"WINEDEBUG": "+file"})
        assert result.code == 0
        name = re.escape(server.short_name)
        opened = re.findall(rf'trace:file:CreateFileW L"\\\\\\\\.\\\\pipe\\\\{name}" (.*)', result.stderr)
        wanted = OVERLAPPED | SQOS_PRESENT | LEVELS[level]
        assert opened == [f"GENERIC_READ GENERIC_WRITE  creation 3 attributes 0x{wanted:x}"]
        system_calls = re.findall(rf'trace:file:NtCreateFile .*access=(\w+) name=L"[^"]*{name}".*sharing=(\w+) ',
                                  result.stderr)
        assert len(system_calls) == 1
        access, sharing = (int(value, 16) for value in system_calls[0])
        assert access & 0xC0000000 == 0xC0000000, "not for reading and writing"
        assert sharing == 0
        server.finish()


@pytest.mark.parametrize("level", ["none", "", "Anonymous ", "4"])
def test_unknown_level(level):
    result = run_relay(f"--impersonation={level}", "//./pipe/x")
    assert result.code == 2
    assert "impersonation" in result.stderr.splitlines()[0]

"""The secret of a libassuan socket file: once the handshake is over it is nowhere in the memory of uvrelay serve."""

import os
import pathlib
import re

import pytest
from serving import Serve, ask, connect, echo, target


def memory_of(pid):
    """All that a process can read of its own, piece by piece."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if rights.startswith("rw") and "[v" not in line:
                mem.seek(int(begin, 16))
                try:
                    yield line.strip(), mem.read(int(end, 16) - int(begin, 16))
                except OSError:
                    continue # the kernel lets no process read that


@pytest.fixture
def may_read_memory():
    scope = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() != 0 and scope.exists() and int(scope.read_text()) > 1:
        pytest.skip("this system lets nobody read the memory of a child")


@pytest.mark.parametrize("kind", ["assuan", "cygwin"])
def test_no_nonce_is_left(tmp_path, path, may_read_memory, kind):
    (tmp_path / "back").mkdir()
    with target(kind, echo, tmp_path / "back") as back, Serve(f"unix://{path}={back.address}") as serve:
        with connect(f"unix://{path}") as client:
            ask(client, b"a mark to be found")
            found = [where for where, data in memory_of(serve.pid) if b"a mark to be found" in data]
            assert found # so the memory is looked at indeed
            words = re.search(rb"[0-9A-F]{8}(-[0-9A-F]{8}){3}", back.file())
            secrets = [back.nonce] + ([words.group()] if words else [])
            for where, data in memory_of(serve.pid):
                for secret in secrets:
                    assert secret not in data, f"{secret!r} in {where}"
        for where, data in memory_of(serve.pid):
            assert back.nonce not in data, f"after the connection, in {where}"

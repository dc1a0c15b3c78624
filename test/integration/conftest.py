"""What all integration tests share: the place of the helpers, and a directory that is gone when the test is over."""

import contextlib
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
sys.dont_write_bytecode = True


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitized: also run with the sanitizers' builds: many connections, kills, "
                            "signals, parsers: what shows mistakes with memory and threads")


@pytest.fixture
def tmp_path():
    """In place of pytest's own, which keeps the directories of the last runs."""
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-", ignore_cleanup_errors=True) as path:
        yield pathlib.Path(path)


@pytest.fixture
def rig(tmp_path):
    """Makes a target, `uvrelay.exe serve` before it, and its clients."""
    from winserving import Rig  # not for the tests of the Linux program alone

    with contextlib.ExitStack() as stack:
        yield lambda kinds, *options: Rig(kinds, tmp_path, stack, *options)

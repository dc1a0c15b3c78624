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
def private_wine():
    """All Windows programs that the test starts run in a Wine of its own, with a system directory of its own."""
    from privatewine import PrivateWine  # not for the tests of the Linux program alone
    from programs import under_wine

    if not under_wine():
        pytest.skip("a system of a test's own can be had under Wine only")
    with PrivateWine(own_system=True) as wine:
        yield wine


@pytest.fixture
def rig(tmp_path):
    """Makes a target, `uvrelay.exe serve` before it, and its clients."""
    from winserving import Rig  # not for the tests of the Linux program alone

    with contextlib.ExitStack() as stack:
        yield lambda kinds, *options: Rig(kinds, tmp_path, stack, *options)

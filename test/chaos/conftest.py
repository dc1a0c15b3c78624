"""Where the tests of the chaos find it, and a directory that is gone when the test is over."""

import pathlib
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
sys.dont_write_bytecode = True


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitized: also run with the sanitizers' builds")


@pytest.fixture
def tmp_path():
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-", ignore_cleanup_errors=True) as path:
        yield pathlib.Path(path)

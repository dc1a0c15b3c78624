"""What the tests of uvrelay serve start from: a Unix socket to listen on, and a target that echoes."""

import pytest


@pytest.fixture
def back(tmp_path):
    from serving import EchoServer  # not for the tests that run another program

    (tmp_path / "back").mkdir()
    with EchoServer(tmp_path / "back" / "s") as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "front"

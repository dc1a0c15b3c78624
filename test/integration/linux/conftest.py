"""What the tests of uvrelay serve start from: a Unix socket to listen on, and a target that echoes."""

import pytest


@pytest.fixture
def pair(request, tmp_path):
    """What is listened on, with a target: all pairs, unless the test names some."""
    from serving import Pair

    return Pair(*request.param, tmp_path)


def pytest_generate_tests(metafunc):
    if "pair" in metafunc.fixturenames and not any(
            "pair" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")):
        from serving import PAIRS

        metafunc.parametrize("pair", PAIRS, ids="-to-".join, indirect=True)


@pytest.fixture
def back(tmp_path):
    from serving import EchoServer  # not for the tests that run another program

    (tmp_path / "back").mkdir()
    with EchoServer(tmp_path / "back" / "s") as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "front"


@pytest.fixture
def config(tmp_path):
    """A configuration file that a running serve reads again."""
    from reloading import Config

    return Config(tmp_path)


@pytest.fixture
def other(tmp_path):
    """A target besides `back`."""
    from serving import EchoServer

    with EchoServer(tmp_path / "back2") as server:
        yield server

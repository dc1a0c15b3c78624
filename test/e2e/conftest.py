"""What all end-to-end tests share: the helpers' place, and a place of its own for each test."""

import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
sys.dont_write_bytecode = True

from place import Place  # noqa: E402
from programs import setting, windows_command  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def windows_runs():
    """The first Windows program starts services of Wine's, which belong to no test."""
    if setting("UVRELAY_RUN_EXE"):
        subprocess.run(windows_command("cmd", "/c", "exit", "0"), check=True, timeout=120, stdin=subprocess.DEVNULL)


@pytest.fixture
def place(request):
    """In a file with IN_WSL, uvrelay.exe is started as WSL starts it."""
    with Place(wsl=getattr(request.module, "IN_WSL", False)) as place:
        yield place
        place.check = not getattr(request.node, "failed", False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the test itself has failed, what it left is no second failure."""
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed

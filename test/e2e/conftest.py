"""What all end-to-end tests share: the helpers' place, and a place of its own for each test."""

import contextlib
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
sys.dont_write_bytecode = True

from place import Place  # noqa: E402
import wsl_machine  # noqa: E402
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


@pytest.fixture
def make_machine():
    """Makes a stand-in WSL machine: see wsl_machine.Machine."""
    if wsl_machine.why_not():
        pytest.skip(wsl_machine.why_not())
    with contextlib.ExitStack() as stack:
        def make(conf="", **options):
            if "systemd" in conf and wsl_machine.why_no_systemd():
                pytest.skip(wsl_machine.why_no_systemd())
            return stack.enter_context(wsl_machine.Machine(conf, **options))
        yield make


@pytest.fixture
def machine(make_machine):
    return make_machine()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the test itself has failed, what it left is no second failure."""
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed

"""-bg hides the console window, if no other program uses it. test/peers/console.c gives the program a console of its
own, one that it shares, or none, and looks at the window. That a terminal's window (Windows Terminal's, of the class
PseudoConsoleWindow) is left alone can't be shown here: Wine has no such window."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from programs import Process, peer, under_wine, uvrelay_exe, windows_command, windows_path

WINE = pathlib.Path(__file__).resolve().parent.parent / "wine"

pytestmark = pytest.mark.skipif(not under_wine(), reason="needs windows that nobody sees")


@pytest.fixture(scope="module")
def prefix():
    """A Wine prefix in which programs have windows without a screen: it shares the files of the tests' prefix, and has a
    registry and a server of its own."""
    shared = os.environ["WINEPREFIX"]
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-", ignore_cleanup_errors=True) as path:
        own = pathlib.Path(path) / "wine"
        own.mkdir()
        for name in (".update-timestamp", "system.reg", "userdef.reg", "user.reg"):
            shutil.copy(os.path.join(shared, name), own)
        (own / "drive_c").symlink_to(os.path.join(shared, "drive_c"))
        shutil.copytree(os.path.join(shared, "dosdevices"), own / "dosdevices", symlinks=True)
        with open(own / "user.reg", "a", encoding="utf-8") as registry:
            registry.write('\n[Software\\\\Wine\\\\Drivers]\n"Graphics"="null"\n')
        (own / ".made").touch()
        # Else each test would start the server and its services, which hold on to the program's output.
        subprocess.run(["sh", WINE, "start", own], check=True)
        yield {**os.environ, "WINEPREFIX": str(own)}
        subprocess.run(["sh", WINE, "stop", own], check=True)
        subprocess.run(["wineserver", "-w"], env={**os.environ, "WINEPREFIX": str(own)}, check=False)


def console(prefix, kind, *flags):
    """What the peer says of the window, and what the program says."""
    with Process(windows_command(peer("console"), kind, windows_path(uvrelay_exe()), *flags), env=prefix) as process:
        assert process.wait(70) == 0, process.stderr
        said = re.fullmatch(r"(\w+: .*); exit status 0\r?\n", process.stdout.decode())
        assert said, process.stdout
        return said[1], re.findall(r"uvrelay: (.*console.*)", process.stderr), process.stderr


def test_its_own_console_window_is_hidden(prefix):
    said, _, stderr = console(prefix, "alone", "-bg")
    assert said.startswith("alone: not looked at before, hidden after, class ") and stderr == ""


def test_without_it_the_window_shows(prefix):
    assert console(prefix, "alone")[0].startswith("alone: not looked at before, visible after, class ")


def test_a_window_that_others_use_is_not_hidden(prefix):
    said, _, stderr = console(prefix, "shared", "-bg")
    assert said.startswith("shared: visible before, visible after, class ") and stderr == ""


def test_no_window_to_hide(prefix):
    said, _, stderr = console(prefix, "none", "-bg")
    assert said == "none: not looked at before, none after, class none" and stderr == ""


@pytest.mark.parametrize("kind, why", [
    ("shared", "-bg: the console window is not hidden, because other programs use it, too"),
    ("none", "-bg: there is no console window to hide"), ("alone", None)])
def test_v_tells_why_nothing_is_hidden(prefix, kind, why):
    assert console(prefix, kind, "-bg", "-v")[1] == ([why] if why else [])

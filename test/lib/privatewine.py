"""A Wine of a test's own: with pipes, a registry and a system directory that no other test sees, so that a test may use
well-known names, such as //./pipe/openssh-ssh-agent, and add programs to Windows. It begins as a copy of the tests'
prefix, whose files it links to, which takes less than a second."""

import os
import pathlib
import shutil
import subprocess

import pytest

from programs import setting, under_wine


def link_all(source, to, *, but=()):
    to.mkdir()
    for entry in source.iterdir():
        if entry.name.lower() not in but:
            (to / entry.name).symlink_to(entry)


def make_prefix(prefix):
    """A prefix whose C:\\windows\\system32 and user's directory are its own."""
    shared = pathlib.Path(setting("WINEPREFIX"))
    prefix.mkdir()
    for file in (*shared.glob("*.reg"), shared / ".update-timestamp"):
        shutil.copy(file, prefix)
    drive = prefix / "drive_c"
    link_all(shared / "drive_c", drive, but=("windows", "users"))
    link_all(shared / "drive_c/windows", drive / "windows", but=("system32",))
    link_all(shared / "drive_c/windows/system32", drive / "windows/system32")
    (prefix / "dosdevices").mkdir()
    (prefix / "dosdevices/c:").symlink_to("../drive_c")
    (prefix / "dosdevices/z:").symlink_to("/")
    return prefix


class PrivateWine:
    def __init__(self, prefix):
        self.prefix = make_prefix(prefix)
        self.drive = prefix / "drive_c"
        self.system = self.drive / "windows/system32"
        # Wine's services, which the first program starts, must not hold on to what that one prints to.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                 "env": {**os.environ, "WINEPREFIX": str(prefix)}}
        subprocess.run(["wineserver", "-p60"], check=False, **quiet)
        subprocess.run(["wine", "cmd", "/c", "exit", "0"], check=True, **quiet)
        (self.local.parent.parent / "Temp").mkdir(exist_ok=True)

    @property
    def local(self):
        """The user's %LOCALAPPDATA%."""
        [user] = [user for user in (self.drive / "users").iterdir() if user.name != "Public"]
        return user / "AppData/Local"

    @property
    def roaming(self):
        return self.local.parent / "Roaming"

    def end(self):
        subprocess.run(["wineserver", "-k"], env={**os.environ, "WINEPREFIX": str(self.prefix)}, check=False)


@pytest.fixture
def private_wine(tmp_path, monkeypatch):
    """All Windows programs that the test starts run in it."""
    if not under_wine():
        pytest.skip("a system of a test's own can be had under Wine only")
    wine = PrivateWine(tmp_path / "wine")
    monkeypatch.setenv("WINEPREFIX", str(wine.prefix))
    yield wine
    wine.end()

"""A Wine of a test's own: with pipes, a registry, users and processes that no other test sees, so that a test may use
well-known names, such as //./pipe/openssh-ssh-agent. It is made in no time of the tests' prefix, whose directory
C:\\windows it shares."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from programs import SOON, setting, windows_command

#: What tests leave in directories of the user.
OF_TESTS = ("uvrelay*", "gnupg")


def link_all(source, to, *, but=()):
    to.mkdir()
    for entry in source.iterdir():
        if entry.name.lower() not in but:
            (to / entry.name).symlink_to(entry)


class PrivateWine:
    """While it is open, all Windows programs that this process starts run there: it sets WINEPREFIX. Where several are
    open, they run in the one that was opened last.

    With `own_system` its C:\\windows\\system32 is its own, too, and programs may be added to it."""

    _tests = None  # the prefix of the tests, while there is one of these

    def __init__(self, own_system=False):
        base = PrivateWine._tests or pathlib.Path(setting("WINEPREFIX"))
        PrivateWine._tests = base
        self._directory = tempfile.TemporaryDirectory(prefix="uvr-win-", dir="/tmp")
        self.prefix = pathlib.Path(self._directory.name)
        self.c, self.windows = self.prefix / "c", base / "drive_c" / "windows"
        self._wait_for_registry(base)
        for file in (*base.glob("*.reg"), base / ".update-timestamp"):
            shutil.copy(file, self.prefix)
        for name in ("users", "ProgramData"):
            shutil.copytree(base / "drive_c" / name, self.c / name, symlinks=True,
                            ignore=shutil.ignore_patterns(*OF_TESTS))
        (self.c / "Program Files").mkdir()
        # Relative, so that it leads to the same in a machine that looks like WSL, whose drive C is /mnt/c: to
        # /mnt/windows.
        (self.c / "windows").symlink_to("../windows")
        if own_system:
            link_all(self.windows, self.prefix / "windows", but=("system32",))
            link_all(self.windows / "system32", self.prefix / "windows/system32")
        else:
            (self.prefix / "windows").symlink_to(self.windows)
        self.system = self.prefix / "windows/system32"
        devices = self.prefix / "dosdevices"
        devices.mkdir()
        (devices / "c:").symlink_to("../c")
        (devices / "z:").symlink_to("/")
        #: The Windows user, and that user's %USERPROFILE%, %LOCALAPPDATA% and %APPDATA% on this side.
        self.user = next(path.name for path in (self.c / "users").iterdir() if path.name != "Public")
        self.profile = self.c / "users" / self.user
        self.local, self.roaming = self.profile / "AppData/Local", self.profile / "AppData/Roaming"

    @staticmethod
    def _wait_for_registry(base):
        """Wine's server writes it from time to time."""
        end = time.monotonic() + 60
        while not (base / "system.reg").exists():
            assert time.monotonic() < end, f"{base} is no Wine prefix, or has no registry: run sh test/wine start {base}"
            time.sleep(0.1)

    def __enter__(self):
        self._before = os.environ["WINEPREFIX"]
        os.environ["WINEPREFIX"] = str(self.prefix)
        # The first program starts Wine's services; several at a time that all are the first may hang, and the services
        # must not hold on to what that one prints to.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["wineserver", "-p60"], check=False, **quiet)
        subprocess.run(windows_command("cmd", "/c", "exit"), timeout=60, check=True, **quiet)
        return self

    def __exit__(self, *_):
        try:
            for step in ("-k", "-w"):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run(["wineserver", step], env={**os.environ, "WINEPREFIX": str(self.prefix)}, stdin=subprocess.DEVNULL,
                                   capture_output=True, timeout=SOON, check=False)
        finally:
            os.environ["WINEPREFIX"] = self._before
            self._directory.cleanup()

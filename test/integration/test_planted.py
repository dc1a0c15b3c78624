"""Programs and libraries that somebody has put where Windows looks first: none of them is started or loaded."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from programs import SOON, Relay, run_relay, setting, uvrelay_exe, windows_command, windows_path
from serving import ask
from winpeers import PipeServer
from winserving import Serve, port_of

#: Libraries that the program or the system's own libraries load when they are needed, and that are not among those
#: which every process has from the system's directory (KnownDLLs).
LIBRARIES = ["iphlpapi", "userenv", "dbghelp", "powrprof", "mswsock", "dnsapi", "bcrypt", "cryptbase", "secur32",
             "version", "rasadhlp", "wship6", "wshtcpip", "winmm", "ole32", "shell32", "advapi32", "ws2_32", "user32"]

delayed = pytest.mark.skipif(setting("UVRELAY_DELAY_LOAD") != "ON", reason="it imports other libraries itself")

PLANTED = r"""
#include <windows.h>
BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
  (void)reserved;
  if (reason == DLL_PROCESS_ATTACH) {
    WCHAR path[MAX_PATH + 8];
    GetModuleFileNameW(self, path, MAX_PATH);
    lstrcatW(path, L".loaded");
    CloseHandle(CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL));
  }
  return TRUE;
}
__declspec(dllexport) void CALLBACK Nothing(HWND window, HINSTANCE self, LPSTR words, int show)
{
  (void)window, (void)self, (void)words, (void)show;
}
"""


@pytest.fixture(scope="module")
def library():
    """One that leaves a file behind when it is loaded."""
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-") as path:
        place = pathlib.Path(path)
        (place / "planted.c").write_text(PLANTED)
        subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", "-s", "-o", "planted.dll", "planted.c"], cwd=place,
                       check=True)
        yield place / "planted.dll"


@pytest.fixture
def place(tmp_path, library):
    """A directory with the program and planted libraries; and one with these only, to be the current directory."""
    for directory in (tmp_path / "program", tmp_path / "current"):
        directory.mkdir()
        for name in LIBRARIES:
            shutil.copy(library, directory / f"{name}.dll")
    shutil.copy(uvrelay_exe(), tmp_path / "program")
    return tmp_path


#: Wine takes its own libraries before those that it finds, unless it is asked not to.
FOUND_FIRST = {"WINEDLLOVERRIDES": f"{','.join(LIBRARIES)}=n,b;{os.environ.get('WINEDLLOVERRIDES', '')}"}


def loaded(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*.loaded"))


def test_the_libraries_can_be_loaded(tmp_path, library):
    """Otherwise none of these tests could fail."""
    shutil.copy(library, tmp_path / "planted.dll")
    subprocess.run(windows_command("rundll32.exe", windows_path(tmp_path / "planted.dll") + ",Nothing"), timeout=60,
                   stdin=subprocess.DEVNULL, capture_output=True)
    assert loaded(tmp_path) == ["planted.dll.loaded"]


@delayed
def test_no_planted_library_is_loaded(place):
    """By whatever the program does: sockets, names, pipes and owners, a far end, its home directory."""
    program = place / "program" / "uvrelay.exe"
    via = subprocess.list2cmdline([windows_path(program), "mux", "-v"])
    with PipeServer("echo-end", type="byte") as server:
        routes = f"tcp://127.0.0.1:0=via:{server.name}", "npipe:uvrelay-planted=tcp://localhost:9"
        with Serve(*routes, options=["--via", via], program=program, cwd=place / "current", env=FOUND_FIRST) as serve:
            with socket.create_connection(("127.0.0.1", port_of(serve.address)), SOON) as client:
                ask(client)
    for args in (["tcp://name.invalid:9"], ["-a", "~/nothing"], ["--owner=user", "//./pipe/uvrelay-nothing"],
                 ["-bg", "--help"]):
        with Relay(*args, program=program, cwd=place / "current", env=FOUND_FIRST) as relay:
            relay.close_stdin()
            relay.wait(60)
    assert loaded(place) == []


@delayed
def test_only_known_libraries_are_imported():
    """Those that the program imports are loaded before its first line. Windows takes these from its own directory (they
    are among its KnownDLLs, or, as ucrtbase.dll behind api-ms-win-*, resolved by it)."""
    listing = subprocess.run(["x86_64-w64-mingw32-objdump", "-p", uvrelay_exe()], check=True, capture_output=True,
                             text=True)
    names = {name.lower() for name in re.findall(r"DLL Name: (\S+)", listing.stdout)}
    known = {"kernel32.dll", "ntdll.dll", "msvcrt.dll", "advapi32.dll", "user32.dll", "ole32.dll", "shell32.dll",
             "ws2_32.dll"}
    assert names and all(name in known or name.startswith("api-ms-win-") for name in names), names


def test_a_planted_far_end_is_not_started(tmp_path):
    """A wsl.exe in the current directory is not the one that is meant; a path leads to it."""
    shutil.copy(uvrelay_exe(), tmp_path / "uvrelay-planted.exe")
    (tmp_path / "uvrelay-planted2.cmd").write_text("@exit 7\r\n")
    route = "tcp://127.0.0.1:0=via:tcp://127.0.0.1:9"
    for name, path in (("uvrelay-planted.exe", ""), ("uvrelay-planted", ".;C:\\windows\\system32;"),
                       ("uvrelay-planted2", "")):
        result = run_relay("serve", "--via", f"{name} mux", route, cwd=tmp_path, env={"WINEPATH": path})
        assert result.code == 1
        assert re.match(rf'uvrelay: cannot find the program "{re.escape(name)}": it is not in any directory of '
                        rf'PATH, ".+", and the current directory is not searched: write \.\\{re.escape(name)} \(',
                        result.stderr), result.stderr
    with Serve(route, options=["--via", ".\\uvrelay-planted.exe mux", "--eager"], cwd=tmp_path) as serve:
        serve.wait_lines(r"far end: .* is ready")

"""For which kind of computer the Windows programs are, and what of Windows uvrelay.exe needs at its start. Nothing is run
here, so this is for programs of any kind; objdump does not know those for ARM64."""

import os
import pathlib
import re

import pefile
import pytest

BUILD = pathlib.Path(os.environ["UVRELAY_BUILD"])
PROGRAMS = sorted([BUILD / "uvrelay.exe", *BUILD.glob("peers/*.exe"), *BUILD.glob("unit/*.exe")])

#: What CMake calls the kind of computer, and how the files say it.
MACHINES = {"AMD64": "IMAGE_FILE_MACHINE_AMD64", "X86": "IMAGE_FILE_MACHINE_I386", "ARM64": "IMAGE_FILE_MACHINE_ARM64"}

#: The DLLs that every Windows 10 has, of those that are needed; the last two are the C runtime.
SYSTEM = re.compile(r"(advapi32|dbghelp|iphlpapi|kernel32|ole32|shell32|user32|userenv|ws2_32|msvcrt"
                    r"|api-ms-win-crt-[a-z]+-l1-1-0)\.dll", re.IGNORECASE)  # fmt: skip


def wanted_machine():
    [system] = BUILD.glob("CMakeFiles/*/CMakeSystem.cmake")
    return MACHINES[re.search(r'^set\(CMAKE_SYSTEM_PROCESSOR "(.*)"\)$', system.read_text(), re.MULTILINE)[1]]


def opened(path):
    return pefile.PE(str(path), fast_load=path.name != "uvrelay.exe")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_machine(path):
    with opened(path) as image:
        assert pefile.MACHINE_TYPE[image.FILE_HEADER.Machine] == wanted_machine()


def test_needs_nothing_but_windows():
    with opened(BUILD / "uvrelay.exe") as image:
        needed = {entry.dll.decode() for entry in image.DIRECTORY_ENTRY_IMPORT}
        assert "kernel32.dll" in {name.lower() for name in needed}
        assert [name for name in needed if not SYSTEM.fullmatch(name)] == []
        # No function is wanted by its number, which differs between versions of Windows.
        assert [symbol for entry in image.DIRECTORY_ENTRY_IMPORT for symbol in entry.imports if symbol.name is None] == []


def test_is_small_and_stripped():
    assert (BUILD / "uvrelay.exe").stat().st_size < 640 * 1024
    with opened(BUILD / "uvrelay.exe") as image:
        assert image.FILE_HEADER.NumberOfSymbols == 0
        assert not [section for section in image.sections if section.Name.startswith((b".debug", b"/"))]


def test_hardened():
    """See deps/hardening.cmake."""
    with opened(BUILD / "uvrelay.exe") as image:
        assert image.OPTIONAL_HEADER.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
        assert image.OPTIONAL_HEADER.IMAGE_DLLCHARACTERISTICS_NX_COMPAT
        if wanted_machine() != "IMAGE_FILE_MACHINE_I386":
            assert image.OPTIONAL_HEADER.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA
        assert image.DIRECTORY_ENTRY_BASERELOC

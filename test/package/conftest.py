"""What the tests of the package share: the tools, and a directory that is gone when the test is over."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["UVRELAY_BUILD"])
WINDOWS = "mingw" in os.environ["CC"]

#: The preset windows-clang. Zig's linker strips libraries, knows few options of GNU's, and does not find libraries by the
#: names that MinGW's tools give.
ZIG = "/zig/" in os.environ["CC"]


def run(*command, fails=False, **options):
    """Runs it to its end and gives what it printed; fails the test if it fails, or, with `fails`, if it doesn't."""
    command = [str(word) for word in command]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 500, **options}
    result = subprocess.run(command, **options)
    assert (result.returncode != 0) == fails, f"{' '.join(command)}: {result.returncode}\n{result.stdout}"
    return result.stdout


def cached(name):
    """A variable of the cache of the build that is tested."""
    found = re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found[1] if found else ""


def receive_all(connection):
    """What comes over a socket until its end."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def compile_c(place, text, *flags):
    """Compiles and links one file as the flags say; gives its path, `place`."""
    source = place.with_suffix(".c")
    source.write_text(text)
    run(os.environ["CC"], *flags, source, "-o", place)
    return place


def named_tests(page):
    """The tests that a page names, as `test/PATH` or `test/PATH::NAME`, and those of them that do not exist."""
    named, missing = re.findall(r"`(test/[\w/.*-]+)(?:::(\w+))?`", page), []
    for path, name in named:
        files = sorted(SOURCE.glob(path))
        defines = re.compile(rf"(?:def|static void|TEST\() *{name}\b")
        if not files or (name and not any(defines.search(file.read_text()) for file in files)):
            missing.append(f"{path}::{name}")
    return named, missing


@pytest.fixture
def tmp_path():
    """In place of pytest's own, which keeps the directories of the last runs."""
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-") as path:
        yield pathlib.Path(path)

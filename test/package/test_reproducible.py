"""That the same source gives the same bytes wherever it lies: see deps/reproducible.cmake. A copy of the source in
another directory, built in a directory of another name, is compared with the build that is tested. For the compilers that
packages are made by, this is done in test/e2e/test_packages.py, where such a copy is built anyway."""

import os
import re
import shutil

import pytest

from conftest import BUILD, SOURCE, WINDOWS, cached, run

PROGRAM = "uvrelay.exe" if WINDOWS else "uvrelay"
TOOLCHAIN = cached("CMAKE_TOOLCHAIN_FILE")
PACKAGED = TOOLCHAIN.endswith("/mingw-w64.cmake") or (not TOOLCHAIN and os.path.basename(os.environ["CC"]) == "gcc")
FILES = [PROGRAM, "libuvrelay.a", "libuv/libuv.a"]


def build_copy(place, directory):
    """Builds a copy of the source, without a cache of objects, in which the paths of others could be."""
    for name in ("CMakeLists.txt", "LICENSE", "deps", "docs", "include", "src"):
        copy = shutil.copytree if (SOURCE / name).is_dir() else shutil.copy
        copy(SOURCE / name, place / name)
    names = ("CMAKE_TOOLCHAIN_FILE", "CMAKE_C_COMPILER", "CMAKE_BUILD_TYPE", "UVRELAY_DOWNLOADS", "UVRELAY_STATIC")
    settings = [f"-D{name}={cached(name)}" for name in names if cached(name)]
    environment = {name: value for name, value in os.environ.items() if "CCACHE" not in name and "LAUNCHER" not in name}
    run("cmake", "-S", place, "-B", place / directory, "-G", "Ninja", "-DUVRELAY_TESTS=OFF", "-DUVRELAY_INSTALL=OFF",
        "-DUVRELAY_DOCS=OFF", *settings, env=environment)
    run("cmake", "--build", place / directory, env=environment)
    return place / directory


def difference(one, other):
    """Where two files differ, in words; "" if nowhere."""
    a, b = one.read_bytes(), other.read_bytes()
    if a == b:
        return ""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"{one} and {other} differ at {at}: {a[max(0, at - 40):at + 40]!r}, {b[max(0, at - 40):at + 40]!r}"


@pytest.mark.skipif(PACKAGED, reason="test/e2e/test_packages.py compares these programs")
def test_two_builds_are_the_same(tmp_path):
    one = tmp_path / "a" / "source-in-another-place"
    one.mkdir(parents=True)
    built = build_copy(one, "made/here")
    assert [found for name in FILES if (found := difference(BUILD / name, built / name))] == []


def test_no_path_is_in_the_program():
    for name in FILES:
        content = (BUILD / name).read_bytes()
        for path in (SOURCE, BUILD):
            assert f"{path}/".encode() not in content, name


@pytest.mark.skipif(not WINDOWS, reason="programs for Linux have no such time")
def test_no_time_is_in_the_program():
    dump = run(os.environ["OBJDUMP"], "-p", BUILD / PROGRAM)
    nothing = r"(Thu Jan +1 00:00:00 1970|[0-9a-f]+\s+\(This is a reproducible build file hash, not a timestamp\))"  # lld's
    assert re.search(rf"^Time/Date\s+{nothing}", dump, re.MULTILINE), dump[:500]


def test_a_difference_is_noticed(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x" * 100 + b"/home/a/source")
    other.write_bytes(b"x" * 100 + b"/home/b/source")
    assert "differ at 106" in difference(one, other) and "/home/b" in difference(one, other)
    other.write_bytes(one.read_bytes() + b"y")
    assert "differ at 114" in difference(one, other)
    other.write_bytes(one.read_bytes())
    assert difference(one, other) == ""

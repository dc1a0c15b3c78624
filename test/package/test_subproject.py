"""uvrelay's source within another project, by add_subdirectory and by FetchContent: see host/CMakeLists.txt."""

import json
import os
import pathlib
import re
import shlex

import pytest

from conftest import BUILD, SOURCE, WINDOWS, run

HOST = pathlib.Path(__file__).parent / "host"
LIBUV = BUILD / "libuv/libuv.a"


def cached(name):
    """A variable of the cache of the build that is tested."""
    found = re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found[1] if found else ""


def host_libuv():
    [include] = BUILD.glob("sources/libuv-*/include")
    needs = "psapi user32 advapi32 iphlpapi userenv ws2_32 dbghelp ole32 shell32" if WINDOWS else "pthread dl rt"
    return [f"-DHOST_LIBUV={LIBUV}", f"-DHOST_LIBUV_INCLUDE={include}", f"-DHOST_LIBUV_NEEDS={';'.join(needs.split())}"]


def configure(build, how, *settings, **options):
    settings += (f"-DHOW={how}", f"-DUVRELAY_SOURCE={SOURCE}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    settings += ("-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_TOOLCHAIN_FILE={cached('CMAKE_TOOLCHAIN_FILE')}")
    return run("cmake", "-S", HOST, "-B", build, "-G", "Ninja", *settings, **options)


#: How a host gets uvrelay, and whose libuv it has. For Windows one is enough: it takes long.
HOSTS = [("subdirectory", "host")]
if not WINDOWS:
    HOSTS += [("subdirectory", "system"), ("fetch", "pinned")]


@pytest.mark.parametrize("how, libuv", HOSTS)
def test_host(tmp_path, how, libuv):
    settings = {
        "host": host_libuv(),
        "system": ["-DUVRELAY_SYSTEM_LIBUV=ON"],
        "pinned": [f"-DUVRELAY_DOWNLOADS={cached('UVRELAY_DOWNLOADS')}"],
    }
    configure(tmp_path, how, *settings[libuv])
    run("cmake", "--build", tmp_path)
    emulator = shlex.split(os.environ["UVRELAY_RUN_EXE"]) if WINDOWS else []
    printed = run(*emulator, tmp_path / ("host.exe" if WINDOWS else "host"))
    assert f"with {'the host' if libuv == 'host' else 'another'}" in printed
    assert bool(list(tmp_path.rglob("sources/libuv-*"))) == (libuv == "pinned")

    entries = json.loads((tmp_path / "compile_commands.json").read_text())
    commands = {entry["file"]: entry["command"] for entry in entries}
    ours = [command for file, command in commands.items() if file.startswith(f"{SOURCE}/src/")]
    assert ours and not any("-Werror" in command for command in ours)
    assert not re.search(r" -(W|f|D(?!HOST_LIBUV|NDEBUG))", commands[str(HOST / "main.c")])

    assert "Total Tests: 0" in run("ctest", "--test-dir", tmp_path, "-N")
    run("cmake", "--install", tmp_path, "--prefix", tmp_path / "prefix")
    assert not (tmp_path / "prefix").exists()


def test_shared_library_refuses_a_static_libuv(tmp_path):
    printed = configure(tmp_path, "subdirectory", "-DBUILD_SHARED_LIBS=ON", *host_libuv(), fails=True)
    assert "A shared uvrelay needs a shared libuv, but uv_a is static" in re.sub(r"\s+", " ", printed)

"""Help and the version, however they are asked for: to standard output, with status 0."""

import os
import pathlib
import re
import subprocess

import pytest

PROGRAM = os.environ["UVRELAY"]
BUILD = pathlib.Path(os.environ["UVRELAY_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[3]
SOON = 30
COMMANDS = re.findall(r'\{"(\w+)", uvr_cli_\w+\}', (SOURCE / "src/cli/commands.c").read_text())


def run(*args):
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=SOON, check=False)
    return done.returncode, done.stdout, done.stderr


def answer(*args):
    code, out, err = run(*args)
    assert (code, err) == (0, ""), (args, code, err)
    return out


def test_the_commands_are_found():
    assert {"serve", "mux", "setup", "doctor", "status", "reload", "env", "presets", "facts"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command(command):
    text = answer("help", command)
    assert text.startswith("Usage: ") and f"uvrelay {command}" in text.splitlines()[0]
    for args in ([command, "--help"], [command, "-h"], [command, "-help"], [command, "help"]):
        assert answer(*args) == text, args


def test_the_whole_program():
    text = answer("--help")
    assert text.startswith("Usage: uvrelay [flags] TARGET\n")
    for args in (["-h"], ["help"], ["help", "help"], ["help", "version"], ["help", "--help"], ["help", "-h"]):
        assert answer(*args) == text, args
    named = set(re.findall(r"[a-z]+", text.split("TARGET is one of:")[0]))
    assert set(COMMANDS) <= named, "each command is in the text"


@pytest.mark.parametrize("word, meant", [("sevre", "serve"), ("STATUS", "status"), ("dcotor", "doctor"),
                                         ("muxx", "mux"), ("preset", "presets")])
def test_a_near_miss(word, meant):
    code, out, err = run("help", word)
    assert (code, out) == (2, "") and err.splitlines()[0].endswith(f"uvrelay help {meant}"), err


@pytest.mark.parametrize("word", ["nonsense", "", "\x1b[31m", "x" * 5000])
def test_no_such_command(word):
    code, out, err = run("help", word)
    assert (code, out) == (2, "") and len(err) < 1000 and "\x1b" not in err
    assert err.splitlines()[0].endswith("uvrelay help") and err.splitlines()[1:] == ["Try: uvrelay --help"]


def test_version():
    """What it says of itself is what the file shows."""
    version, libraries, system = answer("--version").splitlines()
    assert re.fullmatch(r"uvrelay \d+\.\d+\.\d+", version)
    assert re.fullmatch(r"libuv \d+\.\d+\.\d+( \(compiled with \d+\.\d+\.\d+\))?, mux protocol 1", libraries)
    found = re.fullmatch(r"Linux ([\w-]+), (glibc [\d.]+|musl), (static|dynamic), (gcc|clang) [\d.]+", system)
    assert found, system
    assert found[1].replace("arm64", "aarch64").replace("-", "_") == os.uname().machine
    static = b"/ld-linux" not in pathlib.Path(PROGRAM).read_bytes()
    assert found[3] == ("static" if static else "dynamic")
    cache = (BUILD / "CMakeCache.txt").read_text()
    toolchain = re.search(r"^CMAKE_TOOLCHAIN_FILE:\w+=(.*)$", cache, re.MULTILINE)
    assert found[2].startswith("musl") == (toolchain is not None and toolchain[1].endswith("musl.cmake"))
    if not static:
        printed = subprocess.run(["ldd", "--version"], capture_output=True, text=True, check=True).stdout
        assert found[2].split()[1] == re.search(r"(\d+\.\d+)$", printed.splitlines()[0])[1]


def test_version_in_all_ways():
    text = answer("--version")
    asked = [["-V"], ["-version"], ["version"]]
    asked += [[command, flag] for command in COMMANDS for flag in ("--version", "-V")
              if "--version" in answer(command, "--help")]
    assert len(asked) >= 9
    for args in asked:
        assert answer(*args) == text, args

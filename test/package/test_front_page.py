"""README.md, the page that strangers begin with: it is short, leads to every page, and what it shows works.

The commands for a clone and for WSL are run by test/demo.sh, test/e2e/test_first_use.py and the tests of the packages;
here, each command line of uvrelay's in it and on the pages that newcomers read next is given to the program."""

import contextlib
import os
import re
import shlex
import socket
import subprocess
import threading

import pytest
from conftest import BUILD, SOURCE, receive_all, run

README = (SOURCE / "README.md").read_text()
#: What they read next, with commands to be typed.
GUIDES = ["README.md", "docs/wsl.md", "docs/npiperelay.md"]
PATIENCE = 30  # seconds


def pages_that(name):
    """The pages of this repository to which a page leads, as paths in it."""
    page = SOURCE / name
    links = (link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link)
    return {os.path.relpath(page.parent / link, SOURCE) for link in links if link.endswith(".md")}


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_every_page_can_be_reached_from_it():
    """Directly, so that nobody has to guess which page has the link."""
    pages = {str(path.relative_to(SOURCE)) for path in [*SOURCE.glob("docs/**/*.md"), *SOURCE.glob("*.md")]}
    assert pages - pages_that("README.md") == {"README.md"}


def test_the_drawing_fits_a_terminal():
    drawings = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert drawings and max(len(line) for drawing in drawings for line in drawing.splitlines()) <= 110


# ---- its commands ----


def command_lines(name):
    """What is to be typed: the lines of the blocks for a shell, those that end with a backslash joined."""
    blocks = re.findall(r"```sh\n(.*?)```", (SOURCE / name).read_text(), re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line.strip()]


def words_of(line):
    return shlex.split(line, comments=True)


def uvrelay_calls(name):
    """The command lines of uvrelay's on a page: typed, within `eval "$(...)"`, or for socat to run; and, in the text,
    those in backquotes."""
    calls = []
    for line in command_lines(name):
        words = words_of(line)
        for word in words:
            if inner := re.match(r"(?:\$\(|EXEC:)(uvrelay(?:\.exe)? .*?)(?:\)|,nofork)?$", word):
                calls.append(words_of(inner[1]))
        if re.match(r"uvrelay(\.exe)?$", words[0] if words else ""):
            calls.append(words)
    text = re.sub(r"```.*?```", "", (SOURCE / name).read_text(), flags=re.DOTALL)
    for code in re.findall(r"`(uvrelay(?:\.exe)? [^`]+)`", text):
        calls.append(words_of(re.sub(r" \| .*", "", code).replace("...", "")))
    return calls


def files_named(name):
    return [word for line in command_lines(name) for word in words_of(line) if re.match(r"(test|deps)/\S+$", word)]


@pytest.mark.parametrize("name", GUIDES)
def test_scripts_exist(name):
    assert not [word for word in files_named(name) if not (SOURCE / word).exists()]


def test_these_tests_see_the_commands():
    """So that none of them passes because a page was not understood."""
    assert ["uvrelay", "env"] in uvrelay_calls("README.md")
    assert ["uvrelay", "setup", "ssh-agent"] in uvrelay_calls("README.md")
    assert [call for call in uvrelay_calls("README.md") if call[:2] == ["uvrelay.exe", "-ei"]]
    assert [call for call in uvrelay_calls("README.md") if call[:2] == ["uvrelay", "serve"] and len(call) > 2]
    assert "test/demo.sh" in files_named("README.md")


def check_flags(words, help_):
    """Each flag is in the help of its command, and takes a value if it has one here."""
    for word in words:
        flag, _, value = word.partition("=")
        found = re.search(rf"(?:^|[\s,]){re.escape(flag)}(=|(?![\w=-]))", help_)
        assert found, f"there is no flag {flag}: {help_}"
        assert not value or found[1] or value in ("true", "false"), f"{flag} takes no value: {help_}"


@pytest.mark.parametrize("name", GUIDES)
def test_commands_and_flags_exist(name):
    """A word that begins with a hyphen is a flag, up to the first that is none for the plain relay."""
    program = BUILD / "uvrelay"
    commands = set(re.findall(r"\b(serve|mux|setup|env|status|reload|doctor|presets|facts)\b", run(program, "--help")))
    for call in uvrelay_calls(name):
        rest = call[1:]
        command = rest.pop(0) if rest and rest[0] in commands else None
        assert command or not rest or rest[0].startswith("-") or re.match(r"(\w+:|//)", rest[0]), call
        flags = [word for word in rest if re.match(r"--?[a-z]", word)]
        if command == "setup" and "--logon" in flags:
            continue  # the Windows program's, see test/integration/test_setup_logon.py
        if "--version" not in flags:
            check_flags(flags, run(program, *([command] if command else []), "--help"))


@pytest.mark.parametrize("name", GUIDES)
def test_presets_exist(name):
    presets = set(re.findall(r"^@([\w-]+)", run(BUILD / "uvrelay", "presets"), re.MULTILINE))
    named = [word for call in uvrelay_calls(name) if call[1:2] == ["setup"] for word in call[2:] if word[0] != "-"]
    assert set(named) <= presets


def routes(name):
    """The routes of calls of serve, and those in tables and text, each within backquotes."""
    calls = [call[2:] for call in uvrelay_calls(name) if call[:2] == ["uvrelay", "serve"]]
    called = [word for words in calls for word in words if word[0] != "-"]
    shown = re.findall(r"`((?:unix|tcp|abstract)://?[^` ]+=[^` ]+)`", (SOURCE / name).read_text())
    return called + shown


@pytest.mark.parametrize("name", GUIDES)
def test_routes_can_be_served(name):
    assert routes(name) or name == "docs/wsl.md"
    for route in routes(name):
        print(run(BUILD / "uvrelay", "serve", "--check", "--via=true", route))


# ---- its example ----


def test_the_library(tmp_path):
    """The lines of C, within a program of their own, relay a client of the socket to a web server."""
    [lines] = re.findall(r"```c\n(.*?)```", README, re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        for old, new in ((":80", f":{target.getsockname()[1]}"), ("/tmp/web.sock", f"{tmp_path}/web.sock")):
            assert old in lines
            lines = lines.replace(old, new)
        program = f"#include <signal.h>\n#include <uvrelay.h>\n\nint main(void)\n{{\n{lines}return 0;\n}}\n"
        prefix = tmp_path / "prefix"
        run("cmake", "--install", BUILD, "--prefix", prefix)
        environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(prefix / "lib/pkgconfig")}
        flags = run("pkg-config", "--cflags", "--libs", "uvrelay", env=environment).split()
        file = tmp_path / "web.c"
        file.write_text(program)
        run(os.environ["CC"], "-Wall", "-Wextra", "-Werror", file, *flags, "-o", tmp_path / "web")
        with subprocess.Popen([tmp_path / "web"], stderr=subprocess.PIPE) as running, contextlib.ExitStack() as stack:
            stack.callback(running.kill)
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(PATIENCE)
            while client.connect_ex(str(tmp_path / "web.sock")) != 0:  # its file is there before it listens
                assert running.poll() is None, running.communicate()
                threading.Event().wait(0.02)
            server, _ = target.accept()
            with server:
                server.settimeout(PATIENCE)
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                client.shutdown(socket.SHUT_WR)
                assert receive_all(server) == b"GET / HTTP/1.0\r\n\r\n"
                server.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
            assert receive_all(client).endswith(b"hello")

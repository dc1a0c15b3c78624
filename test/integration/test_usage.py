"""The command line from outside: what is refused and how, flags in Go's syntax, -v, and the program's old name."""

import re
import shutil
import time

import pytest

from programs import Relay, error_sentence, run_relay, unique_pipe, uvrelay_exe
from winpeers import PipeServer

FLAGS = ["-p", "-s", "-ep", "-ei", "-a", "-bg", "-v", "--impersonation", "--timeout", "--version", "--help"]


def assert_usage_error(result, *words):
    """One sentence with these words, then how to get help, all on standard error."""
    lines = result.stderr.splitlines()
    assert result.code == 2
    assert result.stdout == b""
    assert lines[0].startswith("uvrelay: ")
    for word in words:
        assert word in lines[0]
    assert lines[1:] == ["Try: uvrelay --help"]


@pytest.mark.parametrize("args, words", [
    ([], ["TARGET"]),
    (["-p", "-s"], ["TARGET"]),
    (["//./pipe/a", "//./pipe/b"], ["TARGET", "//./pipe/b"]),
    (["-x", "//./pipe/a"], ["-x"]),
    (["--nonsense", "//./pipe/a"], ["nonsense"]),
    (["--nonsense=1", "//./pipe/a"], ["nonsense"]),
    (["-sp", "//./pipe/a"], ["-sp"]),
    (["---s", "//./pipe/a"], ["---s"]),
    (["-=1", "//./pipe/a"], ["-=1"]),
    (["-ei=maybe", "//./pipe/a"], ["maybe"]),
    (["-ei=", "//./pipe/a"], ["-ei="]),
    (["--timeout", "//./pipe/a"], ["timeout"]),
    (["--timeout=soon", "//./pipe/a"], ["soon"]),
    (["--timeout=-1", "//./pipe/a"], ["-1"]),
    (["--timeout=0", "//./pipe/a"], ["timeout"]),
    (["--timeout=nan", "//./pipe/a"], ["nan"]),
    (["--timeout=1e99", "//./pipe/a"], ["1e99"]),
    (["--timeout="], ["timeout"]),
    (["--impersonation"], ["impersonation"]),
    (["//./pipe/a", "-ei"], ["-ei"]),
])
def test_wrong_usage(args, words):
    assert_usage_error(run_relay(*args), *words)


@pytest.mark.parametrize("args, meant", [
    (["server"], 'there is no command "server": did you mean uvrelay serve?'),
    (["--serve"], "serve is a command, not a flag: write uvrelay serve"),
    (["-L", "8080:h:80"], 'write uvrelay serve --via="ssh HOST uvrelay mux" tcp://127.0.0.1:8080=via:tcp://h:80'),
    (["serve", "//./pipe/a", "tcp://h:80"], "write LISTEN=TARGET in one word, //./pipe/a=tcp://h:80"),
    (["serve", "//./pipe/a->tcp://h:80"], "is not a route: write //./pipe/a=tcp://h:80"),
])
def test_what_was_meant(args, meant):
    result = run_relay(*args)
    lines = result.stderr.splitlines()
    assert result.code == 2 and lines[0].endswith(meant), lines
    assert lines[1] == ("Try: uvrelay serve --help" if args[0] == "serve" else "Try: uvrelay --help")


@pytest.mark.parametrize("target, meant", [
    ("npipe://x", "such as //./pipe/x"), (r"\\.\pipex", "such as //./pipe/x"), (r"\pipe\x", "write //./pipe/x"),
    ("http://h/x", "write tcp://h:80"), ("localhost:80", "write tcp://localhost:80"),
    ("EXEC:npiperelay.exe -s //./pipe/x", "write //./pipe/x"),
])
def test_an_address_that_was_meant(target, meant):
    result = run_relay(target)
    assert result.code == 2 and error_sentence(result.stderr).endswith(meant)


def test_wrong_usage_connects_to_nothing():
    with PipeServer("recv-end") as server:
        assert run_relay("-ei", server.name, "more").code == 2
        assert run_relay("-zz", server.name).code == 2
        time.sleep(0.1)
        assert not server.all("connected")


@pytest.mark.parametrize("flag", ["--help", "-help", "-h"])
def test_help(flag):
    result = run_relay(flag)
    assert (result.code, result.stderr) == (0, "")
    text = result.stdout.decode()
    for name in FLAGS:
        assert re.search(rf"^  {name}\b", text, re.M), f"{name} is not explained"
    for form in ["//./pipe/NAME", "//HOST/pipe/NAME", "npipe:NAME", "unix:///PATH", "tcp://HOST:PORT",
                 "assuan:///PATH"]:
        assert form in text


@pytest.mark.parametrize("flag", ["--version", "-version"])
def test_version(flag):
    result = run_relay(flag)
    assert (result.code, result.stderr) == (0, "")
    version, libraries, system = result.stdout.decode().splitlines()
    assert re.fullmatch(r"uvrelay \d+\.\d+\.\d+", version)
    assert re.fullmatch(r"libuv \d+\.\d+\.\d+, mux protocol 1", libraries)
    assert re.fullmatch(r"Windows (x86-64|x86|arm64), (msvcrt|UCRT), static, (gcc|clang) \d+\.\d+\.\d+", system)
    imported = uvrelay_exe().read_bytes().lower()
    assert ("UCRT" in system) == (b"msvcrt.dll" not in imported)


# ---- flags in Go's syntax ----


@pytest.mark.parametrize("flag", ["-ei", "--ei", "-ei=true", "--ei=true", "-ei=1", "-ei=t", "-ei=T", "-ei=TRUE",
                                  "-ei=True"])
def test_a_flag_that_is_set(flag):
    with PipeServer("recv-end") as server:
        result = run_relay(flag, server.name, stdin=b"hello")
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")
        server.finish()


@pytest.mark.parametrize("flags", [["-ei=false"], ["--ei=false"], ["-ei=0"], ["-ei=F"], ["-ei", "-ei=false"]])
def test_a_flag_that_is_not_set(flags):
    with PipeServer("recv=5", "sleep=700", "text=reply", "close") as server:
        result = run_relay(*flags, server.name, stdin=b"hello")
        assert (result.code, result.stdout, result.stderr) == (0, b"reply", "")
        server.finish()


@pytest.mark.parametrize("args", [["-ei", "--"], ["--impersonation", "identification", "-ei"],
                                  ["-impersonation=delegation", "-ei"], ["--timeout", "20", "-ei"],
                                  ["-timeout=20.5", "-ei", "-p"], ["-p", "-s", "-ep", "-ei", "-p=false"]])
def test_flags_together(args):
    with PipeServer("recv-end") as server:
        result = run_relay(*args, server.name, stdin=b"hello")
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")
        assert server.event("recv-end")["bytes"] == 5
        server.finish()


# ---- -v, unix:// ----


def test_v_tells_what_happens():
    with PipeServer("recv-end", "send=1234", "zero", "peek-gone") as server:
        result = run_relay("-v", "-s", server.name, stdin=b"hello")
        lines = result.stderr.splitlines()
        assert result.code == 0 and len(result.stdout) == 1234
        assert all(line.startswith("uvrelay: ") for line in lines), lines
        connecting = next(i for i, line in enumerate(lines) if "connecting" in line and server.name in line)
        connected = next(i for i, line in enumerate(lines) if "connected" in line and server.name in line)
        ends = [i for i, line in enumerate(lines) if "end of input" in line]
        assert connecting < connected < ends[0], lines
        assert any(re.search(r"\b5 bytes\b", lines[i]) for i in ends), lines
        assert any(re.search(r"\b1234 bytes\b", lines[i]) for i in ends), lines
        assert re.search(r"\b5 bytes sent\b.*\b1234 bytes received\b", lines[-1]), lines[-1]
        server.finish()


def test_v_tells_why_it_ended():
    with PipeServer("text=hello", "await", "close") as server, Relay("-v", server.name) as relay:
        relay.out.wait_count(5)
        server.go()
        assert relay.wait() == 0
        last = relay.stderr.splitlines()[-1]
        assert server.name in last and "ERROR_BROKEN_PIPE, 109" in last, last
        assert "hello" not in relay.stderr, "what is relayed does not belong on standard error"


def test_v_tells_when_a_reader_in_wsl_does_not_see_the_end():
    note = "in WSL its reader sees that only when this program exits"
    with PipeServer("text=hello", "zero", "recv-end") as server, Relay("-v", server.name) as relay:
        relay.wait_stderr("uvrelay: standard output is closed; " + note)
        relay.close_stdin()
        assert relay.wait() == 0
    with PipeServer("text=hello", "zero", "recv-end") as server, Relay("-v", "-ep", server.name) as relay:
        assert relay.wait() == 0 and note not in relay.stderr


def test_v_tells_of_retries_without_repeating_itself():
    result = run_relay("-v", "-p", "--timeout=1.5", unique_pipe())
    assert result.code == 1
    assert "ERROR_FILE_NOT_FOUND, 2" in result.stderr
    assert len(result.stderr.splitlines()) < 8, result.stderr


def test_without_v_nothing_is_said():
    with PipeServer("recv-end", "text=x", "zero", "peek-gone") as server:
        assert run_relay("-s", server.name, stdin=b"hello").stderr == ""


@pytest.mark.parametrize("target", ["unix:///tmp/x.sock", "unix:///C:/x.sock"])
def test_unix_sockets_are_refused_clearly(target):
    result = run_relay(target)
    sentence = error_sentence(result.stderr)
    assert target in sentence and "Windows" in sentence
    assert result.code in (1, 2) and result.stdout == b""


# ---- the old name ----


@pytest.fixture
def npiperelay(tmp_path):
    copy = tmp_path / "npiperelay.exe"
    shutil.copy(uvrelay_exe(), copy)
    return copy


def test_the_old_name_relays(npiperelay):
    with PipeServer("recv-end", "text=reply", "zero", "peek-gone") as server:
        result = run_relay("-ep", "-s", server.name, stdin=b"hello", program=npiperelay)
        assert (result.code, result.stdout, result.stderr) == (0, b"reply", "")
        assert server.event("recv-end")["end"] == 0
        server.finish()


@pytest.mark.parametrize("args", [[], ["-zz", "//./pipe/x"], ["//./pipe/uvrelay-test-absent"], ["--version"],
                                  ["--help"], ["-ei=x", "//./pipe/x"]])
def test_the_old_name_behaves_the_same(npiperelay, args):
    new, old = run_relay(*args), run_relay(*args, program=npiperelay)
    assert (old.code, old.stdout, old.stderr) == (new.code, new.stdout, new.stderr)

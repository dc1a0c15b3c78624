"""Connecting to a pipe that is not there, is busy or denies access, with and without -p and --timeout."""

import re
import subprocess
import time

import pytest

from programs import SOON, Relay, error_sentence, run_relay, under_wine, unique_pipe
from winpeers import PipeServer

#: The longest pause between two attempts is 200 ms; only a fault makes it so long.
NEXT_ATTEMPT = SOON / 2


def attempts(stderr):
    """When CreateFileW was called on a pipe, in seconds, from Wine's trace."""
    return [float(time_) for time_ in re.findall(r"^(\d+\.\d+):\w+:trace:file:CreateFileW L\"[^\"]*pipe", stderr, re.M)]


# ---- absent ----


def test_absent():
    name = unique_pipe()
    result = run_relay(name)
    sentence = error_sentence(result.stderr)
    assert sentence.startswith(f"there is no pipe {name} (ERROR_FILE_NOT_FOUND, 2): ")
    assert "-p" in sentence, "no word of what to try"
    assert (result.code, result.stdout) == (1, b"")
    assert result.seconds < SOON


def test_absent_with_p_the_server_appears_later():
    name = unique_pipe()
    with Relay("-p", name) as relay:
        time.sleep(1)
        assert relay.running
        with PipeServer("recv=4", "text=well", "close", name=name) as server:
            relay.write(b"sent")
            connected = server.event("connected").time - server.event("listening").time
            assert connected < NEXT_ATTEMPT
            assert relay.wait() == 0
            assert (relay.stdout, relay.stderr) == (b"well", "")
            server.finish()


def test_absent_with_p_stays_for_more_than_a_few_seconds():
    with Relay("-p", unique_pipe()) as relay:
        time.sleep(2.5)
        assert relay.running, relay.stderr
        assert relay.processor_seconds() < 1, "waiting costs too much"


@pytest.mark.parametrize("seconds", ["1", "0.4"])
def test_absent_with_p_and_timeout(seconds):
    name = unique_pipe()
    result = run_relay("-p", f"--timeout={seconds}", name)
    sentence = error_sentence(result.stderr)
    assert name in sentence and "ERROR_FILE_NOT_FOUND, 2" in sentence and f"{seconds} s" in sentence
    assert "timeout" in sentence, "no word of what to try"
    assert result.code == 1
    assert float(seconds) <= result.seconds < float(seconds) + SOON


def test_timeout_ends_with_the_connection():
    """It is for connecting alone: what is connected stays as long as it likes."""
    with PipeServer("recv-end", "sleep=2500", "text=late", "close") as server:
        result = run_relay("--timeout=2", "-s", server.name, stdin=b"x")
        assert (result.code, result.stdout, result.stderr) == (0, b"late", "")
        server.finish()


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
def test_pauses_between_attempts():
    """10, 20, 40, 80, 160 ms, then 200 ms each time, seen from outside: none is shorter, however busy the machine, and
    if it is not, there are as many attempts as these pauses leave time for."""
    result = run_relay("-p", "--timeout=2.5", unique_pipe(), env={"WINEDEBUG": "+timestamp,+file"})
    times = attempts(result.stderr)
    pauses = [1000 * (b - a) for a, b in zip(times, times[1:])]
    expected = [10, 20, 40, 80, 160, *[200] * 11]
    assert 6 <= len(pauses) <= len(expected), pauses
    for pause, wanted in zip(pauses, expected):
        assert wanted - 5 <= pause, pauses


# ---- busy ----


def test_busy():
    with PipeServer("recv-end") as server, Relay(server.name):
        server.event("connected")
        result = run_relay(server.name)
        assert error_sentence(result.stderr) == (
            f"all instances of {server.name} are busy (ERROR_PIPE_BUSY, 231): add -p to wait for one")
        assert (result.code, result.stdout) == (1, b"")


def test_busy_with_p_the_instance_frees_up_later():
    with PipeServer("await", "disconnect", "next", "recv=4", "text=second", "close") as server:
        with Relay(server.name):
            server.event("connected")
            with Relay("-p", server.name) as second:
                second.write(b"mine")
                time.sleep(1)
                assert second.running and len(server.all("connected")) == 1
                server.go()
                free = server.event("listening", 2).time
                assert server.event("connected", 2).time - free < NEXT_ATTEMPT
                assert second.wait() == 0
                assert (second.stdout, second.stderr) == (b"second", "")
                server.finish()


def test_busy_with_p_and_timeout():
    with PipeServer("recv-end") as server, Relay(server.name):
        server.event("connected")
        result = run_relay("-p", "--timeout=1", server.name)
        sentence = error_sentence(result.stderr)
        assert server.name in sentence and "ERROR_PIPE_BUSY, 231" in sentence
        assert result.code == 1 and 1 <= result.seconds < SOON


def test_many_clients_take_turns():
    """Ten at once at a server with one instance that serves one after the other."""
    with PipeServer("recv-end", "text=answer", "flush", "disconnect", repeat=10) as server:
        relays = [Relay("-p", "-s", server.name, stdin=subprocess.DEVNULL) for _ in range(10)]
        try:
            for relay in relays:
                assert relay.wait(60) == 0, relay.stderr
                assert (relay.stdout, relay.stderr) == (b"answer", "")
        finally:
            for relay in relays:
                relay.kill()
        server.finish()


# ---- denied ----


# (In what order the rights are tried, and when that is given up, is tested in unit/win/test_npipe_one_way.c.)


@pytest.mark.skipif(under_wine(), reason="Wine does not enforce a pipe's list of rights")
@pytest.mark.parametrize("sd", ["D:(D;;GA;;;WD)", "D:(A;;GR;;;WD)", "D:(A;;GW;;;WD)"])
def test_denied_by_the_list_of_rights(sd):
    """Also where it grants one direction of a pipe that has two: no client could talk to its server."""
    with PipeServer("recv-end", sd=sd) as server:
        result = run_relay("-p", server.name)
        assert "was denied (ERROR_ACCESS_DENIED, 5): " in error_sentence(result.stderr)
        assert result.code == 1


@pytest.mark.skipif(under_wine(), reason="Wine does not enforce a pipe's list of rights")
@pytest.mark.parametrize("rights", ["0x100083", "0x12019b"])
def test_few_rights_are_enough(rights):
    """Reading, writing, attributes, waiting: what MySQL grants ordinary users; and all but making instances."""
    with PipeServer("echo=5", "close", sd=f"D:(A;;{rights};;;WD)") as server:
        with Relay(server.name) as relay:
            relay.write(b"hello")
            assert relay.wait() == 0 and relay.stdout == b"hello"


# ---- names ----


@pytest.mark.parametrize("form", [r"\\.\pipe\{}", "//./pipe/{}", "npipe:////./pipe/{}", "npipe:{}", "//./PIPE/{}",
                                  r"\\.\pipe/{}"])
def test_forms_of_a_name(form):
    with PipeServer("text=here", "close") as server:
        result = run_relay(form.format(server.short_name))
        assert (result.code, result.stdout, result.stderr) == (0, b"here", "")
        server.finish()


@pytest.mark.parametrize("name", ["grün-жук-鳥", "with spaces", "a.b-c_d+e%20", "x" * 200])
def test_unusual_names(name):
    pipe = f"{unique_pipe()}-{name}"
    with PipeServer("text=here", "close", name=pipe) as server:
        result = run_relay(pipe)
        assert (result.code, result.stdout, result.stderr) == (0, b"here", "")
        server.finish()


def test_an_absent_unusual_name_is_told_whole():
    name = unique_pipe() + "-grün-鳥"
    result = run_relay(name)
    assert name in error_sentence(result.stderr)
    assert result.code == 1


@pytest.mark.parametrize("address", ["", "foo", "//./pipe/", "//./pipe", r"\\.\pipe" + "\\", "npipe:", "npipe://",
                                     "//./mailslot/x", "//", "///pipe/x", "//./pipe/" + "x" * 300, "ftp://x", ":"])
def test_invalid_names(address):
    result = run_relay("-p", address, timeout=SOON)
    assert result.code == 2
    assert result.stdout == b""
    first = result.stderr.splitlines()[0]
    assert first.startswith("uvrelay: ")
    assert address[:20] in first, "the address is not told"


def test_another_computer():
    """No server is there; Wine has none at all. The name must be passed on and told in the refusal."""
    result = run_relay("//no-such-host.invalid/pipe/x", timeout=60)
    assert "//no-such-host.invalid/pipe/x" in error_sentence(result.stderr)
    assert result.code == 1


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
def test_the_name_on_another_computer():
    result = run_relay("npipe:////no-such-host.invalid/pipe/x", env={"WINEDEBUG": "+file"})
    assert r'CreateFileW L"\\\\no-such-host.invalid\\pipe\\x" GENERIC_READ GENERIC_WRITE' in result.stderr



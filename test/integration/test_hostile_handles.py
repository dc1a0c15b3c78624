"""Standard handles of Windows that are missing, or are none, in all combinations; what is opened later must not get their
place. One handle that is missing, of the one-shot program, is in test_stdio.py, too."""

import contextlib
import itertools

import pytest

import bytestream
from programs import SOON, unique_pipe, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer
from winserving import PipeClient, at_once

#: Standard input, output and error.
MISSING = list(itertools.product(("anonymous", "none"), ("anonymous", "none"), ("own", "none")))
WRONG = [(kind, kind, kind) for kind in ("invalid", "stale", "event")]


def start(kinds, *args, **options):
    return Parent(*args, stdin=kinds[0], stdout=kinds[1], options=[f"--stderr={kinds[2]}"], **options)


def program(*args):
    return [windows_path(uvrelay_exe()), *args]


def run(kinds, *args, text=None):
    """Runs the program with these handles to its end; gives its exit status, its output's length and its messages."""
    actions = [f"text={text}", "sleep=200", "close-in"] if text and kinds[0] == "anonymous" else []
    actions += ["recv-end"] if kinds[1] == "anonymous" else []
    with start(kinds, *actions, "wait=30000", program=program(*args)) as parent:
        code = parent.event("exit", timeout=3 * SOON)["code"]
        parent.finish()
        came = parent.all("recv-end")[0]["bytes"] if kinds[1] == "anonymous" else 0
        assert kinds[2] == "own" or parent.stderr == "", (kinds, parent.stderr)
        return code, came, parent.stderr


def each(check, *all_kinds):
    """A few at a time."""
    for first in range(0, len(all_kinds), 4):
        at_once(*[lambda kinds=kinds: check(kinds) for kinds in all_kinds[first:first + 4]])


def check_words(kinds):
    code, came, told = run(kinds, "--version")
    assert (code, came > 10) == ((0, True) if kinds[1] == "anonymous" else (1, False)), (kinds, told)
    assert code == 0 or kinds[2] != "own" or "standard output" in told


def check_relay(kinds):
    """The server gets the input and nothing else, whatever is said. Without an output, what it sends first is a failure
    that may end the relay before there is any input."""
    with PipeServer("try-send=100", "recv-end") as server:
        code, came, told = run(kinds, "-v", "-ei", server.name, text="hello")
        received = server.event("recv-end")["bytes"]
        sent = 5 if kinds[0] == "anonymous" else 0
        assert received == sent or (received == 0 and code == 1 and kinds[1] != "anonymous"), (kinds, code, told)
        assert came <= 100 and code in (0, 1), (kinds, told)
        assert kinds[2] != "own" or "connecting to" in told


def check_far_end(kinds):
    """It has no peer, and ends by itself."""
    code, came, told = run(kinds, "mux", "-v", text="uvrelay-mux/1\n")
    assert code in (0, 1) and came < 100, (kinds, told)


def check_serve(kinds):
    """A client gets its target's bytes, and the target its client's, and no message; also through a far end."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(PipeServer("recv=5", "send=7", "recv-end")) for _ in range(2)]
        fronts = [unique_pipe("front") for _ in range(2)]
        routes = [f"{front}?mode=message={via}{server.name}" for front, via, server in zip(fronts, ("", "via:"), servers)]
        parent = stack.enter_context(start(kinds, "await", program=program(
            "serve", "-v", "--via", f"'{windows_path(uvrelay_exe())}' mux -v", *routes)))
        for front, server in zip(fronts, servers):
            with PipeClient(front, "text=hello", "recv=7", "close", mode="message") as client:
                client.finish()
                assert client.event("recv")["sha256"] == bytestream.sha256(7)
            assert server.event("recv-end")["bytes"] == 0, kinds
        assert parent.running


def test_words():
    each(check_words, *MISSING, *WRONG)


def test_a_relay():
    each(check_relay, *MISSING, *WRONG)


def test_a_far_end():
    each(check_far_end, *MISSING[4:], *WRONG)


def test_serve():
    each(check_serve, ("none", "none", "none"), ("anonymous", "anonymous", "none"), ("none", "none", "own"), *WRONG)


def check_wrong_way(case):
    name, kinds = case
    with PipeServer("sleep=300", "close") as server:
        args = ["mux"] if name == "mux" else ["-ei", server.name]
        with Parent("wait=30000", stdin=kinds[0], stdout=kinds[1], program=program(*args)) as parent:
            assert parent.event("exit", timeout=2 * SOON)["code"] == 1
            direction = "writing" if kinds[0] == "wrong-way" else "reading"
            parent.wait_stderr(f"open only for {direction}")


def test_a_pipe_for_the_other_direction():
    """It is refused, and is no end."""
    each(check_wrong_way, *itertools.product(("mux", "relay"), (("wrong-way", "anonymous"), ("anonymous", "wrong-way"))))

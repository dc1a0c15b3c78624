"""What the far end inherits of `uvrelay.exe serve`, and what it leaves behind: nothing of serve's own."""

import os
import signal
import subprocess

from programs import SOON, Process, Relay, peer, unique_name, uvrelay_exe, windows_command, windows_path
from serving import wait_for
from via import alive, marked

ROUTE = "tcp://127.0.0.1:0=via:tcp://127.0.0.1:9"


def far_end():
    """One that leaves a process behind, which outlives it."""
    words = [windows_path(peer("descendants")), "leave", "100", windows_path(uvrelay_exe()), "mux"]
    return subprocess.list2cmdline(words)


def left_behind(mark):
    return [pid for pid, command in marked(mark) if "stay" in command.split()]


def end(mark):
    for pid, _ in marked(mark):
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def who_holds(action, ready):
    """Runs serve with a far end that leaves a process behind, and kills serve; gives what `descendants` says then."""
    mark = unique_name("mark") + "."
    command = windows_command(peer("descendants"), action, windows_path(uvrelay_exe()), "serve", "-v", "--eager",
                              "--via", far_end(), ROUTE)
    try:
        with Process(command, env={"UVRELAY_TEST_MARK": mark}) as watch:
            wait_for(lambda: "mux is ready" in ready(watch), "the far end")
            [serve] = [pid for pid, line in marked(mark) if line.split()[1:2] == ["serve"]]
            os.kill(serve, signal.SIGKILL)
            watch.popen.wait(SOON)
            assert left_behind(mark)
            watch.out.wait_count(1)
            wait_for(lambda: watch.stdout.endswith(b"body\r\n"), "the answer")
            return watch.stdout.split()[-1]
    finally:
        end(mark)


def test_the_log_ends_with_serve():
    """Its reader sees the end, though what the far end has left behind is still there."""
    assert who_holds("read", lambda watch: watch.stdout.decode()) == b"nobody"


def test_what_serve_has_inherited_is_not_passed_on():
    """A handle that serve was started with, and knows nothing of, is held by no process when serve has gone."""
    assert who_holds("watch", lambda watch: watch.stderr) == b"nobody"


def echoing(tmp_path, *words):
    """What a batch file as far end is given, by its log."""
    (tmp_path / "with blank & more.cmd").write_text('@echo off\r\necho [%1][%2][%3]>&2\r\n')
    (tmp_path / "cmd.exe").write_bytes(b"")  # a planted one
    line = subprocess.list2cmdline([windows_path(tmp_path / "with blank & more.cmd"), *words])
    with Relay("serve", "-v", "--eager", "--via", line, ROUTE, cwd=tmp_path) as serve:
        serve.wait_stderr("exited at once with status 0: [")
        return serve.stderr.partition("exited at once with status 0: [")[2].partition("; starting it again")[0]


def test_words_of_a_batch_file(tmp_path):
    """cmd.exe takes none of them for anything but a word."""
    assert echoing(tmp_path, "mux", "a&b", "c d^e!x!") == 'mux]["a&b"]["c d^e!x!"]'


def test_words_that_a_batch_file_cannot_have(tmp_path):
    (tmp_path / "far.bat").write_text("@exit 1\r\n")
    for word in ("100%", 'a\'"\'b'):
        command = f"'{windows_path(tmp_path / 'far.bat')}' mux {word}"
        with Relay("serve", "--via", command, ROUTE) as serve:
            assert serve.wait() == 1
            assert serve.stderr.startswith("uvrelay: cannot execute the program ") and "batch file" in serve.stderr

"""How the log looks: with times where they are asked for, with priorities in the journal, in colour on terminals, and
else plain. The journal is a socket that stands for it here, and systemd's own in e2e/test_journal.py."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import termios

import pytest

from programs import SOON, unique_name
from serving import PROGRAM, Serve, connect, ends, wait_for

pytestmark = pytest.mark.sanitized

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


def all_have_times(text):
    return text != "" and all(re.match(f"{TIME}uvrelay: |{TIME} *open|{TIME} *[0-9]", line) for line in text.splitlines())


@pytest.mark.parametrize("how", ["flag", "setting"])
def test_times(path, tmp_path, how):
    """In each line, those of the table, too; and behind them each line is what it is without them."""
    route = f"unix://{path}=unix:///nonexistent/target?name=agent"
    (tmp_path / "conf").write_text(f"timestamps=on\n{route}\n")
    with Serve(*(["--timestamps", route] if how == "flag" else [f"--config={tmp_path / 'conf'}"])) as serve:
        with connect(f"unix://{path}") as client:
            ends(client)
        serve.wait_match(rf"^{TIME}uvrelay: agent #1: closed after .* \(client: process \d+ of user \d+\)$")
        serve.send_signal(signal.SIGUSR1)
        serve.wait_match(rf"^{TIME} +0 +1 +1 +0 +0  agent: ")
        serve.stop()
    assert all_have_times(serve.stderr), serve.stderr


@pytest.mark.parametrize("args, in_file", [(["--timestamps"], True), (["--timestamps=off"], False), ([], True)])
def test_times_in_a_file(path, tmp_path, args, in_file):
    """Unless they are not wanted. What goes to standard error before all listen has them only if they are asked for."""
    log = tmp_path / "log"
    with Serve(*args, f"--log-file={log}", f"unix://{path}=unix:///nonexistent/target", wait=False) as serve:
        wait_for(lambda: log.exists() and log.read_text(), "a line")
        serve.stop()
    assert all_have_times(log.read_text()) == in_file
    with Serve(*args, f"--log-file={log}", f"unix://{path}=unix:///nonexistent/target", "abstract:a/b?perm=9=unix:/x",
               wait=False) as serve:
        serve.ended(2)
    [line] = [line for line in log.read_text().splitlines() if "perm" in line]
    assert bool(re.match(TIME, line)) == in_file
    assert bool(re.match(TIME, serve.stderr)) == ("--timestamps" in args)


def test_the_command_line_wins(path, tmp_path):
    (tmp_path / "conf").write_text(f"timestamps=yes\nunix://{path}=unix:///nonexistent/target\n")
    with Serve("--timestamps=off", f"--config={tmp_path / 'conf'}") as serve:
        serve.wait_match("^uvrelay: .*: listening$")


def test_a_wrong_value(tmp_path):
    (tmp_path / "conf").write_text("timestamps=sometimes\n")
    with Serve(f"--config={tmp_path / 'conf'}", wait=False) as serve:
        assert 'conf:1:1: bad value "sometimes" for timestamps: write true or false' in serve.ended(2)


def test_json_has_no_other_times(path):
    with Serve("--timestamps", "--json", f"unix://{path}=unix:///nonexistent/target") as serve:
        assert serve.wait_event("listening")["listen"] == f"unix://{path}"


def test_a_reload_does_not_change_it(config, path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve:
        assert "changes to timestamps need a restart" in config.reload("timestamps=on", f"unix://{path}={back.address}")
        assert not re.search(f"^{TIME}", serve.stderr, re.M)


def run(*args, **options):
    return subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, timeout=SOON, check=False, **options)


def test_the_relay_and_the_far_end():
    done = run("-v", "--timestamps", "unix:///nonexistent/s", capture_output=True, text=True)
    assert done.returncode == 1 and all_have_times(done.stderr) and done.stderr.count("\n") == 3
    done = run("--timestamps", "unix:///nonexistent/s", capture_output=True, text=True)
    assert re.fullmatch(f"{TIME}uvrelay: there is no socket .*\n", done.stderr)
    done = run("mux", "--timestamps", capture_output=True, text=True)
    assert done.stderr == "" or all_have_times(done.stderr)
    with subprocess.Popen([PROGRAM, "mux", "-v", "--timestamps"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as far_end:
        _, text = far_end.communicate(b"hello\n" * 10, SOON)
    assert all_have_times(text.decode())


# The journal.

@contextlib.contextmanager
def journal():
    """A socket that stands for it, and what is to be set for it."""
    ours, theirs = socket.socketpair()
    status = os.fstat(theirs.fileno())
    with ours, theirs:
        yield ours, theirs, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


@contextlib.contextmanager
def started(*args, **options):
    with subprocess.Popen([PROGRAM, *args], **options) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(ours, pattern):
    """What has come when the pattern is in it."""
    ours.settimeout(SOON)
    text = ""
    while not re.search(pattern, text):
        piece = ours.recv(65536)
        assert piece, f"{pattern} is not in {text}"
        text += piece.decode()
    return text


def read_all(ours, theirs):
    theirs.close()
    ours.settimeout(SOON)
    return b"".join(iter(lambda: ours.recv(65536), b"")).decode()


def test_priorities(path):
    """Of each line, those of a table, too, and none has a time or a colour."""
    with journal() as (ours, theirs, environment):
        with started("serve", "-v", "--timestamps", f"unix://{path}=unix:///nonexistent/t?name=agent",
                     stderr=theirs, env={**os.environ, "TERM": "xterm", **environment}) as serve:
            text = read_until(ours, "listening\n")
            with connect(f"unix://{path}") as client:
                ends(client)
            text += read_until(ours, "closed .*\n")
            serve.send_signal(signal.SIGUSR1)
            text += read_until(ours, " +0 +1 +1 .*\n")
            serve.terminate()
            serve.wait(SOON)
        lines = (text + read_all(ours, theirs)).splitlines()
    shapes = [r"<6>uvrelay: agent: \S+: listening", r"<6>uvrelay: agent #1: opened by .*", r"<3>uvrelay: agent #1: closed .*",
              r"<6> +open +total .*", r"<6> +0 +1 +1 .*", r"<5>uvrelay: stopping: 0 connections are open"]
    assert len(lines) == len(shapes), lines
    for line, shape in zip(lines, shapes):
        assert re.fullmatch(shape, line), line


def test_priorities_of_a_relay_and_of_wrong_usage():
    for args, expected in ((["unix:///nonexistent/t"], ["<3>"]), (["-v", "unix:///nonexistent/t"], ["<6>", "<6>", "<3>"]),
                           (["--bogus"], ["<3>", "<6>"]), (["serve", "--bogus"], ["<3>", "<5>"])):
        with journal() as (ours, theirs, environment):
            run(*args, stderr=theirs, env={**os.environ, **environment})
            assert [line[:3] for line in read_all(ours, theirs).splitlines()] == expected, args


@pytest.mark.parametrize("value", ["", ":", "0:0", "1", "{dev}", "{dev}:{ino}0", "{dev}:{ino}:1", " {dev}:{ino}", "x" * 10000])
def test_an_inherited_variable(value):
    """As in a child of a service, whose standard error is something else."""
    with journal() as (ours, theirs, _):
        status = os.fstat(theirs.fileno())
        run("unix:///nonexistent/t", stderr=theirs,
            env={**os.environ, "JOURNAL_STREAM": value.format(dev=status.st_dev, ino=status.st_ino)})
        assert read_all(ours, theirs).startswith("uvrelay: ")


def test_the_far_end_is_not_in_the_journal(path, tmp_path):
    """It has inherited the variable, and serve is who reads its standard error."""
    with journal() as (ours, theirs, environment):
        with started("serve", "--eager", f"--via={PROGRAM} mux --bogus", f"unix://{path}=via:unix:///none",
                     stderr=theirs, env={**os.environ, **environment}) as serve:
            lines = read_until(ours, "exited at once.*\n").splitlines()
            serve.terminate()
            serve.wait(SOON)
    assert lines[0].startswith('<5>uvrelay: far end: uvrelay: unknown flag "--bogus"'), lines
    assert re.match(r"<3>uvrelay: far end: .* exited at once with status 2", lines[-1]), lines


# Colours.

def shown(*args, **environment):
    """What is written to a terminal."""
    controller, terminal = pty.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    known = {name: value for name, value in os.environ.items() if name not in ("TERM", "NO_COLOR")}
    run(*args, stderr=terminal, stdout=subprocess.DEVNULL, env={**known, **environment})
    os.close(terminal)
    text = b""
    with contextlib.suppress(OSError), open(controller, "rb", buffering=0) as file:
        while piece := file.read(65536):
            text += piece
    return text.decode()


@pytest.mark.parametrize("args", [["unix:///nonexistent/t"], ["serve", f"abstract:{unique_name('a')}=unix:///x?owner=S-1"],
                                  ["mux", "--bogus"], ["--bogus"]])
def test_errors_are_red(args):
    text = shown(*args, TERM="xterm")
    red = text.splitlines()[0]
    assert re.fullmatch("\x1b\\[31muvrelay: [^\x1b]*\x1b\\[0m", red), text
    assert "\x1b" not in text.replace(red, "", 1)


@pytest.mark.parametrize("environment", [{}, {"TERM": ""}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_no_colours(environment):
    assert shown("unix:///nonexistent/t", **environment).startswith("uvrelay: ")


def test_no_color_that_is_empty():
    assert shown("unix:///nonexistent/t", TERM="xterm", NO_COLOR="").startswith("\x1b[31m")


def test_json_has_no_colours():
    [line] = shown("serve", "--json", "tcp://0.0.0.0:0=unix:///x", TERM="xterm").splitlines()
    assert json.loads(line)["event"] == "error"


def test_a_file_has_no_colours(tmp_path):
    text = shown("serve", f"--log-file={tmp_path / 'log'}", f"unix://{tmp_path}=unix:///x", TERM="xterm")
    assert text.startswith("\x1b[31m") and "\x1b" not in (tmp_path / "log").read_text() != ""

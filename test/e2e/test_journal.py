"""serve as a service of a real systemd, whose log goes to a real journald: each line has its priority, and no time or
colour of its own; and `systemctl status` shows how it is doing."""

import contextlib
import json
import pathlib

import pytest

from serving import wait_for
from users import as_root

UNIT = "[Service]\nType=notify\nExecStart=%h/.local/bin/uvrelay serve\n"
JOURNALD = "/usr/lib/systemd/systemd-journald"


@contextlib.contextmanager
def journald(machine):
    """Gives a function that reads the lines of uvrelay in the journal, each with its priority."""
    command = ["/bin/sh", "-c", f"mkdir -p /run/systemd/journal /run/log/journal && exec {JOURNALD}"]
    with open(machine.path / "journald.log", "wb") as log:
        process = machine.popen(command, root=True, login=False, stdout=log, stderr=log)

    def read():
        done = machine.run(["journalctl", "--directory=/run/log/journal", "--output=json", "--identifier=uvrelay"], root=True)
        assert done.code == 0, done
        entries = [json.loads(line) for line in done.out.splitlines()]
        assert {entry["_TRANSPORT"] for entry in entries} <= {"stdout"}
        return [(int(entry["PRIORITY"]), entry["MESSAGE"]) for entry in entries]

    try:
        wait_for((machine.root / "run/systemd/journal/stdout").exists, "the journal")
        yield read
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def systemd(make_machine):
    if not pathlib.Path(JOURNALD).exists():
        pytest.skip("there is no systemd-journald")
    machine = make_machine("[boot]\nsystemd=true\n")
    machine.install()
    machine.write("~/.config/systemd/user/uvrelay.service", UNIT)
    return machine


def start(machine, *lines):
    machine.write("~/.config/uvrelay/routes.conf", "\n".join(lines) + "\n")
    done = machine.run("systemctl --user daemon-reload && systemctl --user restart uvrelay")
    assert done.code == 0, done


def connect(machine):
    """A client that waits for the end of its connection."""
    code = "import os, socket; s = socket.socket(socket.AF_UNIX); s.connect(os.path.expanduser('~/front')); s.recv(1)"
    assert machine.run(["/usr/bin/python3", "-c", code]).code == 0


def check_a_start_that_fails(systemd, read):
    """Why is an error in the journal."""
    systemd.write("~/.config/uvrelay/routes.conf", "nonsense\n")
    assert systemd.run("systemctl --user daemon-reload && systemctl --user start uvrelay").code != 0
    [(level, line)] = wait_for(read, "an error")
    assert level == 3 and "routes.conf:1:1: \"nonsense\" is " in line


def check_priorities(systemd, read):
    """Those of text, although the file asks for times; and of JSON, whose lines stay objects."""
    before = len(read())
    start(systemd, "verbose=on", "timestamps=on", "unix://~/front=unix:///none?name=agent")
    connect(systemd)
    lines = wait_for(lambda: [line for line in read() if "closed" in line[1]] and read()[before:], "the end of a connection")
    assert lines[0] == (6, "uvrelay: agent: unix:///home/user/front=unix:///none: listening")
    assert lines[1][0] == 6 and lines[1][1].startswith("uvrelay: agent #1: opened by process ")
    assert lines[2][0] == 3 and lines[2][1].startswith("uvrelay: agent #1: closed after ")
    assert "(ENOENT)" in lines[2][1] and lines[2][1].endswith(" of user 1000)")
    assert systemd.run("systemctl --user stop uvrelay").code == 0
    wait_for(lambda: (5, "uvrelay: stopping: 0 connections are open") in read(), "the end")
    before = len(read())
    start(systemd, "json=on", "unix://~/front=unix:///none?name=agent")
    connect(systemd)
    lines = wait_for(lambda: read()[before + 1:] and read()[before:], "two events")
    assert [(level, json.loads(line)["event"]) for level, line in lines] == [(6, "listening"), (3, "closed")]


def check_the_status_line(systemd):
    start(systemd, "unix://~/front=unix:///none?absent=wait&timeout=off", "unix://~/other=unix:///none")

    def shows(line):
        shown = systemd.run(["systemctl", "--user", "status", "--no-pager", "uvrelay"]).out
        return f'Status: "{line}"' in shown

    assert shows("2 routes, 0 connections")
    code = ("import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(os.path.expanduser('~/front'));"
            "sys.stdin.read()")
    with systemd.popen(["/usr/bin/python3", "-c", code], stdin=-1) as client:
        wait_for(lambda: shows("2 routes, 1 connection"), "one connection")
        client.stdin.close()
        client.wait()
    wait_for(lambda: shows("2 routes, 0 connections"), "none")
    systemd.write("~/.config/uvrelay/routes.conf", "unix://~/front=unix:///none\n")
    assert systemd.run("uvrelay reload").code == 0
    wait_for(lambda: shows("1 route, 0 connections"), "one route")


@as_root
def test_as_a_service(systemd):
    """All in one machine, as it takes some seconds to start one."""
    with journald(systemd) as read:
        check_a_start_that_fails(systemd, read)
        check_priorities(systemd, read)
        check_the_status_line(systemd)

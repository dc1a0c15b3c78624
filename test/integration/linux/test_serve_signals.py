"""How uvrelay serve is stopped, asked how it is doing, and not disturbed: signals, its log's reader, systemd."""

import contextlib
import os
import re
import signal
import subprocess
import time

import pytest
from programs import SOON
from serving import (PROGRAM, NotifySocket, Serve, Target, ask, connect, ends, listens, receive_all, vanish,
                     wait_for)

pytestmark = pytest.mark.sanitized

STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


# The end.

@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_signal_drains(path, back, number, kind):
    listen = f"unix://{path}" if kind == "unix" else "tcp://127.0.0.1:0"
    with Serve("--drain=60", f"{listen}={back.address}") as serve:
        with serve.connect() as client:
            ask(client)
            serve.send_signal(number)
            wait_for(lambda: not can_connect(serve.listen()), "new clients are refused")
            assert not path.exists()
            time.sleep(0.5)
            ask(client, b"still there")
        text = serve.ended(0)
    assert "interrupted" not in text, text


def can_connect(address):
    try:
        connect(address).close()
    except OSError:
        return False
    return True


def test_nothing_is_open_and_the_end_is_at_once(path, back):
    with Serve("--drain=60", f"unix://{path}={back.address}", verbose=False) as serve:
        with serve_client(path) as client:
            ask(client)
        time.sleep(0.3)
        assert serve.stop() == ""


@pytest.mark.parametrize("drain, least", [("0.7", 0.6), ("0", 0)])
def test_the_drain_ends(path, back, drain, least):
    with Serve(f"--drain={drain}", f"unix://{path}={back.address}", verbose=False) as serve:
        with serve_client(path) as one, serve_client(path) as two:
            ask(one)
            ask(two)
            begin = time.monotonic()
            text = serve.stop()
            assert least <= time.monotonic() - begin < SOON
            ends(one)
            ends(two)
    assert "uvrelay: 2 connections were interrupted\n" in text, text


@pytest.mark.parametrize("first", STOPS)
@pytest.mark.parametrize("second", STOPS)
def test_a_second_signal_cuts_at_once(path, back, first, second):
    with Serve("--drain=60", f"unix://{path}={back.address}") as serve:
        with serve.connect() as client:
            ask(client)
            serve.send_signal(first)
            wait_for(lambda: not path.exists(), "the socket is gone")
            time.sleep(0.1)
            assert serve.running
            serve.send_signal(second)
            text = serve.ended(0)
            ends(client)
    assert "uvrelay: 1 connection was interrupted\n" in text, text


def test_clients_that_wait_for_their_turn_are_let_go(path, back):
    """At the maximum: they have not been accepted, so they are refused and nothing of them is kept."""
    with Serve("--drain=60", f"unix://{path}?max=1={back.address}") as serve:
        with serve.connect() as first, serve.connect() as second:
            ask(first)
            second.sendall(b"hello")
            time.sleep(0.3)
            serve.send_signal(signal.SIGTERM)
            ends(second)
            ask(first)
        serve.ended(0)
    assert back.total == 1


def test_a_signal_while_a_target_is_connected_to(path, tmp_path):
    """Its server has answered nothing as yet: such a connection can be cut, too."""
    with Target(0, receive_all) as silent:
        words = "-".join(["12345678"] * 4)
        (tmp_path / "file").write_text(f"!<socket >{silent.address.rpartition(':')[2]} s {words}\0")
        with Serve("--drain=0.5", f"unix://{path}=assuan://{tmp_path}/file") as serve:
            with serve.connect() as client:
                serve.wait_match("#1: opened")
                wait_for(lambda: silent.open, "the target is connected to")
                serve.stop()
                ends(client)


# How it is doing.

def row(text, route):
    """The numbers of a route's last line in the tables of a text, and what follows the route."""
    lines = re.findall(rf"^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+{re.escape(route)}(?:\s+(\S.*))?$", text, re.M)
    assert lines, f"no line of {route} in {text!r}"
    *numbers, error = lines[-1]
    return list(map(int, numbers)), error


def test_sigusr1_prints_a_table(path, back, tmp_path):
    routes = {f"unix://{path}": back.address, f"unix://{path}2": f"unix://{tmp_path}/none"}
    one, two = map("=".join, routes.items())
    with Serve(one, two, verbose=False) as serve:
        with serve_client(path) as open_, serve_client(path) as ended:
            ask(open_, b"12345")
            ask(ended, b"1234567")
            ended.close()
            with serve_client(f"{path}2") as failed:
                ends(failed)
            serve.wait_match("#1: there is no socket")
            time.sleep(0.3)
            before = len(serve.stderr)
            serve.send_signal(signal.SIGUSR1)
            serve.wait_match(rf"^ *0 +1 +1 +0 +0 +{re.escape(two)} .*\n")
            table = serve.stderr[before:]
            assert len(table.splitlines()) == 3, table
            for word in ("open", "total", "failed", "target", "client", "route", "error"):
                assert word in table.splitlines()[0].lower(), table
            assert row(table, one)[0] == [1, 2, 0, 12, 12] and row(table, one)[1] in ("", "-")
            numbers, error = row(table, two)
            assert numbers == [0, 1, 1, 0, 0] and "there is no socket" in error and "ENOENT" in error

            before = len(serve.stderr)
            serve.send_signal(signal.SIGUSR1)
            wait_for(lambda: serve.stderr.count("\n", before) >= 3, "a second table")
        time.sleep(0.2)


@pytest.mark.parametrize("option", [["--status=0.2"], ["-status", "0.2"], ["--status", "0.2"]])
def test_status_prints_it_again_and_again(path, back, option):
    route = f"unix://{path}={back.address}"
    with Serve(*option, route, verbose=False) as serve:
        serve.wait_match(rf"^ *0 +0 +0 +0 +0 +{re.escape(route)}", 3)
        with serve_client(path) as client:
            ask(client)
            serve.wait_match(rf"^ *1 +1 +0 +5 +5 +{re.escape(route)}", 2)
        serve.wait_match(rf"^ *0 +1 +0 +5 +5 +{re.escape(route)}", 2)


def test_status_comes_with_json(path, back):
    with Serve("--json", "--status=0.2", f"unix://{path}={back.address}", verbose=False) as serve:
        with serve_client(path) as client:
            ask(client)
            wait_for(lambda: [event for event in serve.events("status") if event["routes"][0]["open"] == 1], "open")
        wait_for(lambda: (tables := [event["routes"] for event in serve.events("status")]) and
                 (tables[-1][0]["total"], tables[-1][0]["open"]) == (1, 0), "it is closed")
        route, = serve.events("status")[-1]["routes"]
        assert not route.pop("error")
        assert route == {"listen": f"unix://{path}", "target": back.address, "open": 0, "total": 1, "failed": 0,
                         "to_target": 5, "to_client": 5}


def test_sigusr1_while_it_drains(path, back):
    route = f"unix://{path}={back.address}"
    with Serve("--drain=60", route, verbose=False) as serve:
        with serve_client(path) as client:
            ask(client)
            serve.send_signal(signal.SIGTERM)
            wait_for(lambda: not path.exists(), "it drains")
            serve.send_signal(signal.SIGUSR1)
            serve.wait_match(rf"^ *1 +1 +0 +5 +5 +{re.escape(route)}")
        serve.ended(0)


# What must not end it.

def test_sigpipe(path, back):
    with Serve(f"unix://{path}={back.address}") as serve:
        for _ in range(20):
            serve.send_signal(signal.SIGPIPE)
            client = serve.connect()
            client.sendall(b"x" * 100_000)
            vanish(client)
        with serve.connect() as client:
            ask(client)


def start_without_reader(path, back, kind, *args):
    """Gives the program, started so that what it writes to standard error goes nowhere, and what is to be closed."""
    read, write = os.pipe()
    command = [PROGRAM, "serve", "-v", *args, f"unix://{path}={back.address}"]
    if kind == "closed":
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write)
    os.close(write)
    if kind == "gone":
        os.close(read)
        read = None
    return process, read


@pytest.mark.parametrize("json_", [False, True])
@pytest.mark.parametrize("kind", ["closed", "gone", "unread"])
def test_nobody_reads_the_log(path, back, kind, json_):
    """More is logged than a pipe holds."""
    process, read = start_without_reader(path, back, kind, *(["--json"] if json_ else []))
    try:
        wait_for(lambda: listens(path), "it listens")
        for _ in range(600):
            with serve_client(path) as client:
                ask(client, b"hello")
        process.send_signal(signal.SIGUSR1)
        with serve_client(path) as client:
            ask(client, b"hello")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0
    finally:
        process.kill()
        process.wait()
        if read:
            os.close(read)
    assert not path.exists()


def test_standard_input_is_left_alone(path, back):
    """It may be a terminal or a pipe of somebody else's."""
    read, write = os.pipe()
    os.write(write, b"not for you")
    with Serve(f"unix://{path}={back.address}", stdin=read) as serve, serve.connect() as client:
        ask(client)
        assert os.get_blocking(read)
    assert os.read(read, 100) == b"not for you"
    os.close(read)
    os.close(write)


# systemd.

@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_notified(path, back, abstract):
    notify = NotifySocket(None if abstract else path.with_name("notify"))
    with contextlib.closing(notify):
        with Serve("--drain=60", f"unix://{path}={back.address}", wait=False, env=notify.environment) as serve:
            wait_for(lambda: "READY=1" in notify.lines(), "READY=1")
            assert path.is_socket()
            with serve.connect() as client:
                ask(client)
                assert "STOPPING=1" not in notify.lines()
                serve.send_signal(signal.SIGTERM)
                wait_for(lambda: "STOPPING=1" in notify.lines(), "STOPPING=1")
                assert serve.running
            serve.ended(0)


@pytest.mark.parametrize("name", ["", "relative", "/nonexistent/notify", "@" + "x" * 200, "/" + "x" * 200, "@",
                                  "vsock:2:1"])
def test_a_notify_socket_that_is_none(path, back, name):
    """It is as if there were none; it may be worth a line."""
    with Serve(f"unix://{path}={back.address}", wait=False, env={"NOTIFY_SOCKET": name}) as serve:
        with serve.connect() as client:
            ask(client)


def test_it_is_not_ready_when_a_route_is_wrong(path, back):
    notify = NotifySocket()
    with contextlib.closing(notify):
        with Serve(f"unix://{path}={back.address}", "unix:///nonexistent/s=unix:///t", wait=False,
                   env=notify.environment) as serve:
            serve.ended(1)
        assert notify.lines() == []


def serve_client(path):
    return connect(f"unix://{path}")

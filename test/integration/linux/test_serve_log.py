"""What uvrelay serve says of its routes and connections: nothing, lines with -v, objects with --json."""

import contextlib
import datetime
import json
import os
import re
import signal
import time

import pytest
from programs import SOON
from serving import EchoServer, Serve, Target, ask, connect, ends, listens, receive_exactly, vanish, wait_for


HIDDEN = "\u00ad\u200b\u200f\u202e\u2028\u2029\u2066\u2069\ufeff\U000e0041"


@pytest.mark.parametrize("json_too", [False, True])
def test_what_does_not_show_in_names_is_escaped(path, json_too):
    """Nor what changes how the names around it show."""
    front, target = f"unix://{path}{HIDDEN}", f"unix://{path}{HIDDEN}target"
    with Serve(*(["--json"] if json_too else []), f"{front}={target}") as serve:
        connect(front).close()
        serve.send_signal(signal.SIGUSR1)
        wait_for(lambda: "ENOENT" in serve.stderr and "last error" in serve.stderr or '"status"' in serve.stderr, "all")
        serve.stop()
        assert not set(HIDDEN) & set(serve.stderr), serve.stderr
        if json_too:
            assert {json.loads(line).get("listen", front) for line in serve.stderr.splitlines()} == {front}
        else:
            assert "\\xe2\\x80\\xae" in serve.stderr


def test_silence_is_what_success_sounds_like(path, back):
    with Serve(f"unix://{path}={back.address}", verbose=False) as serve:
        for _ in range(3):
            with connect(f"unix://{path}") as client:
                ask(client)
        with connect(f"unix://{path}") as client:
            ask(client)
            vanish(client)
        time.sleep(0.3)
        assert serve.stop() == ""


@pytest.mark.parametrize("size", [1000, 100_000, 50_000_000])
@pytest.mark.parametrize("listen", ["unix", "tcp"])
def test_a_client_that_leaves_answers_unread_is_no_failure(path, listen, size):
    """Its close resets the connection; that is its own affair, and no reason for a line."""
    def talk(connection):
        with contextlib.suppress(OSError):
            connection.sendall(b"x" * size)
            ends(connection)

    with Target(path.with_name("talker"), talk) as back, Serve(
            "--json", f"unix://{path}={back.address}" if listen == "unix" else f"tcp://127.0.0.1:0={back.address}"
            ) as serve:
        client = connect(serve.wait_event("listening")["listen"])
        receive_exactly(client, 1)
        time.sleep(0.3)
        vanish(client)
        assert serve.wait_event("closed")["reason"] == "gone"


def test_v_tells_the_story(path, back):
    route = f"unix://{path}={back.address}"
    with Serve("--linger=2.5", f"unix://{path}?max=7={back.address}?timeout=3") as serve:
        serve.wait_stderr("listening\n")
        assert serve.stderr == f"uvrelay: {route}: listening\n"
        with serve.connect() as client:
            ask(client, b"12345")
            opened = f"uvrelay: {route} #1: opened by process {os.getpid()} of user {os.geteuid()}"
            serve.wait_match("^" + re.escape(opened) + "$")
            time.sleep(0.3)
        serve.wait_closed(1)
        with serve.connect() as client:
            ask(client, b"1234567")
        serve.wait_closed(2)
    lines = serve.stderr.splitlines()
    assert [line.startswith(f"uvrelay: {route}") for line in lines[:5]] == [True] * 5
    number = [re.match(r"#(\d+): (opened|closed)", line.removeprefix(f"uvrelay: {route} "))[0] for line in lines[1:5]]
    assert number == ["#1: opened", "#1: closed", "#2: opened", "#2: closed"]
    durations = [int(found[1]) for found in serve.matches(r"closed after (\d+) ms: ")]
    assert 290 <= durations[0] < SOON * 1000
    ends = serve.matches(r"closed after \d+ ms: (\S.*); (\d+) bytes? to the target, (\d+) bytes? to the client \((.*)\)$")
    assert [(found[2], found[3]) for found in ends] == [("5", "5"), ("7", "7")]
    assert {found[4] for found in ends} == {f"client: process {os.getpid()} of user {os.geteuid()}"}


def test_each_reason_is_told(path, tmp_path):
    with EchoServer(tmp_path / "target") as back, Serve(
            f"unix://{path}?idle=0.3={back.address}", f"unix://{path}2=unix://{tmp_path}/none") as serve:
        with serve.connect(0) as client:
            ask(client)
            ends(client)
        with serve.connect(1) as client:
            ends(client)
        silent = serve.wait_match(r"front=\S* #1: closed .*$")[0]
        assert "; 5 bytes to the target, 5 bytes to the client (client: process " in silent and "silent for too long" in silent
        failed = serve.wait_match(r"front2=\S* #1: closed .*$")[0]
        assert "there is no socket" in failed and "ENOENT" in failed
        assert "; 0 bytes to the target, 0 bytes to the client (client: process " in failed


def test_without_v_a_failure_is_a_line(path):
    target = path.with_name("none")
    with Serve(f"unix://{path}=unix://{target}", verbose=False) as serve:
        for number in (1, 2):
            with connect(f"unix://{path}") as client:
                ends(client)
            serve.wait_match(f"^{re.escape(f'uvrelay: unix://{path}=unix://{target} #{number}: ')}there is no socket "
                             rf"{re.escape(f'unix://{target}')} \(ENOENT\).*$")
        assert serve.stop().count("\n") == 2


def test_what_clients_and_targets_choose_cannot_forge_a_line(path):
    """A path's control characters do not reach the log as they are."""
    target = path.with_name("no\nuvrelay: forged\x1b[31m")
    with Serve(f"unix://{path}=unix://{target}", wait=False, verbose=False) as serve:
        wait_for(lambda: not serve.running or listens(path), "it listens, or refuses")
        if serve.running:
            with connect(f"unix://{path}") as client:
                ends(client)
            serve.stop()
        else:
            serve.wait()
        assert "\nuvrelay: forged" not in serve.stderr and "\x1b" not in serve.stderr


# JSON

COMMON = {"time", "event"}


def check_event(event, name, route):
    assert event["event"] == name, event
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]), event
    then = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) < 60, event
    if route:
        listen, target = route
        assert (event["listen"], event["target"], event["route"]) == (listen, target, f"{listen}={target}"), event


def test_json_tells_the_story(path, back):
    route = f"unix://{path}", back.address
    none = f"unix://{path}2", f"unix://{path}-none"
    with Serve("--json", "=".join(route), "=".join(none)) as serve:
        for number, expected in enumerate((route, none)):
            check_event(serve.wait_event("listening", number + 1), "listening", expected)
        with connect(route[0]) as client:
            ask(client, b"12345")
            event = serve.wait_event("opened")
            check_event(event, "opened", route)
            assert (event["number"], event["peer_pid"], event["peer_uid"]) == (1, os.getpid(), os.geteuid())
            time.sleep(0.3)
        event = serve.wait_event("closed")
        check_event(event, "closed", route)
        assert event["reason"] in ("ended", "gone") and 290 <= event["duration_ms"] < SOON * 1000
        assert (event["number"], event["to_target"], event["to_client"]) == (1, 5, 5)
        assert event["text"]

        with connect(none[0]) as client:
            ends(client)
        event = serve.wait_event("closed", 2)
        check_event(event, "closed", none)
        assert (event["reason"], event["code"], event["to_target"], event["to_client"]) == ("failed", "ENOENT", 0, 0)
        assert "there is no socket" in event["text"]

        os.kill(serve.pid, 10)  # SIGUSR1
        event = serve.wait_event("status")
        check_event(event, "status", None)
        listed = {entry["listen"]: entry for entry in event["routes"]}
        assert {key: listed[route[0]][key] for key in ("target", "open", "total", "failed", "to_target", "to_client")} \
            == {"target": route[1], "open": 0, "total": 1, "failed": 0, "to_target": 5, "to_client": 5}
        assert not listed[route[0]]["error"] and "ENOENT" in str(listed[none[0]]["error"])
        assert listed[none[0]]["failed"] == 1
        serve.stop()
        for name in ("stopping", "stopped"):
            check_event(serve.events(name)[0], name, None)


def test_json_without_v_has_failures_alone(path, back):
    with Serve("--json", f"unix://{path}={back.address}", f"unix://{path}2=unix://{path}-none", verbose=False) as serve:
        with connect(f"unix://{path}") as client:
            ask(client)
        with connect(f"unix://{path}2") as client:
            ends(client)
        assert serve.wait_event("closed")["reason"] == "failed"
        serve.stop()
        assert not serve.events("opened") and len(serve.events("closed")) == 1


def test_json_tells_what_was_cut(path, back):
    with Serve("--json", "--drain=0.2", f"unix://{path}={back.address}") as serve, connect(f"unix://{path}") as client:
        ask(client)
        serve.stop()
        event = serve.events("closed")[0]
        assert event["reason"] == "stopped" and event["to_target"] == 5


@pytest.mark.parametrize("args, code", [
    (["nonsense"], 2), (["--nonsense"], 2), (["unix:///nonexistent/s=unix:///t"], 1),
    (["--config=/nonexistent/file"], 2), ([], 2)])
def test_json_tells_why_it_could_not_start(args, code):
    with Serve("--json", *args, wait=False, verbose=False) as serve:
        serve.ended(code)
    event, = serve.events()
    check_event(event, "error", None)
    assert event["text"]


def test_json_is_right_whatever_is_in_a_name(path):
    """Quotes, backslashes and what is not ASCII."""
    target = path.with_name('a "quoted" \\ näme \U0001f600')
    with Serve("--json", f"unix://{path}=unix://{target}") as serve:
        with connect(f"unix://{path}") as client:
            ends(client)
        event = serve.wait_event("closed")
        assert event["target"] == f"unix://{target}" and event["code"] == "ENOENT"


def test_pausing_is_told(path, back):
    with Serve(f"unix://{path}?max=2={back.address}", verbose=False) as serve:
        clients = [connect(f"unix://{path}") for _ in range(3)]
        for client in clients[:2]:
            ask(client)
        serve.wait_match(": paused: .*2")
        for client in clients:
            client.close()
        serve.wait_match(": accepting again")

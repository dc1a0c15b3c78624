"""docs/logging.schema.json and the program agree: each event that it has is seen here, with each member, and all that
is printed is as it says; so does docs/logging.md. What only Windows shows is in ../test_log_schema.py."""

import contextlib
import os
import re
import signal
import socket
import subprocess

import pytest

import logschema
from control import Home
from programs import SOON
from serving import PROGRAM, Serve, Target, ask, connect, ends, listener, wait_for
from users import OTHER
from via import Via, far_end

#: Not seen here, but in test_via_wsl.py, test_a_socket_file_of_windows_in_json, which needs a WSL; only in
#: unit/test_report.c, as no listener of Linux's fails for good; on Windows.
ELSEWHERE = {("note", None), ("failed", None), (None, "system")}


def fail(path):
    with connect(f"unix://{path}") as client:
        ends(client)


def connections(directory, back):
    """What happens to connections and routes: opened, closed, with a failure and a warning, refused, paused, resumed."""
    passed = listener(directory / "passed")
    with contextlib.closing(passed), Target(directory / "target", ends) as mute, Serve(
            "--json", f"unix://{directory}/one?max=1={back.address}?name=one", f"unix://{directory}/none=unix:///none/none",
            f"unix://{directory}/not?peer-uid={OTHER}={back.address}?name=not", f"fd://3={back.address}?name=passed",
            f"unix://{directory}/mute={mute.address}?name=mute&linger=0.1&eof=none",
            sockets=[passed]) as serve:
        with connect(f"unix://{directory}/one") as client:
            ask(client)
            serve.wait_event("paused")
        serve.wait_event("resumed")
        fail(directory / "none")
        fail(directory / "not")
        with connect(f"unix://{directory}/mute") as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            ends(client)
        wait_for(lambda: any("warning" in event for event in serve.events("closed")), "a warning")
        with connect(f"unix://{directory}/one") as client:
            socket.send_fds(client, [b"x"], [0])
            serve.wait_event("warning")
        passed.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: any("code" in event for event in serve.events("paused")), "a socket that does not listen")
        serve.send_signal(signal.SIGUSR1)
        serve.wait_event("status")
        serve.stop()
        return serve.stderr


def without_a_name(directory, back):
    """The same where routes have none."""
    none = "unix:///none/none"
    with Serve("--json", f"unix://{directory}/x={none}?name=x", f"unix://{directory}/u?peer-uid={OTHER}={none}",
               f"unix://{directory}/m?max=1={back.address}") as serve:
        for name in ("x", "u"):
            fail(directory / name)
        with connect(f"unix://{directory}/m") as client:
            ask(client)
            serve.wait_event("paused")
        serve.wait_event("resumed")
        serve.stop()
        return serve.stderr


def flood(directory, _):
    """More than is written: lines that are the same, and too many that are not."""
    count = 230
    routes = [f"unix://{directory}/{number}=unix:///none/{number}" for number in range(count)]
    with Serve("--json", *routes, verbose=False) as serve:
        for number in [0] * 20 + list(range(count)):
            fail(directory / str(number))
        serve.stop()
        return serve.stderr


def far_ends(directory, back):
    script = far_end(directory / "far", "sys.stderr.write('hello\\n')\nsys.stderr.flush()\nos.execv(MUX[0], MUX)")
    bad = far_end(directory / "bad", "sys.exit('no way')")
    text = ""
    with Via("--json", f"unix://{directory}/v=via:{back.address}?name=v", via=script) as serve:
        with connect(f"unix://{directory}/v") as client:
            ask(client)
        for name in ("far-end-started", "far-end-says", "far-end-ready"):
            serve.wait_event(name)
        serve.wait_event("closed")
        os.kill(serve.wait_event("far-end-started")["pid"], signal.SIGKILL)
        assert serve.wait_event("far-end-down")["needs_client"]
        serve.stop()
        text += serve.stderr
    with Via("--json", f"unix://{directory}/w=via:{back.address}?timeout=0.1", via=bad) as serve:
        for _ in range(5):
            fail(directory / "w")
        wait_for(lambda: len(serve.events("far-end-started")) > 1, "it is started again")
        serve.stop()
        return text + serve.stderr


def reloads(directory, back):
    """One that changes something, and one with an error; then the start has some."""
    file = directory / "routes"
    file.write_text(f"unix://{directory}/a={back.address}\n")
    home = Home(directory / "home")
    with home.serve("--json", f"--config={file}") as serve:
        file.write_text(f"drain=0\njson=off\nunix://{directory}/b={back.address}\n")
        home.reload()
        serve.wait_event("reloaded")
        file.write_text("nonsense\n")
        home.reload(code=1)
        serve.wait_event("error")
        with Serve("--json", f"unix://{directory}/b={back.address}", wait=False) as other:
            other.ended(1)
        with Serve("--json", "--allow-remote", "tcp://192.0.2.1:0=unix:///none", wait=False) as third:
            third.ended(1)
        serve.stop()
        return serve.stderr + other.stderr + third.stderr


SCENES = [connections, without_a_name, flood, far_ends, reloads]


def test_each_event_and_each_member(tmp_path, back):
    seen = set()
    for scene in SCENES:
        (tmp_path / scene.__name__).mkdir()
        for event in logschema.check_lines(scene(tmp_path / scene.__name__, back)):
            seen |= {(event["event"], member) for member in event}
    wanted = {(name, member) for name, members in logschema.events().items() for member in members}
    missing = {(name, member) for name, member in wanted - seen
               if (name, None) not in ELSEWHERE and (None, member) not in ELSEWHERE}
    # Where each line is limited alike, one shows it.
    limited = {(name, member) for name, member in missing if member in ("repeated", "repeated_ms")}
    assert len(limited) < len({pair for pair in wanted if pair[1].startswith("repeated")})
    assert not missing - limited, missing - limited
    assert not seen - wanted


def test_what_is_not_in_the_schema_fails():
    """The schema does not allow everything."""
    good = {"time": "2026-11-28T01:02:03.004Z", "event": "stopped", "cut": 0}
    logschema.check(good)
    for wrong in ({**good, "cut": -1}, {**good, "cut": "0"}, {**good, "more": 1}, {**good, "event": "other"}, {**good, "time": "now"},
                  {"time": good["time"], "event": "stopped"}, {}):
        with pytest.raises(AssertionError):
            logschema.check(wrong)


def test_the_other_commands(tmp_path, back):
    """status with all that it can have; the others are looked at where they are tested."""
    home, file = Home(tmp_path / "home"), tmp_path / "routes"
    bad = far_end(tmp_path / "bad", "sys.exit('no way')")
    file.write_text(f"unix://{tmp_path}/none=unix:///none?name=none\n"
                    f"unix://{tmp_path}/v=via:{back.address}?timeout=0.1\nvia={bad[0]}\n")
    seen = set()

    def members(value, before=""):
        for name, inner in value.items():
            seen.add(before + name)
            for one in inner if isinstance(inner, list) else [inner]:
                if isinstance(one, dict):
                    members(one, f"{before}{name}.")

    def look():
        [one] = home.status()  # which looks at the schema
        members(one)
        return one

    with home.serve(f"--config={file}"):
        look()
        fail(tmp_path / "none")
        fail(tmp_path / "v")
        wait_for(lambda: "error" in look()["far_end"] and "error" in look()["routes"][0], "all has failed")
    file.write_text(f"unix://{tmp_path}/v=via:{back.address}\nvia={PROGRAM} mux\n")
    with home.serve(f"--config={file}"), connect(f"unix://{tmp_path}/v") as client:
        ask(client)
        look()
    wanted = set()

    def of_schema(part, before=""):
        part = logschema.schema()["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for name, inner in part.get("properties", {}).items():
            wanted.add(before + name)
            of_schema(inner.get("items", inner), f"{before}{name}.")

    of_schema(logschema.schema()["$defs"]["status"])
    assert seen == wanted


def test_the_page():
    """docs/logging.md has a row for each event, with its members but those that all have."""
    text = logschema.SCHEMA.with_name("logging.md").read_text()
    rows = {name: set(re.findall(r"`(\w+)`", members)) for name, members in
            re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ?([^|]*?) ?\|$", text, re.MULTILINE)}
    everywhere = {"time", "event", "repeated", "repeated_ms"}
    route = {"route", "listen", "target", "name"}
    assert rows == {name: members - everywhere - (route if route <= members else set())
                    for name, members in logschema.events().items()}


def test_the_log_of_a_far_end_and_a_relay_is_text():
    for args in (["mux", "--json"], ["--json", "unix:///none"]):
        done = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=SOON, check=False, text=True)
        assert done.returncode == 2 and "--json" in done.stderr

"""Who owns a target: with owner=, uvrelay sends nothing to a socket or by a socket file of a user that is not named. As
root, the tests make other users' sockets; as anybody else, they ask for another owner than their own."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from programs import SOON, unique_name
from serving import PROGRAM, AssuanTarget, Serve, Target, ask, connect, echo, ends, refused
from users import OTHER, OTHER_NAME, OWN, OWN_NAME, as_root, told
from via import RawMux, Via

pytestmark = pytest.mark.sanitized

SQUATTER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1].replace("abstract:", "\\0", 1))
if not sys.argv[1].startswith("abstract:"):
    os.chmod(sys.argv[1], 0o777)
listener.listen(8)
print("listening", flush=True)
while True:
    client, _ = listener.accept()
    got = b""
    while piece := client.recv(1000):
        got += piece
    print("got", got, flush=True)
    client.close()
"""

#: Takes the name whenever it is free, for a moment, until its input ends. Then tells how many clients it had, and what
#: they sent.
TAKER = """
import os, select, socket, sys, threading, time
if len(sys.argv) > 2:
    os.setresuid(*[int(sys.argv[2])] * 3)
clients, got = 0, b""
while not select.select([sys.stdin], [], [], 0)[0]:
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind("\\0" + sys.argv[1].removeprefix("abstract:"))
        except OSError:
            continue
        listener.listen(8)
        listener.settimeout(0.01)
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            try:
                client, _ = listener.accept()
            except OSError:
                continue
            with client:
                clients += 1
                client.settimeout(5)
                try:
                    got += client.recv(100)
                    client.sendall(b"thanks")
                except OSError:
                    pass
print(clients, len(got))
"""


class Squatter:
    """Another user's server, which has taken a name. Tells what each client sends."""

    def __init__(self, where):
        self._process = subprocess.Popen(["setpriv", f"--reuid={OTHER}", "--clear-groups", "/usr/bin/python3", "-c",
                                          SQUATTER, str(where)], stdout=subprocess.PIPE, text=True)
        assert self.line() == "listening"

    def line(self):
        return self._process.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(params=["unix", "abstract"])
def squatted(request):
    """The address of a socket of another user's, and that server."""
    directory = pathlib.Path(f"/tmp/{unique_name('owner')}")
    directory.mkdir()
    directory.chmod(0o777)
    where = directory / "s" if request.param == "unix" else f"abstract:{unique_name('owner')}"
    try:
        with Squatter(where) as server:
            yield (f"unix://{where}" if request.param == "unix" else where), server
    finally:
        shutil.rmtree(directory)


def run(*args, data=b"secret"):
    done = subprocess.run([PROGRAM, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SOON)
    return done.returncode, done.stdout, done.stderr.decode()


def belongs(address, uid, list_):
    """The sentence about a wrong owner."""
    return (f"{address} belongs to {told(uid)}, but owner={list_} is required"
            + (f", where user is {told(OWN)}" if "user" in list_.split(",") else "")
            + ": nothing was sent to it")


@pytest.mark.parametrize("where", ["unix", "abstract"])
@pytest.mark.parametrize("list_", ["user", str(OWN), OWN_NAME, f"S-1-5-18,{OTHER},user", "any"])
def test_own(tmp_path, where, list_):
    where = tmp_path / "s" if where == "unix" else f"abstract:{unique_name('owner')}"
    with Target(where, echo) as target:
        assert run(f"--owner={list_}", target.address) == (0, b"secret", "")


def test_not_this_one(tmp_path):
    """-p waits for who is absent, not for another owner."""
    with Target(tmp_path / "s", echo) as target:
        code, out, text = run("-p", f"--owner={OTHER}", target.address)
        assert (code, out) == (1, b"")
        assert text == f"uvrelay: {belongs(target.address, OWN, str(OTHER))}\n"


@as_root
@pytest.mark.parametrize("list_", ["user", "root", "system,user", str(OWN)])
def test_squatted(squatted, list_):
    address, server = squatted
    code, out, text = run(f"--owner={list_}", address)
    assert (code, out, text) == (1, b"", f"uvrelay: {belongs(address, OTHER, list_)}\n")
    assert server.line() == "got b''"


@as_root
@pytest.mark.parametrize("list_", [str(OTHER), OTHER_NAME, f"user,{OTHER_NAME}", "any"])
def test_another_owner_that_is_named(squatted, list_):
    address, server = squatted
    assert run(f"--owner={list_}", address) == (0, b"", "")
    assert server.line() == "got b'secret'"


@as_root
@pytest.mark.parametrize("how", ["option", "flag", "config", "absent"])
def test_serve(squatted, path, back, how):
    """A client whose target is somebody else's is closed, and the listener and other routes stay."""
    address, server = squatted
    route = f"unix://{path}={address}"
    if how == "config":
        (path.parent / "routes").write_text(f"owner=user\n{route}\n")
    args = {"option": [f"{route}?owner=user"], "flag": ["--owner=user", route],
            "config": [f"--config={path.parent / 'routes'}"],
            "absent": [f"{route}?owner=user&absent=wait&timeout=off"]}[how]
    with Serve(*args, f"unix://{path}2={back.address}", verbose=False) as serve:
        with connect(f"unix://{path}") as client:
            ends(client, b"secret")
        assert server.line() == "got b''"
        line = serve.wait_match(r"^uvrelay: (.*) \(client: process \d+ of user \d+\)$")[1]
        assert line == f"unix://{path}={address} #1: {belongs(address, OTHER, 'user')}"
        with connect(f"unix://{path}2") as client:
            ask(client)


@as_root
def test_a_name_that_changes_hands(path):
    """The process that has the name when a client comes: another user gets connections, but not one byte over them."""
    name = f"abstract:{unique_name('owner')}"
    takers = [subprocess.Popen(["/usr/bin/python3", "-c", TAKER, name, *uid], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE) for uid in ([], [str(OTHER)])]
    thanked = closed = 0
    try:
        with Serve(f"unix://{path}={name}?owner=user&absent=wait", verbose=False):
            end = time.monotonic() + 5 * SOON
            while (thanked < 30 or closed < 30) and time.monotonic() < end:
                answer = b""
                with connect(f"unix://{path}") as client, contextlib.suppress(ConnectionError):
                    client.sendall(b"secret")
                    answer = client.recv(100)
                thanked, closed = thanked + (answer == b"thanks"), closed + (answer == b"")
    finally:
        (own_clients, own_bytes), (other_clients, other_bytes) = [
            map(int, taker.communicate(timeout=SOON)[0].split()) for taker in takers]
    assert other_clients > 0 and other_bytes == 0
    assert thanked >= 30 and closed >= 30 and own_bytes == 6 * own_clients


def test_an_option_goes_before_a_flag(path, back):
    with Serve(f"--owner={OTHER}", f"unix://{path}={back.address}?owner=user"), connect(f"unix://{path}") as client:
        ask(client)


@as_root
def test_via(squatted, path):
    """The far end is the one that asks, and the one whose user counts."""
    address, server = squatted
    with Via(f"unix://{path}=via:{address}?owner=user", f"unix://{path}2=via:{address}?owner={OTHER_NAME}") as serve:
        with connect(f"unix://{path}") as client:
            ends(client)
        assert server.line() == "got b''"
        assert serve.wait_closed().reason.startswith(f"failed: far end: {belongs(address, OTHER, 'user')}")
        with connect(f"unix://{path}2") as client:
            client.sendall(b"public")
        assert server.line() == "got b'public'"


def test_far_end(tmp_path):
    """What a near end may ask, and how it is answered."""
    with Target(tmp_path / "s", echo) as target, RawMux() as mux:
        address = target.address
        assert mux.refusal(f"{address}?owner={OTHER}") == ("EPERM", belongs(address, OWN, str(OTHER)))
        for asked, text in [(f"{address}?owner=system", "no user in owner=system can own "),
                            ("tcp://127.0.0.1:1?owner=user", "tcp://127.0.0.1:1 cannot have the option owner"),
                            (f"{address}?owner=user,,x", f"the address {address}: the option owner has the bad value ")]:
            code, sentence = mux.refusal(asked)
            assert code == "EINVAL" and sentence.startswith(text), sentence
        mux.connect(f"{address}?owner=user")


@pytest.mark.parametrize("cygwin", [False, True], ids=["libassuan", "cygwin"])
def test_socket_file(tmp_path, cygwin):
    """Of a socket file its own owner counts; no system tells who has its port."""
    with AssuanTarget(tmp_path / "S.agent", echo, cygwin) as target:
        assert run("--owner=user", target.address) == (0, b"secret", "")
        code, out, text = run(f"--owner={OTHER}", "-p", target.address)
        assert (code, out) == (1, b"")
        assert text == f"uvrelay: {belongs(tmp_path / 'S.agent', OWN, str(OTHER))}\n"
        if OWN == 0:
            os.chown(tmp_path / "S.agent", OTHER, OTHER)
            code, out, text = run("--owner=user", target.address)
            assert (code, out) == (1, b"") and text == f"uvrelay: {belongs(tmp_path / 'S.agent', OTHER, 'user')}\n"
            assert run("--owner=nobody", target.address)[:2] == (0, b"secret")


@pytest.mark.parametrize("args, text", [
    (["--owner=user", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1 cannot have the option owner=user, because the owner of a TCP"),
    (["--owner=system", "unix:///x"], "no user in owner=system can own unix:///x: write user, root"),
    (["--owner=user,uvrelay-none", "unix:///x"], "the user uvrelay-none is not in /etc/passwd: write the user's number"),
    (["--owner=S-1-5-", "unix:///x"], 'bad value "S-1-5-" for --owner: write users'),
])
def test_refused(args, text):
    code, out, said = run(*args)
    assert (code, out) == (2, b"") and said.startswith(f"uvrelay: {text}"), said
    if "bad value" not in text:
        assert refused(args[0], f"unix:///tmp/none={args[1]}", code=2).startswith(text)


def test_refused_with_its_place(tmp_path, path):
    (tmp_path / "c").write_text(f"owner=user\nunix://{path}=tcp://127.0.0.1:1\n")
    assert re.match(rf"{tmp_path}/c:2:1: tcp://127.0.0.1:1 cannot have the option owner=user",
                    refused(f"--config={tmp_path / 'c'}", code=2))
    assert not path.exists()


def test_a_port_beside_others(path, tmp_path, back):
    """owner=any takes a route out of what holds for all."""
    with Target(0, echo) as target, Serve("--owner=user", f"unix://{path}={target.address}?owner=any",
                                          f"unix://{path}2={back.address}"):
        for where in (f"unix://{path}", f"unix://{path}2"):
            with connect(where) as client:
                ask(client)

"""Abstract Unix sockets: as what uvrelay serve listens on, as its target, and as the target of the program alone. They
have no file, so who may connect is the listener's to say."""

import signal
import socket
import subprocess

import pytest
from programs import SOON, unique_name
from serving import PROGRAM, Serve, Target, ask, connect, echo, ends, listener, receive_all, refused, swap, wait_for
from users import OTHER, as_root, ask_as

import bytestream

pytestmark = pytest.mark.sanitized


@pytest.fixture
def name():
    return f"abstract:{unique_name('abstract')}"


def test_listener(name, back):
    with Serve(f"{name}={back.address}") as serve:
        assert serve.listen() == name
        with connect(name) as client:
            ask(client)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b""


def test_target(name, path):
    with Target(name, echo) as target, Serve(f"unix://{path}={name}"), connect(f"unix://{path}") as client:
        assert swap(client, 3_000_000, 7) == bytestream.sha256(3_000_000, 7)
        target.wait()


def test_target_of_the_program(name):
    with Target(name, echo):
        done = subprocess.run([PROGRAM, name], input=b"hello", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SOON)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


def test_absent_target(name):
    done = subprocess.run([PROGRAM, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SOON)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"uvrelay: nothing is listening on {name} (ECONNREFUSED)")


def test_the_program_waits_for_it(name):
    process = subprocess.Popen([PROGRAM, "-v", "-p", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        assert b"connecting to" in process.stderr.readline()
        assert b"trying again" in process.stderr.readline()
        with Target(name, echo):
            assert process.communicate(b"late", timeout=SOON)[0] == b"late"
    finally:
        process.kill()
        process.wait()


def test_somebody_listens_there(name, back):
    with listener(name):
        assert "another program is listening there" in refused(f"{name}={back.address}", code=1)


def test_a_full_backlog_is_waited_for(name, path):
    """The kernel says EAGAIN to who connects to a socket that has as many clients waiting as it may have."""
    with listener(name, backlog=0) as target, connect(name), Serve(f"unix://{path}={name}?timeout=20"):
        with connect(f"unix://{path}") as client:
            client.sendall(b"hello")
            accepted = [target.accept()[0]]
            target.settimeout(SOON)
            accepted.append(target.accept()[0])
            assert accepted[1].recv(100) == b"hello"
            for one in accepted:
                one.close()
            ends(client)


@as_root
def test_other_users_are_refused_and_told_of(name, back):
    with Serve(f"{name}={back.address}") as serve:
        assert ask_as(OTHER, name)[1] == ""
        with connect(name) as client: # and it goes on
            ask(client)
        serve.send_signal(signal.SIGUSR1)
        serve.wait_match(rf"process \d+ of user {OTHER}, was refused: only user 0 may connect, unless perm=0666 is set")
        serve.wait_match(r"^ +\d+ +2 +1 ")


@as_root
def test_a_crowd_of_others_does_not_keep_the_own_user_out(name, back):
    with Serve(f"{name}={back.address}"):
        script = ("import socket, sys\nfor _ in range(2000):\n    s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
                  "    s.connect('\\0' + sys.argv[1]); s.close()")
        crowd = subprocess.Popen(["setpriv", f"--reuid={OTHER}", "--clear-groups", "/usr/bin/python3", "-c", script,
                                  name.removeprefix("abstract:")])
        try:
            with connect(name) as client:
                ask(client)
        finally:
            assert crowd.wait(SOON) == 0


@as_root
def test_everybody_may_connect_if_that_is_said(name, back):
    with Serve(f"{name}?perm=0666={back.address}"):
        assert ask_as(OTHER, name)[1] == "hello"


@pytest.mark.parametrize("option, given", [("?perm=0640", ()), ("?perm=0777", ()), ("", ("--perm=0660",))])
def test_other_permissions_mean_nothing(name, back, option, given):
    line = refused(*given, f"{name}{option}={back.address}", code=1)
    assert "it has no file, so write perm=0600" in line and "perm=0666" in line


def test_nothing_is_left(name, back):
    with Serve(f"{name}={back.address}") as serve:
        with connect(name) as client:
            ask(client)
        serve.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        connect(name)
    with Serve(f"{name}={back.address}"), connect(name) as client: # the name is free
        ask(client)
    wait_for(lambda: name.removeprefix("abstract:") not in open("/proc/net/unix").read(), "the socket's end")


def test_it_would_be_its_own_target(name):
    assert refused(f"{name}={name}", code=2) == f"{name} would be its own target"

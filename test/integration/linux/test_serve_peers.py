"""Who a client of a Unix socket is: the log tells its process and user, and peer-uid= says which users may connect, to
a socket with a file, an abstract one, and one that systemd passes on. Other users are closed at once, counted, and
reported. As root, the tests connect as other users; as anybody else, they let only somebody else connect."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
from programs import SOON, unique_name
from serving import Serve, ask, connect, ends, listener, refused
from users import OTHER, OTHER_NAME, OWN, OWN_NAME, as_root, ask_as, told

pytestmark = pytest.mark.sanitized


@pytest.fixture(params=["unix", "abstract", "fd"])
def place(request):
    """What precedes the options of a route, where its clients connect to, and what `serve` needs besides."""
    directory = f"/tmp/{unique_name('peers')}"
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    path, name = f"{directory}/s", f"abstract:{unique_name('peers')}"
    passed = listener(path, backlog=4096) if request.param == "fd" else None
    try:
        if passed:
            os.chmod(path, 0o666)
        yield {"unix": (f"unix://{path}", path, {}), "abstract": (name, name, {}),
               "fd": ("fd://3", path, {"sockets": [passed]})}[request.param]
    finally:
        if passed:
            passed.close()
        shutil.rmtree(directory)


def options_of(listen, *more):
    return "&".join([*(["perm=0666"] if not listen.startswith("fd:") else []), *more])


def connect_to(where):
    return connect(where if where.startswith("abstract:") else f"unix://{where}")


@pytest.mark.parametrize("verbose_json", [False, True], ids=["text", "json"])
def test_the_log_tells_who(place, back, verbose_json):
    listen, where, more = place
    with Serve(*(["--json"] if verbose_json else []), f"{listen}={back.address}", **more) as serve:
        with connect_to(where) as client:
            ask(client)
            if verbose_json:
                event = serve.wait_event("opened")
                assert (event["peer_pid"], event["peer_uid"]) == (os.getpid(), OWN)
            else:
                serve.wait_match(rf"^uvrelay: \S+ #1: opened by process {os.getpid()} of user {OWN}$")
        if verbose_json:
            event = serve.wait_event("closed")
            assert (event["peer_pid"], event["peer_uid"]) == (os.getpid(), OWN)
        else:
            serve.wait_match(rf"^uvrelay: \S+ #1: closed .* \(client: process {os.getpid()} of user {OWN}\)$")


def test_tcp_tells_nothing(back):
    with Serve(f"tcp://127.0.0.1:0={back.address}") as serve, serve.connect() as client:
        ask(client)
        serve.wait_match(r" #1: opened$")


@pytest.mark.parametrize("list_", ["user", str(OWN), OWN_NAME, f"{OTHER},S-1-5-18,user", "any"])
@pytest.mark.parametrize("how", ["option", "flag"])
def test_own_user(place, back, list_, how):
    listen, where, more = place
    route = f"{listen}?peer-uid={list_}={back.address}" if how == "option" else f"{listen}={back.address}"
    with Serve(*([f"--peer-uid={list_}"] if how == "flag" else []), route, **more):
        with connect_to(where) as client:
            ask(client)


@pytest.mark.parametrize("verbose", [False, True], ids=["quiet", "verbose"])
def test_not_own_user(place, back, verbose):
    """Told of without -v, too, and counted as failed."""
    listen, where, more = place
    with Serve(f"{listen}?peer-uid={OTHER}={back.address}", verbose=verbose, **more) as serve:
        with connect_to(where) as client:
            ends(client)
        serve.wait_match(rf"^uvrelay: {listen}={back.address} #1: a client of {listen}, process {os.getpid()} of "
                         rf"{re.escape(told(OWN))}, was refused: only peer-uid={OTHER} may connect$")
        serve.send_signal(signal.SIGUSR1)
        serve.wait_match(r"^ +0 +1 +1 +0 +0 ")


def test_not_own_user_in_json(place, back):
    listen, where, more = place
    with Serve("--json", f"{listen}?peer-uid={OTHER}={back.address}", verbose=False, **more) as serve:
        with connect_to(where) as client:
            ends(client)
        event = serve.wait_event("refused")
        assert (event["number"], event["peer_pid"], event["peer_uid"], event["code"]) == (1, os.getpid(), OWN, "EACCES")
        assert event["listen"] == listen and f"only peer-uid={OTHER} may connect" in event["text"]


@as_root
@pytest.mark.parametrize("list_, admitted", [("user", False), (str(OTHER), True), (OTHER_NAME, True), ("root", False),
                                             (f"root,{OTHER_NAME}", True), ("1,2,3", False)])
def test_another_user(place, back, list_, admitted):
    listen, where, more = place
    with Serve(f"{listen}?{options_of(listen, f'peer-uid={list_}')}={back.address}", **more) as serve:
        pid, got = ask_as(OTHER, where)
        assert got == ("hello" if admitted else "")
        if admitted:
            serve.wait_match(rf"#1: opened by process {pid} of user {OTHER}$")
        else:
            serve.wait_match(rf"#1: a client of \S+, process {pid} of {re.escape(told(OTHER))}, was refused: "
                             rf"only peer-uid={list_} may connect$")
        if "root" in list_:
            with connect_to(where) as client:  # and it goes on
                ask(client)


@as_root
def test_the_effective_user_counts(place, back):
    """Of the client's process, as of uvrelay's own."""
    listen, where, more = place
    with Serve(f"{listen}?{options_of(listen, f'peer-uid={OTHER}')}={back.address}", **more):
        assert ask_as(OTHER, where, f"--euid={OTHER}", f"--ruid={OWN}")[1] == "hello"
        assert ask_as(OTHER, where, f"--euid={OWN}", f"--ruid={OTHER}")[1] == ""


@as_root
def test_it_goes_before_the_rule_of_abstract_sockets(back):
    """Which without it admits the own user only."""
    name = f"abstract:{unique_name('peers')}"
    with Serve(f"{name}?peer-uid={OTHER_NAME}={back.address}"):
        assert ask_as(OTHER, name)[1] == "hello"
        with connect(name) as client:
            ends(client)
    with Serve(f"{name}?peer-uid=any={back.address}") as serve:
        assert ask_as(OTHER, name)[1] == ""
        serve.wait_match("only user 0 may connect, unless perm=0666 is set$")


@as_root
def test_a_crowd_of_others_does_not_keep_the_own_user_out(place, back):
    listen, where, more = place
    crowd = ("import socket, sys\nfor _ in range(2000):\n    s = socket.socket(socket.AF_UNIX)\n"
             "    s.connect(sys.argv[1].replace('abstract:', '\\0', 1)); s.close()")
    with Serve(f"{listen}?{options_of(listen, 'peer-uid=user')}={back.address}", verbose=False, **more) as serve:
        others = subprocess.Popen(["setpriv", f"--reuid={OTHER}", "--clear-groups", "/usr/bin/python3", "-c", crowd, where])
        try:
            with connect_to(where) as client:
                ask(client)
        finally:
            assert others.wait(SOON) == 0
        with connect_to(where) as client:
            ask(client)
        assert serve.stop().count("\n") < 50  # the log has its limits


def test_through_a_far_end(path, back):
    """The near end is the one that accepts and asks."""
    from via import Via

    with Via(f"unix://{path}?peer-uid={OTHER}=via:{back.address}", f"unix://{path}2?peer-uid=user=via:{back.address}"):
        with connect(f"unix://{path}") as client:
            ends(client)
        with connect(f"unix://{path}2") as client:
            ask(client)


@pytest.mark.parametrize("args, text", [
    (["tcp://127.0.0.1:0?peer-uid=user"], "tcp://127.0.0.1:0 cannot have the option peer-uid, which is allowed only for listeners on Unix"),
    (["--peer-uid=user", "tcp://127.0.0.1:0"], "tcp://127.0.0.1:0 cannot have the option peer-uid=user, because the users of clients are known "),
    (["--peer-uid=user,uvrelay-none", "unix:///tmp/none"], "the user uvrelay-none is not in /etc/passwd: write the user's number"),
    (["--peer-uid=system", "unix:///tmp/none"], 'the option peer-uid has the bad value "system": write users'),
    (["unix:///tmp/none?peer-uid=user&peer-uid=root"], "the option peer-uid of unix:///tmp/none is given twice"),
])
def test_refused(args, text):
    assert refused(*args[:-1], f"{args[-1]}=tcp://127.0.0.1:1", code=2).startswith(text)


def test_a_passed_port(back):
    with socket.create_server(("127.0.0.1", 0)) as passed:
        line = refused(f"fd://3?peer-uid=user={back.address}", code=2, sockets=[passed])
    assert line == "fd://3 cannot have the option peer-uid: it is a TCP socket, whose clients' users are not known"


def test_a_port_beside_others(path, back):
    """peer-uid=any takes a listener out of what holds for all."""
    with Serve("--peer-uid=user", f"unix://{path}={back.address}", f"tcp://127.0.0.1:0?peer-uid=any={back.address}") as serve:
        for number in range(2):
            with serve.connect(number) as client:
                ask(client)

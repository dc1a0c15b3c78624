"""The sockets that uvrelay serve listens on: their permissions, what is in their place, what is left behind, and what
is refused. The message of each refusal is looked at, and what it has left: nothing."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest
from assuanpeer import refused_port
from programs import SOON, Process
from serving import PROGRAM, SANITIZED, Serve, ask, connect, ends, listener, refused, wait_for

NOWHERE = "unix:///nonexistent/target"


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# Permissions.

@pytest.mark.parametrize("query, umask, expected", [
    ("", 0o022, 0o600),
    ("", 0, 0o600),
    ("", 0o777, 0o600),
    ("?perm=0666", 0o077, 0o666),
    ("?perm=0666", 0, 0o666),
    ("?perm=660", 0o022, 0o660),
    ("?perm=0777", 0o777, 0o777),
    ("?perm=0200", 0, 0o200),
])
def test_the_socket_has_the_permissions_that_are_wanted(path, back, query, umask, expected):
    with Serve(f"unix://{path}{query}={back.address}", umask=umask):
        assert mode(path) == expected
        with connect(f"unix://{path}") as client:
            ask(client)


def test_the_permissions_are_those_of_all_routes_unless_one_says_otherwise(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    with Serve("--perm=0660", f"unix://{one}={NOWHERE}", f"unix://{two}?perm=0644={NOWHERE}", umask=0o077):
        assert (mode(one), mode(two)) == (0o660, 0o644)


@pytest.mark.parametrize("query, allowed", [("", 0o600), ("?perm=0640", 0o640)])
def test_the_permissions_are_never_wider_not_for_an_instant(tmp_path, query, allowed):
    """Every file that is ever in the sockets' directory is looked at, again and again, while many sockets are made."""
    directory, seen, over = tmp_path / "sockets", {}, threading.Event()
    directory.mkdir()

    def watch():
        while not over.is_set():
            with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        found = stat.S_IMODE(os.lstat(entry.path).st_mode)
                        seen[found] = entry.path

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(2 if SANITIZED else 8):
            with Serve(*(f"unix://{directory}/{number}{query}={NOWHERE}" for number in range(100)), umask=0):
                pass
    finally:
        over.set()
        watcher.join()
    assert allowed in seen
    assert not [(oct(found), place) for found, place in seen.items() if found & ~allowed]


# What is in the socket's place.

def test_a_stale_socket_is_replaced(path, back):
    listener(path).close()
    path.chmod(0o777)
    with Serve(f"unix://{path}={back.address}") as serve, serve.connect() as client:
        ask(client)
        assert mode(path) == 0o600
    assert not path.exists()


def test_what_was_killed_leaves_a_socket_that_is_replaced(path, back):
    with Serve(f"unix://{path}={back.address}") as serve:
        serve.kill()
    assert path.is_socket()
    with Serve(f"unix://{path}={back.address}") as serve, serve.connect() as client:
        ask(client)


def check_in_use(path):
    before = os.lstat(path)[:7]  # without its times: connecting to it changes one
    sentence = refused(f"unix://{path}={NOWHERE}", code=1)
    assert str(path) in sentence and "another program is listening" in sentence and "EADDRINUSE" in sentence, sentence
    assert os.lstat(path)[:7] == before


def test_a_live_socket_is_refused_and_lives_on(path, back):
    with Serve(f"unix://{path}={back.address}") as first:
        check_in_use(path)
        with first.connect() as client:
            ask(client)
    assert not path.exists()


def test_a_live_socket_that_takes_no_more_clients_is_live_too(path):
    with listener(path, backlog=0), contextlib.ExitStack() as waiting:
        with pytest.raises(BlockingIOError):
            while True:
                client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(path))
        check_in_use(path)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_live_socket_of_another_type_is_not_replaced(path, kind):
    with socket.socket(socket.AF_UNIX, kind) as other:
        other.bind(str(path))
        if kind == socket.SOCK_SEQPACKET:
            other.listen()
        before = os.lstat(path)[:7]  # without its times: connecting to it changes one
        assert str(path) in refused(f"unix://{path}={NOWHERE}", code=1)
        assert os.lstat(path)[:7] == before


def make_link_to_a_stale_socket(path):
    listener(path.with_name("stale")).close()
    path.symlink_to("stale")


def make_link_to_a_file(path):
    path.with_name("file").write_bytes(b"precious")
    path.symlink_to("file")


@pytest.mark.parametrize("make", [
    lambda path: path.write_bytes(b"precious"),
    lambda path: path.write_bytes(b""),
    lambda path: path.mkdir(),
    lambda path: os.mkfifo(path),
    make_link_to_a_file,
    make_link_to_a_stale_socket,
    lambda path: path.symlink_to("nothing"),
    lambda path: path.symlink_to("."),
], ids=["file", "empty-file", "directory", "fifo", "link-to-file", "link-to-stale-socket", "dangling-link",
        "link-to-directory"])
def test_what_is_no_socket_is_never_touched(path, make):
    make(path)
    before = {entry.name: os.lstat(entry.path) for entry in os.scandir(path.parent)}
    sentence = refused(f"unix://{path}={NOWHERE}", code=1)
    assert str(path) in sentence and re.search("not a socket|no socket|is a directory", sentence), sentence
    assert {entry.name: os.lstat(entry.path) for entry in os.scandir(path.parent)} == before
    if path.is_file() and path.stat().st_size:
        assert path.read_bytes() == b"precious"


# What is left behind.

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_socket_is_removed_at_the_end(path, number):
    with Serve(f"unix://{path}={NOWHERE}") as serve:
        assert path.is_socket()
        serve.stop(number)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"precious"), lambda path: listener(path).close()],
                         ids=["file", "socket"])
def test_what_somebody_has_put_in_its_place_is_not_removed(path, make):
    with Serve(f"unix://{path}={NOWHERE}"):
        path.unlink()
        make(path)
        before = os.lstat(path)[:7]  # without its times: connecting to it changes one
    assert os.lstat(path)[:7] == before


def test_what_was_removed_already_is_no_error(path):
    with Serve(f"unix://{path}={NOWHERE}") as serve:
        path.unlink()
        serve.stop()


# Refusals.

def test_a_missing_directory():
    """Those that are made are in test_serve_directories.py."""
    sentence = refused(f"unix:///proc/none/front={NOWHERE}", code=1)
    assert "/proc/none" in sentence and "ENOENT" in sentence and "directory" in sentence, sentence


@pytest.mark.parametrize("length, fits", [(107, True), (108, False), (300, False), (3000, False)])
def test_the_length_of_a_path(tmp_path, length, fits):
    directory = tmp_path
    while len(str(directory)) < length - 101:
        directory /= "d" * min(100, length - 101 - len(str(directory)))
    directory.mkdir(parents=True, exist_ok=True)
    path = f"{directory}/".ljust(length, "s")
    assert len(path) == length
    if fits:
        with Serve(f"unix://{path}={NOWHERE}"):
            assert os.path.exists(path)
    else:
        with Serve(f"unix://{path}={NOWHERE}", wait=False) as serve:
            assert serve.wait() == 2
            assert re.search("at most 107|too long", serve.stderr) and serve.stderr.count("\n") == 1, serve.stderr
        assert os.listdir(directory) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission(tmp_path):
    (tmp_path / "d").mkdir(mode=0o500)
    assert "EACCES" in refused(f"unix://{tmp_path}/d/s={NOWHERE}", code=1)


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:0", "tcp://192.0.2.1:4321", "tcp://[::]:0", "tcp://[2001:db8::1]:1",
                                     "tcp://[::ffff:192.0.2.1]:1", "tcp://[::ffff:0.0.0.0]:0", "tcp://128.0.0.1:1"])
def test_an_address_that_others_can_reach_is_refused(address):
    sentence = refused(f"{address}={NOWHERE}", code=1)
    assert address in sentence and "other computers" in sentence and sentence.endswith("(--allow-remote)"), sentence


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:4321", "tcp://[2001:db8::1]:4321"])
def test_it_is_not_refused_where_it_is_allowed(address):
    """These addresses belong to no computer, so that nothing comes of it."""
    sentence = refused("--allow-remote", f"{address}={NOWHERE}", code=1)
    assert address in sentence and "remote" not in sentence and re.search("EADDRNOTAVAIL|EAFNOSUPPORT", sentence)


@pytest.mark.parametrize("host, code", [("example.org", 1), ("localhost.example.org", 1), ("localhost.", 1),
                                        ("127.1", 2), ("1", 2)])
def test_a_name_is_not_listened_on(host, code):
    assert f"tcp://{host}:0" in refused(f"tcp://{host}:0={NOWHERE}", code=code)


@pytest.mark.parametrize("address, canonical", [
    ("tcp://127.0.0.1:0", "tcp://127.0.0.1:"), ("tcp://127.1.2.3:0", "tcp://127.1.2.3:"),
    ("tcp://localhost:0", "tcp://"), ("TCP://127.0.0.1:0", "tcp://127.0.0.1:"), ("tcp://[::1]:0", "tcp://[::1]:")])
def test_loopback_is_listened_on(back, address, canonical):
    if "::1" in address:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("there is no IPv6 here")
    with Serve(f"{address}={back.address}") as serve:
        listen = serve.listen()
        assert listen.startswith(canonical) and int(listen.rpartition(":")[2]) > 0
        with connect(listen) as client:
            ask(client)


def test_a_port_in_use(tmp_path):
    with listener(0) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        sentence = refused(f"{address}={NOWHERE}", code=1)
        assert address in sentence and "in use" in sentence and "EADDRINUSE" in sentence, sentence
        connect(address).close()


# localhost, which is two addresses.

def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")


def free_on_both():
    """A port that is free on both loopback addresses."""
    while True:
        with contextlib.suppress(OSError):
            port = refused_port()
            socket.create_server(("::1", port), family=socket.AF_INET6).close()
            return port


def everywhere(port):
    return [f"tcp://127.0.0.1:{port}", f"tcp://[::1]:{port}"]


@needs_ipv6
@pytest.mark.parametrize("wanted", ["any", "chosen"])
def test_localhost_is_both_families(back, wanted):
    port = 0 if wanted == "any" else free_on_both()
    with Serve(f"tcp://LocalHost:{port}?max=2={back.address}") as serve:
        listen = serve.listen()
        assert listen.lower().startswith("tcp://localhost:")
        port = int(listen.rpartition(":")[2])
        for address in everywhere(port) * 2:
            with connect(address) as client:
                ask(client)
        first, second = (connect(address) for address in everywhere(port))  # the limit is for both together
        with first, second:
            ask(first)
            ask(second)
            with connect(everywhere(port)[1]) as third:
                third.settimeout(0.2)
                third.sendall(b"waits\n")
                with pytest.raises(TimeoutError):
                    third.recv(1)
                first.close()
                third.settimeout(SOON)
                assert third.recv(1)
    for address in everywhere(port):  # nothing is left
        with pytest.raises(ConnectionRefusedError):
            connect(address)


@needs_ipv6
@pytest.mark.parametrize("family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_localhost_is_all_or_nothing(family, host):
    port = free_on_both()
    with socket.create_server((host, port), family=family):
        sentence = refused(f"tcp://localhost:{port}={NOWHERE}", code=1)
        assert f"tcp://localhost:{port}: " in sentence and "EADDRINUSE" in sentence, sentence
        taken, free = everywhere(port) if family == socket.AF_INET else reversed(everywhere(port))
        assert taken in sentence, sentence
        with pytest.raises(ConnectionRefusedError):
            connect(free)


def test_localhost_without_ipv6(tmp_path, back):
    """In a network of its own, in which IPv6 is off."""
    off = "ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "
    if subprocess.run(["unshare", "-rn", "sh", "-c", off + "true"], capture_output=True).returncode != 0:
        pytest.skip("no network can be made here")
    code = ("import socket, subprocess, sys\n"
            "serve = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True)\n"
            "line = serve.stderr.readline()\n"
            "port = int(line.partition('localhost:')[2].partition('=')[0])\n"
            "client = socket.create_connection(('127.0.0.1', port), 20)\n"
            "client.sendall(b'hello'); client.shutdown(socket.SHUT_WR)\n"
            "while client.recv(100): pass\n"
            "serve.terminate(); print(line, serve.wait(20))\n")
    result = subprocess.run(["unshare", "-rn", "sh", "-c", off + '"$@"', "sh", sys.executable, "-c", code, PROGRAM, "serve",
                             "-v", f"tcp://localhost:0={back.address}"], capture_output=True, text=True, timeout=SOON)
    assert result.returncode == 0 and result.stdout.endswith(" 0\n"), result


def test_a_port_can_be_listened_on_again_at_once(back):
    """Though connections of its last life still linger in the system."""
    port = refused_port()
    for _ in range(3):
        with Serve(f"tcp://127.0.0.1:{port}={back.address}") as serve:
            with serve.connect() as client:
                ask(client)
                serve.send_signal(signal.SIGTERM)
                serve.send_signal(signal.SIGINT)  # two of one kind may become one
                ends(client)
            serve.ended(0)


# All or nothing.

@pytest.mark.parametrize("bad, code", [
    ("unix:///nonexistent/s=unix:///t", 1),
    ("tcp://192.0.2.1:1=unix:///t", 1),
    ("fd://none=unix:///t", 1),
    ("tcp://127.0.0.1:0=nonsense:t", 2),
    ("tcp://127.0.0.1:0?max=0=unix:///t", 2),
    ("unix:///s?colour=red=unix:///t", 2),
    ("nonsense", 2),
])
def test_all_or_nothing(tmp_path, bad, code):
    good = [f"unix://{tmp_path}/{number}={NOWHERE}" for number in range(3)]
    refused(*good, bad, code=code)
    assert os.listdir(tmp_path) == []
    refused(bad, *good, code=code)
    assert os.listdir(tmp_path) == []


def test_a_stale_socket_may_be_gone_but_nothing_else(tmp_path):
    (tmp_path / "file").write_bytes(b"precious")
    refused(f"unix://{tmp_path}/one={NOWHERE}", f"unix://{tmp_path}/file={NOWHERE}", code=1)
    assert os.listdir(tmp_path) == ["file"]


def test_the_same_listener_twice(path):
    for first, second in ((f"unix://{path}", f"unix://{path}"), (f"unix://{path}", f"UNIX://{path}?max=2"),
                          ("tcp://127.0.0.1:4321", "tcp://127.0.0.1:4321"),
                          ("tcp://127.0.0.1:4321", "tcp://localhost:4321"),
                          ("tcp://localhost:4321", "tcp://[::1]:4321"),
                          ("tcp:[::1]:4321", "tcp:LOCALHOST:4321")):
        sentence = refused(f"{first}={NOWHERE}", f"{second}={NOWHERE}2", code=2)
        assert second.split("?")[0].replace("UNIX", "unix").replace("tcp:L", "tcp://L") in sentence, sentence
        assert "twice" in sentence, sentence
        assert os.listdir(path.parent) == []


def test_the_same_listener_twice_by_two_names(path):
    """Which only the system can see."""
    path.parent.joinpath("link").symlink_to(".")
    sentence = refused(f"unix://{path}={NOWHERE}", f"unix://{path.parent}/link/front={NOWHERE}", code=1)
    assert f"{path.parent}/link/front" in sentence and "EADDRINUSE" in sentence, sentence
    assert os.listdir(path.parent) == ["link"]


def test_any_free_port_may_be_wanted_twice(back):
    with Serve(*[f"tcp://127.0.0.1:0={back.address}"] * 3) as serve:
        assert len({serve.listen(number) for number in range(3)}) == 3
        for number in range(3):
            with serve.connect(number) as client:
                ask(client)


# What systemd passes on.

@pytest.fixture
def passed(path):
    with listener(path) as made:
        yield made


@pytest.mark.parametrize("address", ["fd://3", "fd://name", "fd://0", "fd://2", "fd://1000000", "fd://-1"])
def test_nothing_is_passed_on(address):
    sentence = refused(f"{address}={NOWHERE}", code=1)
    assert address in sentence and re.search("LISTEN_FDS|systemd|passed", sentence), sentence


@pytest.mark.parametrize("address, env", [
    ("fd://3", {"LISTEN_PID": "1"}),
    ("fd://front", {"LISTEN_PID": "1"}),
    ("fd://front", {"LISTEN_PID": ""}),
    ("fd://front", {"LISTEN_PID": "nonsense"}),
    ("fd://front", {"LISTEN_FDS": "0"}),
    ("fd://front", {"LISTEN_FDS": "nonsense"}),
    ("fd://front", {"LISTEN_FDS": "-1"}),
    ("fd://other", {}),
    ("fd://fron", {}),
    ("fd://4", {}),
    ("fd://2", {}),
    ("fd://1", {"LISTEN_FDS": "1000000000"}),
])
def test_what_is_passed_on_is_not_it(passed, path, address, env):
    sentence = refused(f"{address}={NOWHERE}", code=1, sockets=[passed], names=["front"], env=env)
    assert address in sentence, sentence
    assert path.is_socket()


def pair():
    return socket.socketpair()[0]


@pytest.mark.parametrize("make", [
    pair,
    lambda: socket.socket(socket.AF_UNIX),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    lambda: open(os.devnull, "rb"),
    lambda: os.fdopen(os.pipe()[0], "rb"),
], ids=["connected", "unbound", "datagram", "device", "pipe"])
@pytest.mark.parametrize("address", ["fd://3", "fd://front"])
def test_what_is_passed_on_does_not_listen(make, address):
    with make() as given:
        sentence = refused(f"{address}={NOWHERE}", code=1, sockets=[given], names=["front"])
    assert address in sentence and re.search("listen", sentence), sentence


def test_what_is_passed_on_can_be_used_once(passed):
    assert "fd://3" in refused(f"fd://3={NOWHERE}", f"fd://3={NOWHERE}", code=2, sockets=[passed], names=["front"])
    sentence = refused(f"fd://3={NOWHERE}", f"fd://front={NOWHERE}", code=1, sockets=[passed], names=["front"])
    assert "fd://front" in sentence


def test_what_is_passed_on_is_not_removed(passed, path, back):
    before = os.lstat(path)[:7]  # without its times: connecting to it changes one
    with Serve(f"fd://front={back.address}", sockets=[passed], names=["front"]) as serve:
        assert serve.listen() == "fd://front"
        with connect(f"unix://{path}") as client:
            ask(client)
    assert os.lstat(path)[:7] == before


def test_several_are_passed_on(tmp_path, back):
    places = [tmp_path / name for name in ("one", "two", "three")]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(listener(place)) for place in places]
        routes = [f"{address}={back.address}" for address in ("fd://two", "fd://one", "fd://5")]
        with Serve(*routes, sockets=sockets, names=["one", "two", "three"]):
            for place in places:
                with connect(f"unix://{place}") as client:
                    ask(client)


@pytest.mark.parametrize("nonblocking", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_passed_on_is_left_as_it_is(passed, path, back, nonblocking, number):
    """The process that has passed it on still has it, and so may others."""
    passed.setblocking(not nonblocking)
    before = fcntl.fcntl(passed, fcntl.F_GETFL)
    with Serve(f"fd://3={back.address}", sockets=[passed]) as serve:
        for _ in range(3):
            with connect(f"unix://{path}") as client:
                ask(client)
                assert fcntl.fcntl(passed, fcntl.F_GETFL) == before
        os.kill(serve.pid, number)
        serve.wait()
    assert fcntl.fcntl(passed, fcntl.F_GETFL) == before


def test_another_process_accepts_on_what_is_passed_on(passed, path, tmp_path, back):
    """It may take a client that both have seen, and no client may be left waiting for the next one then."""
    taken, problems = [], []

    def accept():
        try:
            while True:
                client, _ = passed.accept()
                with client:
                    if (data := client.recv(100)) == b"end":
                        return
                    taken.append(data)
                    client.sendall(data)
        except OSError as problem:
            problems.append(problem)

    other = threading.Thread(target=accept, daemon=True)
    other.start()
    with Serve(f"fd://3={back.address}", f"unix://{tmp_path}/other={back.address}", sockets=[passed]) as serve:
        with connect(f"unix://{tmp_path}/other") as witness:
            for _ in range(200):
                with connect(f"unix://{path}") as client:
                    ask(client)
                ask(witness)
        wait_for(lambda: len(taken) + len(serve.matches(r"^uvrelay: fd://3=\S* #\d+: opened by process ")) == 200,
                 "each client was served by one of both")
    while other.is_alive():
        with connect(f"unix://{path}") as client:
            client.sendall(b"end")
            other.join(0.1)
    assert not problems


def test_a_descriptor_is_no_target(path):
    assert "fd://3" in refused(f"unix://{path}=fd://3", code=2)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_systemd_activates_it(path, back, kind):
    program = shutil.which("systemd-socket-activate")
    if not program:
        pytest.skip("there is no systemd-socket-activate here")
    port = refused_port()
    where, address = (path, f"unix://{path}") if kind == "unix" else (f"127.0.0.1:{port}", f"tcp://127.0.0.1:{port}")
    keep = [f"-E{name}" for name in os.environ if name.endswith("SAN_OPTIONS")]
    command = [program, *keep, "-l", where, "--fdname=front", PROGRAM, "serve", "-v", f"fd://front={back.address}"]
    with Process(command) as process:
        process.wait_stderr("Listening on")
        for _ in range(3):
            with connect(address) as client:
                ask(client)
        wait_for(lambda: process.stderr.count("closed after") == 3, process.stderr)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0


def test_a_client_that_came_before_the_start_is_served(path, back):
    with listener(path) as passed:
        with connect(f"unix://{path}") as client:
            client.sendall(b"early")
            time.sleep(0.1)
            with Serve("--drain=0", f"fd://3={back.address}", sockets=[passed]):
                assert client.recv(5) == b"early"


def test_the_standard_descriptors_may_be_closed(path, back):
    """What is opened next must not get their numbers."""
    code = "import os, sys; os.closerange(0, 2); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-ISc", code, PROGRAM, "serve", "-v", f"unix://{path}={back.address}"]
    with Process(command) as process:
        process.wait_stderr("listening")
        with connect(f"unix://{path}") as client:
            ask(client)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0
    assert not path.exists()

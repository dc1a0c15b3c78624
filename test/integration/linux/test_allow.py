"""`uvrelay mux --allow`: what the near end cannot reach by another spelling, by a name that a pattern for addresses looks
like, by a link, or by changing one while it is followed."""

import contextlib
import os
import shlex
import subprocess
import threading
import time

import pytest
from assuanpeer import AssuanServer
from nameserver import own_mounts
from programs import SOON
from serving import EchoServer, receive_exactly
from via import MUX, RawMux

pytestmark = pytest.mark.sanitized


def opened(mux, address):
    """Connects to an echo through the far end."""
    stream = mux.connect(address)
    stream.send(b"hello")
    assert stream.receive(5) == b"hello"
    stream.reset()


@contextlib.contextmanager
def mux(*patterns, **options):
    with RawMux(*(f"--allow={pattern}" for pattern in patterns), **options) as made:
        yield made
        made.end()


# ---- hosts ----


@pytest.fixture
def hosts(tmp_path):
    """The beginning of a command that sees names of ours: with mounts of its own, and an /etc/hosts that has them."""
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n127.0.0.1 10.evil.example\n127.0.0.7 127.evil.example\n"
                    "127.0.0.7 two.example\n127.0.0.1 two.example\n")
    conf = tmp_path / "nsswitch.conf"
    conf.write_text("hosts: files\n")
    script = f"mount --bind {shlex.quote(str(path))} /etc/hosts; mount --bind {shlex.quote(str(conf))} /etc/nsswitch.conf"
    if own_mounts() is None:
        pytest.skip("mounts of one's own are not permitted here")
    return [*own_mounts(), "/bin/sh", "-ec", f'{script}; exec "$@"', "sh"]


def wrapped(hosts):
    return {"command": [*hosts, *MUX]}


def test_a_name_is_no_address(hosts):
    with EchoServer(0) as back, mux("tcp://10.*:*", **wrapped(hosts)) as far:
        port = back.address.rpartition(":")[2]
        assert "does not lead to an allowed address" in far.not_allowed(f"tcp://10.evil.example:{port}")
        far.not_allowed(f"tcp://localhost:{port}")
        assert back.total == 0


def test_a_name_is_looked_up_for_a_pattern_of_addresses(hosts):
    """Only those of its addresses that match are tried: no process listens on the other one."""
    with EchoServer(0) as back, mux("tcp://127.0.0.1:*", **wrapped(hosts)) as far:
        port = back.address.rpartition(":")[2]
        for name in ("localhost", "10.evil.example", "two.example", "0x7f000001", "LocalHost"):
            opened(far, f"tcp://{name}:{port}")
        far.not_allowed(f"tcp://127.evil.example:{port}")
    with EchoServer(0) as back, mux("tcp://127.0.0.7:*", **wrapped(hosts)) as far:
        # The one that matches refuses, which is what the near end learns; the other one is not tried.
        port = back.address.rpartition(":")[2]
        assert far.refusal(f"tcp://two.example:{port}")[0] == "ECONNREFUSED"
        assert back.total == 0


def test_a_pattern_of_names_is_for_names(hosts):
    with EchoServer(0) as back, mux("tcp://*.example:*", **wrapped(hosts)) as far:
        port = back.address.rpartition(":")[2]
        opened(far, f"tcp://10.evil.example:{port}")
        opened(far, f"tcp://10.EVIL.Example:{port}")
        assert far.refusal(f"tcp://nobody.example.:{port}")[0].startswith("EAI_")  # the dot makes no other name
        far.not_allowed(f"tcp://127.0.0.1:{port}")
        far.not_allowed(f"tcp://localhost:{port}")


def test_spellings_of_an_address():
    with EchoServer(0) as back:
        port = back.address.rpartition(":")[2]
        with mux(f"tcp://127.0.0.1:{port}") as far:
            for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[0:0:0:0:0:ffff:7f00:0001]"):
                opened(far, f"tcp://{host}:{port}")
        with mux(f"tcp://127.0.0.2:{port}") as far:
            for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "0x7f.1", "0.0.0.0", "[::]"):
                far.not_allowed(f"tcp://{host}:{port}")


def test_a_name_is_not_looked_up_for_a_port_that_is_not_allowed():
    """The near end cannot make it ask name servers for what it may not have anyway."""
    with mux("tcp://10.*:80", "unix:///10.*") as far:
        begun = time.monotonic()
        assert "is not allowed: the patterns are tcp://10.*:80" in far.not_allowed("tcp://10.evil.example:81")
        assert time.monotonic() - begun < 5


# ---- files ----


@pytest.fixture
def places(tmp_path):
    """A directory that is allowed and one that is not, with an echo in each."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    with EchoServer(tmp_path / "in" / "s") as inside, EchoServer(tmp_path / "out" / "s") as outside:
        yield tmp_path, inside, outside


def test_links_do_not_lead_out(places):
    top, inside, outside = places
    (top / "in" / "file").symlink_to("../out/s")
    (top / "in" / "directory").symlink_to(top / "out")
    (top / "in" / "again").symlink_to("file")
    (top / "in" / "nothing").symlink_to("../out/nothing")
    (top / "in" / "self").symlink_to("s")
    (top / "link").symlink_to("in")
    with mux(f"unix://{top}/in/*") as far:
        opened(far, f"unix://{top}/in/s")
        opened(far, f"unix://{top}/in//./s")
        opened(far, f"unix://{top}/in/self")
        opened(far, f"unix://{top}/link/s")
        for name in ("file", "directory/s", "again", "../out/s"):
            far.not_allowed(f"unix://{top}/in/{name}")
        # What may not be connected to is not looked for, either.
        far.not_allowed(f"unix://{top}/out/nothing")
        assert far.refusal(f"unix://{top}/in/nowhere")[0] == "ENOENT"
    assert outside.total == 0 and inside.total == 4


def test_links_in_the_fixed_part_are_followed(places):
    """The author of the pattern has chosen them."""
    top, inside, outside = places
    (top / "link").symlink_to("in")
    (top / "socket").symlink_to("in/s")
    for pattern in (f"unix://{top}/link/*", f"unix://{top}/link/s", f"unix://{top}/socket", f"unix://{top}/l*/s"):
        with mux(pattern) as far:
            if "l*" not in pattern:
                opened(far, f"unix://{top}/in/s")
                opened(far, f"unix://{top}/{pattern.removeprefix(f'unix://{top}/').replace('*', 's')}")
            else:
                far.not_allowed(f"unix://{top}/link/s")
            far.not_allowed(f"unix://{top}/out/s")
    assert outside.total == 0


def test_a_link_that_changes_while_it_is_followed(places):
    """Whatever it leads to at the moment, what is connected to is what was allowed."""
    top, inside, outside = places
    link, over = top / "in" / "link", threading.Event()
    link.symlink_to("s")

    def change():
        for number in range(1_000_000):
            if over.is_set():
                return
            other = top / "in" / "other"
            other.symlink_to("../out/s" if number % 2 else "s")
            os.rename(other, link)

    changer = threading.Thread(target=change)
    changer.start()
    outcomes = {"OK": 0, "ERR": 0}
    try:
        with mux(f"unix://{top}/in/*") as far:
            for _ in range(1500):
                stream = far.open(f"CONNECT unix://{link}\n".encode())
                outcomes[stream.line().split()[0].decode()] += 1
                stream.reset()
    finally:
        over.set()
        changer.join()
    assert outside.total == 0 and min(outcomes.values()) > 50, outcomes


@pytest.mark.parametrize("where", ["file", "directory/file"])
def test_links_to_socket_files(tmp_path, where):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "directory").symlink_to("../out")
    (tmp_path / "in" / "file").symlink_to("../out/file")
    seen = []

    def talk(connection):
        seen.append(connection.sendall(receive_exactly(connection, 5)))

    with AssuanServer(talk) as server:
        (tmp_path / "out" / "file").write_bytes(server.file())
        (tmp_path / "in" / "good").write_bytes(server.file())
        (tmp_path / "in" / "bad").symlink_to("/etc/passwd")
        with mux(f"assuan://{tmp_path}/in/*") as far:
            text = far.not_allowed(f"assuan://{tmp_path}/in/{where}")
            assert "is not a socket file" not in text and not seen
            far.not_allowed(f"assuan://{tmp_path}/in/bad")
            far.not_allowed(f"assuan://{tmp_path}/out/nothing")
            far.not_allowed(f"unix://{tmp_path}/in/good")
            assert far.refusal(f"assuan://{tmp_path}/in/nothing")[0] == "ENOENT"
            opened(far, f"assuan://{tmp_path}/in/good")  # whatever port it names
            server.wait()
    assert seen == [None]


def test_what_is_no_socket(places):
    top, _, _ = places
    (top / "in" / "plain").write_text("x")
    os.mkfifo(top / "in" / "fifo")
    with mux(f"unix://{top}/in/*", f"assuan://{top}/in/*") as far:
        for name in ("plain", "fifo"):
            assert far.refusal(f"unix://{top}/in/{name}")[0] == "ECONNREFUSED"
        assert far.refusal(f"assuan://{top}/in/fifo")[0] == "EINVAL"


def test_where_there_is_no_proc(places):
    """The real place of a file can't be determined then: it is refused, and not said to be missing."""
    if own_mounts() is None:
        pytest.skip("mounts of one's own are not permitted here")
    top, inside, _ = places
    (top / "in" / "plain").write_text("x")
    command = [*own_mounts(), "/bin/sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", *MUX]
    with mux(f"unix://{top}/in/*", f"assuan://{top}/in/*", command=command) as far:
        for name in ("unix://{}/in/s", "assuan://{}/in/plain"):
            assert "cannot determine the real path of" in far.not_allowed(name.format(top))
    assert inside.total == 0


def test_without_patterns_all_is_allowed(places):
    top, _, outside = places
    (top / "in" / "file").symlink_to("../out/s")
    with mux() as far:
        opened(far, f"unix://{top}/in/file")
    assert outside.total == 1


@pytest.mark.parametrize("pattern, why", [
    ("tcp://10.1:80", "neither an IPv4 address nor a name"), ("tcp://[::ffff:10.*]:80", "::ffff:"), ("tcp://h:99999", "65535"),
    ("//./pipe/x?impersonation=all", "impersonation levels are"), ("unix:///x?impersonation=delegation", "only the server of a pipe"),
    ("docker_engine", "no known scheme"), ("", "has no pattern"),
])
def test_patterns_that_match_nothing(pattern, why):
    done = subprocess.run([*MUX, f"--allow={pattern}"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SOON, check=False)
    assert done.returncode == 2 and why in done.stderr and len(done.stderr.splitlines()) == 1

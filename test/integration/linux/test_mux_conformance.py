"""The mux against HashiCorp's yamux, at the far end (`uvrelay serve --via`) and at the near end (`uvrelay mux`):
streams by the thousand, half-closes, resets, windows, pings, going away, and bytes by the 100 MB.

The other end is test/peers/yamux, a program in Go, built here. What its library calls an error fails the test.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import threading
import time

import pytest

import bytestream
from assuanpeer import refused_port
from programs import SOON, Process, setting
from serving import (PROGRAM, SANITIZED, EchoServer, Target, ask, connect, ends, receive_all, receive_exactly, swap,
                     vanish, wait_for)
from via import GREETING, Via, fill

pytestmark = pytest.mark.sanitized

STREAMS = 300 if SANITIZED else 1000
BULK = 10_000_000 if SANITIZED else 100_000_000
MANY = 3_000_000
WINDOW = 256 * 1024


@pytest.fixture(scope="module")
def peer():
    """The program, built by what Debian's packages hold, offline."""
    source = pathlib.Path(__file__).resolve().parents[2] / "peers" / "yamux"
    build = pathlib.Path(setting("UVRELAY_BUILD")) / "yamux"
    assert shutil.which("go"), "there is no go: run deps/setup"
    built = subprocess.run(["go", "build", "-o", str(build / "peer"), "."], cwd=source, capture_output=True, text=True,
                           timeout=300, env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                                             "GOCACHE": str(build / "cache"), "GOFLAGS": "", "GOTOOLCHAIN": "local"})
    assert built.returncode == 0, built.stderr
    return str(build / "peer")


@pytest.fixture(autouse=True)
def many_descriptors():
    """For the tests themselves and for what they start."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8192 if before[1] == resource.RLIM_INFINITY else min(before[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], most), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


# It is the near end, and uvrelay mux the far end: see test/peers/yamux/scenarios.go.

def near(peer, scenario, directory, *options, args=()):
    """Runs a scenario; gives what both programs wrote to standard error."""
    with Process([peer, "near", scenario, "-dir", directory, "-count", STREAMS, "-bytes", BULK, *options, "--", PROGRAM,
                  "mux", *args], stdin=subprocess.DEVNULL) as process:
        code = process.wait(90)  # it ends itself after a minute
        print(process.stderr[-3000:])
        assert code == 0 and f"{scenario}: all right" in process.stderr
        assert "Sanitizer" not in process.stderr and "runtime error" not in process.stderr
        return process.stderr


@pytest.mark.parametrize("scenario", [
    "many", "end-by-near", "end-by-target", "reset-by-near", "reset-by-target", "slow-near", "slow-target", "ping",
    "go-away", "bulk", "errors", "break", "cut"])
def test_near_end(peer, tmp_path, scenario):
    near(peer, scenario, tmp_path)


def test_near_end_may_not_have_all(peer, tmp_path):
    patterns = ["tcp://127.0.0.1:1", f"unix://{tmp_path}/t*"]
    text = near(peer, "not-allowed", tmp_path, "-pattern", ", ".join(patterns),
                args=["-v", *(f"--allow={one}" for one in patterns)])
    assert len(re.findall(r"^uvrelay: \S+: .*not allowed", text, re.M)) == 3


def test_near_end_may_not_have_more(peer, tmp_path):
    near(peer, "full", tmp_path, args=["--window-total=128K"])


@pytest.mark.parametrize("said, shown", [
    (b"uvrelay-mux/2\n", "uvrelay-mux/2"), (b"HTTP/1.1 400 Bad Request\r\n", r"HTTP/1.1 400 Bad Request\r\n"),
    (b"\0\2\0\1\0\0\0\0\0\0\0\0", r"\x02")], ids=["version", "text", "yamux"])
def test_near_end_speaks_something_else(said, shown):
    with Process([PROGRAM, "mux"]) as far:
        far.write(said)
        far.out.wait_count(len(GREETING))
        assert far.wait() == 1
        assert far.stdout.startswith(GREETING)
        assert len(far.stderr.splitlines()) == 1 and far.stderr.startswith("uvrelay: ") and shown in far.stderr


# It is the far end of uvrelay serve: see test/peers/yamux/far.go.

@pytest.fixture
def serving(peer, tmp_path):
    """Makes a serve of one route each to these targets; what leads to the peer itself has no //."""
    @contextlib.contextmanager
    def make(*targets, options=(), far=(), clean=True):
        routes = [f"unix://{tmp_path}/f{n}=via:" + (one if "://" in one else f"unix:///peer/{one}")
                  for n, one in enumerate(targets)]
        with Via(*options, *routes, via=[peer, "far", *far]) as serve:
            yield serve
        assert not clean or "[ERR]" not in serve.stderr, serve.stderr
    return make


def test_far_end_of_many(serving, tmp_path):
    with EchoServer(tmp_path / "back") as back, serving(back.address) as serve, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(serve.connect()) for _ in range(STREAMS)]
        for turn in range(3):
            for number, client in enumerate(clients):
                client.sendall(b"%d of client %06d" % (turn, number))
            for number, client in enumerate(clients):
                assert receive_exactly(client, 18) == b"%d of client %06d" % (turn, number)
        assert back.most == STREAMS
        assert len(serve.matches(r"far end: .* started \(process")) == 1


@pytest.mark.parametrize("size", [0, 1, MANY])
def test_far_end_ends_first(serving, size):
    """And we go on. The sent hash comes last."""
    with serving(f"first/{size}") as serve, serve.connect() as client:
        assert receive_all(client) == b""
        time.sleep(0.02)
        data = bytestream.data(size, 3)
        client.sendall(data + hashlib.sha256(data).digest())
        client.shutdown(socket.SHUT_WR)
        serve.wait_match(r"far end: stream 1: first: done")


@pytest.mark.parametrize("size", [0, 1, MANY])
def test_we_end_first(serving, size):
    """And the far end goes on."""
    with serving("hash") as serve, serve.connect() as client:
        client.sendall(bytestream.data(size, 4))
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == bytestream.sha256(size, 4).encode() + b"\n"
        serve.wait_match(r"far end: stream 1: hash: done")


def test_half_closes_through_all(serving, tmp_path):
    """With a target of its own, both ways at once, and each first."""
    def talk(connection):
        connection.sendall(b"%d\n" % len(receive_all(connection)))

    with Target(tmp_path / "back", talk) as back, serving(back.address, "echo") as serve:
        with serve.connect() as client:
            client.sendall(bytes(MANY))
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"%d\n" % MANY
        with serve.connect(1) as client:
            assert swap(client, MANY, 5) == bytestream.sha256(MANY, 5)
        back.wait()


def test_far_end_resets(serving):
    """At once, and while bytes go there: the client's connection ends, and no other does."""
    with serving("reset/0", f"reset/{MANY}", "echo") as serve, serve.connect(2) as other:
        ask(other)
        with serve.connect() as client:
            ends(client)
        with serve.connect(1) as client, contextlib.suppress(ConnectionError):
            while True:
                client.sendall(bytes(65536))
        ask(other)
        assert serve.wait_match(r"f[01]=\S* #1: closed .*: failed: .* reset by ", 2)


@pytest.mark.parametrize("writing", [False, True])
def test_we_reset(serving, writing):
    """The client fails: the far end learns of it, and no other stream is disturbed."""
    with Target(0, ends) as back, serving(f"source/{1 << 40}" if writing else back.address, "echo") as serve:
        listen = serve.listen()
        with serve.connect(1) as other:
            ask(other)
            client = connect(listen)
            if writing:
                receive_exactly(client, 500_000)
            else:
                wait_for(lambda: back.open == 1, "the target is connected")
            vanish(client)
            if writing:
                serve.wait_match(r"far end: stream 3: source: connection reset")
            else:
                back.wait()
            ask(other)


def test_far_end_is_slow(serving):
    """It does not read: a window of bytes comes there, not one more, and other streams are as fast as ever."""
    size = 8_000_000
    data = bytestream.data(size, 6)
    with serving("stall", "resume", "echo") as serve, serve.connect() as client, serve.connect(2) as other:
        ask(other)
        taken = fill([client], size, 0.3)
        assert WINDOW <= taken < 3_000_000  # besides, what lies in buffers of the relay's and the kernel's
        for _ in range(20):
            ask(other)
        with serve.connect(1) as control:
            assert receive_all(control) == b"%d\n" % WINDOW
        client.settimeout(SOON)
        client.sendall(data[taken:])
        client.shutdown(socket.SHUT_WR)
        # The first were zeros.
        assert receive_all(client).decode() == hashlib.sha256(bytes(taken) + data[taken:]).hexdigest() + "\n"


def test_client_is_slow(serving):
    """It does not read: the far end can't go on, other streams are as fast as ever, and all comes in the end."""
    size = 8_000_000
    with serving(f"source/{size}", "echo") as serve, serve.connect() as client, serve.connect(1) as other:
        ask(other)
        time.sleep(0.3)
        assert not serve.matches("source: done")
        for _ in range(20):
            ask(other)
        data = receive_all(client)
        assert len(data) == size + 32
        assert hashlib.sha256(data[:size]).digest() == data[size:]
        serve.wait_match("source: done")


def test_far_end_pings(serving):
    with serving("ping") as serve, serve.connect() as client:
        assert receive_all(client) == b"10 answers\n"


def test_far_end_goes_away(serving):
    """What is open goes on. What comes later is for another far end, once all that is over."""
    with serving("go-away", "echo") as serve, serve.connect(1) as open_:
        ask(open_)
        first = serve.far_pid()
        with serve.connect() as client:
            ask(client)
            with serve.connect(1) as new:
                new.sendall(b"hello")
                ask(client, bytes(1 << 20))
                ask(open_, bytes(1 << 20))
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == b""
                ask(open_)
                open_.shutdown(socket.SHUT_WR)
                assert receive_all(open_) == b""
                assert receive_exactly(new, 5) == b"hello"
        assert serve.far_pid(2) != first
        assert not serve.matches("failed:")


def test_bulk(serving):
    """Both ways at once. What the far end sends is followed by its hash, and so has what we send."""
    def send(client, failures):
        hash_ = hashlib.sha256()
        try:
            for piece in bytestream.chunks(BULK, 7):
                hash_.update(piece)
                client.sendall(piece)
            client.sendall(hash_.digest())
            client.shutdown(socket.SHUT_WR)
        except OSError as failure:
            failures.append(failure)

    with serving(f"both/{BULK}") as serve, serve.connect() as client:
        client.settimeout(60)
        failures, begun = [], time.monotonic()
        sender = threading.Thread(target=send, args=(client, failures))
        sender.start()
        count, hash_, tail = 0, hashlib.sha256(), b""
        while piece := client.recv(1 << 18):
            count += len(piece)
            tail += piece
            hash_.update(tail[:-32])
            tail = tail[-32:]
        sender.join(60)
        seconds = time.monotonic() - begun
        print(f"{BULK} bytes each way in {seconds:.2f} s: {2 * BULK / seconds / 1e6:.0f} MB/s both ways together")
        assert not failures and not sender.is_alive()
        assert (count, hash_.digest()) == (BULK + 32, tail)
        serve.wait_match(r"far end: stream 1: both: done")


def test_far_end_refuses(serving, tmp_path):
    """Its code and its sentence are in the log; what is no answer is, too."""
    nobody = f"tcp://127.0.0.1:{refused_port()}"
    answers = {f"unix://{tmp_path}/none": r"no such file", nobody: r"connection refused",
               "answer/ERR%20EACCES%20you%20may%20not": "you may not.*",
               "answer/ERR%20EBANANA%20what%20is%20this": "what is this.*",
               "answer/ERR": "", "answer/BANANA": "BANANA", "answer/OKAY": "OKAY"}
    with serving(*answers, "echo") as serve:
        for number, (target, text) in enumerate(answers.items()):
            with serve.connect(number) as client:
                ends(client)
            serve.wait_match(rf"^uvrelay: \S*f{number}=via:\S* #\d+: .*{text}")
        with serve.connect(len(answers)) as client:
            ask(client)


def test_far_end_is_busy(serving):
    """It is asked again, until the timeout."""
    with serving("busy/3", options=["--timeout=20"]) as serve, serve.connect() as client:
        ask(client)
    with serving("busy/1000000", options=["--timeout=0.3"]) as serve, serve.connect() as client:
        ends(client)
        serve.wait_match(r"#1: .*all instances of the pipe are busy")


def test_far_end_breaks_the_rules(serving):
    """It gets that answer; the next connection is another far end's."""
    with serving("break", "echo", clean=False) as serve:
        with serve.connect(1) as open_:
            ask(open_)
            with serve.connect() as client:
                ends(client)
            ends(open_)
        with serve.connect(1) as client:
            ask(client)
        serve.wait_match(r"far end: .*violated the yamux protocol")


def test_far_end_dies(serving):
    with serving("exit/5", "echo", clean=False) as serve:
        with serve.connect(1) as open_:
            ask(open_)
            with serve.connect() as client:
                ends(client)
            ends(open_)
        with serve.connect(1) as client:
            ask(client)


@pytest.mark.parametrize("far, said", [
    (["-greeting", "uvrelay-mux/2\\n"], r"speaks uvrelay-mux/2, not uvrelay-mux/1"),
    (["-greeting", "hello\\r\\n"], r'says "hello\\r\\n" instead of uvrelay-mux/1'),
    (["-greeting", "\\x00\\x02\\x00\\x01uvrelay-mux"], r'says "\\x00\\x02\\x00\\x01uvrelay-mux.*" instead'),
    (["-exit", "3"], r"exited at once with status 3: no luck"),
], ids=["version", "text", "yamux", "exit"])
def test_far_end_is_another(serving, far, said):
    with serving("echo", options=["--timeout=1"], far=far) as serve, serve.connect() as client:
        serve.wait_match(rf"^uvrelay: far end: .*{said}")
        ends(client)

"""A system that gives less than usual: standard descriptors that are closed or of odd kinds, full disks, files that are
none, and a service manager that does not listen. What it leads to is reported, costs nothing, and goes nowhere else."""

import contextlib
import itertools
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from assuanpeer import AssuanServer
from cost import Cost, quiet
from nameserver import own_mounts
from programs import SOON, Process, error_sentence
from serving import PROGRAM, EchoServer, NotifySocket, Serve, Target, ask, connect, echo, ends, listener, listens, receive_all, wait_for
from via import DATA, GREETING, PING, SYN, WINDOW, Via, far_end, frame

def may_mount():
    """Root in a container often lacks CAP_SYS_ADMIN, number 21."""
    capabilities = re.search(r"^CapEff:\s*(\w+)$", pathlib.Path("/proc/self/status").read_text(), re.MULTILINE)[1]
    return own_mounts() is not None and int(capabilities, 16) >> 21 & 1


#: For file systems that the tests themselves look at.
needs_root = pytest.mark.skipif(not may_mount(), reason="only root may mount a file system")


def without_dev(*command):
    """The command where there is no /dev, not even /dev/null, as in a bare container. The process stays the same."""
    if own_mounts() is None:
        pytest.skip("mounts of one's own are not permitted here")
    return [*own_mounts(), "/bin/sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh", *map(str, command)]


@contextlib.contextmanager
def file_system(where, options):
    """A small one of its own."""
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


# Standard descriptors that are closed.

CLOSED = [closed for count in range(4) for closed in itertools.combinations((0, 1, 2), count)]
closed_ones = pytest.mark.parametrize("closed", CLOSED, ids=lambda one: "".join(map(str, one)) or "none")

_CLOSE = "import os, sys\nfor one in sys.argv[1]: os.close(int(one))\nos.execv(sys.argv[2], sys.argv[2:])"


def without(closed, *command):
    return ["/usr/bin/python3", "-ISc", _CLOSE, "".join(map(str, closed)), *map(str, command)]


def run_without(closed, *args, stdin=b"hello"):
    """Gives the exit status, and what came out of it."""
    done = subprocess.run(without(closed, PROGRAM, *args), input=stdin, capture_output=True, timeout=SOON)
    assert not (1 in closed and done.stdout) and not (2 in closed and done.stderr), done
    return done.returncode, done.stdout, done.stderr.decode()


@closed_ones
def test_words_without_standard_descriptors(closed):
    """What cannot be written is a failure; wrong usage is what it always is."""
    for args, text in ((["--version"], b"uvrelay "), (["--help"], b"Usage"), (["serve", "--help"], b"Usage"),
                       (["mux", "--help"], b"Usage"), (["help"], b"Usage")):
        code, out, told = run_without(closed, *args)
        assert (code, out[:len(text)]) == ((1, b"") if 1 in closed else (0, text)), (args, code, out, told)
        assert told.count("\n") == (1 if code == 1 and 2 not in closed else 0)
    for args in (["--nonsense"], ["serve"], ["serve", "--nonsense"], ["mux", "--nonsense"], ["nonsense"]):
        code, out, told = run_without(closed, *args)
        assert (code, out) == (2, b"") and told.startswith("" if 2 in closed else "uvrelay: "), (args, code, out, told)


@closed_ones
def test_a_relay_without_standard_descriptors(closed, tmp_path):
    """The target gets the input and nothing else, whatever is said."""
    came = []

    def talk(connection):
        came.append(receive_all(connection))
        connection.sendall(came[-1])

    with Target(tmp_path / "s", talk) as target:
        code, out, told = run_without(closed, "-v", target.address)
        target.wait()
    wanted = b"" if 0 in closed else b"hello"
    assert came == [wanted]
    assert out == (b"" if 1 in closed else wanted)
    assert code == (1 if 1 in closed and wanted else 0), told
    assert 2 in closed or "connected to" in told


@closed_ones
def test_a_far_end_without_standard_descriptors(closed, back):
    """It has no peer, or nowhere to report to, but ends by itself, and sends no message over a connection."""
    request = f"CONNECT {back.address}\n".encode()
    said = GREETING + frame(WINDOW, SYN, 1, 0) + frame(DATA, 0, 1, len(request), request)
    code, out, told = run_without(closed, "mux", "-v", stdin=said)
    assert code in ((0, 1) if 1 in closed else (0,)), told
    assert out.startswith(b"" if 1 in closed else GREETING)


@closed_ones
def test_serve_without_standard_descriptors(closed, tmp_path, path):
    """No client and no target gets what is said, and the far end gets what every far end gets."""
    came = []

    def talk(connection):
        while piece := connection.recv(1 << 16):
            came.append(piece)
            connection.sendall(piece)

    via = far_end(tmp_path / "far", f"files = sorted(os.listdir('/proc/self/fd'))\n"
                  f"kinds = [os.readlink('/proc/self/fd/%d' % n).split(':')[0] for n in (0, 1, 2)]\n"
                  f"open({str(tmp_path / 'files')!r}, 'w').write(repr((len(files), kinds)))\nos.execv(MUX[0], MUX + ['-v'])")
    with Target(tmp_path / "s", talk) as target:
        command = without(closed, PROGRAM, "serve", "-v", "--drain=0", "--via", *via, f"unix://{path}=via:{target.address}",
                          f"unix://{path}2={target.address}", f"unix://{path}3=unix://{path}.none")
        with Process(command) as serve:
            wait_for(lambda: listens(f"{path}2"), "it listens")
            with connect(f"unix://{path}") as client, connect(f"unix://{path}2") as other:
                for number in range(20):
                    ask(client, b"client %02d" % number)
                    ask(other, b"other %03d" % number)
                    with connect(f"unix://{path}3") as lost:
                        ends(lost)
                client.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    client.recv(1)
            os.kill(serve.pid, signal.SIGTERM)
            assert serve.wait() == 0
            assert serve.stdout == b"" and (2 in closed) == (serve.stderr == "")
    assert len(came) == 40 and all(piece.startswith((b"client", b"other")) for piece in came)
    count, kinds = eval((tmp_path / "files").read_text())
    assert set(kinds) <= {"pipe", "socket"} and count == 4  # one more is the listing's own


@closed_ones
def test_where_there_is_no_dev(closed, tmp_path, path):
    """What would be written to a closed standard output goes to nothing else that has got its number."""
    def in_there(*command):
        return without_dev(*without(closed, *command))

    def talk(connection):
        connection.sendall(b"8 bytes.")
        echo(connection)

    with Target(tmp_path / "s", talk) as target:
        relay = subprocess.run(in_there(PROGRAM, target.address), input=b"hello", capture_output=True, timeout=SOON)
        assert (relay.returncode, relay.stdout) == (
            (1, b"") if 1 in closed else (0, b"8 bytes." + (b"" if 0 in closed else b"hello"))), relay
    with Target(tmp_path / "e", echo) as target:
        command = in_there(PROGRAM, "serve", "-v", "--drain=0", f"unix://{path}={target.address}")
        with Process(command) as serve:
            wait_for(lambda: listens(path) or not serve.running, "it listens")
            with connect(f"unix://{path}") as client:
                for number in range(20):
                    ask(client, b"client %02d" % number)
            os.kill(serve.pid, signal.SIGTERM)
            assert serve.wait() == 0, serve.stderr


def test_a_socket_of_systemd_where_there_is_no_dev(path, back):
    with listener(path) as passed, Serve(f"fd://3={back.address}", sockets=[passed], wrap=without_dev()):
        with connect(f"unix://{path}") as client:
            ask(client)


def test_half_closes_where_there_is_no_dev(tmp_path):
    """The reader of standard output sees its end, though standard input goes on."""
    def talk(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        receive_all(connection)

    with Target(tmp_path / "s", talk) as target:
        with Process(without_dev(PROGRAM, target.address)) as relay:
            relay.out.wait_end()
            assert relay.running and relay.stdout == b"bye"
            relay.close_stdin()
            assert relay.wait() == 0


# Standard descriptors of odd kinds.

def odd_kinds():
    """Each as (what, whether for input, a function that opens it, words of the message or None for an empty input)."""
    def pipe(end):
        return os.pipe()[end]

    def epoll():
        with select.epoll() as made:
            return os.dup(made.fileno())

    def listening():
        made = socket.create_server(("127.0.0.1", 0))
        return made.detach()

    yield "pipe-to-write", True, lambda: pipe(1), "open only for writing"
    yield "pipe-to-read", False, lambda: pipe(0), "open only for reading"
    yield "file-to-write", True, lambda: os.open("/dev/null", os.O_WRONLY), "EBADF"
    yield "file-to-read", False, lambda: os.open("/dev/null", os.O_RDONLY), "EBADF"
    yield "path-in", True, lambda: os.open("/etc/passwd", os.O_PATH), "EBADF"
    yield "path-out", False, lambda: os.open("/etc/passwd", os.O_PATH), "EBADF"
    yield "directory-in", True, lambda: os.open("/", os.O_RDONLY), "EISDIR"
    yield "directory-out", False, lambda: os.open("/", os.O_RDONLY), "EBADF"
    yield "epoll-in", True, epoll, "EINVAL"
    yield "epoll-out", False, epoll, "EINVAL"
    yield "event-out", False, lambda: os.eventfd(0), "EINVAL"
    yield "listener-in", True, listening, "a listening socket"
    yield "listener-out", False, listening, "a listening socket"
    yield "datagrams-out", False, lambda: socket.socket(type=socket.SOCK_DGRAM).detach(), "EDESTADDRREQ"
    yield "full-out", False, lambda: os.open("/dev/full", os.O_WRONLY), "ENOSPC"
    yield "full-in", True, lambda: os.open("/dev/null", os.O_RDONLY), None


@pytest.mark.parametrize("is_input, make, words", [
    pytest.param(*kind[1:], id=kind[0]) for kind in odd_kinds()])
@pytest.mark.parametrize("program", ["relay", "mux"])
def test_odd_standard_descriptors(is_input, make, words, program, tmp_path):
    """What cannot be read or written is reported in one sentence: it is not an orderly end, as bytes would be lost."""
    given = make()
    with Target(tmp_path / "s", echo) as target:
        feed, input_ = os.pipe()[::-1]
        os.write(feed, GREETING + frame(PING, SYN, 0, 1))
        stdin, stdout = (given, subprocess.PIPE) if is_input else (input_, given)
        args = [target.address] if program == "relay" else ["mux"]
        with Process([PROGRAM, *args], stdin=stdin, stdout=stdout) as process:
            os.close(given)
            os.close(input_)
            code = process.wait()
            os.close(feed)
            if words is None:
                assert (code, process.stderr) == (0, "")
            else:
                assert code == 1 and (words in process.stderr or program == "mux"), process.stderr
                error_sentence(process.stderr)


# What is full.

@pytest.mark.parametrize("json_", [False, True])
def test_the_log_is_full(path, back, json_):
    """Lines are lost, and nothing else happens: no work is done over and over, and nothing piles up."""
    with open("/dev/full", "wb") as full:
        command = [PROGRAM, "serve", "-v", *(["--json"] if json_ else []), f"unix://{path}={back.address}"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=full)
    try:
        check_that_it_serves(process, path)
    finally:
        process.kill()
        process.wait()


def check_that_it_serves(process, path, count=500, kib=4096):
    wait_for(lambda: listens(path), "it listens")
    with Cost(process, "a log that nobody takes", kib=kib, processor=10):
        for _ in range(count):
            with connect(f"unix://{path}") as client:
                ask(client)
        quiet(process, "a log that nobody takes")
    process.terminate()
    assert process.wait(SOON) == 0


def limited_files(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_the_log_has_reached_the_limit_of_files(tmp_path, path, back):
    """Which others are killed for, by SIGXFSZ."""
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", "-v", f"unix://{path}={back.address}"], stdin=subprocess.DEVNULL,
                                   stderr=log, preexec_fn=limited_files(2000))
    try:
        check_that_it_serves(process, path)
        assert (tmp_path / "log").stat().st_size == 2000
    finally:
        process.kill()
        process.wait()


def test_standard_output_has_reached_the_limit_of_files(tmp_path):
    with Target(tmp_path / "s", lambda connection: connection.sendall(bytes(5000))) as target:
        with open(tmp_path / "out", "wb") as out, Process([PROGRAM, "-ei=false", target.address], stdout=out,
                                                          preexec_fn=limited_files(2000)) as relay:
            assert relay.wait() == 1
            assert "standard output" in error_sentence(relay.stderr) and "EFBIG" in relay.stderr
    assert (tmp_path / "out").read_bytes() == bytes(2000)


@needs_root
def test_the_logs_disk_is_full(tmp_path, path, back):
    """And when there is room again, it is written again."""
    with file_system(tmp_path / "small", "size=64k") as small:
        log = small / "log"
        with open(log, "ab") as file:
            process = subprocess.Popen([PROGRAM, "serve", "-v", f"unix://{path}={back.address}"],
                                       stdin=subprocess.DEVNULL, stderr=file)
        try:
            wait_for(lambda: listens(path), "it listens")
            (small / "filler").write_bytes(b"")
            with contextlib.suppress(OSError), open(small / "filler", "ab", buffering=0) as filler:
                while True:
                    filler.write(bytes(4096))
            for _ in range(300):
                with connect(f"unix://{path}") as client:
                    ask(client)
            (small / "filler").unlink()
            os.truncate(log, 0)
            with connect(f"unix://{path}") as client:
                ask(client)
            wait_for(lambda: b"opened" in log.read_bytes(), "the log goes on")
            check_that_it_serves(process, path, 10)
        finally:
            process.kill()
            process.wait()


def test_a_log_that_nobody_reads_is_bounded(tmp_path):
    """1 MiB waits for its reader, of several that are written; the rest is lost."""
    path = tmp_path / ("front" + "x" * (100 - len(str(tmp_path))))  # so that lines are long
    read, write = os.pipe()
    with EchoServer(tmp_path / ("back" + "x" * (100 - len(str(tmp_path))))) as back:
        process = subprocess.Popen([PROGRAM, "serve", "-v", f"unix://{path}={back.address}"], stdin=subprocess.DEVNULL,
                                   stderr=write)
        os.close(write)
        try:
            check_that_it_serves(process, path, 9000, 2400)  # without a bound, 3,000
        finally:
            process.kill()
            process.wait()
            os.close(read)


@pytest.mark.parametrize("size", [5, 1_000_000])
def test_the_messages_of_a_relay_have_no_room(tmp_path, size):
    """It relays as ever."""
    with Target(tmp_path / "s", lambda connection: connection.sendall(receive_all(connection))) as target:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "-v", target.address], input=bytes(size), stdout=subprocess.PIPE, stderr=full,
                                  timeout=SOON)
        assert (done.returncode, done.stdout) == (0, bytes(size))


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_standard_output_is_full(tmp_path, size):
    with Target(tmp_path / "s", lambda connection: connection.sendall(bytes(size))) as target:
        with open("/dev/full", "wb") as full, Process([PROGRAM, "-ei=false", target.address], stdout=full) as relay:
            assert relay.wait() == 1
            assert "standard output" in error_sentence(relay.stderr) and "ENOSPC" in relay.stderr


@needs_root
@pytest.mark.parametrize("options, words", [("size=4k,nr_inodes=2", "ENOSPC"), ("ro", "EROFS")])
def test_where_it_listens_nothing_can_be_made(tmp_path, back, options, words):
    with file_system(tmp_path / "small", options) as small:
        if words == "ENOSPC":
            (small / "filler").touch()
        with Serve(f"unix://{tmp_path}/other={back.address}", f"unix://{small}/s={back.address}", wait=False) as serve:
            text = serve.ended(1)
        assert words in text.splitlines()[-1] and f"{small}/s" in text, text
        assert not (tmp_path / "other").exists() and not (small / "s").exists()


# Configuration.

def test_a_configuration_that_nobody_writes(path, back, tmp_path):
    """A fifo waits for its writer, without work, and can be ended; when it is written, it is read."""
    os.mkfifo(tmp_path / "fifo")
    for ended in (True, False):
        with Process([PROGRAM, "serve", "--config", tmp_path / "fifo"], stdin=subprocess.DEVNULL) as serve:
            quiet(serve, "a fifo", kib=4096)  # it may have just begun
            if not ended:
                (tmp_path / "fifo").write_text(f"unix://{path}={back.address}\n")
                wait_for(lambda: listens(path), "it listens")
                with connect(f"unix://{path}") as client:
                    ask(client)
            os.kill(serve.pid, signal.SIGTERM)
            serve.wait()


@pytest.mark.parametrize("file, words", [
    ("/dev/full", "EFBIG"), ("/proc/self/mem", "EIO"), ("/", "EISDIR"), ("/proc/self/fd/99", "ENOENT")])
def test_a_configuration_that_is_none(file, words):
    with Serve("--config", file, wait=False) as serve:
        assert words in error_sentence(serve.ended(2))


# The service manager.

def test_a_service_manager_that_does_not_read(path, back):
    """Its socket is full: it is not waited for longer than a moment, neither at the start nor at the end."""
    manager = NotifySocket()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    filler.sendto(b"x", manager.environment["NOTIFY_SOCKET"].replace("@", "\0", 1))
            with Serve(f"unix://{path}={back.address}", env=manager.environment, wait=False) as serve:
                serve.wait_match("cannot notify the socket in NOTIFY_SOCKET: connection timed out")
                with connect(f"unix://{path}") as client:
                    ask(client)
                serve.stop()
    finally:
        manager.close()


def test_a_service_manager_that_has_gone(path, back):
    """Between the start and the end."""
    manager = NotifySocket()
    with Serve(f"unix://{path}={back.address}", env=manager.environment, wait=False) as serve:
        wait_for(lambda: "READY=1" in manager.lines(), "it is ready")
        manager.close()
        with connect(f"unix://{path}") as client:
            ask(client)
        serve.stop()


# Files of libassuan's that are none.

def make_huge(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("make, words", [
    (os.mkfifo, "not a regular file"),
    (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    (lambda path: path.symlink_to("/dev/tty"), "not a regular file"),
    (lambda path: path.symlink_to("/dev/full"), "not a regular file"),
    (lambda path: path.symlink_to("/proc/self/mem"), "EIO"),
    (lambda path: path.symlink_to(path), "ELOOP"),
    (lambda path: path.mkdir(), "not a regular file"),
    (make_huge, "too large")], ids=["fifo", "zero", "tty", "full", "memory", "loop", "directory", "huge"])
def test_a_socket_file_that_is_none(make, words, tmp_path, path):
    """Told at once, by the program, by serve and by the far end; none of them reads what has no end."""
    make(tmp_path / "S")
    target = f"assuan://{tmp_path}/S"
    begin = time.monotonic()
    relay = subprocess.run([PROGRAM, target], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON)
    assert relay.returncode == 1 and words in error_sentence(relay.stderr)
    with Via(f"unix://{path}={target}", f"unix://{path}2=via:{target}", verbose=False) as serve:
        with Cost(serve, "a socket file that is none", kib=2048, processor=1):
            for number, front in enumerate((path, f"{path}2")):
                with connect(f"unix://{front}") as client:
                    ends(client)
                serve.wait_match(f"{front}=.* #1: .*{words}")
    assert time.monotonic() - begin < SOON


def test_a_socket_file_that_changes(tmp_path, path):
    """Written anew again and again, in place, so that it is empty or half there at times: a client is served, or learns
    that the file is not one, and all ends."""
    with AssuanServer(echo) as server:
        file, over = tmp_path / "S", threading.Event()
        file.write_bytes(server.file())

        def change():
            while not over.is_set():
                for data in (server.file(), b"", server.file()[:9], b"!<socket >", bytes(5000), server.file()):
                    file.write_bytes(data)
                    time.sleep(0.001)

        changer = threading.Thread(target=change)
        changer.start()
        served = refused = 0
        try:
            with Serve(f"unix://{path}=assuan://{file}", verbose=False) as serve:
                with Cost(serve, "a socket file that changes", kib=2048, processor=3):
                    end = time.monotonic() + SOON
                    while (served < 20 or refused < 20) and time.monotonic() < end:
                        with connect(f"unix://{path}") as client:
                            answer = b""
                            with contextlib.suppress(ConnectionError):
                                client.sendall(b"hello")
                                answer = client.recv(5)
                        assert answer in (b"hello", b"")
                        served, refused = served + bool(answer), refused + (not answer)
        finally:
            over.set()
            changer.join()
        print(f"{served} are served, {refused} are not")
        assert served >= 20 and refused >= 20

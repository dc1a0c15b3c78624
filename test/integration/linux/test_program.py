"""The Linux program, from outside: sockets, its ends, its messages, and what it does with standard descriptors.

It runs the program of the build it belongs to, so with the sanitizers, too; what they find fails the test by the exit
status or by a line on standard error."""

import contextlib
import fcntl
import hashlib
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import tty

import pytest
from assuanpeer import refused_port

PROGRAM = os.environ["UVRELAY"]
SOON = 30


def start(*args, **options):
    options.setdefault("stdin", subprocess.PIPE)
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.Popen([PROGRAM, *args], stderr=subprocess.PIPE, **options)


def run(*args, data=b"", **options):
    process = start(*args, **options)
    out, err = process.communicate(data, timeout=SOON)
    return process.returncode, out, err.decode()


@contextlib.contextmanager
def server(serve, family=socket.AF_UNIX, address=None):
    """Serves one client with serve(connection) in a thread. Gives the address as uvrelay wants it."""
    listener = socket.socket(family)
    listener.settimeout(SOON)
    listener.bind(address or ("127.0.0.1", 0))
    listener.listen()
    problems = []

    def work():
        try:
            connection, _ = listener.accept()
            connection.settimeout(SOON)
            with connection:
                serve(connection)
        except Exception as problem:  # noqa: BLE001: told to the test below
            problems.append(problem)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield f"unix://{address}" if family == socket.AF_UNIX else f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(SOON)
        assert not thread.is_alive()
        assert not problems
    finally:
        listener.close()


def receive_all(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def upper(connection):
    connection.sendall(receive_all(connection).upper())


@pytest.fixture(params=["unix", "tcp"])
def kind(request, tmp_path):
    return (socket.AF_UNIX, str(tmp_path / "s")) if request.param == "unix" else (socket.AF_INET, None)


def test_half_close_and_late_reply(kind):
    def serve(connection):
        text = receive_all(connection)
        time.sleep(0.3)
        connection.sendall(text.upper())

    with server(serve, *kind) as address:
        assert run(address, data=b"hello") == (0, b"HELLO", "")


@pytest.mark.sanitized
def test_both_ways_at_once(kind):
    up = random.Random(1).randbytes(20_000_000)
    down = random.Random(2).randbytes(20_000_000)
    got = []

    def serve(connection):
        sender = threading.Thread(target=lambda: (connection.sendall(down), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        got.append(receive_all(connection))
        sender.join()

    with server(serve, *kind) as address:
        code, out, err = run(address, data=up)
    assert (code, err) == (0, "")
    assert hashlib.sha256(out).digest() == hashlib.sha256(down).digest()
    assert hashlib.sha256(got[0]).digest() == hashlib.sha256(up).digest()


def test_ei_ends_when_all_is_written(kind):
    """The server stays until it has ended."""
    over = threading.Event()
    with server(lambda connection: receive_all(connection) and over.wait(2 * SOON), *kind) as address:
        assert run("-ei", address, data=b"x" * 1000)[0] == 0
        over.set()


def test_ep_ends_though_stdin_is_open(kind):
    with server(lambda connection: connection.sendall(b"bye"), *kind) as address:
        process = start("-ep", address)
        assert process.wait(SOON) == 0
        assert process.stdout.read() == b"bye"
        process.stdin.close()


@pytest.mark.sanitized
@pytest.mark.parametrize("silent", [False, True])
def test_a_lost_reader_ends_it(kind, silent):
    def serve(connection):
        with contextlib.suppress(OSError):
            if silent:
                receive_all(connection)
            while not silent:
                connection.sendall(b"x" * 65536)

    with server(serve, *kind) as address:
        process = start(address)
        time.sleep(0.2)
        process.stdout.close()
        assert process.wait(SOON) == 0
        process.stdin.close()


def test_a_stopped_reader_stops_the_sender(tmp_path):
    sent = []

    def serve(connection):
        connection.settimeout(2)
        total = 0
        with contextlib.suppress(OSError):
            while total < 200_000_000:
                total += connection.send(b"x" * 65536)
        sent.append(total)

    with server(serve, socket.AF_UNIX, str(tmp_path / "s")) as address:
        process = start(address)
        time.sleep(1.5)
        memory = [int(line.split()[1]) for line in open(f"/proc/{process.pid}/status") if line.startswith("VmRSS")][0]
    assert sent[0] < 5_000_000
    if "san" not in os.environ["UVRELAY_BUILD"]:
        assert memory < 20_000
    process.kill()
    process.communicate()


def test_errors_are_one_sentence(tmp_path):
    path = tmp_path / "none"
    port = refused_port()
    cases = {
        f"unix://{path}": rf"there is no socket unix://{path} \(ENOENT\): .*add -p",
        f"tcp://127.0.0.1:{port}": rf"cannot connect to tcp://127.0.0.1:{port}: connection refused \(ECONNREFUSED\): .*-p",
        f"assuan://{path}": rf"there is no socket file {path} \(ENOENT\): .*-p",
        "//./pipe/x": r"cannot connect to //./pipe/x: named pipes exist only on Windows",
    }
    for address, expected in cases.items():
        code, out, err = run(address)
        assert (code, out) == (1, b"")
        assert re.fullmatch(f"uvrelay: {expected}.*\n", err), err
    code, _, err = run("nonsense")
    assert code == 2 and err.count("\n") == 1, err


def test_p_waits_for_the_socket(tmp_path):
    path = tmp_path / "later"
    process = start("-p", f"unix://{path}")
    time.sleep(0.7)
    with server(upper, socket.AF_UNIX, str(path)):
        out, _ = process.communicate(b"hello", timeout=SOON)
    assert (process.returncode, out) == (0, b"HELLO")


def test_timeout_gives_up(tmp_path):
    begin = time.monotonic()
    code, _, err = run("-p", "--timeout=0.5", f"unix://{tmp_path}/none")
    assert code == 1 and "gave up" in err and "after 0.5 s" in err
    assert 0.4 < time.monotonic() - begin < SOON


def test_verbose_tells_the_story(tmp_path):
    with server(upper, socket.AF_UNIX, str(tmp_path / "s")) as address:
        code, out, err = run("-v", address, data=b"hello")
    assert (code, out) == (0, b"HELLO")
    story = ["connecting to", "connected to", "standard input: end of input after 5 bytes", "end of input after 5 bytes",
             "5 bytes sent, 5 bytes received"]
    position = 0
    for part in story:
        position = err.index(part, position) + 1


@pytest.mark.sanitized
def test_every_kind_of_descriptor(tmp_path):
    text = bytes(range(256)) * 1000
    (tmp_path / "in").write_bytes(text)
    with server(upper, socket.AF_UNIX, str(tmp_path / "s1")) as address:
        with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
            assert start(address, stdin=source, stdout=sink).wait(SOON) == 0
    assert (tmp_path / "out").read_bytes() == text.upper()

    with server(upper, socket.AF_UNIX, str(tmp_path / "s2")) as address:
        ours, theirs = socket.socketpair()
        process = start(address, stdin=theirs, stdout=theirs)
        theirs.close()
        sender = threading.Thread(target=lambda: (ours.sendall(text), ours.shutdown(socket.SHUT_WR)))
        sender.start()
        assert receive_all(ours) == text.upper()
        sender.join()
        assert process.wait(SOON) == 0
        ours.close()

    with server(upper, socket.AF_UNIX, str(tmp_path / "s3")) as address:
        assert run(address, stdin=subprocess.DEVNULL)[:2] == (0, b"")


def test_closed_descriptors(tmp_path):
    with server(lambda connection: connection.sendall(b"bye"), socket.AF_UNIX, str(tmp_path / "s1")) as address:
        process = subprocess.run(["sh", "-c", '"$0" "$1" <&-', PROGRAM, address], capture_output=True, timeout=SOON)
        assert (process.returncode, process.stdout) == (0, b"bye")
    with server(lambda connection: connection.sendall(b"bye"), socket.AF_UNIX, str(tmp_path / "s2")) as address:
        process = subprocess.run(["sh", "-c", '"$0" "$1" >&-', PROGRAM, address], stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=SOON)
        assert process.returncode == 1 and b"writing to standard output failed" in process.stderr


# What it shares with other processes.


def make_pipes(tmp_path):
    """Standard input and output for a program, and our ends of them: to write to, to read from."""
    (stdin, feed), (drain, stdout) = os.pipe(), os.pipe()
    return stdin, stdout, feed, drain


def make_fifos(tmp_path):
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out")
    both = [os.open(tmp_path / name, os.O_RDWR) for name in ("in", "out")]
    ends = [os.open(tmp_path / name, mode) for name, mode in
            (("in", os.O_RDONLY), ("out", os.O_WRONLY), ("in", os.O_WRONLY), ("out", os.O_RDONLY))]
    for one in both:
        os.close(one)
    return ends


def make_socket(tmp_path):
    ours, theirs = socket.socketpair()
    given, kept = theirs.detach(), ours.detach()
    return given, os.dup(given), kept, os.dup(kept)


def make_terminal(tmp_path):
    master, slave = os.openpty()
    tty.setraw(slave)
    return slave, os.dup(slave), master, os.dup(master)


shares = pytest.mark.parametrize("make", [make_pipes, make_fifos, make_socket, make_terminal])


def flags(*given):
    return [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in given]


def read_all(fd, size):
    data = b""
    while len(data) < size and (more := os.read(fd, size - len(data))):
        data += more
    return data


@shares
@pytest.mark.parametrize("nonblocking", [False, True])
@pytest.mark.parametrize("end", ["itself", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_it_shares_is_left_as_it_is(tmp_path, make, nonblocking, end):
    """At no time has anybody reason to notice: not while it relays, not while it is stopped, not when it has ended."""
    stdin, stdout, feed, drain = make(tmp_path)
    for fd in (stdin, stdout):
        os.set_blocking(fd, not nonblocking)
    before, met, over = flags(stdin, stdout), threading.Event(), threading.Event()

    def serve(connection):
        connection.sendall(connection.recv(5).upper())
        met.set()
        assert over.wait(SOON)

    with server(serve, socket.AF_UNIX, str(tmp_path / "s")) as address:
        process = start("-ei", address, stdin=stdin, stdout=stdout)
        os.write(feed, b"hello")
        assert read_all(drain, 5) == b"HELLO"
        assert flags(stdin, stdout) == before
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert flags(stdin, stdout) == before
        process.send_signal(signal.SIGCONT)
        if end == "itself":
            over.set()
        else:
            process.send_signal(end)
        process.wait(SOON)
        assert flags(stdin, stdout) == before
        over.set()
    for fd in (stdin, stdout, feed, drain):
        os.close(fd)


@shares
def test_another_program_writes_to_its_output(tmp_path, make):
    """More than fits at once, as with `(uvrelay ... & make) | less`: the writer waits for the reader, and loses nothing."""
    stdin, stdout, feed, drain = make(tmp_path)
    size, over, got = 1_000_000, threading.Event(), []
    with server(lambda connection: over.wait(SOON), socket.AF_UNIX, str(tmp_path / "s")) as address:
        process = start("-ei", "-v", address, stdin=stdin, stdout=stdout)
        assert any(b"connected" in process.stderr.readline() for _ in range(2))
        with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=stdout) as other:
            time.sleep(0.1)  # it fills what there is
            reader = threading.Thread(target=lambda: got.append(read_all(drain, size)))
            reader.start()
            assert other.wait(SOON) == 0
            reader.join(SOON)
        assert len(got[0]) == size
        over.set()
        process.communicate(timeout=SOON)
    for fd in (stdin, stdout, feed, drain):
        os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("args", [[], ["-ei"]])
def test_pipes_that_another_user_has_made(tmp_path, args):
    """As with `su`: they cannot be opened once more."""
    data = random.Random(4).randbytes(1_000_000)
    program = tmp_path / "uvrelay"
    shutil.copy(PROGRAM, program)
    tmp_path.chmod(0o755)
    with server(lambda c: c.sendall(receive_all(c)) if not args else receive_all(c), socket.AF_INET) as address:
        process = subprocess.run([program, *args, address], user=65534, input=data, capture_output=True, timeout=SOON)
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout == (b"" if args else data)


def test_a_named_pipe_whose_writer_has_left(tmp_path):
    os.mkfifo(tmp_path / "in")
    reader = os.open(tmp_path / "in", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(tmp_path / "in", os.O_WRONLY)
    os.set_blocking(reader, True)
    os.write(writer, b"left")
    os.close(writer)
    with server(upper, socket.AF_UNIX, str(tmp_path / "s")) as address:
        process = start(address, stdin=reader)
        os.close(reader)
        assert process.communicate(timeout=SOON) == (b"LEFT", b"")


# Its messages.


@pytest.mark.parametrize("nonblocking", [0, os.O_NONBLOCK], ids=["blocking", "non-blocking"])
def test_a_pipe_of_packets_whose_writer_has_left(tmp_path, nonblocking):
    """Each read takes one of them."""
    reader, writer = os.pipe2(os.O_DIRECT | nonblocking)
    for number in range(5):
        os.write(writer, b"packet %d" % number)
    os.close(writer)
    received = []
    with server(lambda connection: received.append(receive_all(connection)), address=str(tmp_path / "s")) as address:
        process = start(address, stdin=reader)
        os.close(reader)
        assert process.communicate(timeout=SOON) == (b"", b"")
    assert received == [b"".join(b"packet %d" % number for number in range(5))]


@pytest.mark.parametrize("args", [("serve",), ("mux",), ()], ids=lambda args: " ".join(args) or "alone")
@pytest.mark.parametrize("limit", [4, 5, 6, 7, 8, 10])
def test_too_few_descriptors(tmp_path, args, limit):
    """One sentence, however few they are. (With three, it cannot load its libraries.)"""
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    routes = {("serve",): [f"unix://{tmp_path}/a=unix://{tmp_path}/none"], (): [f"unix://{tmp_path}/none"]}.get(args, [])
    code, out, err = run(*args, *routes, preexec_fn=lower)
    assert (code, out) == (1, b"")
    assert re.fullmatch(r"uvrelay: [^\n]*too many open files[^\n]*\n", err), err


def full_pipe():
    """A pipe that holds all it can."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    size = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            size += os.write(writer, b"x" * 65536)
    os.set_blocking(writer, True)
    return reader, writer, size


def test_nobody_reads_its_messages(kind):
    """It relays, and ends when it has waited a while."""
    data = random.Random(5).randbytes(1_000_000)
    reader, writer, _ = full_pipe()
    with server(lambda c: c.sendall(receive_all(c)), *kind) as address:
        process = subprocess.run([PROGRAM, "-v", address], input=data, stdout=subprocess.PIPE, stderr=writer,
                                 timeout=SOON)
    assert (process.returncode, process.stdout) == (0, data)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("verbose", [True, False])
@pytest.mark.parametrize("nonblocking", [True, False])
def test_messages_are_complete_when_they_are_read_late(tmp_path, verbose, nonblocking):
    reader, writer, size = full_pipe()
    os.set_blocking(writer, not nonblocking)
    process = subprocess.Popen([PROGRAM, *(["-v"] if verbose else []), f"unix://{tmp_path}/none"],
                               stdin=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    time.sleep(0.2)
    assert process.poll() is None
    text = b""
    while more := os.read(reader, 65536):
        text += more
    assert process.wait(SOON) == 1
    lines = text[size:].decode().splitlines()
    assert len(lines) == (3 if verbose else 1) and all(line.startswith("uvrelay: ") for line in lines), lines
    assert "-p" in lines[-1]
    os.close(reader)


@pytest.mark.sanitized
@pytest.mark.parametrize("unread", [False, True])
def test_a_client_that_vanishes_is_an_orderly_end(tmp_path, unread):
    """As socat's EXEC hands it over: one socket for both. It may leave answers unread, which resets the connection."""

    def serve(connection):
        connection.sendall(b"x" * (100_000 if unread else 1))
        with contextlib.suppress(OSError):
            receive_all(connection)

    with server(serve, socket.AF_UNIX, str(tmp_path / "s")) as address:
        ours, theirs = socket.socketpair()
        process = start(address, stdin=theirs, stdout=theirs)
        theirs.close()
        ours.recv(1)
        ours.close()
        assert process.wait(SOON) == 0
        assert process.stderr.read() == b""


def test_what_a_vanished_client_sent_arrives(tmp_path):
    got = []

    def serve(connection):
        time.sleep(0.3)
        got.append(receive_all(connection))

    with server(serve, socket.AF_UNIX, str(tmp_path / "s")) as address:
        ours, theirs = socket.socketpair()
        process = start(address, stdin=theirs, stdout=theirs)
        theirs.close()
        ours.sendall(b"y" * 100_000)
        ours.close()
        assert process.wait(SOON) == 0
    assert got == [b"y" * 100_000]


def test_a_reset_of_standard_input_is_passed_on():
    """As from inetd: a client that resets has perhaps not sent all."""
    with socket.create_server(("127.0.0.1", 0)) as near, socket.create_connection(near.getsockname()) as client:
        far, _ = near.accept()

        def target(connection):
            assert connection.recv(3) == b"cut"
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

        with server(target, socket.AF_INET) as address, far:
            process = start(address, stdin=far, stdout=far)
            far.close()
            client.sendall(b"cut")
            assert process.communicate(timeout=SOON)[1] == b""
    assert process.returncode == 0


def test_p_does_not_outlive_its_client(tmp_path):
    ours, theirs = socket.socketpair()
    process = start("-p", f"unix://{tmp_path}/none", stdin=theirs, stdout=theirs)
    theirs.close()
    time.sleep(0.3)
    ours.close()
    assert process.wait(SOON) == 0


@pytest.mark.parametrize("pair", [os.pipe, lambda: [end.detach() for end in socket.socketpair()]])
def test_with_ei_p_does_not_outlive_its_input(tmp_path, pair):
    """An input that has ended without a byte leaves nothing to wait for, even if somebody reads the output."""
    ours, theirs = pair()[::-1]
    process = start("-p", "-ei", "-v", f"unix://{tmp_path}/none", stdin=theirs)
    os.close(theirs)
    assert process.stderr.readline().startswith(b"uvrelay: connecting to ")
    os.close(ours)
    assert process.communicate(timeout=SOON)[1].endswith(b": the input has ended; 0 bytes sent, 0 bytes received\n")
    assert process.returncode == 0


def test_with_ei_p_waits_while_there_is_input(tmp_path):
    """All of it arrives, though it had ended long before somebody took it."""
    path, received = tmp_path / "later", []
    process = start("-p", "-ei", f"unix://{path}")
    process.stdin.write(b"hello")
    process.stdin.close()
    time.sleep(1.2)  # longer than from one look to the next
    with server(lambda connection: received.append(receive_all(connection)), socket.AF_UNIX, str(path)):
        assert process.wait(SOON) == 0
    assert received == [b"hello"]


def test_the_deadline_tells_what_was_last(tmp_path):
    """First there is no socket file, then one whose server never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = start("-p", "--timeout=2", "-a", str(tmp_path / "file"))
    time.sleep(0.5)
    words = "-".join(["12345678"] * 4)
    (tmp_path / "part").write_text(f"!<socket >{listener.getsockname()[1]} s {words}\0")
    (tmp_path / "part").rename(tmp_path / "file")
    assert process.wait(SOON) == 1
    error = process.stderr.read().decode()
    assert "did not answer within 2 s" in error and "no socket file" not in error and "not a socket file" not in error
    assert "12345678" not in error
    listener.close()


def test_a_terminal_left_non_blocking(tmp_path):
    master, terminal = os.openpty()
    os.set_blocking(terminal, False)
    with server(upper, socket.AF_UNIX, str(tmp_path / "s")) as address:
        process = start(address, stdin=terminal)
        time.sleep(0.5)
        os.write(master, b"hello\n\x04")
        out, err = process.communicate(timeout=SOON)
    assert (process.returncode, out, err) == (0, b"HELLO\n", b"")
    os.close(master)
    os.close(terminal)


# What it prints when it is asked.

ASKED = [["--help"], ["--version"], ["help"], ["help", "serve"], ["help", "mux"], ["version"], ["serve", "--help"],
         ["serve", "help"], ["serve", "--version"], ["mux", "--help"], ["mux", "help"], ["mux", "--version"],
         ["-V"], ["serve", "-V"], ["mux", "-V"]]


@pytest.mark.parametrize("args", ASKED, ids=" ".join)
def test_what_it_is_asked_for(args):
    code, out, err = run(*args)
    start = b"uvrelay " if "ersion" in args[-1] or args[-1] == "-V" else b"Usage: uvrelay " + (
        b"serve" if "serve" in args else b"mux" if "mux" in args else b"[flags]")
    assert (code, err) == (0, "") and out.startswith(start), (out, err)


@pytest.mark.parametrize("args", ASKED, ids=" ".join)
def test_an_answer_that_cannot_be_written(args):
    with open("/dev/full", "wb") as full:
        code, _, err = run(*args, stdout=full)
    assert (code, err) == (1, "uvrelay: cannot write to standard output: No space left on device\n")
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", PROGRAM, *args], stderr=subprocess.PIPE, text=True,
                            check=False, timeout=SOON)
    assert (closed.returncode, closed.stderr) == (1, "uvrelay: cannot write to standard output: Bad file descriptor\n")


@pytest.mark.parametrize("args", [["help", "me"], ["help", "serve", "mux"]], ids=" ".join)
def test_there_is_no_such_help(args):
    code, out, err = run(*args)
    assert (code, out) == (2, b"") and "write uvrelay help" in err.splitlines()[0]


def test_a_name_that_does_not_show_is_escaped():
    _, _, err = run("-v", "unix:///nonexistent/\u202egnp.exe\u200b")
    assert "unix:///nonexistent/\\xe2\\x80\\xaegnp.exe\\xe2\\x80\\x8b" in err and err.isascii(), err

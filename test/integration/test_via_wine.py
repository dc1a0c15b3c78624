"""`uvrelay serve` of Linux with `uvrelay.exe mux` as its far end: pipes of Windows behind Unix sockets. And the other
way round, as far as Wine goes: `uvrelay.exe serve`, whose far end is `uvrelay.exe mux`, too. (Under Wine, a program of
Linux cannot be the child of a program on libuv.)"""

import contextlib
import os
import random
import re
import signal
import socket
import struct
import threading
import time

import pytest

import bytestream
from assuanpeer import AssuanServer
from nameserver import NameServer
from programs import (SOON, run_relay, under_wine, unique_name, unique_pipe, uvrelay_exe, windows_command,
                      windows_path)
from serving import EchoServer, ask, connect, ends, receive_all, receive_exactly, wait_for
from via import Via, alive, assert_echoed_at_once, assert_none_is_left, marked, mixed_sizes
from winpeers import PipeServer
from winserving import PipeClient, PipeTarget, Serve, TcpEnd, TcpTarget, at_once

EXE_MUX = windows_command(uvrelay_exe(), "mux")
BULK = 25_000_000
#: Longer than the linger that holds where an end cannot be passed on.
LATE = 1.3
#: A look-up that is not answered takes far longer.
AT_ONCE = 10

SEED = int(os.environ.get("UVRELAY_TEST_SEED", time.time_ns() % 1_000_000))
CHILD_ROUNDS, SERVE_ROUNDS = 60, 40

TYPES = pytest.mark.parametrize("type", ["byte", "message"])


class UnixEnd(TcpEnd):
    """A client at a Unix socket, with all that an end can do."""

    def __init__(self, connection):
        self.socket = connection
        connection.settimeout(SOON)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "front"


@contextlib.contextmanager
def relaying(path, target, *args, via=EXE_MUX, **options):
    with Via(*args, f"unix://{path}={target}", via=via, **options) as serve:
        yield serve


@contextlib.contextmanager
def chain(path, type, *args):
    """A client at the front, and the end at the pipe that it was led to."""
    with PipeTarget(type) as target, relaying(path, target.address, *args) as serve:
        with connect(f"unix://{path}") as connection:
            yield UnixEnd(connection), target.accept(), serve


# ---- bytes ----


@TYPES
def test_question_and_answer(path, type):
    with chain(path, type) as (client, end, serve):
        for size in (1, 1000, 65536, 100_000):
            client.send(size, size)
            end.receive(size, size)
            end.send(size, size + 1)
            client.receive(size, size + 1)
        client.close()
        end.wait_gone()
        end.close()
        assert serve.wait_closed().bytes == (166_537, 166_537)
        assert len(serve.matches(r"far end: .* started \(process")) == 1
        assert "via://./pipe/" in serve.matches("closed after")[0].string


@TYPES
def test_the_target_speaks_first(path, type):
    with chain(path, type) as (client, end, _):
        end.send(300, 3)
        client.receive(300, 3)


@TYPES
def test_much_both_ways_at_once(path, type):
    with chain(path, type) as (client, end, serve):
        at_once(lambda: client.both(BULK, 1, BULK, 2), lambda: end.both(BULK, 2, BULK, 1))
        client.close()
        end.wait_gone()
        end.close()
        assert serve.wait_closed().bytes == (BULK, BULK)


@TYPES
def test_many_at_once(path, type):
    """Of 200 that come at once, the server has instances for 40: the others wait until a busy pipe is free."""
    with PipeServer("echo-end", type=type, instances=40, at_once=40, repeat=5, limit=120) as server:
        with relaying(path, f"via:{server.name}") as serve:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(connect(f"unix://{path}")) for _ in range(200)]
                assert_echoed_at_once(clients, mixed_sizes(200, 300_000), half_close=type == "message")
            serve.wait_closed(200)
            assert not serve.matches("#.*failed")
            assert len(serve.far_ends()) == 1
        server.finish()


# ---- ends ----


def test_half_close_of_the_client(path):
    """It becomes the zero-byte message, after all bytes, and the answer may take its time."""
    with chain(path, "message") as (client, end, serve):
        client.send(200_000, 3)
        client.end()
        end.receive(200_000, 3)
        end.wait_end()
        time.sleep(LATE)
        end.send(200_000, 4)
        client.receive(200_000, 4)
        end.close()
        client.wait_gone()
        assert serve.wait_closed().bytes == (200_000, 200_000)


def test_half_close_of_the_target(path):
    """Its zero-byte message is the client's end of input, which can still send."""
    with chain(path, "message") as (client, end, serve):
        end.send(200_000, 3)
        end.end()
        client.receive(200_000, 3)
        client.wait_end()
        time.sleep(LATE)
        client.send(200_000, 4)
        end.receive(200_000, 4)
        client.end()
        end.wait_gone()
        assert serve.wait_closed().bytes == (200_000, 200_000)


def test_half_close_before_a_pipe_that_has_none(path):
    """The target is closed when it has been silent for a while, not while it still answers."""
    with chain(path, "byte", "--linger=1") as (client, end, _):
        client.send(200_000, 3)
        client.end()
        end.receive(200_000, 3)
        for seed in (4, 5, 6):
            time.sleep(0.6)
            end.send(1000, seed)
            client.receive(1000, seed)
        end.wait_gone()
        client.wait_gone()


def test_a_late_answer(path):
    """From a pipe to which the client's end cannot be signalled: there is time for it."""
    with chain(path, "byte") as (client, end, serve):
        client.send(1000, 3)
        client.end()
        end.receive(1000, 3)
        time.sleep(3)
        end.send(1000, 4)
        client.receive(1000, 4)
        end.close()
        client.wait_gone()
        assert serve.wait_closed().bytes == (1000, 1000)


def test_an_answer_that_comes_too_late_is_told_of(path):
    """Without -v, by the end that has waited for it."""
    with PipeServer("recv=5", "peek-gone", type="byte") as server:
        with relaying(path, server.name, "--linger=0.3", verbose=False) as serve, connect(f"unix://{path}") as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b""
            serve.wait_match(rf"^uvrelay: far end: uvrelay: {server.name}: warning: .*linger=off")
        server.finish()


def test_a_marker_for_a_byte_type_pipe(path):
    """eof=marker is for the far end to do; its effect is not visible there, but everything must go on."""
    with PipeServer("recv=5", "text=late", "recv-end", type="byte") as server:
        with relaying(path, f"{server.name}?eof=marker", "--linger=5"):
            with connect(f"unix://{path}") as client:
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
                assert receive_exactly(client, 4) == b"late"


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
@pytest.mark.parametrize("query, level", [("", 0), ("?impersonation=identification", 1),
                                          ("?impersonation=delegation", 3)])
def test_the_impersonation_level_goes_through(path, query, level):
    with PipeServer("echo-end", type="message") as server:
        with relaying(path, server.name + query, env={"WINEDEBUG": "+file"}) as serve, connect(
                f"unix://{path}") as client:
            ask(client)
            opened = serve.wait_match(rf'CreateFileW L"[^ ]*{re.escape(server.short_name)}" .* attributes 0x(\w+)')[1]
            assert int(opened, 16) == 0x40100000 + level * 0x10000


@TYPES
def test_a_server_that_closes(path, type):
    """What it has written before arrives."""
    with PipeServer("recv=1", "send=500000", type=type) as server, relaying(path, server.name):
        with connect(f"unix://{path}") as client:
            client.sendall(b"?")
            assert receive_all(client) == bytestream.data(500_000)
        server.finish()


@TYPES
def test_a_client_that_vanishes(path, type):
    """In the midst of an answer; the server hears of it."""
    with PipeServer("recv=1", "try-send=400000000", type=type, repeat=3) as server, relaying(
            path, server.name) as serve:
        for number in range(1, 4):
            server.event("listening", number)
            with connect(f"unix://{path}") as client:
                client.sendall(b"?")
                receive_exactly(client, 100_000)
            assert server.event("send", number)["error"] != 0
            serve.wait_closed(number)
        server.finish()


@TYPES
@pytest.mark.parametrize("front", ["unix", "tcp"])
def test_clients_one_after_another(path, type, front):
    """An agent with one instance: each client that has left makes room for the next, at once."""
    with PipeServer("recv=1", "text=y", "recv-end", type=type, repeat=8) as server:
        listen = f"unix://{path}" if front == "unix" else "tcp://127.0.0.1:0"
        with Via("--linger=20", f"{listen}={server.name}", via=EXE_MUX) as serve:
            begin = time.monotonic()
            for number in range(1, 9):
                server.event("listening", number)
                with connect(serve.listen()) as client:
                    ask(client, b"y")
                server.event("done", number)
            assert time.monotonic() - begin < SOON / 2
        server.finish()


# ---- targets that can't be reached ----


def closed_after(path, least):
    begin = time.monotonic()
    with connect(f"unix://{path}") as client:
        ends(client)
    assert least <= time.monotonic() - begin


def test_an_absent_pipe(path):
    pipe = unique_pipe("absent")
    with relaying(path, pipe, "--timeout=60", verbose=False) as serve:
        closed_after(path, 0)
        serve.wait_match(rf"^uvrelay: unix://{path}=via:{pipe} #1: far end: there is no pipe {pipe} \(ERROR_FILE_NOT")
        assert "far end: uvrelay: " not in serve.stderr  # which would tell it again


def test_an_absent_pipe_that_is_waited_for(path):
    """Quietly, until it is there, and again when it has gone, as over the restart of a virtual machine."""
    pipe = unique_pipe("absent")
    with relaying(path, f"{pipe}?absent=wait&timeout=off", verbose=False) as serve:
        for _ in range(2):
            with connect(f"unix://{path}") as client:
                client.sendall(b"hello")
                time.sleep(0.7)
                with PipeServer("recv=5", "text=booted", "close", name=pipe, type="byte") as server:
                    assert receive_all(client) == b"booted"
                    server.finish()
        assert "there is no pipe" not in serve.stderr


@pytest.mark.skipif(under_wine(), reason="Wine does not enforce a pipe's list of rights")
def test_a_denied_pipe(path):
    with PipeServer("recv-end", sd="D:(D;;GA;;;WD)") as server, relaying(path, server.name, verbose=False) as serve:
        closed_after(path, 0)
        serve.wait_match(rf"^uvrelay: unix://{path}=via:{server.name} #1: .* denied \(ERROR_ACCESS_DENIED")


def test_a_busy_pipe_waits(path):
    """Until the timeout, or until it is free."""
    with PipeTarget("byte") as target, relaying(path, target.address) as serve:
        short = path.with_name("short")
        with relaying(short, target.address, "--timeout=0.7") as impatient:
            with connect(f"unix://{path}") as first:
                end = target.accept()
                closed_after(short, 0.6)
                impatient.wait_match(r"#1: closed after \d+ ms: .* 0.7 s: .*ERROR_PIPE_BUSY")
                with connect(f"unix://{path}") as second:
                    second.sendall(b"x" * 10)
                    time.sleep(0.4)
                    first.close()
                    end.wait_gone()
                    end.close()
                    end = target.accept()
                    second.settimeout(SOON)
                    assert end.do("recv=10")["bytes"] == 10
        assert not serve.matches("#2.*failed")


def test_allow(path):
    with PipeTarget("byte") as target:
        pattern = target.address[:-3] + "*"
        with Via(f"unix://{path}={target.address}", f"unix://{path}2=npipe:other", via=[*EXE_MUX, "--allow", pattern],
                 verbose=False) as serve:
            with connect(f"unix://{path}2") as client:
                ends(client)
            serve.wait_match(r"=via://\./pipe/other #1: .*not allowed")
            serve.wait_match(rf"not allowed.*{re.escape(pattern)}")
            with connect(f"unix://{path}") as client:
                UnixEnd(client).send(5)
                target.accept().receive(5)


def test_a_socket_file_of_windows(tmp_path, path):
    """assuan: with a path of Windows goes through the far end; one of Linux does not."""
    def talk(connection):
        connection.sendall(b"OK\n")
        connection.sendall(receive_exactly(connection, 5))

    for cygwin in (False, True):
        with AssuanServer(talk, cygwin) as server:
            file = tmp_path / f"S.gpg-agent.{cygwin}"
            file.write_bytes(server.file())
            address = "assuan:///" + windows_path(file).replace("\\", "/")
            front = path.with_name(f"front{cygwin}")
            with Via(f"unix://{front}={address}", f"unix://{front}2=assuan://{file}", via=EXE_MUX) as serve:
                for number in (1, 0):
                    with serve.connect(number) as client:
                        client.sendall(b"hello")
                        assert receive_exactly(client, 8) == b"OK\nhello"
                    assert len(serve.far_ends()) == 1 - number
            server.wait(2)


# ---- kill -9 ----


class Transfer:
    """A client that has its own bytes echoed, with length and hash before them, until its connection ends."""

    def __init__(self, path, source):
        self._sizes, self.whole, self.failure = [source.randrange(800_000) for _ in range(20)], 0, None
        self._connection = connect(f"unix://{path}")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with self._connection:
                while self._sizes:
                    if not self._one(self._sizes.pop(), len(self._sizes) % 5 + 1):
                        return
                    self.whole += 1
        except Exception as failure:
            self.failure = failure

    def _one(self, size, seed):
        data = struct.pack(">Q32s", size, bytes.fromhex(bytestream.sha256(size, seed))) + bytestream.data(size, seed)
        sender = threading.Thread(target=self._send, args=(data,))
        sender.start()
        got = bytearray()
        with contextlib.suppress(ConnectionError):
            while len(got) < len(data) and (piece := self._connection.recv(len(data) - len(got))):
                got += piece
        sender.join(SOON)
        assert got == data[:len(got)], "other bytes than were sent"
        return len(got) == len(data)

    def _send(self, data):
        with contextlib.suppress(OSError):
            self._connection.sendall(data)

    def join(self, what):
        self.thread.join(SOON)
        assert not self.thread.is_alive(), f"{what}: a client's connection did not end"
        if self.failure:
            raise AssertionError(what) from self.failure


def assert_back(path, what):
    begin = time.monotonic()
    while True:
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError), connect(f"unix://{path}") as client:
            ask(client, b"are you back?")
            return time.monotonic() - begin
        assert time.monotonic() - begin < SOON, what
        time.sleep(0.005)


@pytest.fixture(scope="module")
def echo_pipe():
    with PipeServer("try-echo-end", type="byte", instances=16, at_once=16, repeat=10_000, limit=300) as server:
        yield server
        assert server.running, server.events[-5:]


@pytest.mark.parametrize("part", range(2))
def test_killed_far_ends(path, echo_pipe, part):
    source, longest, whole = random.Random(SEED + part), 0, 0
    print("seed", SEED + part)
    with relaying(path, echo_pipe.name) as serve:
        assert_back(path, "at first")
        for number in range(1, CHILD_ROUNDS // 2 + 1):
            transfers = [Transfer(path, source) for _ in range(4)]
            pid = serve.far_pid(number)
            time.sleep(source.uniform(0, 0.2))
            os.kill(pid, signal.SIGKILL)
            longest = max(longest, assert_back(path, f"round {number}"))
            for transfer in transfers:
                transfer.join(f"round {number}")
                whole += transfer.whole
        wait_for(lambda: len(serve.far_ends()) == 1, "one far end is there")
        assert serve.running
    print(f"{whole} whole transfers; back after {longest:.3f} s at most")
    assert longest < SOON / 2


@pytest.mark.parametrize("part", range(2))
def test_killed_serve(path, echo_pipe, part):
    """Its far end ends by itself within a second, and lets go of the pipe."""
    source, longest, whole = random.Random(SEED + 10 + part), 0, 0
    print("seed", SEED + 10 + part)
    for number in range(1, SERVE_ROUNDS // 2 + 1):
        with contextlib.ExitStack() as stack:
            begin = time.monotonic()
            serve = Via(f"unix://{path}={echo_pipe.name}", via=EXE_MUX)
            stack.callback(serve.end_all)
            assert_back(path, f"round {number}")
            longest = max(longest, time.monotonic() - begin)
            transfers = [Transfer(path, source) for _ in range(4)]
            time.sleep(source.uniform(0, 0.2))
            far = serve.far_pid()
            serve.kill()
            begin = time.monotonic()
            for transfer in transfers:
                transfer.join(f"round {number}")
                whole += transfer.whole
            serve.assert_alone()
            wait_for(lambda: not alive(far), "the far end has ended")
            assert time.monotonic() - begin < SOON / 2
    print(f"{whole} whole transfers; served after {longest:.3f} s at most")
    assert longest < SOON / 2


# ---- how it ends ----


@pytest.mark.parametrize("busy", [False, True])
def test_stopping_leaves_no_child(path, echo_pipe, busy):
    with relaying(path, echo_pipe.name, "--drain=0.3") as serve, connect(f"unix://{path}") as client:
        ask(client)
        pid = serve.far_pid()
        if not busy:
            client.close()
        serve.stop()
        assert not alive(pid)


def test_the_end_of_its_input_ends_uvrelay_exe():
    """And what is no greeting is refused."""
    result = run_relay("mux", stdin=b"")
    assert (result.code, result.stdout[:14], result.stderr) in ((0, b"uvrelay-mux/1\n", ""), (0, b"", ""))
    result = run_relay("mux", stdin=b"hello\r\n")
    assert result.code == 1 and 'hello\\r\\n' in result.stderr


# ---- uvrelay.exe is the near end ----


def windows_line(program, *args):
    return " ".join([f'"{windows_path(program)}"', *args])


def test_both_ends_are_of_windows(echo_pipe):
    """From a port and from a pipe, to a port and to a pipe; a shutdown and a zero-byte message go through. The end of
    serve, however sudden, is its far end's, too."""
    pipe, mark = unique_pipe("listen"), unique_name("mark")
    with TcpTarget() as target, Serve(
            f"tcp://127.0.0.1:0=via:{target.address}", f"{pipe}?mode=message=via:{target.address}",
            f"tcp://127.0.0.1:0=via:{echo_pipe.name}",
            options=["--via", windows_line(uvrelay_exe(), "mux")], env={"UVRELAY_TEST_MARK": mark}) as serve:
        port, other = (int(serve.listens[number].rpartition(":")[2]) for number in (0, 2))
        with socket.create_connection(("127.0.0.1", port), SOON) as connection:
            client, end = TcpEnd(connection), target.accept()
            at_once(lambda: client.both(5_000_000, 1, 5_000_000, 2), lambda: end.both(5_000_000, 2, 5_000_000, 1))
            client.end()
            end.wait_end()
            end.send(1000, 3)
            client.receive(1000, 3)
            end.end()
            client.wait_end()
        with PipeClient(pipe, "send=1000", "zero", "recv-end", mode="message") as client:
            end = target.accept()
            end.receive(1000)
            end.wait_end()
            end.send(5000, 3)
            end.end()
            assert (event := client.event("recv-end"))["bytes"] == 5000, event
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", other), SOON)) for _ in range(12)]
            assert_echoed_at_once(clients, mixed_sizes(12, 200_000), half_close=False)
        assert len(serve.lines(r"far end: .* started \(process \d+\)")) == 1
        serve.kill()
        assert_none_is_left(mark)


# ---- what does not answer ----


def test_a_silent_name_holds_up_nobody(tmp_path):
    """Only those who ask for it: not another look-up, and not the bytes of the connections."""
    names = [f"no-{number}.example.test" for number in range(20)]
    with NameServer() as server, EchoServer(0) as echo, Via(
            "--drain=0", f"unix://{tmp_path}/ip=via:{echo.address}",
            f"unix://{tmp_path}/name=via:{echo.address.replace('127.0.0.1', 'localhost')}",
            *(f"unix://{tmp_path}/{name}=via:tcp://{name}:80" for name in names), via=EXE_MUX, wrap=server.wrap):
        with connect(f"unix://{tmp_path}/ip") as client:
            ask(client)
            slow = [connect(f"unix://{tmp_path}/{name}") for name in names for _ in range(3)]
            for name in names:
                wait_for(lambda: server.queries(name), f"{name} is looked up")
            start = time.monotonic()
            for _ in range(3):
                ask(client)
                with connect(f"unix://{tmp_path}/name") as other:
                    ask(other)
            assert time.monotonic() - start < AT_ONCE
            for one in slow:
                one.close()


def test_a_far_end_that_has_stopped_running_is_replaced(echo_pipe):
    """The process is killed, and a client that waited for it is served by the next one."""
    mark = unique_name("mark") + "."
    with Serve(f"tcp://127.0.0.1:0=via:{echo_pipe.name}", options=["--via", windows_line(uvrelay_exe(), "mux")],
               env={"UVRELAY_TEST_MARK": mark}) as serve:
        place = ("127.0.0.1", int(serve.listens[0].rpartition(":")[2]))
        with socket.create_connection(place, SOON) as client:
            ask(client)
        far = [pid for pid, command in marked(mark) if re.search(r"uvrelay\.exe\S* mux$", command)]
        assert len(far) == 1, marked(mark)
        os.kill(far[0], signal.SIGSTOP)
        begin = time.monotonic()
        with socket.create_connection(place, SOON) as client:
            ask(client)
        assert time.monotonic() - begin < 15
        wait_for(lambda: not alive(far[0]), "it is gone")
        serve.wait_lines(r"far end: .* did not answer for 5 s.*")


# ---- files that Windows does not start ----

NO_PROGRAMS = {
    "empty.exe": (b"", "it is empty"),
    "uvrelay": (b"\x7fELF" + bytes(500), r'write "wsl.exe -e (/mnt/[a-z]/\S+/uvrelay|PATH) mux"'),
    "linux.exe": (b"\x7fELF" + bytes(500), "it is for Linux"),
    "noext": (lambda: open(uvrelay_exe(), "rb").read(), "rename it to noext.exe"),
    "cut.exe": (b"MZ" + bytes(98), "not a complete program"),
    "script.sh": (b"#!/bin/sh\nexec uvrelay mux\n", r'script for /bin/sh: write "wsl.exe -e \S+"'),
    "script.ps1": (b"Write-Host 1\r\n", 'write "powershell.exe -File PATH"'),
    "letter.txt": (b"Dear reader,\r\n", "put the program that reads it"),
    "some.bin": (b"\1\0\2", "it is not a program")}


@pytest.mark.parametrize("name", NO_PROGRAMS)
def test_a_file_that_is_no_program(tmp_path, name):
    """It is refused at the start, with what to write instead."""
    content, text = NO_PROGRAMS[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content())
    command = windows_line(tmp_path / name, "mux")
    result = run_relay("serve", "--via", command, "tcp://127.0.0.1:0=via:tcp://127.0.0.1:9")
    assert result.code == 1 and name in result.stderr and re.search(text, result.stderr), result.stderr


def test_a_path_of_linux():
    result = run_relay("serve", "--via", "/usr/local/bin/uvrelay mux", "tcp://127.0.0.1:0=via:tcp://127.0.0.1:9")
    assert result.code == 1 and '"wsl.exe -e /usr/local/bin/uvrelay ..."' in result.stderr, result.stderr


def test_a_batch_file(tmp_path, echo_pipe):
    """Windows gives it to cmd.exe."""
    (tmp_path / "far.cmd").write_text(f'@"{windows_path(uvrelay_exe())}" mux\r\n')
    with Serve(f"tcp://127.0.0.1:0=via:{echo_pipe.name}", options=["--via", windows_line(tmp_path / "far.cmd")]) as serve:
        with socket.create_connection(("127.0.0.1", int(serve.listens[0].rpartition(":")[2])), SOON) as client:
            ask(client)

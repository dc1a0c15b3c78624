"""`uvrelay.exe serve` as a program: what it says, its options, and how it ends."""

import re
import socket
import time

import pytest

from programs import SOON, under_wine, unique_pipe, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer
from winserving import (PipeClient, Serve, TcpTarget, connect, listen_address, pipe_of, port_of, ROUTE)

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
NOBODY = "tcp://127.0.0.1:9"


@pytest.fixture
def target():
    with TcpTarget() as target:
        yield target


# ---- what it says ----


def test_silence_without_v(target):
    pipe = unique_pipe()
    with Serve(f"{pipe}={target.address}", verbose=False) as serve:
        with PipeClient(pipe, "send=5", "recv=5") as client:
            end = target.accept()
            end.receive(5)
            end.send(5)
            client.finish()
        end.wait_end()
        end.close()
        time.sleep(0.3)
        assert (serve.stderr, serve.stdout) == ("", b"")


def test_a_failure_is_told_without_v():
    pipe = unique_pipe()
    with Serve(f"{pipe}=npipe:uvrelay-test-absent", verbose=False) as serve:
        with PipeClient(pipe, "recv-end") as client:
            client.finish()
        serve.wait_stderr("\n")
        line, process = re.fullmatch(r"(.*) \(client: process (\d+)\)\n", serve.stderr).groups()
        assert line == (f"uvrelay: {pipe}=//./pipe/uvrelay-test-absent #1: there is no pipe "
                        "//./pipe/uvrelay-test-absent (ERROR_FILE_NOT_FOUND, 2): "
                        "start its server, or set absent=wait to wait for it")
        assert int(process) > 0


def test_lines_of_v(target):
    with Serve(f"{listen_address('message')}={target.address}") as serve:
        name = f"{serve.address}={target.address}"
        assert serve.lines() == [f"{name}: listening"]
        with connect(serve, "message") as client:
            end = target.accept()
            client.send(10)
            end.receive(10)
            end.send(20)
            client.receive(20)
            serve.wait_lines(re.escape(f"{name} #1: opened") + r" by process \d+")
            client.close()
            end.wait_end()
            end.close()
            closed = serve.wait_closed()
        assert re.fullmatch(re.escape(name) + r" #1: closed after \d+ ms: .+; 10 bytes to the target, "
                            r"20 bytes to the client \(client: process \d+\)", closed)
        assert len(serve.lines()) == 3
        assert serve.stdout == b""


def test_the_process_of_a_pipes_client(target):
    pipe = unique_pipe("listen")
    with Serve(f"{pipe}={target.address}", options=["-v", "--json"], verbose=False) as serve:
        serve.wait_object("listening")
        with PipeClient(pipe, "commands") as client:
            connected = client.event("connected")
            opened = serve.wait_object("opened")
            assert opened["peer_pid"] == connected["pid"] and "peer_uid" not in opened


def test_json(target):
    with Serve(f"tcp://127.0.0.1:0={target.address}", "npipe:uvrelay-json=npipe:uvrelay-test-absent",
               options=["-v", "--json"], verbose=False) as serve:
        listening = serve.wait_object("listening")
        serve.wait_object("listening", 2)
        assert listening["target"] == target.address and listening["route"]
        with socket.create_connection(("127.0.0.1", port_of(listening["listen"])), SOON) as client:
            end = target.accept()
            client.sendall(bytes(7))
            assert end.socket.recv(7) == bytes(7)
            opened = serve.wait_object("opened")
            assert (opened["number"], opened["listen"]) == (1, listening["listen"])
        end.wait_end()
        end.close()
        closed = serve.wait_object("closed")
        assert (closed["number"], closed["to_target"], closed["to_client"]) == (1, 7, 0)
        assert closed["reason"] == "ended" and 0 <= closed["duration_ms"] < 1000 * SOON
        with PipeClient("//./pipe/uvrelay-json", "recv-end") as client:
            client.finish()
        failed = serve.wait_object("closed", 2)
        assert (failed["reason"], failed["code"], failed["system"]) == ("failed", "ENOENT", 2)
        assert "there is no pipe //./pipe/uvrelay-test-absent" in failed["text"]
        for object_ in serve.objects():
            assert re.fullmatch(TIME, object_["time"]), object_


# ---- status ----


def test_status(target):
    with Serve(f"{listen_address('byte')}={target.address}", f"{listen_address('tcp')}=npipe:uvrelay-test-absent",
               options=["--status=0.3"]) as serve:
        with connect(serve, "byte") as client, socket.create_connection(
                ("127.0.0.1", port_of(serve.listens[1])), SOON) as other:
            end = target.accept()
            client.send(1000)
            end.receive(1000)
            end.send(30)
            client.receive(30)
            assert other.recv(1) == b""
            first = rf" *1 +1 +0 +1000 +30 +{re.escape(serve.routes[0])}.*"
            second = rf" *0 +1 +1 +0 +0 +{re.escape(serve.routes[1])} .*there is no pipe.*"
            lines = serve.stderr
            end_time = time.monotonic() + SOON
            while not (re.search(rf"(?m)^(uvrelay: )?{first}$", lines) and
                       re.search(rf"(?m)^(uvrelay: )?{second}$", lines)):
                assert time.monotonic() < end_time, lines
                time.sleep(0.05)
                lines = serve.stderr
        assert re.search(r"(?m)^(uvrelay: )?\W*open\s+total\s+failed", lines), lines


def test_status_in_json(target):
    with Serve(f"{listen_address('message')}={target.address}", options=["--status=0.2", "--json", "-v"],
               verbose=False) as serve:
        listen = serve.wait_object("listening")["listen"]
        with PipeClient(pipe_of(listen), "send=1000", "await") as client:
            target.accept().receive(1000)
            end = time.monotonic() + SOON
            wanted = {"listen": listen, "target": target.address, "open": 1, "total": 1, "failed": 0,
                      "to_target": 1000, "to_client": 0}
            while True:
                routes = [object_["routes"] for object_ in serve.objects() if object_["event"] == "status"]
                if routes and wanted.items() <= routes[-1][0].items():
                    break
                assert time.monotonic() < end, (wanted, routes[-1:])
                time.sleep(0.05)
            client.write(b"\n")
            client.finish()


# ---- options ----


@pytest.mark.parametrize("listener", ["tcp", "byte", "message"])
def test_idle(listener, target):
    """Silence both ways ends it; as long as bytes come either way it stays."""
    with Serve(f"{listen_address(listener)}={target.address}", options=["--idle=2"]) as serve:
        with connect(serve, listener) as client:
            end = target.accept()
            for _ in range(5):
                time.sleep(0.5)
                end.send(10)
                client.receive(10)
            silent = time.monotonic()
            client.wait_gone()
            assert 1.9 <= time.monotonic() - silent
            end.wait_end()
            serve.wait_closed()


def test_an_option_of_the_query_goes_before_that_of_all(target):
    listen = listen_address("byte")
    with Serve(f"{listen}?idle=1={target.address}", options=["--idle=60"]) as serve:
        with connect(serve, "byte") as client:
            target.accept()
            client.wait_gone()


@pytest.mark.parametrize("eof", ["auto", "marker", "none"])
def test_eof_to_a_pipe_in_byte_mode(eof):
    """Who gets the marker knows the end, and may take its time; else the linger goes by. Under Wine a zero-byte write
    is not seen by such a reader."""
    script = ["recv=5", "sleep=1500", "text=late", "close"] if eof == "marker" else ["recv=5", "text=late", "peek-gone"]
    with PipeServer(*script, type="byte") as server, Serve(f"tcp://127.0.0.1:0={server.name}?eof={eof}",
                                                           options=["--linger=1"]) as serve:
        with connect(serve, "tcp") as client:
            client.send(5)
            client.end()
            assert client.socket.recv(100) == b"late" and client.socket.recv(1) == b""
        server.finish()


def test_eof_none_to_a_pipe_in_message_mode():
    """The target is not told: it is closed after the linger."""
    with PipeServer("recv=5", "recv-end") as server, Serve(
            f"tcp://127.0.0.1:0={server.name}?eof=none", options=["--linger=1"]) as serve:
        with connect(serve, "tcp") as client:
            client.send(5)
            client.end()
            assert server.event("recv-end")["end"] == 109
            client.wait_end()
        server.finish()


# ---- who may open a pipe ----


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
@pytest.mark.parametrize("listener, mode", [("byte", 0x8), ("message", 0xE)])
def test_how_the_pipe_is_made(listener, mode):
    """The first instance, overlapped, for no remote clients, and with a security descriptor."""
    address = listen_address(listener)
    with Serve(f"{address}={NOBODY}", verbose=False, options=["--control=off"], env={"WINEDEBUG": "+relay"}) as serve:
        serve.wait_stderr("Ret  KERNEL32.CreateNamedPipeW")
        calls = re.findall(r'CreateNamedPipeW\(\w+ L".*?(uvrelay[^"]*)",(\w+),(\w+),\w+,\w+,\w+,\w+,(\w+)\)',
                           serve.stderr)
    for number, (name, open_mode, pipe_mode, security) in enumerate(calls):
        assert name == pipe_of(address).rpartition("/")[2]
        assert int(open_mode, 16) == (0x40000003 if number else 0x40080003)
        assert int(pipe_mode, 16) == mode
        assert int(security, 16) != 0
    assert calls


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
@pytest.mark.parametrize("options, query, flags", [([], "", 0x40100000),
                                                   ([], "?impersonation=identification", 0x40110000),
                                                   (["--impersonation=impersonation"], "", 0x40120000)])
def test_impersonation(options, query, flags):
    """The flags with which the target is opened."""
    pipe = unique_pipe("listen")
    with PipeServer("recv=5", "close") as server, Serve(f"{pipe}={server.name}{query}", options=options, verbose=False,
                                                        env={"WINEDEBUG": "+file"}) as serve:
        with PipeClient(pipe, "send=5", "recv-end") as client:
            client.finish()
        server.finish()
        opened = re.findall(rf'CreateFileW L"[^"]*{server.short_name}" .* attributes 0x(\w+)', serve.stderr)
        assert [int(attributes, 16) for attributes in opened] == [flags]


# ---- the end ----


class Pressed:
    """serve in a console of its own, in which a test can press Ctrl-C or Ctrl-Break."""

    def __init__(self, *args, keys):
        self.parent = Parent(*[action for key in keys for action in ("await", key)], "await", "wait=15000",
                             program=[windows_path(uvrelay_exe()), "serve", "-v", *args], stdin="nul", stdout="nul",
                             options=["--console"])

    def __enter__(self):
        try:
            self.parent.wait_stderr(": listening")
            self.address = re.match(f"uvrelay: {ROUTE}", self.parent.stderr)[1]
        except BaseException:
            self.parent.kill()
            raise
        return self

    def __exit__(self, *_):
        self.parent.kill()

    def press(self, key, number=1):
        self.parent.write(b"\n")
        assert self.parent.event(key, number)["error"] == 0

    def wait(self):
        """The exit status and how long it took."""
        self.parent.write(b"\n")
        ended = self.parent.event("exit")
        return ended["code"], ended["waited_ms"]


KEYS = pytest.mark.parametrize("key", ["ctrl-c", pytest.param("ctrl-break", marks=pytest.mark.skipif(
    under_wine(), reason="Wine 8 cannot send it, and Wine 10 never returns from sending it"))])


@KEYS
def test_it_ends_when_nothing_is_open(key, target):
    with Pressed(f"tcp://127.0.0.1:0={target.address}", f"{listen_address('byte')}={target.address}",
                 keys=[key]) as serve:
        serve.press(key)
        assert serve.wait()[0] == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(serve.address)), SOON)


@KEYS
@pytest.mark.parametrize("listener", ["tcp", "byte"])
def test_it_drains(key, listener, target):
    """What is open goes on, no new client comes in, and it ends with the last one."""
    with Pressed("--drain=60", f"{listen_address(listener)}={target.address}", keys=[key]) as serve:
        serve.routes = None
        with connect(serve, listener) as client:
            end = target.accept()
            client.send(10)
            end.receive(10)
            serve.press(key)
            time.sleep(0.7)
            if listener == "tcp":
                with pytest.raises(OSError):
                    socket.create_connection(("127.0.0.1", port_of(serve.address)), SOON)
            else:
                with PipeClient(pipe_of(serve.address), "close", wait=0) as late:
                    assert late.event("failed")["action"] == "open"
            end.send(100_000)
            client.receive(100_000)
            assert not serve.parent.all("exit")
            client.close()
            end.wait_end()
            end.close()
        assert serve.wait()[0] == 0
        assert "were interrupted" not in serve.parent.stderr


@KEYS
def test_it_cuts_after_the_drain(key, target):
    with Pressed("--drain=1", f"{listen_address('byte')}={target.address}", keys=[key]) as serve:
        with connect(serve, "byte") as client:
            end = target.accept()
            client.send(10)
            end.receive(10)
            serve.press(key)
            assert serve.wait()[0] == 0
            client.wait_gone()
            end.wait_end()
        serve.parent.wait_stderr("1 connection")
        assert re.search(r"uvrelay: 1 connections? (was|were) interrupted\n", serve.parent.stderr.replace("\r", ""))


@KEYS
def test_the_second_cuts_at_once(key, target):
    with Pressed("--drain=60", f"{listen_address('message')}={target.address}", keys=[key, key]) as serve:
        with connect(serve, "message") as client:
            end = target.accept()
            client.send(10)
            end.receive(10)
            serve.press(key)
            time.sleep(0.5)
            assert not serve.parent.all("exit")
            serve.press(key, 2)
            code, waited_ms = serve.wait()
            assert code == 0 and waited_ms < 15_000
            client.wait_gone()
            end.wait_end()

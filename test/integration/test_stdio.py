"""Every kind of standard input and output that a program may be given: from a Windows parent, from Linux under Wine,
and from socat."""

import os
import socket
import subprocess
import time

import pytest

import bytestream
from programs import Process, Relay, run_relay, unique_name, under_wine, uvrelay_exe, windows_command, windows_path
from winpeers import Parent, PipeServer

SIZE = 3_000_000
PIPES = ["anonymous", "anonymous-nowait", "overlapped", "message", "message-duplex", "message-read"]


def command(*args):
    return [windows_path(uvrelay_exe()), *args]


# ---- from a Windows parent ----


@pytest.mark.parametrize("stdin", PIPES)
@pytest.mark.parametrize("stdout", ["anonymous", "anonymous-nowait", "overlapped", "message"])
def test_windows_pipes(stdin, stdout):
    """To the pipe, to its end and then back, each in pieces that fit no buffer."""
    with PipeServer("recv-end", f"send={SIZE},50021,4", "zero", "peek-gone") as server, Parent(
            f"send={SIZE},7001,3", "close-in", "recv-end", "wait=10000", stdin=stdin, stdout=stdout,
            program=command("-s", server.name)) as parent:
        received = server.event("recv-end", timeout=30)
        assert (received["bytes"], received["end"]) == (SIZE, 0)
        assert received["sha256"] == bytestream.sha256(SIZE, 3)
        output = parent.event("recv-end", timeout=30)
        assert (output["bytes"], output["sha256"]) == (SIZE, bytestream.sha256(SIZE, 4))
        assert parent.event("exit")["code"] == 0
        parent.finish()
        server.finish()


@pytest.mark.parametrize("stdin", PIPES)
def test_windows_pipes_in_conversation(stdin):
    """While standard input is silent the other direction must not wait, and small pieces pass at once."""
    with PipeServer("text=hi", "recv=3", "text=there", "recv-end") as server, Parent(
            "recv=2", "text=abc", "recv=5", "sleep=300", "close-in", "recv-end", "wait=10000", stdin=stdin,
            stdout="overlapped" if stdin != "anonymous" else stdin, program=command("-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (0, 109)


@pytest.mark.parametrize("stdin", ["message", "message-duplex", "message-read"])
def test_a_zero_byte_message_on_stdin_does_no_harm(stdin):
    """Programs of Cygwin can make one by writing nothing. Whether it is the end or nothing at all: what came before
    it arrives, and the relay does not spin or hang."""
    with PipeServer("recv=3", "recv-end") as server, Parent(
            "text=abc", "sleep=200", "zero", "sleep=200", "close-in", "wait=10000", stdin=stdin,
            program=command("-ei", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        server.finish()


@pytest.mark.parametrize("size", [0, 1, SIZE])
def test_windows_files(tmp_path, size):
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(bytestream.data(size, 3))
    with PipeServer("recv-end", f"send={size},50021,4", "close") as server, Parent(
            "wait=20000", stdin=f"file:{windows_path(source)}", stdout=f"file:{windows_path(sink)}",
            program=command("-s", server.name)) as parent:
        assert parent.event("exit", timeout=30)["code"] == 0
        parent.finish()
        assert server.event("recv-end")["sha256"] == bytestream.sha256(size, 3)
        assert sink.read_bytes() == bytestream.data(size, 4)
        server.finish()


def test_windows_nul():
    with PipeServer("recv-end", f"send={SIZE}", "close") as server, Parent(
            "wait=20000", stdin="nul", stdout="nul", program=command("-s", server.name)) as parent:
        assert parent.event("exit")["code"] == 0
        parent.finish()
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (0, 0)
        server.finish()


@pytest.mark.parametrize("stdin, stdout", [("none", "anonymous"), ("anonymous", "none"), ("none", "none")])
def test_windows_without_a_handle(stdin, stdout):
    """A program may be started without them: refused clearly or as if empty, but neither a crash nor a hang."""
    with PipeServer("sleep=300", "close") as server, Parent("wait=40000", stdin=stdin, stdout=stdout,
                                                            program=command("-v", "-ei", server.name)) as parent:
        assert parent.event("exit", timeout=50)["code"] in (0, 1)
        parent.finish()


# ---- from Linux ----


def test_unix_socket_pair():
    """One socket for both, as socat and inetd give."""
    ours, theirs = socket.socketpair()
    with ours, PipeServer("recv-end", f"send={SIZE},50021,4", "zero", "peek-gone") as server:
        with theirs, Relay("-ep", "-s", server.name, stdin=theirs, stdout=theirs) as relay:
            theirs.close()
            ours.settimeout(20)
            ours.sendall(bytestream.data(SIZE, 3))
            ours.shutdown(socket.SHUT_WR)
            data = b"".join(iter(lambda: ours.recv(1 << 16), b""))
            assert data == bytestream.data(SIZE, 4)
            assert relay.wait() == 0 and relay.stderr == ""
        assert server.event("recv-end")["sha256"] == bytestream.sha256(SIZE, 3)
        server.finish()


@pytest.mark.parametrize("size", [0, 1, SIZE])
def test_unix_files(tmp_path, size):
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(bytestream.data(size, 3))
    with PipeServer("recv-end", f"send={size},50021,4", "close") as server:
        with source.open("rb") as stdin, sink.open("wb") as stdout:
            result = run_relay("-s", server.name, stdin=stdin, stdout=stdout)
        assert (result.code, result.stderr) == (0, "")
        assert server.event("recv-end")["sha256"] == bytestream.sha256(size, 3)
        assert sink.read_bytes() == bytestream.data(size, 4)
        server.finish()


def test_unix_file_is_read_and_written_where_it_stands(tmp_path):
    """A shell may have read or written some of it already."""
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"skipped:rest")
    with PipeServer("recv-end", "text=reply", "close") as server:
        with source.open("rb", buffering=0) as stdin, sink.open("wb", buffering=0) as stdout:
            stdin.seek(8)
            stdout.write(b"before:")
            result = run_relay("-s", server.name, stdin=stdin, stdout=stdout)
        assert (result.code, result.stderr) == (0, "")
        assert server.event("recv-end")["bytes"] == 4
        assert sink.read_bytes() == b"before:reply"
        server.finish()


def test_unix_null():
    with PipeServer("recv-end", f"send={SIZE}", "close") as server:
        result = run_relay("-s", server.name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert (result.code, result.stderr) == (0, "")
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (0, 0)
        server.finish()


@pytest.mark.parametrize("closed", [[0], [1], [0, 1]])
def test_unix_closed_descriptors(closed, tmp_path):
    """Refused clearly or as if empty, but neither a crash nor a hang."""
    close = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd in closed)
    with PipeServer("sleep=300", "close") as server:
        with Process(["sh", "-c", f'exec "$@" {close}', "sh", *windows_command(uvrelay_exe(), "-ei", server.name)],
                     stdin=subprocess.DEVNULL) as relay:
            assert relay.wait() in (0, 1)


def test_full_disk():
    """What cannot be written is a failure that is reported, not an orderly end."""
    with PipeServer("try-send=1000000", "close") as server, open("/dev/full", "wb") as full:
        result = run_relay("-ei=false", server.name, stdout=full)
        assert result.code == 1
        assert result.stderr.startswith("uvrelay: ")
        assert "standard output" in result.stderr


# ---- through socat ----


@pytest.fixture
def exec_script(tmp_path):
    """A script that becomes the relay: socat's EXEC takes words apart at blanks, and colons and commas are its own."""
    path = tmp_path / "relay"
    words = " ".join(f"'{word}'" for word in windows_command(uvrelay_exe()))
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o755)
    return path


def connect_to_socat(client, socket_path):
    """The file is there a moment before socat listens."""
    end = time.monotonic() + 10
    while True:
        try:
            return client.connect(str(socket_path))
        except (FileNotFoundError, ConnectionRefusedError):
            assert time.monotonic() < end, "socat does not listen"
            time.sleep(0.01)


def through_socat(socket_path, question):
    """Connects to socat, asks, half-closes, and gives all that comes until the end."""
    with socket.socket(socket.AF_UNIX) as client:
        connect_to_socat(client, socket_path)
        client.settimeout(20)
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


@pytest.mark.skipif(not under_wine(), reason="socat gives sockets, which programs of Windows get from Wine alone")
@pytest.mark.parametrize("args", [["-s"], ["-ep", "-s"]])
@pytest.mark.parametrize("options", ["", ",nofork", ",pipes"])
def test_socat_exec(options, args, tmp_path, exec_script):
    """With pipes socat keeps an end of them itself, so it waits for the time of its own -t before it ends."""
    path = tmp_path / f"{unique_name()}.sock"
    with PipeServer("recv-end", "sleep=300", "send=300000,50021,4", "zero", "peek-gone") as server:
        relay = " ".join([str(exec_script), *args, server.name])
        with Process(["socat", "-t", "3" if options == ",pipes" else "20", f"UNIX-LISTEN:{path}",
                      f"EXEC:{relay}{options}"], stdin=subprocess.DEVNULL) as socat:
            assert through_socat(path, bytestream.data(200_000, 3)) == bytestream.data(300_000, 4)
            assert socat.wait() == 0, socat.stderr
            assert socat.stderr == ""
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (200_000, 0)
        assert received["sha256"] == bytestream.sha256(200_000, 3)
        server.finish()


@pytest.mark.skipif(not under_wine(), reason="socat gives sockets, which programs of Windows get from Wine alone")
def test_socat_between_pipes(exec_script):
    """As in a shell: printf … | socat - EXEC:…"""
    with PipeServer("recv-end", "text=reply", "zero", "peek-gone") as server:
        with Process(["socat", "-t", "20", "-", f"EXEC:{exec_script} -s {server.name}"]) as socat:
            socat.write(b"hello")
            socat.close_stdin()
            assert socat.wait() == 0, socat.stderr
            assert socat.stdout == b"reply"
        server.finish()


@pytest.mark.skipif(not under_wine(), reason="socat gives sockets, which programs of Windows get from Wine alone")
def test_socat_serves_several_clients(tmp_path, exec_script):
    """A relay for each, one after the other at a pipe with one instance, as ssh-agent's clients come."""
    path = tmp_path / f"{unique_name()}.sock"
    with PipeServer("recv=5", "text=reply", "recv-end", "disconnect", repeat=5) as server:
        with Process(["socat", f"UNIX-LISTEN:{path},fork", f"EXEC:{exec_script} -p -ei -s {server.name},nofork"],
                     stdin=subprocess.DEVNULL) as socat:
            for _ in range(5):
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(20)
                    connect_to_socat(client, path)
                    client.sendall(b"hello")
                    assert client.recv(100) == b"reply"
            server.finish()
            os.kill(socat.pid, 15)

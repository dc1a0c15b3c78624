"""Pipes of one direction: one that only its server writes to (out), and one that only its server reads from (in). By the
one-shot program, by serve, and through a far end."""

import contextlib
import re
import socket

import pytest

import bytestream
from programs import SOON, Relay, error_sentence, run_relay, under_wine, unique_pipe, uvrelay_exe, windows_command, windows_path
from serving import connect, ends, receive_all, receive_exactly
from via import Via
from winpeers import Parent, PipeServer
from winserving import PipeClient, Serve, port_of

TYPES = pytest.mark.parametrize("type", ["byte", "message"])
ZERO_MESSAGE, BROKEN_PIPE = 0, 109


def assert_orderly(relay):
    assert relay.wait() == 0, relay.stderr
    assert relay.stderr == ""


# ---- one that only its server writes to ----


@TYPES
@pytest.mark.parametrize("args", [[], ["-ep"], ["-s"], ["-ep", "-s", "-p"]])
def test_all_that_a_writer_says(type, args):
    """The end of the input ends nothing: a side that only writes says when it is over."""
    with PipeServer("sleep=300", "send=300000,4096,5", "close", access="out", type=type) as server:
        result = run_relay(*args, server.name)
        assert (result.code, result.stderr) == (0, "")
        assert result.stdout == bytestream.data(300_000, 5)
        server.finish()


def test_a_writer_of_messages_ends_with_a_zero_byte_message():
    """Which is seen in message mode only, for which reading is not right enough."""
    with PipeServer("text=hello", "zero", "sleep=40000", access="out") as server:
        result = run_relay("-ep", server.name)
        assert (result.code, result.stdout, result.stderr) == (0, b"hello", "")


@TYPES
def test_ei_does_not_wait_for_a_writer(type):
    with PipeServer("text=hello", "sleep=40000", access="out", type=type) as server, Relay("-ei", server.name) as relay:
        relay.out.wait_count(5)
        relay.close_stdin()
        assert_orderly(relay)


@TYPES
def test_what_a_writer_is_sent_is_a_failure(type):
    """It cannot be passed on, and that is said at once; what came until then is there."""
    with PipeServer("text=hello", "sleep=40000", access="out", type=type) as server, Relay(server.name) as relay:
        relay.out.wait_count(5)
        relay.write(b"question")
        assert relay.wait() == 1
        assert relay.stdout == b"hello"
        assert error_sentence(relay.stderr) == (
            f"cannot write to {server.name}: it is a one-way pipe that only its server writes to: "
            "use </dev/null to give uvrelay no input")


@TYPES
@pytest.mark.parametrize("ending", ["close", "disconnect"])
def test_a_writer_that_goes(type, ending):
    with PipeServer("text=hello", "await", ending, "sleep=40000", access="out", type=type) as server:
        with Relay(server.name) as relay:
            relay.out.wait_count(5)
            server.go()
            assert_orderly(relay)
            assert relay.stdout == b"hello"


# ---- one that only its server reads from ----


@TYPES
@pytest.mark.parametrize("args", [[], ["-ep"], ["-ei"], ["-ep", "-p"]])
def test_a_reader_gets_all(type, args):
    """There is no answer to wait for: the end of the input is the end."""
    with PipeServer("recv-end", access="in", type=type, **{"in": 4096}) as server:
        result = run_relay(*args, server.name, stdin=bytestream.data(300_000, 5))
        received = server.event("recv-end")
        assert (received["bytes"], received["sha256"]) == (300_000, bytestream.sha256(300_000, 5))
        assert received["end"] == BROKEN_PIPE
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")
        server.finish()


def test_s_tells_a_reader_of_messages():
    with PipeServer("sleep=200", "recv-end", "recv-end", access="in") as server:
        result = run_relay("-s", server.name, stdin=b"hello")
        received = [server.event("recv-end", number) for number in (1, 2)]
        assert [(each["bytes"], each["end"]) for each in received] == [(5, ZERO_MESSAGE), (0, BROKEN_PIPE)]
        assert (result.code, result.stderr) == (0, "")
        server.finish()


@TYPES
@pytest.mark.parametrize("ending", ["close", "disconnect"])
def test_a_reader_that_goes_while_nothing_is_written(type, ending):
    """No read can show it."""
    with PipeServer("recv=1", ending, "sleep=40000", access="in", type=type) as server, Relay(server.name) as relay:
        relay.write(b"x")
        server.event("recv")
        assert_orderly(relay)


@TYPES
def test_a_reader_that_goes_while_much_is_written(type):
    with PipeServer("recv=1000000", "close", "sleep=40000", access="in", type=type) as server:
        with Relay(server.name) as relay:
            writer = relay.write_in_thread(bytestream.chunks(50_000_000))
            assert_orderly(relay)
            writer.join()


def test_nobody_needs_the_output_of_a_reader():
    """Nothing would ever be written there, so that its end means nothing."""
    with PipeServer("recv=5", "recv-end", access="in") as server, Parent(
            "close-out", "sleep=700", "text=hello", "close-in", "wait=40000",
            program=[windows_path(uvrelay_exe()), server.name]) as parent:
        assert server.event("recv")["bytes"] == 5
        assert parent.event("exit", timeout=50)["code"] == 0
        parent.finish()
        server.finish()


# ---- how it is opened ----


@pytest.mark.skipif(not under_wine(), reason="needs Wine's trace")
@pytest.mark.parametrize("access", ["in", "out"])
def test_the_security_flags_of_every_attempt(access):
    with PipeServer("text=x" if access == "out" else "recv-end", access=access) as server:
        result = run_relay("--impersonation=identification", server.name, env={"WINEDEBUG": "+file"})
        assert result.code == 0
        opened = re.findall(rf'trace:file:CreateFileW L"[^"]*{re.escape(server.short_name)}" .* attributes 0x(\w+)',
                            result.stderr)
        assert len(opened) > 1 and set(opened) == {"40110000"}
        server.finish()
        assert len(server.all("connected")) == 1, "an attempt took an instance"


@pytest.mark.parametrize("access", ["in", "out"])
def test_a_busy_one(access):
    with PipeServer("await", access=access) as server, Relay(server.name):
        server.event("connected")
        result = run_relay(server.name)
        assert error_sentence(result.stderr).startswith(f"all instances of {server.name} are busy (ERROR_PIPE_BUSY")
        result = run_relay("-p", "--timeout=0.5", server.name)
        assert "ERROR_PIPE_BUSY" in error_sentence(result.stderr)


# ---- serve, on Windows and through a far end ----


@contextlib.contextmanager
def served(how, tmp_path, name, *options):
    """A route to the pipe: gives what connects to it, and what waits for the log's word on a connection's end."""
    if how == "serve":
        with Serve(f"tcp://127.0.0.1:0={name}", options=options) as serve:
            yield lambda: socket.create_connection(("127.0.0.1", port_of(serve.address)), SOON), serve.wait_closed
    else:
        with Via(*options, f"unix://{tmp_path / 's'}={name}", via=windows_command(uvrelay_exe(), "mux")) as serve:
            yield lambda: connect(f"unix://{tmp_path / 's'}"), serve.wait_closed


HOW = pytest.mark.parametrize("how", ["serve", "via"])


@HOW
@TYPES
def test_serving_a_writer(how, tmp_path, type):
    with PipeServer("send=300000,4096,5", "await", access="out", type=type, repeat=2) as server:
        with served(how, tmp_path, server.name) as (client_of, wait_closed):
            for number in (1, 2):
                server.event("listening", number)
                with client_of() as client:
                    client.settimeout(SOON)
                    assert receive_exactly(client, 300_000) == bytestream.data(300_000, 5)
                    if number == 1:
                        client.sendall(b"question")
                    else:
                        server.go()
                    ends(client)
                if number == 1:
                    server.go()
                wait_closed(number)
        server.finish()


@HOW
@TYPES
def test_serving_a_reader(how, tmp_path, type):
    """The client's end, half or whole, is the connection's; the reader's is the client's."""
    with PipeServer("recv-end", "next", "recv-end", "next", "recv=5", "close", type=type, access="in") as server:
        with served(how, tmp_path, server.name) as (client_of, wait_closed):
            for number in (1, 2):
                with client_of() as client:
                    client.settimeout(SOON)
                    client.sendall(bytestream.data(300_000, 5))
                    if number == 1:
                        client.shutdown(socket.SHUT_WR)
                        assert receive_all(client) == b""
                received = server.event("recv-end", number)
                assert (received["bytes"], received["sha256"]) == (300_000, bytestream.sha256(300_000, 5))
                wait_closed(number)
                server.event("listening", number + 1)
            with client_of() as client:
                client.settimeout(SOON)
                client.sendall(b"hello")
                ends(client)
                wait_closed(3)
        server.finish()


@TYPES
def test_from_pipe_to_pipe(type):
    """A listening pipe is for both directions, whatever its target is."""
    pipe = unique_pipe("listen")
    with PipeServer("recv=5", "recv-end", access="in") as reader, Serve(
            f"{pipe}{'?mode=message' if type == 'message' else ''}={reader.name}") as serve:
        with PipeClient(pipe, "text=hello", "sleep=100", mode=type) as client:
            client.finish()
        serve.wait_closed()
        reader.finish()

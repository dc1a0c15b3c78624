"""Each way in which a relay ends: which side hears of it, what still arrives, the exit status, and that nothing spins
or stays behind."""

import os
import time

import pytest

import bytestream
from programs import SOON, Relay, error_sentence, run_relay, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer

TYPES = ["message", "byte"]
ZERO_MESSAGE, BROKEN_PIPE, NO_DATA, NOT_CONNECTED = 0, 109, 232, 233

#: What "promptly" means, with room for a busy machine: servers and other ends stay for longer.
PROMPT = SOON


def assert_orderly(relay, timeout=20):
    assert relay.wait(timeout) == 0, relay.stderr
    assert relay.stderr == ""


def relay_command(*args):
    return [windows_path(uvrelay_exe()), *args]


# ---- the pipe's end of input: a zero-byte message ----


@pytest.mark.parametrize("stdout", ["anonymous", "overlapped", "message"])
def test_zero_message_closes_stdout_alone(stdout):
    """Seen from a Windows parent, because Wine hides the closing of a Unix descriptor."""
    with PipeServer("text=hello", "zero", "recv=3", "recv-end", "close") as server, Parent(
            "recv-end", "wait=300", "text=abc", "sleep=300", "text=def", "close-in", "wait=40000",
            stdout=stdout, program=relay_command("-s", server.name)) as parent:
        output = parent.event("recv-end")
        assert (output["bytes"], output["end"]) == (5, BROKEN_PIPE), "standard output is not closed after the bytes"
        assert output["sha256"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        parent.event("running")
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (3, ZERO_MESSAGE)
        assert parent.event("exit", timeout=50)["code"] == 0
        parent.finish()
        server.finish()


def test_stdin_goes_on_after_the_zero_message():
    with PipeServer("text=hello", "zero", "recv=3", "recv=2000000", "close") as server, Relay(server.name) as relay:
        relay.out.wait_count(5)
        time.sleep(0.3)
        relay.write(b"abc")
        server.event("recv")
        relay.write(bytestream.chunks(2_000_000, 2))
        assert server.event("recv", 2)["sha256"] == bytestream.sha256(2_000_000, 2)
        assert_orderly(relay)
        assert relay.stdout == b"hello"
        server.finish()


def test_zero_message_then_end_of_stdin_ends():
    """Both directions have ended: there is nothing left to wait for."""
    with PipeServer("text=hello", "zero", "recv-end", "peek-gone") as server, Relay("-s", server.name) as relay:
        relay.out.wait_count(5)
        relay.write(b"abc")
        relay.close_stdin()
        assert_orderly(relay)
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (3, ZERO_MESSAGE)
        server.finish()


@pytest.mark.parametrize("after", [[], ["zero"]])
def test_no_spinning_after_the_zero_message(after):
    with PipeServer("text=hello", "flush", "zero", *after, "await", "close") as server, Relay(server.name) as relay:
        relay.out.wait_count(5)
        time.sleep(0.5)
        before = relay.processor_seconds()
        time.sleep(1)
        used = relay.processor_seconds() - before
        assert relay.running
        assert used < 0.2, f"{used} s of processor time in 1 s of silence"
        server.go()
        assert_orderly(relay)
        server.finish()


def test_a_server_that_sends_more_after_its_end():
    """It breaks its word: the relay says so, and neither spins nor lets those bytes out."""
    with PipeServer("text=hello", "flush", "zero", "text=more", "peek-gone") as server, Relay(server.name) as relay:
        assert relay.wait(PROMPT) == 1
        assert relay.stdout == b"hello"
        assert server.name in error_sentence(relay.stderr)
        server.finish()


@pytest.mark.parametrize("args", [["-ep"], ["-ep", "-s"], ["--ep=true", "-p"]])
def test_ep_ends_at_the_zero_message(args):
    with PipeServer("text=hello", "zero", "peek-gone") as server, Relay(*args, server.name) as relay:
        assert_orderly(relay, PROMPT)
        assert relay.stdout == b"hello"
        server.finish()


@pytest.mark.parametrize("size", [1, 1000, 65536, 200_000])
@pytest.mark.parametrize("pieces", [1, 3])
def test_zero_message_right_behind_the_data(size, pieces):
    """No flush between them: read in byte mode, the two would melt into one."""
    actions = [f"send={size},{size},{seed}" for seed in range(pieces)]
    with PipeServer(*actions, "zero", "peek-gone") as server, Relay("-ep", server.name) as relay:
        assert_orderly(relay)
        assert relay.stdout == b"".join(bytestream.data(size, seed) for seed in range(pieces))
        server.finish()


@pytest.mark.parametrize("after", [[], ["zero"], ["text=more"]])
def test_zero_message_behind_data_that_waits(after):
    """All of it lies in the pipe before the relay reads it, because nothing reads the relay's output at first: read in
    byte mode, the zero-byte message would be lost. Nothing after it belongs to the output."""
    script = ["send=700000,50000", "zero", *after, "recv=0", "peek-gone"]
    with PipeServer(*script, out=1 << 20) as server:
        with Relay("-ep", server.name, collect=False) as relay:
            server.event("recv")
            time.sleep(0.3)
            data = b""
            while piece := os.read(relay.popen.stdout.fileno(), 1 << 16):
                data += piece
                assert len(data) <= 700_000
            assert data == bytestream.data(700_000)
            assert_orderly(relay, PROMPT)
            server.finish()


# ---- the pipe is gone ----


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("size", [0, 10, 60_000])
def test_server_closes_while_stdin_is_open(type, size):
    """What was sent before the closing is kept by the system and must come out."""
    with PipeServer(f"send={size},4096", "close", type=type) as server, Relay(server.name) as relay:
        assert_orderly(relay, PROMPT)
        assert relay.stdout == bytestream.data(size)
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_server_closes_while_stdout_is_slow(type):
    """The closing is known long before the bytes read until then are written."""
    with PipeServer("send=60000", "close", type=type) as server, Relay(server.name, collect=False) as relay:
        server.finish()
        time.sleep(1)
        data = b""
        while piece := os.read(relay.popen.stdout.fileno(), 1000):
            data += piece
            time.sleep(0.005)
        assert data == bytestream.data(60_000)
        assert_orderly(relay)


@pytest.mark.parametrize("type", TYPES)
def test_server_disconnects(type):
    with PipeServer("text=hello", "await", "disconnect", "sleep=40000", type=type) as server:
        with Relay(server.name) as relay:
            relay.out.wait_count(5)
            server.go()
            assert_orderly(relay, PROMPT)
            assert relay.stdout == b"hello"


@pytest.mark.parametrize("ending", ["close", "disconnect"])
@pytest.mark.parametrize("type", TYPES)
def test_server_goes_away_while_data_flows(type, ending):
    """Some write meets a pipe that is gone: that is orderly, not a failure."""
    with PipeServer("recv=1000000", ending, "sleep=40000", type=type) as server, Relay(server.name) as relay:
        writer = relay.write_in_thread(bytestream.chunks(50_000_000))
        assert_orderly(relay)
        writer.join()
        assert writer.error, "the relay took all bytes although the server read only the first million"


@pytest.mark.parametrize("args", [[], ["-s"], ["-ei"]])
def test_server_gone_before_the_first_write(args):
    with PipeServer("close") as server, Relay(*args, server.name) as relay:
        server.finish()
        try:
            relay.write(b"too late")
            relay.close_stdin()
        except BrokenPipeError:
            pass
        assert_orderly(relay, PROMPT)


@pytest.mark.parametrize("type", TYPES)
def test_server_process_is_killed(type):
    with PipeServer("text=hello", "sleep=60000", type=type) as server, Relay(server.name) as relay:
        relay.out.wait_count(5)
        server.popen.kill()
        assert_orderly(relay, PROMPT)
        assert relay.stdout == b"hello"


def test_server_process_is_killed_while_data_flows_both_ways():
    with PipeServer("both=2000000000,65536") as server, Relay(server.name) as relay:
        relay.write_in_thread(bytestream.chunks(2_000_000_000, 2))
        relay.out.wait_count(20_000_000)
        server.popen.kill()
        assert_orderly(relay)
        count = relay.out.count
        assert relay.out.sha256 == bytestream.sha256(count), "what came until then is not what was sent"


# ---- the end of stdin ----


def test_s_sends_the_zero_message_after_all_bytes():
    with PipeServer("recv-end", "text=reply", "close") as server, Relay("-s", server.name) as relay:
        relay.write(bytestream.chunks(3_000_000, 4))
        relay.close_stdin()
        received = server.event("recv-end")
        assert received["end"] == ZERO_MESSAGE
        assert (received["bytes"], received["sha256"]) == (3_000_000, bytestream.sha256(3_000_000, 4))
        assert_orderly(relay)
        assert relay.stdout == b"reply"
        server.finish()


@pytest.mark.parametrize("pause", [0, 500])
def test_s_reaches_a_reader_in_byte_mode(pause):
    """Such a reader sees a zero-byte message only if nothing lies before it in the pipe: hence the flush."""
    with PipeServer("read-mode=byte", f"sleep={pause}", "recv-end", "text=reply", "close") as server:
        result = run_relay("-s", server.name, stdin=b"hello")
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (5, ZERO_MESSAGE)
        assert (result.code, result.stdout, result.stderr) == (0, b"reply", "")
        server.finish()


def test_the_late_reply_arrives_whole():
    with PipeServer("recv-end", "sleep=1500", "send=300000,65536,5", "close") as server:
        result = run_relay("-s", server.name, stdin=b"question")
        assert (result.code, result.stderr) == (0, "")
        assert result.stdout == bytestream.data(300_000, 5)
        assert result.seconds > 1.5
        server.finish()


def test_a_late_reply_before_the_question_is_read():
    """The server reads nothing for a while, so the flush waits; it must neither give up nor hold up the other way."""
    with PipeServer("send=300000,65536,5", "await", "recv-end", "text=!", "close") as server:
        with Relay("-s", server.name) as relay:
            relay.write(b"question")
            relay.close_stdin()
            relay.out.wait_count(300_000)
            assert not server.all("recv-end")
            server.go()
            received = server.event("recv-end")
            assert (received["bytes"], received["end"]) == (8, ZERO_MESSAGE)
            assert_orderly(relay)
            assert relay.stdout == bytestream.data(300_000, 5) + b"!"
            server.finish()


def test_s_on_a_byte_pipe_does_no_harm():
    """A byte pipe has no zero-byte messages: the server sees none, and its reply still comes."""
    with PipeServer("recv=5", "sleep=500", "text=reply", "close", type="byte") as server:
        result = run_relay("-s", server.name, stdin=b"hello")
        assert (result.code, result.stdout, result.stderr) == (0, b"reply", "")
        server.finish()


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("size", [0, 5, 60_000])
def test_ei_ends_once_all_bytes_are_written(type, size):
    """The server reads only when the relay has gone: the bytes are in the pipe by then, which is big enough."""
    with PipeServer("peek-gone" if size == 0 else "await", "recv-end", type=type) as server:
        result = run_relay("-ei", server.name, stdin=bytestream.data(size))
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")
        if size > 0:
            server.go()
        received = server.event("recv-end")
        assert (received["bytes"], received["sha256"]) == (size, bytestream.sha256(size))
        assert received["end"] == BROKEN_PIPE
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_ei_waits_for_a_slow_server(type):
    with PipeServer("recv=1000", "sleep=700", "recv-end", type=type, **{"in": 4096}) as server:
        result = run_relay("-ei", server.name, stdin=bytestream.data(2_000_000))
        received = server.event("recv-end")
        assert received["bytes"] == 2_000_000 - 1000
        assert result.code == 0 and result.seconds > 0.7
        server.finish()


def test_ei_with_s_sends_no_zero_message():
    with PipeServer("recv-end") as server:
        result = run_relay("-ei", "-s", server.name, stdin=b"hello")
        received = server.event("recv-end")
        assert (received["bytes"], received["end"]) == (5, BROKEN_PIPE)
        assert (result.code, result.stderr) == (0, "")
        server.finish()


@pytest.mark.parametrize("type", TYPES)
def test_without_flags_it_stays_after_stdin_ends(type):
    with PipeServer("recv=5", "sleep=1500", "text=reply", "close", type=type) as server:
        result = run_relay(server.name, stdin=b"hello")
        assert (result.code, result.stdout, result.stderr) == (0, b"reply", "")
        assert result.seconds > 1.5
        server.finish()


def test_without_s_no_zero_message_is_sent():
    with PipeServer("recv-end") as server, Relay(server.name) as relay:
        relay.write(b"hello")
        relay.close_stdin()
        time.sleep(1)
        assert relay.running and not server.all("recv-end")
        relay.kill()
        assert server.event("recv-end")["end"] == BROKEN_PIPE


# ---- a server that never reads ----


@pytest.mark.parametrize("ending", ["close", "disconnect", "killed"])
def test_s_is_not_held_by_a_server_that_never_reads(ending):
    """The flush before the zero-byte message waits for the reader; the end of the pipe ends it."""
    script = ["await", "sleep=60000" if ending == "killed" else ending, "sleep=40000"]
    with PipeServer(*script) as server, Relay("-s", server.name) as relay:
        relay.write(b"never read")
        relay.close_stdin()
        time.sleep(1)
        assert relay.running
        if ending == "killed":
            server.popen.kill()
        else:
            server.go()
        assert_orderly(relay, PROMPT)


def test_s_is_not_held_by_a_server_that_never_reads_once_stdout_is_closed():
    with PipeServer("text=hello", "sleep=30000") as server, Parent(
            "text=never read", "recv=5", "close-in", "sleep=500", "close-out", "wait=40000",
            program=relay_command("-s", server.name)) as parent:
        assert parent.event("exit", timeout=30)["code"] == 0
        parent.finish()


def test_ei_is_not_held_by_a_server_that_goes_away():
    """More bytes than the pipe takes wait to be written when it goes."""
    with PipeServer("await", "close", "sleep=40000", **{"in": 4096}) as server, Relay("-ei", server.name) as relay:
        relay.write_in_thread(bytestream.chunks(1_000_000), close=True)
        time.sleep(0.7)
        assert relay.running
        server.go()
        assert_orderly(relay, PROMPT)


# ---- stdout is closed by its reader ----


def test_stdout_closed_while_data_flows():
    with PipeServer("try-send=2000000000") as server, Relay(server.name, collect=False) as relay:
        assert os.read(relay.popen.stdout.fileno(), 1000)
        relay.popen.stdout.close()
        assert_orderly(relay, PROMPT)
        assert server.event("send")["error"] in (BROKEN_PIPE, NO_DATA, NOT_CONNECTED)
        server.finish()


@pytest.mark.parametrize("stdout", ["anonymous", "overlapped", "message"])
def test_stdout_closed_while_data_flows_from_a_windows_parent(stdout):
    with PipeServer("try-send=2000000000") as server, Parent("recv=100000", "close-out", "wait=40000", stdout=stdout,
                                                             program=relay_command(server.name)) as parent:
        ended = parent.event("exit", timeout=50)
        assert ended["code"] == 0
        assert ended["waited_ms"] < 1000 * PROMPT
        parent.finish()
        server.finish()


@pytest.mark.parametrize("stdout", ["anonymous", "overlapped", "message"])
def test_stdout_closed_while_idle(stdout):
    with PipeServer("text=hello", "peek-gone") as server, Parent("recv=5", "close-out", "wait=40000", stdout=stdout,
                                                                 program=relay_command(server.name)) as parent:
        ended = parent.event("exit", timeout=50)
        assert ended["code"] == 0
        assert ended["waited_ms"] < 1000 * PROMPT
        parent.finish()
        server.finish()

"""A reader that stops stops the writer: what is pushed at a relay stays where it comes from, and the relay's memory
stays flat."""

import time

import pytest

import bytestream
from programs import Relay, uvrelay_exe, windows_path
from winpeers import Parent, PipeServer

PUSHED = 200_000_000

#: What may lie on the way: two buffers of 64 KiB in the relay, the pipes' own buffers, and some.
ON_THE_WAY = 2_000_000

TYPES = pytest.mark.parametrize("type", ["message", "byte"])


def assert_flat(relay, seconds=2):
    time.sleep(1)
    before, used = relay.resident_kib(), relay.processor_seconds()
    time.sleep(seconds)
    after, used = relay.resident_kib(), relay.processor_seconds() - used
    assert after - before < 1024, f"grew from {before} to {after} KiB in {seconds} s"
    assert after < 40 * 1024, f"{after} KiB"
    assert used < 0.2, f"{used} s of processor time in {seconds} s in which nothing moves"


@TYPES
def test_pushed_by_the_server(type):
    script = [f"send={PUSHED},65536,3", "close"]
    with PipeServer(*script, type=type, progress=200) as server, Relay(server.name, collect=False) as relay:
        assert_flat(relay)
        sent = server.all("progress")[-1]["sent"]
        assert 0 < sent < ON_THE_WAY, f"the server got rid of {sent} bytes"
        # And now they are read, all is there.
        out = relay.collect()
        assert relay.wait(60) == 0
        out.wait_end()
        assert (out.count, out.sha256) == (PUSHED, bytestream.sha256(PUSHED, 3))
        server.finish()


@TYPES
def test_pushed_at_a_server_that_does_not_read(type):
    with PipeServer("await", f"recv={PUSHED}", "close", type=type) as server, Relay(server.name) as relay:
        writer = relay.write_in_thread(bytestream.chunks(PUSHED, 3, 65536))
        assert_flat(relay)
        assert 0 < writer.written < ON_THE_WAY, f"the relay took {writer.written} bytes"
        server.go()
        assert server.event("recv", timeout=60)["sha256"] == bytestream.sha256(PUSHED, 3)
        assert relay.wait() == 0 and relay.stderr == ""
        server.finish()


def test_large_messages_pushed_by_the_server():
    """Messages of 1 MiB each, of which the relay takes a part at a time."""
    with PipeServer(f"try-send={PUSHED},1048576,3", progress=200) as server:
        with Relay(server.name, collect=False) as relay:
            assert_flat(relay, 2)
            assert server.all("progress")[-1]["sent"] < 2 * ON_THE_WAY


def test_stdout_full_and_the_input_flows():
    """A direction that is stuck does not stop the other."""
    size, stuck = 20_000_000, 500_000
    with PipeServer(f"send={stuck},50000", f"recv={size}", "close", out=1 << 20) as server:
        with Relay(server.name, collect=False) as relay:
            server.event("send")
            writer = relay.write_in_thread(bytestream.chunks(size, 4))
            assert server.event("recv")["sha256"] == bytestream.sha256(size, 4)
            writer.join()
            out = relay.collect()
            assert relay.wait() == 0
            out.wait_end()
            assert out.data == bytestream.data(stuck)
            server.finish()


@pytest.mark.parametrize("stdin", ["overlapped", "message"])
def test_overlapped_stdin_stops_too(stdin):
    """Such a pipe is read by other means than a Unix descriptor. The parent's write stops, and its watchdog ends it:
    that it has to is what is wanted."""
    with PipeServer("await", "close") as server:
        with Parent(f"send={PUSHED}", stdin=stdin, limit=4, progress=200,
                    program=[windows_path(uvrelay_exe()), server.name]) as parent:
            assert parent.wait(20) == 3, f"the relay took everything, or failed: {parent.stderr}"
            assert 0 < parent.all("progress")[-1]["sent"] < ON_THE_WAY

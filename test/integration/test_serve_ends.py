"""`uvrelay.exe serve`, over all pairs of what it listens on and what it connects to: whichever side leaves, and
when."""

import time

import pytest

from programs import uvrelay_exe, windows_path
from winserving import ALL_PAIRS, PipeTarget, Serve, TcpTarget, at_once, connect, listen_address, of_pairs


@ALL_PAIRS
def test_client_gone(kinds, rig):
    """What it sent comes first; then the target is closed. (Under Wine a reset often looks like an end of input, which
    is passed on as such: the relay then waits for the target's own end.)"""
    rig = rig(kinds)
    client, end = rig.connected()
    client.send(40_000, 3)
    if rig.listener == "tcp":
        end.receive(40_000, 3)  # a reset discards what is under way
        client.reset()
        end.wait_end()
        end.close()
    else:
        client.close()
        end.receive(40_000, 3)
        end.wait_gone()
    rig.serve.wait_closed()


@ALL_PAIRS
def test_client_gone_while_much_comes(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()

    def leave():
        time.sleep(0.5)
        client.close()

    at_once(end.pour, leave)
    rig.serve.wait_closed()


@ALL_PAIRS
def test_client_gone_that_never_read(kinds, rig):
    """The pipes and buffers between are full, so the relay is in the middle of a write, not of a read."""
    rig = rig(kinds)
    client, end = rig.connected()

    def leave():
        time.sleep(1)
        client.reset()

    at_once(end.pour, leave)
    rig.serve.wait_closed()


@ALL_PAIRS
def test_target_gone(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()
    end.send(40_000, 3)
    if isinstance(rig.target, PipeTarget):
        end.close()
        client.receive(40_000, 3)
        client.wait_gone()
    else:
        client.receive(40_000, 3)
        end.reset()
        client.wait_end()
        client.close()
    rig.serve.wait_closed()


@ALL_PAIRS
def test_target_gone_while_much_comes(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()

    def leave():
        time.sleep(0.5)
        end.reset()

    at_once(client.pour, leave)
    rig.serve.wait_closed()


@ALL_PAIRS
def test_target_closes_after_its_last_word(kinds, rig):
    """An orderly end: all of it reaches a client that reads it late."""
    rig = rig(kinds)
    client, end = rig.connected()

    def read_late():
        time.sleep(0.5)
        client.receive(1_000_000, 3)
        client.wait_end()

    def talk():
        end.send(1_000_000, 3)
        end.close()

    at_once(talk, read_late)
    client.close()
    rig.serve.wait_closed()


# ---- a client that takes a zero-byte message for nothing ----

#: Most readers of pipes do: they read on, until the pipe is gone.
MESSAGES = of_pairs(lambda listener, _: listener == "message")


@MESSAGES
def test_target_closes_for_good(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()
    end.send(1000, 3)
    end.close()
    client.receive(1000, 3)
    client.wait_gone()
    rig.serve.wait_closed()


@pytest.mark.parametrize("options", ["?mode=message", "?eof=marker"])
def test_target_behind_a_far_end_closes_for_good(options):
    pipe = listen_address("byte")
    with TcpTarget() as target, Serve(f"{pipe}{options}=via:{target.address}",
                                      options=["--via", f'"{windows_path(uvrelay_exe())}" mux']) as serve:
        with connect(serve, "message" if "mode" in options else "byte") as client:
            end = target.accept()
            end.send(1000, 3)
            end.close()
            client.receive(1000, 3)
            client.wait_gone()
            serve.wait_closed()


def test_a_client_that_knows_the_message_goes_on():
    """It has all the time it wants, as long as it says something now and then."""
    with TcpTarget() as target, Serve(f"{listen_address('message')}={target.address}", options=["--linger=2"]) as serve:
        with connect(serve, "message") as client:
            end = target.accept()
            end.end()
            client.wait_end()
            for seed in (4, 5, 6, 7, 8):
                time.sleep(0.7)
                client.send(1000, seed)
                end.receive(1000, seed)
            client.end()
            end.wait_end()
            serve.wait_closed()


def test_a_query_after_the_target_has_died():
    """Even where nothing else would end the connection."""
    with TcpTarget() as target, Serve(f"{listen_address('message')}&linger=off={target.address}") as serve:
        with connect(serve, "message") as client:
            end = target.accept()
            end.close()
            client.wait_end()
            client.send(10)
            client.wait_gone()
            assert "gone" in serve.wait_closed()

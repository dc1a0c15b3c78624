"""`uvrelay.exe serve`, over all pairs of what it listens on and what it connects to: whoever leaves, and when."""

import time

from winserving import ALL_PAIRS, PipeTarget, at_once


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

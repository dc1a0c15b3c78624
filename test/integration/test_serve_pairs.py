"""`uvrelay.exe serve`, over all pairs of what it listens on and what it connects to: bytes and half-closes."""

import time

from winserving import ALL_PAIRS, at_once, of_pairs

BULK = 20_000_000
#: Longer than the linger that holds where an end cannot be passed on.
LATE = 1.4


# ---- bytes ----


@ALL_PAIRS
def test_question_and_answer(kinds, rig):
    """Several in one connection, and a second client after the first."""
    rig = rig(kinds)
    for number in (1, 2):
        client, end = rig.client(), rig.target.accept()
        for size in (1, 1000, 65536, 100_000):
            client.send(size, size)
            end.receive(size, size)
            end.send(size, size + 1)
            client.receive(size, size + 1)
        client.close()
        end.wait_end()
        end.close()
        closed = rig.serve.wait_closed(number)
        assert "; 166537 bytes to the target, 166537 bytes to the client" in closed
        if number == 1 and rig.target_kind in ("byte", "message"):
            rig.target.wait_listening()


@ALL_PAIRS
def test_the_target_talks_first(kinds, rig):
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    end.send(300, 3)
    client.receive(300, 3)


@ALL_PAIRS
def test_much_both_ways_at_once(kinds, rig):
    rig = rig(kinds)
    client, end = rig.connected()
    at_once(lambda: client.both(BULK, 1, BULK, 2), lambda: end.both(BULK, 2, BULK, 1))
    client.close()
    end.wait_end()
    end.close()
    assert f"; {BULK + 1} bytes to the target, {BULK + 1} bytes to the client" in rig.serve.wait_closed()


# ---- half-closes ----


@of_pairs(lambda listener, target: listener != "byte" and target != "byte")
def test_half_close_of_the_client(kinds, rig):
    """The end comes after all bytes, and the answer may take its time."""
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    client.send(200_000, 3)
    client.end()
    end.receive(200_000, 3)
    end.wait_end()
    time.sleep(LATE)
    end.send(200_000, 4)
    client.receive(200_000, 4)
    end.close()
    client.wait_gone()
    assert "; 200000 bytes to the target, 200000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener != "byte" and target != "byte")
def test_half_close_of_the_target(kinds, rig):
    rig = rig(kinds)
    client, end = rig.client(), rig.target.accept()
    end.send(200_000, 3)
    end.end()
    client.receive(200_000, 3)
    client.wait_end()
    time.sleep(LATE)
    client.send(200_000, 4)
    end.receive(200_000, 4)
    client.end()
    end.wait_gone()
    client.wait_gone()
    assert "; 200000 bytes to the target, 200000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener != "byte" and target == "byte")
def test_half_close_of_the_client_before_a_target_that_has_none(kinds, rig):
    """The target is closed when it has been silent for the time given, not while it still answers."""
    rig = rig(kinds, "--linger=2")
    client, end = rig.client(), rig.target.accept()
    client.send(200_000, 3)
    client.end()
    end.receive(200_000, 3)
    for seed in (4, 5, 6, 7):
        time.sleep(0.6)
        end.send(1000, seed)
        client.receive(1000, seed)
    end.wait_gone()
    client.wait_gone()
    assert "; 200000 bytes to the target, 4000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener == "byte" and target != "byte")
def test_half_close_of_the_target_before_a_client_that_has_none(kinds, rig):
    rig = rig(kinds, "--linger=2")
    client, end = rig.client(), rig.target.accept()
    end.send(200_000, 3)
    end.end()
    client.receive(200_000, 3)
    for seed in (4, 5, 6, 7):
        time.sleep(0.6)
        client.send(1000, seed)
        end.receive(1000, seed)
    client.wait_gone()
    end.wait_gone()
    assert "; 4000 bytes to the target, 200000 bytes to the client" in rig.serve.wait_closed()


@of_pairs(lambda listener, target: listener != "byte" and target == "byte")
def test_linger(kinds, rig):
    rig = rig(kinds, "--linger=3")
    client, end = rig.connected()
    client.end()
    time.sleep(1.8)
    end.send(1000, 4)
    client.receive(1000, 4)
    end.wait_gone()
    client.wait_gone()


@of_pairs(lambda listener, target: listener == "message" and target in ("tcp", "message"))
def test_half_close_to_a_client_that_reads_in_byte_mode(kinds, rig):
    """It sees a zero-byte message only when it has read all before: the relay must wait for that."""
    rig = rig(kinds)
    client, end = rig.client(mode="byte"), rig.target.accept()
    end.send(50_000, 3)
    end.end()
    time.sleep(0.3)
    client.receive(50_000, 3)
    received = client.do("recv-end")
    assert (received["bytes"], received["end"]) == (0, 0)
    client.send(1000, 4)
    end.receive(1000, 4)

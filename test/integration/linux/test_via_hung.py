"""Far ends of uvrelay serve that have stopped running: a client that waits for one is served by the next one, in
time."""

import contextlib
import os
import signal
import time

from programs import SOON
from serving import all_at_once, connect, receive_exactly, wait_for
from via import MUX, Via, alive, far_end, fill

#: The time limit of a route, unless it is given.
TIMEOUT = 30

#: A far end that does this the first time, and later is right.
FIRST = "try: os.open({0!r}, os.O_CREAT | os.O_EXCL)\nexcept OSError: os.execv(MUX[0], MUX)\n{1}\n"


def served(client, begin):
    """Waits for its echo, and returns the seconds that it took."""
    assert receive_exactly(client, 5) == b"hello"
    return time.monotonic() - begin


def ask_new(place):
    client = connect(f"unix://{place}/front", TIMEOUT + SOON)
    client.sendall(b"hello")
    return client


def idle(place, serve):
    """It is stopped while nothing is under way."""
    with ask_new(place) as client:
        served(client, 0)
    os.kill(serve.far_pid(), signal.SIGSTOP)
    begin = time.monotonic()
    with ask_new(place) as client:
        assert served(client, begin) < TIMEOUT / 2
    wait_for(lambda: not alive(serve.far_pid(1)), "it will be killed")
    serve.wait_match(r"^uvrelay: far end: .* did not answer for 5 s")


def busy(place, serve):
    """It is stopped while it has more to do than it takes: neither a ping nor a request can be written."""
    with ask_new(place) as first, ask_new(place) as second:
        served(first, 0), served(second, 0)
        os.kill(serve.far_pid(), signal.SIGSTOP)
        begin = time.monotonic()
        fill([first, second], 10_000_000)
        with ask_new(place) as client:
            assert served(client, begin) < TIMEOUT / 2
        first.setblocking(True)
        with contextlib.suppress(ConnectionError):
            while first.recv(1 << 20):
                pass
    wait_for(lambda: not alive(serve.far_pid(1)), "it will be killed")


def unused(place, serve):
    """Its one connection sends something, and no new client comes: it is found all the same."""
    with ask_new(place) as client:
        served(client, 0)
        os.kill(serve.far_pid(), signal.SIGSTOP)
        client.sendall(b"hello")
        begin = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
        assert time.monotonic() - begin < TIMEOUT / 2


def just_heard(place, serve):
    """It is stopped when it has just answered: that says nothing of the answers that others may wait for."""
    with ask_new(place) as client:
        served(client, 0)
        begin = time.monotonic()
        client.sendall(b"hello")
        served(client, begin)
        os.kill(serve.far_pid(), signal.SIGSTOP)
        at_once = time.monotonic() - begin < 1  # if not, it may have been pinged before
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
        assert not at_once or time.monotonic() - begin < TIMEOUT / 2


def again_and_again(place, serve):
    """Each is stopped when it is asked."""
    for number in (1, 2):
        with ask_new(place) as client:
            served(client, 0)
        os.kill(serve.far_pid(number), signal.SIGSTOP)
        begin = time.monotonic()
        with ask_new(place) as client:
            assert served(client, begin) < TIMEOUT / 2
    wait_for(lambda: not alive(serve.far_pid(1)) and not alive(serve.far_pid(2)), "both are killed")
    assert alive(serve.far_pid(3))


def at_its_start(place, serve):
    begin = time.monotonic()
    with ask_new(place) as client:
        assert served(client, begin) < TIMEOUT - 5
    wait_for(lambda: not alive(serve.far_pid(1)), "it will be killed")
    serve.wait_match(r"^uvrelay: far end: .* did not send its protocol version within 15 s")


def when_it_is_asked(place, serve):
    begin = time.monotonic()
    with ask_new(place) as client:
        assert served(client, begin) < TIMEOUT / 2
    wait_for(lambda: not alive(serve.far_pid(1)), "it will be killed")


#: How each far end behaves the first time, and what is done to it.
CASES = {
    "idle": (None, idle),
    "busy": (None, busy),
    "unused": (None, unused),
    "just-heard": (None, just_heard),
    "again-and-again": (None, again_and_again),
    "says-nothing": ("time.sleep(1000)", at_its_start),
    "says-half": ("os.write(1, GREETING[:9]); time.sleep(1000)", at_its_start),
    "ignores-signals": ("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)", at_its_start),
    "has-a-child": ("subprocess.run(['sleep', '1000'])", at_its_start),
    "answers-nothing": ("os.write(1, GREETING); time.sleep(1000)", when_it_is_asked)}


def check(place, address, first, do):
    via = MUX if first is None else far_end(place / "far", FIRST.format(str(place / "started"), first))
    with Via("--drain=0", f"unix://{place}/front=via:{address}", via=via) as serve:
        do(place, serve)


def test_a_far_end_that_hangs_is_replaced_in_time(tmp_path, back):
    all_at_once(tmp_path, {name: lambda place, case=case: check(place, back.address, *case)
                           for name, case in CASES.items()})

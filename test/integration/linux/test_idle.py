"""Idle is idle: while nothing happens on any connection, no process wakes up, and so none makes a system call.

What is counted is how often a process has gone to sleep (voluntary_ctxt_switches of all its threads): a process that
wakes up goes to sleep again. All processes are prepared first, and then watched at the same time. """

import contextlib
import resource
import socket
import time

import pytest

from programs import SOON, Process, times_slept
from serving import PROGRAM, Serve, connect, listener, receive_exactly, wait_for
from via import RawMux, Via

#: The far end is pinged 2 s after bytes that it was sent, and then after 30 s of silence.
SETTLE, WATCH = 3, 10


def wait_settled(pids):
    """Until none of them has woken up for SETTLE seconds."""
    counts, since, end = {}, time.monotonic(), time.monotonic() + SOON
    while time.monotonic() - since < SETTLE:
        now = {pid: times_slept(pid) for pid in pids}
        if now != counts:
            counts, since = now, time.monotonic()
        assert time.monotonic() < end, f"they do not come to rest within {SOON} s: {pids}, {now}"
        time.sleep(0.1)
    return counts


def assert_idle(processes, once=()):
    """Asserts that none of these, name by process id, wakes up; or, those that have logged a line, once, as 10 s after
    it the log looks whether it has left out others."""
    before = wait_settled(processes)
    time.sleep(WATCH)
    woken = {name: times_slept(pid) - before[pid] for pid, name in processes.items()
             if times_slept(pid) - before[pid] > (name in once)}
    assert not woken, f"times that each has woken up in {WATCH} s: {woken}"


class Accepted:
    """A listening socket whose connections are accepted by hand."""

    def __init__(self, where):
        self.listener = listener(where, 1024)
        self.listener.settimeout(SOON)
        self.address = (f"tcp://127.0.0.1:{self.listener.getsockname()[1]}" if isinstance(where, int)
                        else f"unix://{where}")

    def accept(self, stack):
        end = stack.enter_context(self.listener.accept()[0])
        end.settimeout(SOON)
        return end


def connected(stack, address, target):
    """A client and its target's end, which have exchanged a byte."""
    client = stack.enter_context(connect(address))
    client.sendall(b"a")
    end = target.accept(stack)
    end.sendall(receive_exactly(end, 1))
    assert receive_exactly(client, 1) == b"a"
    return client, end


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5000 if hard == resource.RLIM_INFINITY else min(hard, 5000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield max(soft, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_many(directory, stack, count):
    """A serve with so many open connections of each kind, and its far end."""
    tcp, unix = Accepted(0), Accepted(directory / "target")
    passed = [stack.enter_context(listener(0, 1024)) for _ in range(2)]
    ports = [f"tcp://127.0.0.1:{one.getsockname()[1]}" for one in passed]
    fronts = [f"unix://{directory}/1", ports[0], f"unix://{directory}/2", ports[1]]
    listens, targets = [fronts[0], "fd://3", fronts[2], "fd://4"], [tcp, unix, tcp, unix]
    serve = stack.enter_context(Via(*(f"{listen}={'via:' * (place > 1)}{target.address}" for place, (listen, target)
                                      in enumerate(zip(listens, targets))), verbose=False, sockets=passed))
    for number in range(count):
        connected(stack, fronts[number % 4], targets[number % 4])
    far, = serve.far_ends()
    return {serve.pid: f"serve with {count} connections", far: "its far end"}


def open_half_closed(directory, stack):
    """One or the other end of each connection has ended its output; a target to which that cannot be signalled
    lingers."""
    target = Accepted(directory / "half-target")
    serve = stack.enter_context(Serve("--linger=300", "--status=3600", f"unix://{directory}/h={target.address}",
                                      f"unix://{directory}/n={target.address}?eof=none", verbose=False))
    for front in ("h", "n"):
        for number in range(20):
            ends = connected(stack, f"unix://{directory}/{front}", target)
            ends[number % 2].shutdown(socket.SHUT_WR)
            if front == "h":
                assert ends[1 - number % 2].recv(1) == b""
    return {serve.pid: "serve with half-closed connections"}


def open_waiting(directory, stack):
    """More clients than may be connected."""
    target = Accepted(directory / "waiting-target")
    serve = stack.enter_context(Serve("--max=2", f"unix://{directory}/w={target.address}", verbose=False))
    for _ in range(2):
        connected(stack, f"unix://{directory}/w", target)
    for _ in range(5):
        stack.enter_context(connect(f"unix://{directory}/w")).sendall(b"a")
    return {serve.pid: "serve with waiting clients"}


def open_eager(directory, stack):
    """A far end that is not needed; and one by itself."""
    serve = stack.enter_context(Via("--eager", f"unix://{directory}/e=via:unix://{directory}/absent", verbose=False))
    far, = wait_for(serve.far_ends, "the far end is there")
    mux = stack.enter_context(RawMux())
    mux.wait_greeting()
    return {serve.pid: "serve with an idle far end", far: "the idle far end", mux.pid: "mux"}


def open_one_shot(directory, stack):
    """The program with pipes, and with a socket, as its standard input and output."""
    target, found = Accepted(directory / "one-target"), {}
    piped = stack.enter_context(Process([PROGRAM, target.address]))
    near, far = socket.socketpair()
    stack.enter_context(near)
    with far:
        socketed = stack.enter_context(Process([PROGRAM, target.address], stdin=far, stdout=far, collect=False))
    for one, name in ((piped, "pipes"), (socketed, "a socket")):
        found[one.pid] = f"uvrelay with {name}"
    for _ in range(2):
        target.accept(stack)
    return found


def test_no_process_wakes_up(tmp_path, many_descriptors):
    with contextlib.ExitStack() as stack:
        processes = {}
        for open_ in (open_half_closed, open_waiting, open_eager, open_one_shot):
            processes.update(open_(tmp_path, stack))
        processes.update(open_many(tmp_path, stack, min(1000, many_descriptors // 5)))
        assert_idle(processes, once=("serve with waiting clients",))


def test_what_wakes_up_is_seen():
    with Process(["sh", "-c", "while sleep 0.1; do :; done"]) as busy:
        before = times_slept(busy.pid)
        wait_for(lambda: times_slept(busy.pid) > before + 5, "it is seen to wake up")


def test_the_reader_of_standard_output_leaves_while_nothing_is_sent(tmp_path):
    """Which ends the program, although it does not check from time to time."""
    target = Accepted(tmp_path / "target")
    with Process([PROGRAM, target.address], collect=False) as one, contextlib.ExitStack() as stack:
        end = target.accept(stack)
        one.popen.stdout.close()
        assert end.recv(1) == b""
        one.popen.wait(SOON)


def test_a_half_closed_client_leaves_while_nothing_is_sent(tmp_path):
    target = Accepted(tmp_path / "target")
    with Serve(f"unix://{tmp_path}/s={target.address}") as serve, contextlib.ExitStack() as stack:
        pairs = [connected(stack, f"unix://{tmp_path}/s", target) for _ in range(3)]
        for client, end in pairs:
            client.shutdown(socket.SHUT_WR)
            assert end.recv(1) == b""
        pairs[1][0].close()
        serve.wait_closed(1)
        assert pairs[1][1].recv(1) == b"" and not serve.matches("closed after(?s:.*)closed after")
        for place in (0, 2):
            pairs[place][1].sendall(b"still")
            assert receive_exactly(pairs[place][0], 5) == b"still"

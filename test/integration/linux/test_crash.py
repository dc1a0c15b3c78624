"""What a TCP peer sees of an end that is none: when the program is killed in mid-stream, it is a reset, so that half an
answer does not look like a whole one. And what it sees of a real end: all bytes, however slowly it reads, and then the
end.

The reader here has a small receive buffer, so that most of what is sent to it waits in other places. """

import contextlib
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import bytestream
import pytest
from programs import SOON, Process, outcome, read_slowly
from serving import PROGRAM, AssuanTarget, Front, Serve, listener, receive_exactly, wait_for
from via import Via

pytestmark = pytest.mark.sanitized

MEGABYTES = 3 << 20
FIN_WAIT_1 = 4
CHUNK = 65536


def listen_slowly():
    """A listener whose connections hold few bytes."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    made.bind(("127.0.0.1", 0))
    made.listen(8)
    made.settimeout(SOON)
    return made


def port(connection):
    return connection.getsockname()[1]


def connect_slowly(address):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    made.settimeout(SOON)
    host, _, number = address.removeprefix("tcp://").rpartition(":")
    made.connect((host, int(number)))
    return made


def state_of_peer(connection):
    """The state of the other end of a connection on this computer, as a number of the kernel's."""
    wanted = f":{connection.getpeername()[1]:04X}", f":{port(connection):04X}"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if (local[8:], remote[8:]) == wanted:
            return int(state, 16)
    return None


def stream(seed, size=MEGABYTES):
    return b"".join(bytestream.chunks(size, seed))


# ---- a crash is no end ----


class Session:
    """A connection through `serve`, both ends of it in our hands."""

    def __init__(self, stack, serve, back):
        self.serve = serve
        self.client = stack.enter_context(connect_slowly(serve.listen()))
        self.target = stack.enter_context(back.accept()[0])
        self.target.settimeout(SOON)

    def kill(self):
        os.kill(self.serve.pid, signal.SIGKILL)
        self.serve.wait()


@pytest.fixture
def stack():
    with contextlib.ExitStack() as made:
        yield made


@pytest.fixture
def back(stack):
    return stack.enter_context(listen_slowly())


@pytest.fixture
def session(stack, back):
    serve = Serve(f"tcp://127.0.0.1:0=tcp://127.0.0.1:{port(back)}")
    stack.callback(serve.kill)
    return Session(stack, serve, back)


def test_killed_before_a_byte_has_come(session):
    session.serve.wait_match("#1: opened")
    session.kill()
    assert outcome(session.client) == (b"", "reset")
    assert outcome(session.target) == (b"", "reset")


def test_killed_in_mid_stream(session):
    """Each end has got only the beginning of something."""
    session.client.sendall(b"the beginning of a request")
    session.target.sendall(b"the beginning of an answer")
    receive_exactly(session.target, 26)
    receive_exactly(session.client, 26)
    session.kill()
    assert outcome(session.client) == (b"", "reset")
    assert outcome(session.target) == (b"", "reset")


def test_killed_at_random_moments(stack, back):
    """While megabytes are under way: what has come is the beginning of what was sent, and after it is no end."""
    randomly = random.Random(5)
    request, answer = stream(1), stream(2)
    for _ in range(6):
        with contextlib.ExitStack() as inner:
            serve = Serve(f"tcp://127.0.0.1:0=tcp://127.0.0.1:{port(back)}")
            inner.callback(serve.kill)
            one = Session(inner, serve, back)
            ends = {one.client: [request, b""], one.target: [answer, b""]}
            for end in ends:
                end.setblocking(False)
            stop = time.monotonic() + randomly.uniform(0.01, 0.15)
            while time.monotonic() < stop:
                for end, state in ends.items():
                    with contextlib.suppress(BlockingIOError):
                        state[0] = state[0][end.send(state[0][:CHUNK]):]
                    with contextlib.suppress(BlockingIOError):
                        state[1] += end.recv(4096)
            one.kill()
            for end, sent in ((one.client, answer), (one.target, request)):
                rest, how = outcome(end)
                got = ends[end][1] + rest
                assert (how, got == sent[:len(got)]) == ("reset", True), f"{how} after {len(got)} bytes"


@pytest.mark.parametrize("by", ["client", "target"])
def test_killed_when_one_direction_has_ended(session, by):
    """Who had been sent all gets all, and its end, although it has read nothing yet; the other one sees a reset."""
    ended, told = (session.client, session.target) if by == "client" else (session.target, session.client)
    data = stream(3, 200_000)
    ended.sendall(data)
    ended.shutdown(socket.SHUT_WR)
    wait_for(lambda: state_of_peer(told) == FIN_WAIT_1, "the end was passed on behind what waits to be read")
    session.kill()
    assert read_slowly(told) == (data, "end")
    assert outcome(ended) == (b"", "reset")


@pytest.mark.parametrize("kind", ["tcp", "fd-number"])
def test_killed_with_a_socket_that_systemd_has_made(stack, back, tmp_path, kind):
    """The listener lives on; its clients' connections do not."""
    front = stack.enter_context(Front(kind, tmp_path))
    serve = front.serve(f"tcp://127.0.0.1:{port(back)}")
    stack.callback(serve.kill)
    client = stack.enter_context(front.connect(serve))
    aim = stack.enter_context(back.accept()[0])
    client.sendall(b"hello")
    receive_exactly(aim, 5)
    os.kill(serve.pid, signal.SIGKILL)
    assert outcome(client) == (b"", "reset")
    assert outcome(aim) == (b"", "reset")


def test_killed_while_the_target_is_waited_for(stack):
    serve = Serve("tcp://127.0.0.1:0=unix:///nobody/is/here?absent=wait")
    stack.callback(serve.kill)
    client = stack.enter_context(serve.connect())
    serve.wait_match("#1")
    os.kill(serve.pid, signal.SIGKILL)
    assert outcome(client) == (b"", "reset")


@pytest.mark.parametrize("cygwin", [False, True])
def test_killed_with_a_socket_file_as_target(stack, tmp_path, cygwin):
    seen = []

    def talk(connection):
        connection.sendall(receive_exactly(connection, 5))
        seen.append(outcome(connection))

    with AssuanTarget(tmp_path / "file", talk, cygwin) as made:
        serve = Serve(f"unix://{tmp_path}/s={made.address}")
        stack.callback(serve.kill)
        client = stack.enter_context(serve.connect())
        client.sendall(b"hello")
        receive_exactly(client, 5)
        os.kill(serve.pid, signal.SIGKILL)
        made.wait()
    assert seen == [(b"", "reset")]


@pytest.mark.parametrize("victim", ["near", "far"])
@pytest.mark.parametrize("traffic", ["request", "both"])
def test_an_end_of_a_mux_is_killed(stack, back, victim, traffic):
    """Both TCP peers see a reset, whichever end is killed."""
    serve = Via(f"tcp://127.0.0.1:0=via:tcp://127.0.0.1:{port(back)}")
    stack.callback(serve.end_all)
    stack.callback(serve.kill)
    one = Session(stack, serve, back)
    one.client.sendall(b"hello")
    receive_exactly(one.target, 5)
    if traffic == "both":
        one.target.sendall(b"hello")
        receive_exactly(one.client, 5)
    os.kill(serve.pid if victim == "near" else serve.far_pid(), signal.SIGKILL)
    assert outcome(one.client) == (b"", "reset")
    assert outcome(one.target) == (b"", "reset")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_one_shot_program_is_killed(stack, back, number):
    """Even by a signal of the terminal's: it was not through."""
    program = stack.enter_context(Process([PROGRAM, f"tcp://127.0.0.1:{port(back)}"]))
    aim = stack.enter_context(back.accept()[0])
    program.write(b"hello")
    receive_exactly(aim, 5)
    os.kill(program.pid, number)
    assert outcome(aim) == (b"", "reset")


def test_a_second_signal_cuts(session):
    session.client.sendall(b"hello")
    receive_exactly(session.target, 5)
    session.serve.send_signal(signal.SIGTERM)
    session.serve.wait_match("stopping|draining|stop")
    session.serve.send_signal(signal.SIGTERM)
    assert outcome(session.client) == (b"", "reset")
    assert outcome(session.target) == (b"", "reset")


def test_a_shared_socket_is_left_as_it_is(stack, back):
    """Standard input and output belong to others, too: no reset of ours may reach what they send."""
    ours = stack.enter_context(socket.create_connection(back.getsockname()))
    other = stack.enter_context(back.accept()[0])
    server = stack.enter_context(listener(0))
    program = subprocess.Popen([PROGRAM, f"tcp://127.0.0.1:{port(server)}"], stdin=ours, stdout=ours)
    stack.callback(program.wait)
    stack.callback(program.kill)
    aim = stack.enter_context(server.accept()[0])
    other.sendall(b"hello")
    receive_exactly(aim, 5)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == bytes(8)
    program.kill()
    program.wait()
    ours.sendall(b"still here")
    ours.close()
    assert outcome(other) == (b"still here", "end")
    assert outcome(aim) == (b"", "reset")


# ---- an end is no crash ----


@pytest.mark.parametrize("by", ["client", "target"])
@pytest.mark.parametrize("both", [True, False])
def test_all_arrives_after_a_half_close(session, by, both):
    """The other one reads slowly, and has ended itself or not."""
    ended, told = (session.client, session.target) if by == "client" else (session.target, session.client)
    data = stream(4)
    if both:
        told.shutdown(socket.SHUT_WR)
        assert outcome(ended) == (b"", "end")

    def send():
        ended.sendall(data)
        ended.shutdown(socket.SHUT_WR)

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        assert read_slowly(told) == (data, "end")
        sent.result()


def silence(stack, back, *options, size):
    """A client sends so much to a target that does not read; gives both."""
    serve = Serve(*options, f"tcp://127.0.0.1:0=tcp://127.0.0.1:{port(back)}")
    stack.callback(serve.kill)
    one = Session(stack, serve, back)
    one.client.settimeout(1)
    with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
        one.client.sendall(stream(6, size))
    return one


def test_all_arrives_after_an_idle_end(stack, back):
    one = silence(stack, back, "--idle=0.5", size=150_000)
    one.serve.wait_closed()
    assert read_slowly(one.target) == (stream(6, 150_000), "end")


def test_what_an_idle_end_cuts_is_reset(stack, back):
    """As the target takes nothing, some of it is still in the program, and lost."""
    one = silence(stack, back, "--idle=2", size=50 << 20)  # longer than a busy machine keeps the client from sending
    one.serve.wait_closed()
    data, how = outcome(one.target)
    assert how == "reset" and stream(6, 50 << 20).startswith(data)


def test_all_arrives_after_linger(stack, back):
    """The client's end cannot be signalled to the target, and is silent."""
    serve = Serve("--linger=0.5", f"tcp://127.0.0.1:0=tcp://127.0.0.1:{port(back)}?eof=none")
    stack.callback(serve.kill)
    one = Session(stack, serve, back)
    one.client.sendall(stream(7, 150_000))
    one.client.shutdown(socket.SHUT_WR)
    serve.wait_closed()
    assert read_slowly(one.target) == (stream(7, 150_000), "end")


def test_all_arrives_after_a_stop(stack, back):
    """The connection ends in order while the program drains; then that ends, too."""
    serve = Serve(f"tcp://127.0.0.1:0=tcp://127.0.0.1:{port(back)}")
    stack.callback(serve.kill)
    one = Session(stack, serve, back)
    one.client.sendall(stream(8, 150_000))
    one.target.shutdown(socket.SHUT_WR)
    serve.send_signal(signal.SIGTERM)
    one.client.shutdown(socket.SHUT_WR)
    serve.ended(0)
    assert read_slowly(one.target) == (stream(8, 150_000), "end")


def one_shot(stack, back, *flags):
    """A one-shot program, its target, and what it is given to send."""
    program = stack.enter_context(Process([PROGRAM, *flags, f"tcp://127.0.0.1:{port(back)}"]))
    aim = stack.enter_context(back.accept()[0])
    program.write_in_thread([stream(9)], close=True)
    return program, aim, stream(9)


def test_all_arrives_from_a_one_shot_program(stack, back):
    """It exits when both have ended, and does not wait until all is read."""
    program, aim, data = one_shot(stack, back)
    aim.shutdown(socket.SHUT_WR)
    assert read_slowly(aim) == (data, "end")
    assert program.wait() == 0


@pytest.mark.parametrize("chatty", [False, True])
def test_all_arrives_from_a_one_shot_program_that_ends_at_the_end_of_input(stack, back, chatty):
    """Even if its target still sends, so that its exit is a reset."""
    program, aim, data = one_shot(stack, back, "-ei")
    got = b""
    for _ in range(40 if chatty else 0):
        aim.sendall(b"y" * 100)
        got += aim.recv(20_000)
        time.sleep(0.005)
    rest, how = outcome(aim)
    assert (got + rest == data, how) == (True, "end")
    assert program.wait() == 0


def test_a_silent_target_does_not_hold_up_the_exit(stack, back):
    """It has all, and neither sends nor ends."""
    program = stack.enter_context(Process([PROGRAM, "-ei", f"tcp://127.0.0.1:{port(back)}"]))
    stack.enter_context(back.accept()[0])
    begun = time.monotonic()
    program.write(b"hello")
    program.close_stdin()
    assert program.wait() == 0
    assert time.monotonic() - begun < 1.5, "it waited for as long as a target that has not got all may take"

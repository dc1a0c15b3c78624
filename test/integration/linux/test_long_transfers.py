"""Long transfers. The program moves the bytes of a direction that has moved much in other ways than those of a short one:
with larger reads, or without copying them. Whatever happens to such a connection, what arrives is a prefix of what was
sent, and all of it if the end was an orderly one; and the log's count is exact."""

import contextlib
import hashlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import bytestream
from control import Home
from programs import SOON
from serving import (SANITIZED, Serve, Target, echo, listener, receive_all, receive_exactly, vanish, wait_for)
from via import MUX, assert_echoed_at_once

pytestmark = pytest.mark.sanitized

#: After so many bytes, a direction is certainly a long one.
LONG = 2_500_000
KINDS = ["uu", "ut", "tu"]


class Relayed:
    """A serve between sockets of these kinds, "tu" from a port to a Unix socket, both of whose ends are the test's."""

    def __init__(self, kinds, directory, *args, far=False, run=Serve, **options):
        self._back = listener(directory / "back" if kinds[1] == "u" else 0)
        self._back.settimeout(SOON)
        front = f"unix://{directory}/front" if kinds[0] == "u" else "tcp://127.0.0.1:0"
        self.target = (f"unix://{directory}/back" if kinds[1] == "u"
                       else f"tcp://127.0.0.1:{self._back.getsockname()[1]}")
        self.serve = run(*args, *(["--via", " ".join(MUX)] if far else []),
                         f"{front}={'via:' if far else ''}{self.target}", **options)

    def __enter__(self):
        self.serve.__enter__()
        return self

    def __exit__(self, *failure):
        self._back.close()
        self.serve.__exit__(*failure)

    @contextlib.contextmanager
    def open(self):
        """A client, and its target's end."""
        with self.serve.connect() as client:
            end, _ = self._back.accept()
            end.settimeout(SOON)
            with end:
                yield client, end


@pytest.fixture(params=[*KINDS, "mux"])
def relayed(request, tmp_path):
    kinds, far = ("uu", True) if request.param == "mux" else (request.param, False)
    with Relayed(kinds, tmp_path, far=far) as relayed:
        yield relayed


class Sending:
    """Sends these pieces in a thread; join waits for it and gives its failure, if any."""

    def __init__(self, connection, pieces):
        self.sent, self.failure = 0, None
        self._connection, self._pieces = connection, pieces
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            for piece in self._pieces:
                view = memoryview(piece)
                while view:
                    count = self._connection.send(view)
                    self.sent += count
                    view = view[count:]
        except OSError as failure:
            self.failure = failure

    def join(self):
        self._thread.join(SOON)
        assert not self._thread.is_alive(), f"it still sends; {self.sent} bytes were taken"
        return self.failure


def exchange(sender, receiver, size, seed=1):
    """Sends a stream and checks that all of it arrives."""
    sending = Sending(sender, bytestream.chunks(size, seed))
    hash_, left = hashlib.sha256(), size
    while left:
        piece = receiver.recv(min(left, 1 << 18))
        assert piece, f"the end, {left} bytes early"
        hash_.update(piece)
        left -= len(piece)
    assert not sending.join() and hash_.hexdigest() == bytestream.sha256(size, seed)


def assert_prefix(came, seed=1):
    assert hashlib.sha256(came).hexdigest() == bytestream.sha256(len(came), seed), "not what was sent"


def assert_whole(came, size, seed=2):
    """By hashes, as it takes long to show how two long texts differ."""
    assert (len(came), hashlib.sha256(came).hexdigest()) == (size, bytestream.sha256(size, seed))


def until_over(connection):
    """All that still arrives, up to an end or a reset."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 18):
            data += piece
    return bytes(data)


def stuck(sender, most=8_000_000):
    """Sends until nothing more is taken for a while, or so much, as ports hold more; gives how many bytes were taken."""
    sent, last = 0, time.monotonic()
    view = memoryview(bytestream.data(most, 2))
    sender.setblocking(False)
    while sent < most and time.monotonic() - last < 0.2:
        try:
            sent += sender.send(view[sent:sent + 65536])
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    sender.settimeout(SOON)
    return sent


def flow(sender, receiver, came):
    """Sends 3 MB and what the relay holds, while they are received; gives how many bytes were taken."""
    view, sent = memoryview(bytestream.data(20_000_000, 2)), 0
    for one in (sender, receiver):
        one.setblocking(False)
    while len(came) < 3_000_000:
        with contextlib.suppress(BlockingIOError):
            sent += sender.send(view[sent:sent + 65536])
        with contextlib.suppress(BlockingIOError):
            came += receiver.recv(65536)
    for one in (sender, receiver):
        one.settimeout(SOON)
    return sent


# In pieces of all sizes.


def test_pieces_and_pauses(relayed):
    """Both ways at once, in pieces of any size with pauses, which let a direction rest and become a long one again."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    total = 3_000_000 if SANITIZED else 12_000_000

    def pieces(seed):
        chance, data, at = random.Random(seed), memoryview(bytestream.data(total, seed)), 0
        while at < total:
            size = chance.choice([1, 2, 100, 4096, 65535, 65536, 65537, 300_000, 1_500_000, 2_000_000])
            yield data[at:at + size]
            at += size
            if chance.random() < 0.4:
                time.sleep(chance.choice([0, 0.001, 0.02, 0.15]))

    with relayed.open() as (client, end):
        both = [(client, end, seed), (end, client, seed + 1)]
        sendings = [Sending(sender, pieces(number)) for sender, _, number in both]
        hashes, failures = {}, []

        def receive(receiver, number):
            chance, hash_, left = random.Random(number), hashlib.sha256(), total
            try:
                while left:
                    piece = receiver.recv(min(left, chance.choice([1, 1000, 65536, 1 << 20])))
                    if not piece:
                        return
                    hash_.update(piece)
                    left -= len(piece)
                    if chance.random() < 0.02:
                        time.sleep(0.005)
                hashes[number] = hash_.hexdigest()
            except OSError as failure:
                failures.append(failure)

        threads = [threading.Thread(target=receive, args=(receiver, number)) for _, receiver, number in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not [one.join() for one in sendings if one.join()] and not failures
        assert hashes == {number: bytestream.sha256(total, number) for _, _, number in both}
        client.shutdown(socket.SHUT_WR)
        assert receive_all(end) == b""
        end.close()
        assert receive_all(client) == b""
    assert relayed.serve.wait_closed().bytes == (total, total)


def test_a_reader_of_single_bytes(relayed):
    """In the middle of a long transfer."""
    with relayed.open() as (client, end):
        exchange(client, end, LONG)
        data = bytestream.data(400_000, 7)
        sending = Sending(client, [data])
        first = b"".join(end.recv(1) for _ in range(3000))
        rest = receive_exactly(end, len(data) - len(first))
        assert not sending.join()
        assert_whole(first + rest, len(data), 7)
        # And one byte at a time is passed on at once, as ever.
        for number in range(200):
            client.sendall(bytes([number]))
            assert receive_exactly(end, 1) == bytes([number])


# Ends.

SIZES = [0, 1, 65535, 65536, 65537, 262_144, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, LONG, 5_000_001]


def test_half_closes_at_any_place(relayed):
    """What was sent before it arrives, and the other direction goes on, and may become a long one then."""
    for number, size in enumerate(SIZES, 1):
        with relayed.open() as (client, end):
            sending = Sending(client, bytestream.chunks(size, number))
            ending = threading.Thread(target=lambda: (sending.join(), client.shutdown(socket.SHUT_WR)))
            ending.start()
            hash_, count = hashlib.sha256(), 0
            while piece := end.recv(1 << 17):
                hash_.update(piece)
                count += len(piece)
            ending.join(SOON)
            assert (count, hash_.hexdigest()) == (size, bytestream.sha256(size, number))
            back = SIZES[-number]
            exchange(end, client, back, number)
            end.close()
            assert receive_all(client) == b""
        assert relayed.serve.wait_closed(number).bytes == (size, back)


def test_an_end_while_the_reader_is_late(relayed):
    """All that was sent before an orderly close arrives, although nothing of it was read before; both ways."""
    for number, back in enumerate([False, True], 1):
        with relayed.open() as ends:
            sender, receiver = ends[::-1] if back else ends
            exchange(sender, receiver, LONG)
            size = stuck(sender)
            sender.close()
            time.sleep(0.1)
            assert_whole(until_over(receiver), size)
        counts = relayed.serve.wait_closed(number).bytes
        assert counts[back] == LONG + size


def test_a_late_reader_after_a_half_close(relayed):
    """With bytes on the way in both directions when both end."""
    with relayed.open() as (client, end):
        exchange(client, end, LONG)
        exchange(end, client, LONG)
        sizes = [stuck(client), stuck(end)]
        for one in (client, end):
            one.shutdown(socket.SHUT_WR)
        time.sleep(0.05)
        got = [receive_all(end), receive_all(client)]
        for data, size in zip(got, sizes):
            assert_whole(data, size)
    assert relayed.serve.wait_closed().bytes == tuple(LONG + size for size in sizes)


@pytest.mark.parametrize("who", ["client", "target"])
@pytest.mark.parametrize("reading", [False, True], ids=["stuck", "flowing"])
def test_one_vanishes(relayed, who, reading):
    """In the middle of a transfer that it sends: what arrives is a prefix. The other end is notified."""
    with relayed.open() as ends:
        sender, receiver = ends if who == "client" else ends[::-1]
        exchange(sender, receiver, LONG)
        came = bytearray()
        sent = flow(sender, receiver, came) if reading else stuck(sender)
        receiver.sendall(b"unread")  # so that a close is none in order
        vanish(sender)
        came += until_over(receiver)
        assert len(came) <= sent
        assert_prefix(bytes(came), 2)
    relayed.serve.wait_closed()


@pytest.mark.parametrize("who", ["client", "target"])
def test_the_receiver_vanishes(relayed, who):
    """In the middle of what it is sent: the sender is notified, and the log counts no more than was sent."""
    with relayed.open() as ends:
        receiver, sender = ends if who == "client" else ends[::-1]
        exchange(sender, receiver, LONG)
        sent = stuck(sender)
        receive_exactly(receiver, 1000)
        vanish(receiver)
        with pytest.raises(ConnectionError):
            while True:
                sender.sendall(b"x" * 65536)
                sent += 65536
    counts = relayed.serve.wait_closed().bytes
    assert LONG <= counts[who == "client"] <= LONG + sent + 65536


KILLED = """
import socket, sys
at = socket.socket(socket.AF_UNIX); at.connect(sys.argv[1])
print("ready", flush=True)
while True: at.sendall(b"k" * 100_000)
"""


def test_a_client_is_killed(tmp_path):
    with Relayed("uu", tmp_path) as relayed:
        with subprocess.Popen([sys.executable, "-ISc", KILLED, f"{tmp_path}/front"], stdout=subprocess.PIPE) as client:
            end, _ = relayed._back.accept()
            with end:
                end.settimeout(SOON)
                receive_exactly(end, LONG)
                client.kill()
                rest = receive_all(end)
        assert set(rest) <= {ord("k")}
        assert relayed.serve.wait_closed().bytes == (LONG + len(rest), 0)


def test_stopping_waits_for_a_long_transfer(tmp_path):
    """It drains: what is under way goes on to its end."""
    with Relayed("uu", tmp_path) as relayed, relayed.open() as (client, end):
        exchange(client, end, LONG)
        size = stuck(client)
        relayed.serve.send_signal(signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"{tmp_path}/front"), "it has stopped listening")
        assert_whole(receive_exactly(end, size), size)
        exchange(end, client, LONG, 5)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(end) == b""
        end.close()
        relayed.serve.ended(0)
        assert relayed.serve.wait_closed().bytes == (LONG + size, LONG)


def test_a_transfer_with_pauses_is_not_idle(tmp_path):
    """--idle counts from the last byte, whichever way it goes."""
    with Relayed("uu", tmp_path, "--idle=1") as relayed, relayed.open() as (client, end):
        exchange(client, end, LONG)
        for number in range(5):
            time.sleep(0.4)
            exchange(client, end, 300_000, number + 1)
        begin = time.monotonic()
        assert receive_all(end) == b""
        assert 0.5 < time.monotonic() - begin < SOON
        assert relayed.serve.wait_closed().bytes == (LONG + 5 * 300_000, 0)


def test_lingering_ends_only_in_silence(tmp_path):
    """A target that cannot be told the end of input goes on as long as it sends: a long transfer, too."""
    with Relayed("uu", tmp_path, "--eof=none", "--linger=1") as relayed, relayed.open() as (client, end):
        exchange(client, end, LONG)
        client.shutdown(socket.SHUT_WR)
        exchange(end, client, LONG, 3)
        for number in range(4):
            time.sleep(0.4)
            exchange(end, client, 100_000, number + 1)
        assert receive_all(client) == b""
        assert relayed.serve.wait_closed().bytes == (LONG, LONG + 400_000)


# What is counted and warned of.


@pytest.mark.parametrize("far", [False, True], ids=["direct", "mux"])
def test_status_counts_while_a_transfer_goes_on(tmp_path, far):
    """No less than has arrived, but for the buffer that is being written, and no more than was sent."""
    being_written = 256 * 1024
    home = Home(tmp_path / "home")
    with Relayed("uu", tmp_path, far=far, run=home.serve) as relayed, relayed.open() as (client, end):
        def count():
            return home.status()[0]["routes"][0]["to_target"]

        arrived = 0
        for number in range(4):
            exchange(client, end, LONG, number + 1)
            arrived += LONG
            wait_for(lambda: count() == arrived, "all is counted")
        sent = arrived + stuck(client)
        last = count()
        assert arrived <= last <= sent
        for _ in range(20):
            receive_exactly(end, 10_000)
            arrived += 10_000
            now = count()
            assert max(last, arrived - being_written) <= now <= sent
            last = now
        receive_exactly(end, sent - arrived)
        wait_for(lambda: count() == sent, "all is counted")


WARNING = "sends descriptors (SCM_RIGHTS), which a byte relay cannot pass on"


@pytest.mark.parametrize("kinds, before", [("uu", 0), ("uu", LONG), ("ut", LONG)])
def test_descriptors_in_the_middle(tmp_path, kinds, before):
    """The bytes that they come with arrive like all others. The warning is promised for the beginning of a connection
    only; bytes are not lost wherever descriptors come."""
    with Relayed(kinds, tmp_path) as relayed, relayed.open() as (client, end):
        exchange(client, end, before)
        for number in range(5):
            data = bytestream.data(3000, number + 1)
            assert socket.send_fds(client, [data], [0]) == len(data)
            client.sendall(b"after")
            assert receive_exactly(end, 3005) == data + b"after"
        size = stuck(client)
        sending = Sending(client, [b"x" * 100_000])
        assert_whole(receive_exactly(end, size), size)
        assert receive_exactly(end, 100_000) == b"x" * 100_000 and not sending.join()
        exchange(client, end, LONG, 9)
        client.close()
        assert receive_all(end) == b""
        relayed.serve.wait_closed()
        assert relayed.serve.stderr.count(WARNING) == 1 or before


def test_descriptors_of_which_the_reader_is_late(tmp_path):
    """They are queued between bytes without descriptors, in a socket that is full."""
    with Relayed("uu", tmp_path) as relayed, relayed.open() as (client, end):
        exchange(client, end, LONG)
        size = stuck(client)
        data = bytestream.data(600_000, 3)
        read, write = os.pipe()

        def send():
            for at in range(0, len(data), 1000):
                assert socket.send_fds(client, [data[at:at + 1000]], [write]) == 1000

        sender = threading.Thread(target=send)
        sender.start()
        assert_whole(receive_exactly(end, size), size)
        assert_whole(receive_exactly(end, len(data)), len(data), 3)
        sender.join(SOON)
        os.close(write)
        # None of them stays open in the program: the pipe ends.
        os.set_blocking(read, False)
        wait_for(lambda: ended(read), "no descriptor that was sent stays open")
        os.close(read)


def ended(pipe):
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


# Too few descriptors.


@contextlib.contextmanager
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 4096), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def limit(number):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


@pytest.mark.parametrize("kinds", ["uu", "tu"])
def test_many_long_transfers_with_few_descriptors(tmp_path, kinds):
    """A long transfer cannot get the descriptors that it could use besides its two sockets, and clients wait: every byte
    still arrives."""
    count, size = (30, 1_200_000) if SANITIZED else (80, 1_500_000)
    back = tmp_path / "back" if kinds[1] == "u" else 0
    front = f"unix://{tmp_path}/front" if kinds[0] == "u" else "tcp://127.0.0.1:0"
    with many_descriptors(), Target(back, echo, backlog=500) as target, Serve(
            f"{front}={target.address}", preexec_fn=limit(150)) as serve:
        connections = [serve.connect() for _ in range(count)]
        assert_echoed_at_once(connections, [size] * count)
        for number in range(1, count + 1):
            assert serve.wait_closed(number).bytes == (size, size)
        target.wait(count)


def test_the_limit_is_lowered_while_it_runs(tmp_path):
    """To less than is open: what is open goes on, long transfers, too; clients wait until the limit is raised."""
    with Relayed("uu", tmp_path) as relayed, contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(relayed.open()) for _ in range(20)]
        exchange(*pairs[0], LONG)
        resource.prlimit(relayed.serve.pid, resource.RLIMIT_NOFILE, (20, 4096))
        for client, end in pairs[:6]:
            exchange(client, end, LONG)
            exchange(end, client, LONG)
        waiting = [stack.enter_context(relayed.serve.connect()) for _ in range(5)]
        for number, client in enumerate(waiting):
            client.sendall(b"%d" % number)
        relayed.serve.wait_match(": paused: ")
        exchange(*pairs[7], LONG)
        resource.prlimit(relayed.serve.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        for number in range(5):
            end, _ = relayed._back.accept()
            with end:
                end.settimeout(SOON)
                assert receive_exactly(end, 1) == b"%d" % number
        assert not relayed.serve.matches("failed:")


@pytest.mark.parametrize("kinds", ["uu", "tu"])
def test_those_that_wait_are_served_in_order(tmp_path, kinds):
    """The client that came first is served first."""
    with Relayed(kinds, tmp_path, preexec_fn=limit(40)) as relayed, contextlib.ExitStack() as stack:
        clients = []
        for number in range(60):
            clients.append(stack.enter_context(relayed.serve.connect()))
            clients[-1].sendall(b"%02d" % number)
        relayed.serve.wait_match(": paused: ")
        for number in range(60):
            end, _ = relayed._back.accept()
            with end:
                end.settimeout(SOON)
                assert receive_exactly(end, 2) == b"%02d" % number
        relayed.serve.wait_closed(60)
        assert not relayed.serve.matches("failed:")


@pytest.mark.parametrize("kinds", KINDS)
def test_clients_that_leave_at_once(tmp_path, kinds):
    """With and without a byte: the target gets what was sent, and one connection for each client at most."""
    with Relayed(kinds, tmp_path) as relayed:
        got = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    end, _ = relayed._back.accept()
                    with end:
                        end.settimeout(SOON)
                        got.append(until_over(end))

        threading.Thread(target=accept, daemon=True).start()
        for number in range(200):
            with relayed.serve.connect() as client:
                if number % 2:
                    client.sendall(b"%03d" % number)
        relayed.serve.wait_closed(200)
        wait_for(lambda: len([one for one in got if one]) == 100, "all that was sent has arrived")
        assert sorted(one for one in got if one) == [b"%03d" % number for number in range(1, 200, 2)]
        assert len(got) <= 200
        assert not relayed.serve.matches("failed:")

"""Each end of a mux against another that does whatever comes to its mind, by a seed: no crash, no hang, every
connection ends. What such a one says is right more often than not, so that it gets somewhere."""

import contextlib
import random
import re
import socket
import threading
import time

import pytest

from assuanpeer import refused_port
from programs import SOON
from serving import SANITIZED, Target, connect, ends, receive_all, vanish, wait_for
from via import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW, RawMux, Via, far_end, frame

pytestmark = pytest.mark.sanitized

SEEDS = range(6 if SANITIZED else 20)


def odd_lines(text):
    """Those that are none of the program's, or would do something to a terminal."""
    return [line for line in text.split("\n")[:-1] if not re.match(r"uvrelay: [^\x00-\x1f\x7f-\x9f]*$", line)]


def talk_anyhow(source):
    """A target that does one thing or the other with each of its connections."""
    def talk(connection):
        what = source.randrange(6)
        with contextlib.suppress(OSError):
            if what == 0:
                return
            if what == 1:
                vanish(connection)
            elif what == 2:
                connection.shutdown(socket.SHUT_WR)
                ends(connection)
            elif what == 3:
                connection.settimeout(1)
                while True:
                    connection.sendall(bytes(30_000))
            elif what == 4:
                connection.sendall(receive_all(connection))
            else:
                while piece := connection.recv(1 << 16):
                    connection.sendall(piece)
    return talk


def a_step(source, mux, streams, addresses):
    """One thing that a near end may do, or, now and then, that it had better not."""
    stream = source.choice(streams) if streams else None
    what = source.randrange(100)
    if stream is None or what < 15:
        streams.append(mux.open(source.choice(
            [f"CONNECT {source.choice(addresses)}\n".encode()] * 8 +
            [b"CONNECT nonsense\n", b"what?\n", b"CONNECT ", b"x" * 3000, None])))
    elif what < 60:
        size = min(source.choice([1, 10, 5000, 16384, 65536]), stream.window)
        if size > 0 and not stream.sent_end:
            stream.window -= size
            mux.send(frame(DATA, 0, stream.number, size, source.randbytes(size)))
    elif what < 75:
        stream.credit(source.choice([1, 1000, 100_000]))
    elif what < 83:
        stream.sent_end = True
        stream.end()
    elif what < 91:
        streams.remove(stream)
        stream.reset()
        if source.random() < 0.3:
            mux.send(frame(DATA, FIN, stream.number, 5, b"later"))
    elif what < 96:
        mux.send(frame(PING, SYN, 0, source.getrandbits(32)))
    elif what < 98:
        time.sleep(0.01)
    elif source.random() < 0.1:
        mux.send(source.choice([frame(GO_AWAY, 0, 0, 0), frame(DATA, 0, stream.number, 1 << 31), b"rubbish",
                                frame(WINDOW, SYN, 2, 0), frame(WINDOW, 0, stream.number, 0xFFFFFFFF)]))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_near_end(tmp_path, seed):
    source = random.Random(seed)
    with Target(tmp_path / "one", talk_anyhow(source)) as one, Target(0, talk_anyhow(source)) as two:
        addresses = [one.address, two.address, f"{two.address}?eof=none&linger=0.1", f"unix://{tmp_path}/absent",
                     f"tcp://127.0.0.1:{refused_port()}"]
        with RawMux("--window-total", source.choice(["128K", "1M", "64M"])) as mux:
            streams = []
            with contextlib.suppress(OSError):
                for _ in range(300):
                    a_step(source, mux, streams, addresses)
                if source.random() < 0.3:
                    mux.send(frame(DATA, 0, 1, 100, b"half")[:source.randrange(1, 16)])
            with contextlib.suppress(OSError):
                mux.close_stdin()
            assert mux.wait() in (0, 1), mux.stderr[-3000:]
            assert "Sanitizer" not in mux.stderr and "runtime error" not in mux.stderr, mux.stderr[-5000:]
            assert odd_lines(mux.stderr) == []
        wait_for(lambda: one.open == two.open == 0, "the targets' connections have ended")


#: A far end: what it does with what has come, by a die.
FAR_END = f"""
import random, struct
source, state = random.Random(sys.argv[1] + str(os.path.getsize(sys.argv[0]))), {{}}
open(sys.argv[0], 'a').write('#')
def send(type, flags, stream, length, data=b''):
    os.write(1, struct.pack('>BBHII', 0, type, flags, stream, length) + data)
def say(stream, data, flags=0):
    send({DATA}, flags, stream, len(data), data)
def step(stream, flags, data):
    if stream not in state:
        state[stream] = 'new'
        if source.random() < 0.8:
            send({WINDOW}, {ACK}, stream, 0)
    what = source.randrange(100)
    if data and source.random() < 0.8:
        send({WINDOW}, 0, stream, len(data))
    if state[stream] == 'new':
        if not data:
            return
        if what < 70:
            state[stream] = 'open'
            say(stream, b'OK\\n')
        else:
            say(stream, source.choice([b'ERR EBUSY it is busy\\n', b'ERR ENOENT none\\n', b'ERR\\n', b'ERR EWHAT x\\n',
                                       b'\\n', b'WHAT\\n', b'x' * 3000, b'O', b'OK \\n', b'OK\\0\\n',
                                       b'ERR EACCES \\xff\\x1b\\n']))
            if what < 90:
                say(stream, b'', {FIN})
    elif what < 60:
        say(stream, data or b'hello')
    elif what < 65:
        send({WINDOW}, {FIN}, stream, 0)
    elif what < 70:
        send({WINDOW}, {RST}, stream, 0)
    elif what < 73:
        say(stream + 1000, b'to nobody')
    elif what < 75:
        send({WINDOW}, 0, stream, 1 << 20)
    elif what < 78:
        send({PING}, {SYN}, 0, 77)
    elif what == 99 and source.random() < 0.5:
        source.choice([lambda: os._exit(source.randrange(3)), lambda: os.write(1, b'rubbish ' * 10),
                       lambda: send({GO_AWAY}, 0, 0, source.randrange(4)), lambda: os.close(1),
                       lambda: send({WINDOW}, {SYN}, 2, 0), lambda: say(stream, bytes(1 << 19)),
                       lambda: send({DATA}, 0, stream, 1 << 31)])()
os.write(1, GREETING)
file = os.fdopen(0, 'rb')
file.readline()
while len(head := file.read(12)) == 12:
    _, type, flags, stream, length = struct.unpack('>BBHII', head)
    data = file.read(length) if type == {DATA} else b''
    if type == {PING} and flags & {SYN}:
        send({PING}, {ACK}, 0, length)
    elif type in ({DATA}, {WINDOW}):
        step(stream, flags, data)
"""


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_far_end(tmp_path, seed):
    """Where it gives no answer, timeout and idle end the connection; nothing else may."""
    failures = []

    def client(number):
        source = random.Random(seed * 1000 + number)
        try:
            for _ in range(6):
                with connect(f"unix://{tmp_path}/s") as connection, contextlib.suppress(ConnectionError):
                    connection.sendall(source.randbytes(source.choice([1, 1000, 100_000])))
                    what = source.randrange(4)
                    if what == 0:
                        connection.shutdown(socket.SHUT_WR)
                    if what < 3:
                        ends(connection)
        except Exception as failure:
            failures.append(failure)

    via = [*far_end(tmp_path / "far", FAR_END), str(seed)]
    options = ["--timeout=0.2", "--idle=0.2", "--drain=0"]
    with Via(*options, f"unix://{tmp_path}/s=via:tcp://127.0.0.1:9", via=via) as serve:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * SOON)
            assert not thread.is_alive(), "a client's connection did not end"
        assert not failures and serve.running, failures
        assert odd_lines(serve.stderr) == []

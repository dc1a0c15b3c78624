"""What a far end of any make may send and credit: frames and windows of any size, in any order. All bytes arrive, in their
order, and no window is exceeded. And what a broken carrier may repeat: a request, but never a byte of the client."""

import hashlib
import random
import threading

import pytest

import bytestream
from programs import SOON
from serving import SANITIZED, connect, listener, receive_all, receive_exactly
from via import DATA, FIRST_WINDOW, RawMux, Via, far_end, frame

pytestmark = pytest.mark.sanitized

SIZE = 1_000_000 if SANITIZED else 4_000_000


@pytest.fixture
def mux():
    with RawMux() as mux:
        mux.wait_greeting()
        yield mux
        mux.end()


@pytest.fixture
def opened(mux, tmp_path):
    """A stream through the far end, and its target's end."""
    with listener(tmp_path / "back") as back:
        back.settimeout(SOON)
        stream = mux.connect(f"unix://{tmp_path}/back")
        end, _ = back.accept()
        end.settimeout(SOON)
        with end:
            yield stream, end
            end.close()
            stream.receive_all()
            stream.end()


class Receiving:
    """Receives so many bytes in a thread."""

    def __init__(self, end, size):
        self.came, self._end, self._size = b"", end, size
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        self.came = receive_exactly(self._end, self._size)

    def assert_came(self, seed):
        self._thread.join(SOON)
        assert not self._thread.is_alive(), "it is stuck"
        assert len(self.came) == self._size
        assert bytestream.sha256(self._size, seed) == hashlib.sha256(self.came).hexdigest()


@pytest.mark.parametrize("size", [1, 1000, 16384, 65536, 65537, 200_000, FIRST_WINDOW])
def test_frames_of_one_size(opened, size):
    """Up to a whole window in one frame: whatever was credited may come in any frames."""
    stream, end = opened
    total = min(SIZE, size * 3000)
    receiving = Receiving(end, total)
    stream.send(bytestream.data(total, 3), size)
    receiving.assert_came(3)


def test_frames_of_any_size_in_any_pieces(opened):
    """A frame's header and data come in pieces of any size; the frames are whole windows, single bytes, and empty."""
    stream, end = opened
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, data, at = random.Random(seed), bytestream.data(SIZE, 5), 0
    receiving, waiting = Receiving(end, SIZE), bytearray()
    while at < SIZE:
        stream._wait(lambda: stream.window > 0, "a window")
        size = min(chance.choice([0, 1, 2, 4096, 65524, 65536, 131_072, FIRST_WINDOW]), stream.window, SIZE - at)
        with stream.mux.changed:
            stream.window -= size
        waiting += frame(DATA, 0, stream.number, size, data[at:at + size])
        at += size
        while waiting and (at == SIZE or stream.window == 0 or len(waiting) > 300_000):
            piece = chance.choice([1, 11, 12, 13, 4096, 65536, 100_000])
            stream.mux.send(waiting[:piece])
            del waiting[:piece]
    receiving.assert_came(5)


@pytest.mark.parametrize("credits", [[1], [32768], [1000, 7], [FIRST_WINDOW], [8 << 20], [1, 8 << 20, 100]],
                         ids=lambda credits: "-".join(map(str, credits)))
def test_windows_of_any_size(opened, credits):
    """It sends all that is credited, whatever the pieces, and not a byte more."""
    stream, end = opened
    stream.credits = False
    total = FIRST_WINDOW + min(SIZE, sum(credits) * 300)
    sending = threading.Thread(target=end.sendall, args=[bytestream.data(total, 6)], daemon=True)
    sending.start()
    allowed, turn = FIRST_WINDOW, 0
    while True:
        expected = min(allowed, total)
        stream._wait(lambda: len(stream.came) >= expected, f"{expected} bytes, as credited")
        assert len(stream.came) == expected, "more than was credited"
        if expected == total:
            break
        allowed += credits[turn % len(credits)]
        stream.credit(credits[turn % len(credits)])
        turn += 1
    sending.join(SOON)
    assert bytestream.sha256(total, 6) == hashlib.sha256(stream.came).hexdigest()
    assert max(one[4] for one in stream.mux.frames if one[1] == DATA) <= 240 * 1024


def test_a_stream_that_nobody_reads_among_100(mux, tmp_path):
    """The others move their bytes through it, both ways, by whole windows."""
    with listener(tmp_path / "back") as back:
        back.settimeout(SOON)
        ends, streams = [], []
        for _ in range(100):
            streams.append(mux.connect(f"unix://{tmp_path}/back"))
            ends.append(back.accept()[0])
            ends[-1].settimeout(SOON)
        streams[0].send(bytes(FIRST_WINDOW), FIRST_WINDOW)  # which its target does not read
        for number, (stream, end) in enumerate(zip(streams[1:], ends[1:])):
            data = bytestream.data(100_000, number)
            stream.send(data, 200_000)
            assert receive_exactly(end, len(data)) == data
            end.sendall(data)
            assert stream.receive(len(data)) == data
        assert receive_exactly(ends[0], FIRST_WINDOW) == bytes(FIRST_WINDOW)
        for stream, end in zip(streams, ends):
            end.close()
            assert stream.receive_all() == b""
            stream.end()


#: A far end that connects, as it is asked to, and dies with the answer; when it is started again, it is a good one.
DIES_WITH_THE_ANSWER = """
once = sys.argv[0] + ".once"
if os.path.exists(once):
    os.execv(MUX[0], MUX)
open(once, "w").close()
mux = subprocess.Popen(MUX, stdin=0, stdout=subprocess.PIPE)
said = b""
while b"OK\\n" not in said:
    piece = os.read(mux.stdout.fileno(), 65536)
    said += piece
    if b"OK\\n" not in said:
        os.write(1, piece)
if os.environ.get("UVRELAY_TEST_LATE"):
    time.sleep(0.3)
mux.kill()
os._exit(1)
"""


@pytest.mark.parametrize("late", ["", "1"])
def test_a_client_s_bytes_are_sent_once(tmp_path, late):
    """Although the request is repeated where the far end dies after it has connected, and before its answer arrives: the
    target sees two connections, but each byte once."""
    far, size = far_end(tmp_path / "far", DIES_WITH_THE_ANSWER), 300_000
    got = []
    with listener(tmp_path / "back") as back:
        back.settimeout(SOON)
        with Via(f"unix://{tmp_path}/front=via:unix://{tmp_path}/back", via=far, env={"UVRELAY_TEST_LATE": late}) as serve:
            with connect(f"unix://{tmp_path}/front") as client:
                sending = threading.Thread(target=client.sendall, args=[bytestream.data(size, 8)], daemon=True)
                sending.start()
                for _ in range(2):
                    end, _ = back.accept()
                    end.settimeout(SOON)
                    with end:
                        if not got:
                            got.append(receive_all(end))
                            continue
                        got.append(receive_exactly(end, size))
                        end.sendall(b"answer")
                        assert receive_exactly(client, 6) == b"answer"
                sending.join(SOON)
            assert got[0] == b"" and got[1] == bytestream.data(size, 8)
            assert serve.wait_closed().bytes == (size, 6)

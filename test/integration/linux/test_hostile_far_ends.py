"""`uvrelay serve --via` and far ends that mean harm, or are broken: what they can cost it, and that routes beside theirs
go on. What is no greeting, what does not end, and what hangs is in test_via_far_ends.py and test_via_hung.py; rules of
yamux that are broken are in test_mux_conformance.py."""

import contextlib
import re
import time

import pytest

from cost import Cost, quiet
from serving import all_at_once, ask, connect, ends, slowest, wait_for
from via import Via, far_end

#: What these far ends share. `serve_one` answers the next request, and gives the number of its stream; `go_on` answers
#: pings, and echoes on the streams of `echoes`. Nothing that is said keeps it from reading; `write` does.
TOOLS = """
import queue, struct, threading
DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
def frame(type, flags, stream, length, data=b""):
    return struct.pack(">BBHII", 0, type, flags, stream, length) + data
def write(data):
    view = memoryview(data)
    while view:
        try: view = view[os.write(1, view):]
        except OSError: os._exit(0)
to_say = queue.Queue()
def speak():
    while True:
        write(to_say.get())
        to_say.task_done()
threading.Thread(target=speak, daemon=True).start()
say = to_say.put
def read(count):
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece: os._exit(0)
        data += piece
    return data
def read_frame():
    version, type, flags, stream, length = struct.unpack(">BBHII", read(12))
    return type, flags, stream, length, read(length) if type == DATA else b""
def serve_one(answer=b"OK\\n"):
    while True:
        type, flags, stream, length, data = read_frame()
        if type == PING and flags & SYN: say(frame(PING, ACK, 0, length))
        if flags & SYN and type != PING: say(frame(WINDOW, ACK, stream, 0))
        if b"CONNECT" in data:
            if answer: say(frame(DATA, 0, stream, len(answer), answer))
            return stream
def go_on():
    while True:
        type, flags, stream, length, data = read_frame()
        if type == PING and flags & SYN: say(frame(PING, ACK, 0, length))
        if type == DATA and length and stream in echoes: say(frame(WINDOW, 0, stream, length) + frame(DATA, 0, stream, length, data))
echoes = set()
os.write(1, GREETING)
read(len(GREETING))
"""


@contextlib.contextmanager
def serving(place, back, text, *options, verbose=False):
    """A serve with a route to such a far end (f) and one beside it (g)."""
    via = far_end(place / "far", TOOLS + text)
    with Via("--drain=0", *options, f"unix://{place}/f=via:unix:///x", f"unix://{place}/g={back.address}",
             via=via, verbose=verbose) as serve:
        serve.place = place
        with connect(f"unix://{place}/g") as beside:
            serve.beside = beside
            slowest(serve.beside, 5)
            yield serve


@pytest.fixture
def make(tmp_path, back):
    return lambda *args, **options: serving(tmp_path, back, *args, **options)


def client(serve):
    return connect(f"unix://{serve.place}/f")


FLOODS = {
    "pings": "frame(PING, SYN, 0, 1)",
    "answers-to-no-ping": "frame(PING, ACK, 0, 1)",
    "window-updates-of-none": "frame(WINDOW, 0, 99, 0xFFFFFFFF)",
    "ends-of-none": "frame(WINDOW, FIN, 99, 0)",
    "resets-of-none": "frame(WINDOW, RST, 99, 0)",
    "data-of-none": "frame(DATA, 0, 99, 1000, bytes(1000))",
    "streams-of-its-own": "b''.join(frame(WINDOW, SYN, 2 * i + 2, 0) for i in range(5000))",
    "window-updates": "frame(WINDOW, 0, stream, 0xFFFFFFFF)",
    "empty-data": "frame(DATA, 0, stream, 0)",
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood(make, name):
    """It sends 16 MB of it as fast as it is taken, and then behaves. Its answers are never read by a far end that only
    sends: then nothing more of it is taken until they are."""
    with make(f"stream = serve_one(); echoes.add(stream)\npiece = {FLOODS[name]}\n"
              "threading.Thread(target=go_on).start()\n"
              "piece *= max(1, 65536 // len(piece))\nsent = 0\n"
              "while sent < 16_000_000: say(piece); sent += len(piece)\n"
              "to_say.join()\n"
              "open(sys.argv[0] + '.done', 'w')\n") as serve:
        with client(serve) as one, Cost(serve, f"16 MB of {name}", kib=3000, processor=20):
            one.sendall(b"x")
            most = slowest(serve.beside)
            wait_for((serve.place / "far.done").exists, "all is sent", 60)
            assert one.recv(1) == b"x"
            ask(one)
            print(f"the connection beside waits {max(most, slowest(serve.beside)):.3f} s")
            quiet(serve, name, 0.5)


def test_it_pings_and_does_not_read(make):
    """Its answers have no room: nothing more of it is taken, and it is replaced, as it answers nothing either."""
    with make("stream = serve_one()\nto_say.join()\nwhile True: write(frame(PING, SYN, 0, 1) * 1000)\n", verbose=True) as serve:
        with client(serve) as one, Cost(serve, "pings of one that does not read", kib=3000, processor=3):
            one.sendall(b"x" * 100)
            print(f"the connection beside waits {slowest(serve.beside):.3f} s")
            serve.wait_match("did not answer for 5 s")
            ends(one)


# What it answers.

ANSWERS = {
    "one-byte": "say(frame(DATA, 0, stream, 1, b'O'))",
    "byte-by-byte-without-end": "[say(frame(DATA, 0, stream, 1, b'E')) for i in range(5000)]",
    "without-end": "say(frame(DATA, 0, stream, 16000, b'E' * 16000) * 16)",
    "too-long-a-refusal": "say(frame(DATA, 0, stream, 16000, b'ERR EACCES ' + b'x' * 15989))",
    "a-terminal's-commands": "say(frame(DATA, 0, stream, 31, b'ERR EACCES \\x1b[2J\\x9b\\r\\xe2\\x80\\xae evil xx\\n'))",
}


def check_answer(place, back, name):
    with serving(place, back, f"stream = serve_one(b'')\n{ANSWERS[name]}\ngo_on()\n", "--timeout=2") as serve:
        with Cost(serve, f"an answer: {name}", kib=2000, processor=3), client(serve) as one:
            ends(one)
        serve.wait_match("#1: ")
        slowest(serve.beside)
        assert len(serve.stderr) < 2000 and all(line.isprintable() for line in serve.stderr.split("\n")), serve.stderr


def test_what_is_no_answer_costs_its_client(tmp_path, back):
    """Or does not end: in a line that does no harm."""
    all_at_once(tmp_path, {name: lambda place, name=name: check_answer(place, back, name) for name in ANSWERS})


IN_VAIN = {
    "busy": "while True: serve_one(b'ERR EBUSY come again\\n')",
    "resets": "while True: say(frame(WINDOW, RST, serve_one(b''), 0))",
    "goes-away": "say(frame(GO_AWAY, 0, 0, 0))\ngo_on()",
    "goes-away-later": "serve_one(b'')\nsay(frame(GO_AWAY, 0, 0, 0))\ngo_on()",
    "goes-away-in-anger": "say(frame(GO_AWAY, 0, 0, 2))\ngo_on()",
    "breaks-the-rules": "say(frame(77, 0, 0, 2))\ngo_on()",
    "half-a-frame-and-ends": "write(frame(DATA, 0, 1, 65536, bytes(99)))",
    "half-a-frame": "serve_one(b'')\nsay(frame(DATA, 0, 1, 65536, bytes(99)))\ngo_on()",
}


def check_in_vain(place, back, name):
    """Ten clients wait for it: it is asked, and started, with pauses between, and each gets its error after its
    timeout."""
    begin = f"open({str(place / 'starts')!r}, 'a').write('x')\n"
    with serving(place, back, begin + IN_VAIN[name] + "\n", "--timeout=3") as serve:
        with Cost(serve, name, kib=2000, processor=2), contextlib.ExitStack() as stack:
            clients = [stack.enter_context(client(serve)) for _ in range(10)]
            most = slowest(serve.beside)
            for one in clients:
                ends(one)
            starts = (place / "starts").stat().st_size
            print(f"{name}: the connection beside waits {max(most, slowest(serve.beside)):.3f} s; {starts} starts")
        assert starts < 20 and serve.stderr.count("\n") < 40, serve.stderr
        text = serve.stop()
        told = [re.search(r": the same (\d+) times in ", line) for line in text.splitlines() if re.search(r" #\d+: ", line)]
        assert sum(int(same[1]) if same else 1 for same in told) == 10, text


def test_a_far_end_that_is_asked_in_vain(tmp_path, back):
    all_at_once(tmp_path, {name: lambda place, name=name: check_in_vain(place, back, name) for name in IN_VAIN})


def test_it_sends_more_than_it_may(make):
    """The client of that connection does not read. The far end is ended, and the connections are cut, not the one
    beside."""
    with make("stream = serve_one()\nto_say.join()\nwhile True: write(frame(DATA, 0, stream, 65536, bytes(65536)))\n", verbose=True) as serve:
        with Cost(serve, "more than the window", kib=3000, processor=2), client(serve) as one:
            serve.wait_match("violated the yamux protocol|more data than a stream's window")
            slowest(serve.beside)
            ends(one)

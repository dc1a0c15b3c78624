"""What others can cause in the log of uvrelay serve and uvrelay mux, as often as they like: it is reported at once, and
from then on counted. Nothing is lost, and the log stays small."""

import contextlib
import os
import re
import signal
import time

from serving import PROGRAM, Serve, Target, all_at_once, ask, connect, ends, wait_for
from via import DATA, RawMux, Via, far_end, frame

MANY = 2000


def told(text, pattern):
    """For how many lines the lines that match stand."""
    count = 0
    for line in text.splitlines():
        if re.search(pattern, line):
            more = re.search(r": (?:the same|one of) (\d+) (?:times|like it) in [0-9.]+ s$", line)
            count += int(more[1]) if more else 1
    return count


def connect_in_a_loop(path, count=MANY):
    for _ in range(count):
        with connect(f"unix://{path}") as client:
            ends(client)


# A client that connects to an absent target in a loop.

def check_text(place):
    route = f"unix://{place}/s=unix://{place}/none"
    with Serve(route, verbose=False) as serve:
        connect_in_a_loop(place / "s", 1)
        serve.wait_match("#1: there is no socket")
        connect_in_a_loop(place / "s", MANY - 1)
        text = serve.stop()
    assert told(text, "there is no socket") == MANY and text.count("\n") <= 20, text[-3000:]


def check_json(place):
    with Serve("--json", f"unix://{place}/s=unix://{place}/none", verbose=False) as serve:
        connect_in_a_loop(place / "s")
        serve.stop()
        closed = serve.events("closed")
    assert sum(event.get("repeated", 1) for event in closed) == MANY and len(closed) <= 20, closed[-3:]
    assert closed[-1]["code"] == "ENOENT" and closed[-1]["repeated_ms"] >= 0


def check_verbose(place):
    """What -v reports of connections has a limit, too, if a higher one."""
    many = 12_000
    with Serve(f"unix://{place}/s=unix://{place}/none") as serve:
        connect_in_a_loop(place / "s", many)
        text = serve.stop()
    assert told(text, r"#\d+: opened") == many and told(text, r"#\d+: closed after") == many
    assert text.count("\n") < many


def check_in_turn(place):
    """Two routes that fail in turn."""
    routes = [f"unix://{place}/{name}=unix://{place}/none" for name in "ab"]
    with Serve(*routes, verbose=False) as serve:
        for _ in range(MANY // 2):
            for name in "ab":
                connect_in_a_loop(place / name, 1)
        text = serve.stop()
    for route in routes:
        assert told(text, re.escape(route)) == MANY // 2
    assert text.count("\n") <= 20, text[-3000:]


def check_quiet(place):
    """The count also comes when nothing more happens, and later failures are reported at once again. Which client was the
    last to fail is open."""
    with Serve(f"unix://{place}/s=unix://{place}/none", verbose=False) as serve:
        connect_in_a_loop(place / "s", 50)
        serve.wait_match(r"#\d+: there is no socket .*: the same \d+ times in [0-9.]+ s$")
        assert told(serve.stderr, "there is no socket") == 50
        connect_in_a_loop(place / "s", 10)
        text = serve.stop()
        assert told(text, "there is no socket") == 60


def check_many_routes(place):
    """More routes fail than the log has room for; each failure is in some count."""
    routes = [f"unix://{place}/{number}=unix://{place}/none" for number in range(400)]
    with Serve(*routes, verbose=False) as serve:
        for _ in range(5):
            for number in range(400):
                connect_in_a_loop(place / str(number), 1)
        text = serve.stop()
    left_out = sum(int(found) for found in re.findall(r"^uvrelay: (\d+) more lines of the log were left out", text, re.M))
    assert told(text, "there is no socket") + left_out == MANY
    assert text.count("\n") <= 2 * 200 * 4, text.count("\n")


def test_a_client_in_a_loop(tmp_path):
    all_at_once(tmp_path, {check.__name__: check for check in (
        check_text, check_json, check_verbose, check_in_turn, check_quiet, check_many_routes)})


# Far ends.

def test_a_far_end_that_writes_much(tmp_path, back):
    """What it writes to its standard error is limited like everything else."""
    via = far_end(tmp_path / "far", "child = subprocess.Popen(MUX)\n"
                  f"for i in range({MANY}): os.write(2, b'line %d\\n' % i)\n"
                  f"for i in range({MANY}): os.write(2, b'x' + bytes(97 + i // n % 26 for n in (676, 26, 1)) + b'\\n')\n"
                  f"open({str(tmp_path / 'done')!r}, 'w')\nchild.wait()\n")
    with Via(f"unix://{tmp_path}/s=via:{back.address}", via=via, verbose=False) as serve:
        with connect(f"unix://{tmp_path}/s") as client:
            wait_for((tmp_path / "done").exists, "all is written")
            for _ in range(5):
                ask(client)  # meanwhile the rest is read
        text = serve.stop()
    assert told(text, "^uvrelay: far end: ") == 2 * MANY and text.count("\n") <= 150, text[-2000:]


def test_a_near_end_that_asks_in_a_loop(tmp_path):
    """With -v each is reported, until the limit; without, none is, as the near end reports what it was refused."""
    for args, count in (((), 0), (("-v",), 200)):
        with RawMux(*args) as mux:
            for _ in range(200):
                assert mux.refusal(f"unix://{tmp_path}/none")[0] == "ENOENT"
            text = mux.end()
        assert told(text, "there is no socket") == count and text.count("\n") <= count, text


def test_a_far_end_that_dies_with_many_connections(tmp_path, back):
    """One line, with their number; with -v one for each."""
    for verbose in (False, True):
        far_end_too, last_words = (" -v", ": uvrelay: .*: opened") if verbose else ("", "")
        with Via(f"unix://{tmp_path}/s=via:{back.address}", via=f"{PROGRAM} mux{far_end_too}",
                 verbose=verbose) as serve, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(f"unix://{tmp_path}/s")) for _ in range(100)]
            for client in clients:
                ask(client)
            far, = serve.far_ends()
            os.kill(far, signal.SIGKILL)
            for client in clients:
                ends(client)
            serve.wait_match(f"by signal 9, which interrupted 100 connections{last_words}; the next client starts it again$")
            text = serve.stop()
        assert text.count("\n") == 1 if not verbose else told(text, r"#\d+: closed .* broke: ") == 100, text


def test_a_near_end_that_leaves_many_connections(tmp_path):
    """Their targets neither read nor stop to send, so that much is under way."""
    def pour(connection):
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(bytes(65536))

    with Target(tmp_path / "target", pour, 1000) as target, RawMux() as mux:
        for _ in range(50):
            stream = mux.connect(target.address)
            stream.credits = False
            mux.send(b"".join(frame(DATA, 0, stream.number, 16384, bytes(16384)) for _ in range(15)))
        wait_for(lambda: all(stream.window == 0 or len(stream.came) > 100_000 for stream in mux.streams.values()),
                 "all have sent something")
        text = mux.end()
    assert re.fullmatch(r"uvrelay: the near end ended, which interrupted \d+ connections?\n", text), text


# When a far end is started again.

def starts(place):
    file = place / "starts"
    return len(file.read_text()) if file.exists() else 0


#: A far end that counts its starts, and fails.
FAILS = "open({0!r}, 'a').write('x')\nsys.exit(3)\n"


def check_nobody(place, address):
    """No client waits any longer: it is not started again until the next client comes."""
    via = far_end(place / "far", FAILS.format(str(place / "starts")))
    with Via("--timeout=0.05", f"unix://{place}/s=via:{address}", via=via, verbose=False) as serve:
        connect_in_a_loop(place / "s", 1)
        serve.wait_match("exited at once with status 3")
        time.sleep(0.3)
        before = starts(place)
        time.sleep(1.5)
        assert starts(place) == before <= 2
        connect_in_a_loop(place / "s", 1)
        wait_for(lambda: starts(place) > before, "another start")


def check_clients_in_a_loop(place, address):
    """Nor are clients that come one after the other a reason to start it without a pause."""
    via = far_end(place / "far", FAILS.format(str(place / "starts")))
    with Via("--timeout=0.01", f"unix://{place}/s=via:{address}", via=via, verbose=False) as serve:
        begin, clients = time.monotonic(), 0
        while time.monotonic() - begin < 2:
            connect_in_a_loop(place / "s", 1)
            clients += 1
        text = serve.stop()
    assert 2 <= starts(place) <= 6 and told(text, "gave up on|did not answer within") == clients
    assert text.count("\n") < 30, text


def check_eager(place, address):
    """With --eager it is started without clients, at growing intervals."""
    via = far_end(place / "far", FAILS.format(str(place / "starts")))
    with Via("--eager", f"unix://{place}/s=via:{address}", via=via, verbose=False) as serve:
        wait_for(lambda: starts(place) >= 4, "four starts")
        time.sleep(1)
        assert starts(place) <= 6
        serve.wait_match("exited at once with status 3; starting it again in 0.1 s")


def check_gone(place, address):
    """A program that cannot even be started is tried for each client, and found when it is back."""
    program = place / "far"
    far_end(program, "os.execv(MUX[0], MUX)")
    with Via("--timeout=0.3", f"unix://{place}/s=via:{address}", via=[str(program)], verbose=False) as serve:
        program.rename(place / "away")
        for number in (1, 2):
            connect_in_a_loop(place / "s", 1)
            serve.wait_match(rf"#{number}: gave up on .* after .*: .* cannot be started: no such file")
        time.sleep(1)
        (place / "away").rename(program)
        with connect(f"unix://{place}/s") as client:
            ask(client)


def check_waiting(place, address):
    """A client that waits learns the reason, and is served if the fault is fixed in time."""
    via = far_end(place / "far", f"open({str(place / 'starts')!r}, 'a').write('x')\n"
                  f"if os.path.getsize({str(place / 'starts')!r}) < 4: sys.exit('not yet')\nos.execv(MUX[0], MUX)\n")
    with Via(f"unix://{place}/s=via:{address}?timeout=0.15", f"unix://{place}/t=via:{address}", via=via,
             verbose=False) as serve:
        with connect(f"unix://{place}/s") as hasty, connect(f"unix://{place}/t") as patient:
            ends(hasty)
            serve.wait_match(r"#1: gave up on \S+ after 0.15 s: .* exited at once with status 1: not yet \(client: .*\)$")
            ask(patient)


def test_when_a_far_end_is_started_again(tmp_path, back):
    all_at_once(tmp_path, {check.__name__: lambda place, check=check: check(place, back.address) for check in (
        check_nobody, check_clients_in_a_loop, check_eager, check_gone, check_waiting)})

"""The figures of the Windows program under Wine (in WSL, directly): as far end of the mux, and as one-shot program
between standard input and output and a named pipe, beside npiperelay, if its path is given, and a plain Win32 program.
"""
import contextlib
import itertools
import os
import pathlib
import statistics
import subprocess
import threading
import time

from figures_mux import fairness
from relays import ROOT, SOCAT_EXEC, WINE, Failed, Missing, resident_kib, wine, wine_environment

CHILD, EXEC = WINE, SOCAT_EXEC
NPIPERELAY, PLAIN = "npiperelay", "plain Win32 program"
BLOCK = b"\xa5" * 65536
numbers = itertools.count(1)


def prepare(run):
    """Makes a Wine prefix of the bench's own, and has it end with the bench."""
    if not os.access(run.place.programs.windows, os.R_OK):
        raise Missing(f"{run.place.programs.windows} does not exist")
    if wine() and not run.place.wine:
        script, prefix = str(ROOT / "test/wine"), wine_environment()["WINEPREFIX"]
        # Each start of a program may wait for it: the server must be there before the clock runs.
        started = subprocess.run(["sh", script, "start", prefix], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 timeout=300, check=False)
        if started.returncode:
            raise Missing(started.stdout.strip())
        run.place.wine = True
        run.place.stack.callback(subprocess.run, ["sh", script, "stop", prefix], check=False)


def wine_server():
    """The process id of the server of the bench's Wine prefix."""
    prefix = os.fsencode(f"WINEPREFIX={wine_environment()['WINEPREFIX']}")
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or it is another user's
            if ((process / "comm").read_text().startswith("wineserver")
                    and prefix in (process / "environ").read_bytes().split(b"\0")):
                return int(process.name)
    raise Failed("the server of Wine has ended")


@contextlib.contextmanager
def one_core():
    """Runs the bench, what it starts and Wine's server on one core, as everything that happens one after another. A call
    of that server takes about 12 us then. On two cores it takes 12 to 53 us, which differs from round to round."""
    pids = [0, wine_server()] if wine() else [0]
    cores = os.sched_getaffinity(0)
    try:
        for pid in pids:
            os.sched_setaffinity(pid, {min(cores)})
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cores)


# The mux.

def wine_stream(run):
    """one stream to the Windows program, which serves all connections, beside socat with one for each, each way"""
    prepare(run)
    for way in ("down", "up"):
        figures = run.beside([EXEC], lambda name: run.place.relay(name, ["ut"]).load(way, "ut", 1, max(run.seconds, 0.5)),
                             first=CHILD)
        run.compare(figures, f"throughput to the Windows program, {way}", "MBps", "MB/s", {EXEC: "ratio >= 1.0"}, ours=CHILD)


def wine_connect(run):
    """a new connection through the Windows program, beside socat, which starts one for each"""
    prepare(run)

    def take(name):
        return run.place.relay(name, ["ut"]).load("connect", "ut", 1, None, 4 if name == EXEC else 200)

    figures = run.beside([EXEC], take, first=CHILD)
    run.compare(figures, "time of a connection through the Windows program", "p50_us", "us", {EXEC: "ratio <= 0.05"}, ours=CHILD)


def wine_fair(run):
    """64-byte round trips beside a saturated stream (the Windows program)"""
    prepare(run)
    fairness(run, CHILD, "ut", "Windows far end")


# The one-shot program.

class Pair:
    """A relay and the far end of its pipe. Both are killed if they take too long, so that no round lasts for ever."""

    def __init__(self, run, program, kind, role, size):
        name = f"//./pipe/uvrelay-bench-{os.getpid()}-{next(numbers)}"
        env = {**os.environ, **wine_environment()}
        self._end = subprocess.Popen([*wine(), str(run.place.programs.windows_bench / "pipe_end_win.exe"), name, kind, role,
                                      str(size)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        self._watch = threading.Timer(60, self._kill)
        self._watch.start()
        self._relay = None
        if not self._end.stdout.readline():
            self.finish()
            raise Failed("the far end of a pipe did not start")
        self.begin = time.perf_counter()
        self._relay = subprocess.Popen([*wine(), str(program), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, env=env)
        self.pid = self._relay.pid

    def _kill(self):
        for process in (self._end, self._relay):
            if process:
                process.kill()

    def send(self, data):
        try:
            os.write(self._relay.stdin.fileno(), data)
        except OSError as error:
            raise Failed(f"a relay ended during a transfer: {error}") from error

    def receive(self, most):
        got = len(os.read(self._relay.stdout.fileno(), most))
        if not got:
            raise Failed("a relay ended during a transfer")
        return got

    def wait_for_end(self):
        if self._end.wait() != 0:
            raise Failed("the far end of a pipe ended during a transfer")

    def close_input(self):
        self._relay.stdin.close()

    def finish(self):
        if self._relay:
            if not self._relay.stdin.closed:
                self._relay.stdin.close()
            self._relay.wait()
            self._relay.stdout.close()
        self._end.wait()
        self._end.stdout.close()
        self._watch.cancel()


def down(run, program, kind):
    size = (32 if run.quick else 128) << 20
    pair = Pair(run, program, kind, "source", size)
    total = pair.receive(len(BLOCK))
    start = time.perf_counter()
    while total < size:
        total += pair.receive(len(BLOCK))
    seconds = time.perf_counter() - start
    pair.finish()
    return {"MBps": size / 1e6 / seconds}


def up(run, program, kind):
    size = (32 if run.quick else 128) << 20
    pair = Pair(run, program, kind, "sink", size)
    time.sleep(0.2)  # until the relay has opened the pipe
    start = time.perf_counter()
    for _ in range(size // len(BLOCK)):
        pair.send(BLOCK)
    pair.wait_for_end()
    seconds = time.perf_counter() - start
    pair.finish()
    return {"MBps": size / 1e6 / seconds}


@one_core()
def trip(run, program, kind):
    trips, times = 300 if run.quick else 1500, []
    pair = Pair(run, program, kind, "echo", 64 * trips)
    for _ in range(trips):
        start = time.perf_counter()
        pair.send(BLOCK[:64])
        left = 64
        while left:
            left -= pair.receive(left)
        times.append(time.perf_counter() - start)
    memory = resident_kib(pair.pid)
    pair.finish()
    return {"us": statistics.median(times) * 1e6, "KiB": memory}


@one_core()
def start(run, program, kind):
    """From the start of the relay to its end, for 5 bytes there and back; the far end closes after its echo."""
    pair = Pair(run, program, kind, "echo", 5)
    pair.send(b"hello")
    left = 5
    while left:
        left -= pair.receive(left)
    pair.finish()
    return {"ms": (time.perf_counter() - pair.begin) * 1e3}


def one_shot(run, take, what, figures):
    """A row for each of these figures, pipe type and program. `figures` says what `take` gives: the unit, and the goals
    beside npiperelay and beside the plain program."""
    prepare(run)
    programs = {"uvrelay": run.place.programs.windows, PLAIN: run.place.programs.windows_bench / "plain_copy_win.exe"}
    if run.place.programs.npiperelay:
        programs[NPIPERELAY] = run.place.programs.npiperelay
    else:
        print("left out: npiperelay: give its path with --npiperelay or UVRELAY_NPIPERELAY", flush=True)
    for kind in ("byte", "message"):
        measured = run.beside(list(programs)[1:], lambda name: take(run, programs[name], kind))
        for key, (prefix, unit, beside_npiperelay, beside_plain) in figures.items():
            run.compare(measured, f"{prefix or what}, {kind}-type pipe", key, unit,
                        {NPIPERELAY: beside_npiperelay, PLAIN: beside_plain})


def wine_down(run):
    """throughput from a named pipe to standard output (one-shot program)"""
    one_shot(run, down, "from a pipe", {"MBps": ("", "MB/s", "ratio >= 1.8", "ratio >= 0.95")})


def wine_up(run):
    """throughput from standard input to a named pipe (one-shot program)"""
    one_shot(run, up, "to a pipe", {"MBps": ("", "MB/s", "ratio >= 1.8", "ratio >= 0.95")})


def wine_trip(run):
    """64 bytes to a named pipe and back, and resident memory (one-shot program)"""
    one_shot(run, trip, "", {"us": ("round trip", "us", "ratio <= 0.7", None), "KiB": ("memory", "KiB", "ratio <= 0.45", None)})


def wine_start(run):
    """from start to end, for 5 bytes to a named pipe and back (one-shot program)"""
    one_shot(run, start, "start to end", {"ms": ("", "ms", "ratio <= 0.5", None)})


FIGURES = {"wine": wine_stream, "wine-connect": wine_connect, "wine-fair": wine_fair, "pipe-down": wine_down, "pipe-up": wine_up,
           "pipe-trip": wine_trip, "pipe-start": wine_start}

"""What a chunk, a round trip and a connection cost the program, counted: instructions, allocations and system calls.

    python3 test/lib/counting.py [--detail] [WHAT...]      print the counts: all, or those with WHAT in their name
    python3 test/lib/counting.py --budgets [WHAT...]       print them as rows of the table in test_costs.py, plus 10 %

UVRELAY is the program; by default, build/linux/uvrelay. --detail lists the system calls by name, and the functions that
execute most instructions.

The counts are the same on a busy machine, because nothing depends on time. One process is both the client and the
target, and does one thing at a time: after each, it waits until the program sleeps again. The two ends of a mux run in
turns. Each count is the median of
several samples, after a warm-up that is not counted. What measuring costs is counted without a load, and subtracted.

valgrind (callgrind) counts instructions and calls of malloc and the like; strace counts system calls. The program runs
once under each. The counts of a mux are those of both ends together. Start and end of the program are not counted.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import re
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

if __name__ == "__main__":
    _BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "linux"
    os.environ.setdefault("UVRELAY", str(_BUILD / "uvrelay"))
    os.environ.setdefault("UVRELAY_BUILD", str(pathlib.Path(os.environ["UVRELAY"]).parent))

from programs import SOON
from serving import Serve, connect, listener, receive_exactly, wait_for
from via import MUX, Via

CHUNK = b"c" * 65536
SMALL = b"r" * 64

ALLOCATING = {"malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "mmap"}

Counts = collections.namedtuple("Counts", "instructions allocations calls")


# ---- counting ----


def _wait_state(pid, states):
    end = time.monotonic() + SOON
    while (state := pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()[0]) not in states:
        assert time.monotonic() < end, f"process {pid} is in state {state} and not {states}"
        time.sleep(0.0002)


def settle(pids, stop=False):
    """Waits until each of these processes sleeps. Several processes, which talk to each other, run in turns, often enough
    that nothing is left to do: each is stopped while another one runs, so that what it finds does not depend on time. A
    single one is stopped afterwards only if that is asked for."""
    if len(pids) == 1 and not stop:
        _wait_state(pids[0], "S")
        return
    for _ in range(1 if stop else 4):
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
            _wait_state(pid, "S")
            os.kill(pid, signal.SIGSTOP)
            _wait_state(pid, "tT")


def let_run(pids):
    """Undoes what settle does to several processes."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    for pid in pids:
        _wait_state(pid, "S")


class Callgrind:
    """Instructions and allocations. Each look takes what has been counted since the last one."""

    def __init__(self, directory):
        self._directory = directory
        self.wrap = ["valgrind", "-q", "--tool=callgrind", "--vgdb=yes", f"--callgrind-out-file={directory}/%p"]
        self._seen = set()

    def look(self, pids):
        asked = [subprocess.Popen(["vgdb", f"--pid={pid}", "--max-invoke-ms=1", "dump"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) for pid in pids]
        assert not any(one.wait(SOON) for one in asked), "callgrind does not write its counts"
        instructions, allocations = collections.Counter(), collections.Counter()
        for pid in pids:
            for file in self._directory.glob(f"{pid}.*"):
                if file not in self._seen:
                    self._seen.add(file)
                    self._read(file, instructions, allocations)
        return {"instructions": instructions, "allocations": allocations}

    @staticmethod
    def _read(file, instructions, allocations):
        """The format of callgrind: `fn=(1) name` begins what a function executes itself, a line of place and count each;
        after `cfn=(2) name` and `calls=3 ...` follows one line that is the called function's. A name is written once."""
        names, function, called, skip = {}, None, None, False
        for line in file.read_text().splitlines():
            if match := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line):
                name = names.setdefault(match[2], match[3]).partition("'")[0]
                if match[1]:
                    called = name
                else:
                    function = name
            elif line.startswith("calls="):
                if called in ALLOCATING:
                    allocations[called] += int(line[6:].split()[0])
                skip = True
            elif function and re.match(r"[-+*\d]", line):
                if not skip:
                    instructions[function] += int(line.split()[1])
                skip = False


class Strace:
    """System calls, without those that a signal has interrupted, as they are made again."""

    def __init__(self, directory):
        self._directory = directory
        self.wrap = ["strace", "-D", "-ff", "-o", str(directory / "calls")]
        self._read = collections.Counter()

    def look(self, pids):
        calls = collections.Counter()
        for thread in (task.name for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()):
            with open(self._directory / f"calls.{thread}", "rb") as file:
                file.seek(self._read[thread])
                text = file.read()
            text = text[:text.rfind(b"\n") + 1]  # what is not over is the wait for more
            self._read[thread] += len(text)
            calls.update(name.decode() for name in re.findall(rb"^(\w+)\((?!.* (?:EINTR|ERESTART))", text, re.M))
        return {"calls": calls}


# ---- loads ----


def _children(pid):
    return list(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


class Load:
    """A program between a client and a target: "uu" from a Unix socket to a Unix socket, "ut" to a port, "tu" from a port;
    "mux", from Unix to Unix over a mux."""

    def __init__(self, kind, directory, counter, stack):
        self._counter, self._settled, self._stops = counter, 0, False
        self._cost_of_looking, self._cost_of_settling = {}, {}
        here = directory / kind
        here.mkdir()
        self._back = stack.enter_context(contextlib.closing(listener(0 if kind == "ut" else here / "back")))
        self._back.settimeout(3 * SOON)
        target = (f"tcp://127.0.0.1:{self._back.getsockname()[1]}" if kind == "ut" else f"unix://{here}/back")
        front = "tcp://127.0.0.1:0" if kind == "tu" else f"unix://{here}/front"
        if kind == "mux":
            # The shell is the parent that is notified when the far end is stopped.
            far = shlex.join([*([] if isinstance(counter, Strace) else counter.wrap), *MUX]) + "; exit $?"
            serve = stack.enter_context(Via("--eager", f"{front}=via:{target}", via=["sh", "-c", far], verbose=False,
                                            wrap=counter.wrap))
            shell, = wait_for(lambda: _children(serve.pid), "the far end is started")
            self.pids = [serve.pid, *wait_for(lambda: _children(shell), "the far end is there")]
        else:
            serve = stack.enter_context(Serve(f"{front}={target}", verbose=False, wrap=counter.wrap))
            self.pids = [serve.pid]
        self._front = serve.port() if kind == "tu" else front
        with connect(self._front), self._back.accept()[0]:  # when all is started, and what is made once is made
            pass
        stack.callback(let_run, self.pids)
        with self._opened():
            pass
        self.look()
        self._cost_of_looking = self.look()
        for _ in range(10):
            self._settle()
        self._cost_of_settling = {kind: {name: count / 10 for name, count in counter.items()}
                                  for kind, counter in self.look().items()}

    def look(self):
        """What has been counted since the last look, without what looking and settling cost."""
        if len(self.pids) > 1 or self._stops:
            let_run(self.pids)
        looked = self._counter.look(self.pids)
        for kind, counter in looked.items():
            counter.subtract(self._cost_of_looking.get(kind, {}))
            for name, count in self._cost_of_settling.get(kind, {}).items():
                counter[name] -= count * self._settled
        self._settled = 0
        return looked

    def _settle(self):
        settle(self.pids, self._stops)
        self._settled += 1

    @contextlib.contextmanager
    def _opened(self):
        with connect(self._front) as client:
            self._settle()
            end, _ = self._back.accept()
            end.settimeout(SOON)
            with end:
                yield client, end
                client.close()
                self._settle()
                assert end.recv(1) == b""
            self._settle()

    @contextlib.contextmanager
    def connection(self):
        """A client connects, sends, gets an answer and leaves."""
        def once():
            with self._opened() as (client, end):
                self._pass(client, end, SMALL)
                self._pass(end, client, SMALL)

        yield once

    @contextlib.contextmanager
    def round_trip(self):
        with self._opened() as (client, end):
            def once():
                self._pass(client, end, SMALL)
                self._pass(end, client, SMALL)

            yield once

    @contextlib.contextmanager
    def chunk(self):
        """64 KiB from the client to the target."""
        with self._opened() as (client, end):
            yield lambda: self._pass(client, end, CHUNK)

    @contextlib.contextmanager
    def chunk_back(self):
        """64 KiB from the target to the client."""
        with self._opened() as (client, end):
            yield lambda: self._pass(end, client, CHUNK)

    @contextlib.contextmanager
    def stream(self):
        """Two chunks at a time, both of which have arrived when the program wakes up, as they do where the sender is faster."""
        with self._opened() as (client, end):
            self._stops = True
            settle(self.pids, True)
            yield lambda: self._pass(client, end, 2 * CHUNK)
            let_run(self.pids)
            self._stops = False

    def _pass(self, sender, receiver, data):
        sender.sendall(data)
        self._settle()
        assert receive_exactly(receiver, len(data)) == data


#: What is counted: the load, how often it is done first, how often for each sample, and how many each time. Of chunks, so
#: many come first that what follows goes as a long transfer does; of a mux, each sample is some windows long.
MEASURES = {
    "chunk uu": ("uu", Load.chunk, 40, 4, 1),
    "chunk tu": ("tu", Load.chunk, 40, 4, 1),
    "stream uu": ("uu", Load.stream, 40, 4, 2),
    "stream tu": ("tu", Load.stream, 40, 4, 2),
    "chunk mux": ("mux", Load.chunk, 64, 8, 1),
    "chunk back mux": ("mux", Load.chunk_back, 64, 8, 1),
    "round trip uu": ("uu", Load.round_trip, 10, 4, 1),
    "round trip mux": ("mux", Load.round_trip, 10, 4, 1),
    "connection uu": ("uu", Load.connection, 10, 4, 1),
    "connection ut": ("ut", Load.connection, 10, 4, 1),
    "connection tu": ("tu", Load.connection, 10, 4, 1),
    "connection mux": ("mux", Load.connection, 10, 4, 1),
}

SAMPLES = 5


class Measured:
    """Of one of MEASURES: the counts for each time, which may be fractions."""

    def __init__(self):
        self.samples = collections.defaultdict(list)  # of Counters by name, for each kind of count

    def add(self, looked, times):
        for kind, counter in looked.items():
            self.samples[kind].append({name: count / times for name, count in counter.items() if count > 0})

    @property
    def counts(self):
        return Counts(*(statistics.median(sum(sample.values()) for sample in self.samples[kind]) for kind in Counts._fields))

    def detail(self, kind, most=12):
        """Which calls, or functions, make the count of the sample that is the median."""
        middle = sorted(self.samples[kind], key=lambda sample: sum(sample.values()))[len(self.samples[kind]) // 2]
        return " ".join(f"{name} {count:g}" for name, count in sorted(middle.items(), key=lambda one: -one[1])[:most])


def _measure_with(make, found):
    with tempfile.TemporaryDirectory(prefix="uvrelay-counting-") as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        loads = {}
        for name, measured in found.items():
            kind, what, first, times, each = MEASURES[name]
            if kind not in loads:
                (directory / f"counts-{kind}").mkdir()
                loads[kind] = Load(kind, directory, make(directory / f"counts-{kind}"), stack)
            load = loads[kind]
            with what(load) as once:
                for _ in range(first):
                    once()
                load.look()
                for _ in range(SAMPLES):
                    for _ in range(times):
                        once()
                    measured.add(load.look(), times * each)


def measure(wanted=None):
    """Measures all, or some, of MEASURES: gives Measured by name."""
    found = {name: Measured() for name in wanted or MEASURES}
    with concurrent.futures.ThreadPoolExecutor() as pool:  # each of them mostly waits
        for one in [pool.submit(_measure_with, make, found) for make in (Callgrind, Strace)]:
            one.result()
    return found


# ---- memory ----


def idle_bytes(count):
    """How many bytes the program's memory grows by for each of so many connections, from a Unix socket to a port, over
    which nothing goes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = before[1]
    count = min(count, most // 2 - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = []

    def accept_all(back):
        with contextlib.suppress(OSError):
            while True:
                held.append(back.accept()[0])

    try:
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="uvrelay-counting-"))
            back = stack.enter_context(contextlib.closing(listener(0, backlog=2000)))
            threading.Thread(target=accept_all, args=(back,), daemon=True).start()
            front = f"unix://{directory}/front"
            serve = stack.enter_context(Serve("--drain=0", f"--max={count + 100}",
                                              f"{front}=tcp://127.0.0.1:{back.getsockname()[1]}", verbose=False))

            def connect_more(number):
                first = len(held)
                for made in range(1, number + 1):
                    stack.enter_context(connect(front))
                    if made % 500 == 0 or made == number:  # the kernel lets only so many wait
                        wait_for(lambda: len(held) == first + made, "all are connected", 120)
                settle([serve.pid])

            connect_more(50)  # what is allocated once
            before_kib = serve.resident_kib()
            connect_more(count)
            return (serve.resident_kib() - before_kib) * 1024 / count
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# ---- the command ----


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--detail", action="store_true", help="list system calls by name, and functions by instructions")
    parser.add_argument("--budgets", action="store_true", help="print the table of test_costs.py")
    parser.add_argument("what", nargs="*", help="a part of the name of what is counted: " + ", ".join(MEASURES) + ", idle")
    options = parser.parse_args()
    wanted = [name for name in MEASURES if not options.what or any(part in name for part in options.what)]
    idle = not options.what or any(part in "idle" for part in options.what)
    if not wanted and not idle:
        parser.error(f"nothing that is counted has {' or '.join(options.what)} in its name")
    begin = time.monotonic()
    if not options.budgets:
        print(f"{'':16} {'instructions':>12} {'allocations':>12} {'system calls':>12}")
    for name, measured in (measure(wanted) if wanted else {}).items():
        instructions, allocations, calls = measured.counts
        if options.budgets:
            print(f'    "{name}": Counts({instructions * 1.1:.0f}, {allocations * 1.1:.1f}, {calls * 1.1:.1f}),')
            continue
        print(f"{name:16} {instructions:12.0f} {allocations:12.1f} {calls:12.1f}")
        if options.detail:
            for kind in ("calls", "instructions", "allocations"):
                print(f"  {kind}: {measured.detail(kind)}")
    if idle:
        for count in (1000, 9000):
            print(f"an idle connection, at {count}: {idle_bytes(count):.0f} bytes")
    print(f"counted in {time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares relays between standard input and output and a named pipe, side by side in one run.

    test/bench/compare.py [--rounds=N] [--only=FIGURE,...] NAME=PROGRAM.exe ...

Each PROGRAM is called with the pipe's name as its only argument, under Wine or, in WSL, directly. In each round all
programs take their turn, so that a change of the machine's speed meets them all; what is printed is the median of the
rounds and, in brackets, the median of the ratios, round by round, to the first program. The figures, each on a
byte-type and on a message-type pipe:

    down   MB/s from the pipe to standard output
    up     MB/s from standard input to the pipe
    trip   microseconds for 64 bytes there and back
    start  milliseconds from the start of the program to its end, for 5 bytes there and back
    memory KiB resident after the round trips
"""
import argparse
import itertools
import os
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
END = ROOT / "build/windows/bench/pipe_end_win.exe"
RUN = [word for word in os.environ.get("UVRELAY_RUN_EXE", "/usr/lib/wine/wine64").split() if word]
MEGABYTES = 200
TRIPS = 1500
BLOCK = b"\xa5" * 65536
numbers = itertools.count(1)


def environment():
    env = dict(os.environ, WINEDEBUG="-all")
    env.setdefault("WINEPREFIX", str(ROOT / "build/wine"))
    env.pop("DISPLAY", None)
    return env


def pipe_end(kind, role, size):
    """Starts the far end; returns its process and the pipe's name."""
    name = f"//./pipe/uvrelay-bench-{os.getpid()}-{next(numbers)}"
    end = subprocess.Popen([*RUN, str(END), name, kind, role, str(size)], stdout=subprocess.PIPE, env=environment())
    end.stdout.readline()
    return end, name


def relay(program, name):
    return subprocess.Popen(
        [*RUN, program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    )


def finish(*processes):
    for process in processes:
        if process.stdin:
            process.stdin.close()
    for process in processes:
        process.wait(timeout=60)


def down(program, kind):
    end, name = pipe_end(kind, "source", MEGABYTES << 20)
    process = relay(program, name)
    total = len(os.read(process.stdout.fileno(), 65536))
    start = time.perf_counter()
    while total < MEGABYTES << 20:
        part = len(os.read(process.stdout.fileno(), 65536))
        assert part > 0, f"{program} ended after {total} bytes"
        total += part
    seconds = time.perf_counter() - start
    finish(process, end)
    return {"down": MEGABYTES / seconds}


def up(program, kind):
    end, name = pipe_end(kind, "sink", MEGABYTES << 20)
    process = relay(program, name)
    time.sleep(0.2)
    start = time.perf_counter()
    for _ in range((MEGABYTES << 20) // len(BLOCK)):
        os.write(process.stdin.fileno(), BLOCK)
    end.wait(timeout=60)
    seconds = time.perf_counter() - start
    finish(process, end)
    return {"up": MEGABYTES / seconds}


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def trip(program, kind):
    end, name = pipe_end(kind, "echo", 64 * TRIPS)
    process = relay(program, name)
    times = []
    for _ in range(TRIPS):
        start = time.perf_counter()
        os.write(process.stdin.fileno(), BLOCK[:64])
        left = 64
        while left:
            left -= len(os.read(process.stdout.fileno(), left))
        times.append(time.perf_counter() - start)
    memory = resident(process.pid)
    finish(process, end)
    return {"trip": statistics.median(times) * 1e6, "memory": memory}


def start(program, kind):
    """The far end closes after its echo, which ends every relay."""
    end, name = pipe_end(kind, "echo", 5)
    begin = time.perf_counter()
    process = relay(program, name)
    answer, _ = process.communicate(b"hello", timeout=60)
    milliseconds = (time.perf_counter() - begin) * 1e3
    assert answer == b"hello", f"{program} answered {answer!r}"
    finish(end)
    return {"start": milliseconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="down,up,trip,start")
    parser.add_argument("programs", nargs="+", metavar="NAME=PROGRAM.exe")
    options = parser.parse_args()
    programs = dict(text.split("=", 1) for text in options.programs)
    measures = {"down": down, "up": up, "trip": trip, "start": start}
    first = next(iter(programs))
    for kind in ("byte", "message"):
        figures = {}
        for measure in options.only.split(","):
            for _ in range(options.rounds):
                for label, program in programs.items():
                    for figure, value in measures[measure](program, kind).items():
                        figures.setdefault(figure, {}).setdefault(label, []).append(value)
        for figure, values in figures.items():
            row = "  ".join(
                f"{label} {statistics.median(samples):.0f} "
                f"({statistics.median(mine / others for mine, others in zip(samples, values[first])):.2f})"
                for label, samples in values.items()
            )
            print(f"{kind:8}{figure:8}{row}", flush=True)


if __name__ == "__main__":
    main()

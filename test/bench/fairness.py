#!/usr/bin/env python3
"""Measures how long 64 bytes there and back take on one connection while another transfers at full speed through the
same far end.

    test/bench/fairness.py [--rounds=N] [--trips=N] [--only=FAR,...] [--programs=linux,windows]

FAR is "linux", `uvrelay serve --via "uvrelay mux"` before Unix sockets, or "wine", whose far end is `wine uvrelay.exe
mux`, before TCP ports; both far ends lead to the same server, which is a process of its own. In each round three
figures take turns: unloaded, with a transfer to the client, and with a transfer to the target. What is printed is the
median of the rounds' medians and 90th percentiles in microseconds, the transfers' MB/s meanwhile, and the median of the
ratios, round by round, of the medians to the unloaded one. The exit status is 1 if such a ratio is above 5.
"""
import argparse
import contextlib
import mmap
import os
import pathlib
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WINE = os.environ.get("UVRELAY_RUN_EXE", "wine")
MOST = 5
LOADS = {"unloaded": None, "down": b"p", "up": b"s"}

#: A server that does what the first byte of a connection says: pour, sink or echo.
SERVER = """
import contextlib, os, signal, socket, sys, threading
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def talk(connection):
    with contextlib.suppress(OSError), connection:
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        what = connection.recv(1)
        block = bytes(1 << 18)
        while what == b"p":
            connection.sendall(block)
        while piece := connection.recv(1 << 18):
            if what == b"e":
                connection.sendall(piece)
listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
listeners[1].bind(sys.argv[1])
listeners[1].listen(16)
print(listeners[0].getsockname()[1], flush=True)
def accept(listener):
    while True:
        connection = listener.accept()[0]
        if os.fork() == 0:
            talk(connection)
            os._exit(0)
        connection.close()
threading.Thread(target=accept, args=(listeners[0],), daemon=True).start()
threading.Thread(target=accept, args=(listeners[1],), daemon=True).start()
sys.stdin.read()
"""


def environment():
    env = dict(os.environ, WINEDEBUG="-all")
    env.setdefault("WINEPREFIX", str(ROOT / "build/wine"))
    env.pop("DISPLAY", None)
    return env


def connect(path, what):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(path)
    client.sendall(what)
    return client


class Load:
    """A transfer at full speed, by a process of its own, counted."""

    def __init__(self, path, what):
        self.client, self._shared = connect(path, what), mmap.mmap(-1, 8)
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(OSError):
                self._run(memoryview(bytearray(1 << 18)), what)
            os._exit(0)

    def _run(self, block, what):
        while done := (self.client.recv_into(block) if what == b"p" else self.client.send(block)):
            self._shared[:] = (self.count + done).to_bytes(8, "little")

    @property
    def count(self):
        return int.from_bytes(self._shared[:], "little")

    def stop(self):
        self.client.shutdown(socket.SHUT_RDWR)
        os.waitpid(self.pid, 0)
        self.client.close()


def measure(path, load, trips):
    """Gives the median and the 90th percentile of the round trips in us, and the transfer's MB/s."""
    loaded = Load(path, load) if load else None
    with connect(path, b"e") as client:
        if loaded:
            time.sleep(0.3)
        times, block = [], bytes(64)
        begin, before = time.perf_counter(), loaded.count if loaded else 0
        for _ in range(trips):
            start = time.perf_counter()
            client.sendall(block)
            left = 64
            while left:
                got = len(client.recv(left))
                assert got, "the connection has ended"
                left -= got
            times.append(time.perf_counter() - start)
        seconds = time.perf_counter() - begin
        speed = (loaded.count - before) / seconds / 1e6 if loaded else 0
    if loaded:
        loaded.stop()
    times.sort()
    return statistics.median(times) * 1e6, times[len(times) * 9 // 10] * 1e6, speed


def start(far, linux, windows, directory, port):
    """serve, and where it listens."""
    path = f"{directory}/front-{far}"
    command = [linux, "mux"] if far == "linux" else [*shlex.split(WINE), windows, "mux"]
    target = f"unix://{directory}/target" if far == "linux" else f"tcp://127.0.0.1:{port}"
    serve = subprocess.Popen([linux, "serve", "--eager", "--via", shlex.join(command), f"unix://{path}=via:{target}"],
                             stdin=subprocess.DEVNULL, env=environment())
    end = time.monotonic() + 20
    while not os.path.exists(path):
        assert serve.poll() is None and time.monotonic() < end, "serve does not listen"
        time.sleep(0.01)
    with connect(path, b"e") as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    return serve, path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--trips", type=int, default=1000)
    parser.add_argument("--only", default="linux,wine")
    parser.add_argument("--programs", default=f"{ROOT}/build/linux/uvrelay,{ROOT}/build/windows/uvrelay.exe")
    options = parser.parse_args()
    linux, windows = options.programs.split(",")
    fars, figures, worst = options.only.split(","), {}, 0
    with tempfile.TemporaryDirectory(prefix="uvrelay-bench-") as directory:
        server = subprocess.Popen([sys.executable, "-ISc", SERVER, f"{directory}/target"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        started = []
        try:
            port = int(server.stdout.readline())
            for far in fars:
                started.append(start(far, linux, windows, directory, port))
            for _ in range(options.rounds):
                for far, (_, path) in zip(fars, started):
                    for name, load in LOADS.items():
                        figures.setdefault((far, name), []).append(measure(path, load, options.trips))
        finally:
            for serve, _ in started:
                serve.terminate()
                serve.wait(20)
            server.stdin.close()
            server.wait(20)
    print(f"{'far end':8}{'load':10}{'median us':>10}{'p90 us':>10}{'MB/s':>8}{'ratio':>8}")
    for (far, name), rounds in figures.items():
        median, p90, speed = (statistics.median(values) for values in zip(*rounds))
        ratio = statistics.median(mine[0] / other[0] for mine, other in zip(rounds, figures[far, "unloaded"]))
        worst = max(worst, ratio)
        print(f"{far:8}{name:10}{median:10.0f}{p90:10.0f}{speed:8.0f}{ratio:8.2f}")
    if worst > MOST:
        print(f"a ratio is above {MOST}")
    return worst > MOST


if __name__ == "__main__":
    sys.exit(main())

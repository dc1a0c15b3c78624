"""What a chaos runs: processes of ends.py, and `serve` with its far ends; all can be killed and started again."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time

from programs import SOON, Process
from serving import wait_for
from via import Via, marked

HERE = pathlib.Path(__file__).resolve().parent


class Failure(AssertionError):
    """What must not happen has happened."""


class Port:
    """A TCP port of the loopback interface that stays ours while no process listens on it."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = self._socket.getsockname()[1]

    def close(self):
        self._socket.close()


class Worker:
    """A process of ends.py, which can be killed and started again; it tells the run of each connection."""

    def __init__(self, run, name, settings):
        self.run, self.name, self._settings, self.lives = run, name, settings, 0
        self._idle = threading.Event()
        self._paused = False
        self.start()

    def start(self):
        self.lives += 1
        ready = threading.Event()
        settings = self._settings(self.lives)
        self._process = Process([sys.executable, "-S", HERE / "ends.py", json.dumps(settings)], collect=False)
        self._reader = threading.Thread(target=self._read, args=(self._process.popen.stdout, ready), daemon=True)
        self._reader.start()
        if not ready.wait(SOON):
            raise Failure(f"{self.name} does not start: {self._process.stderr}")
        if self._paused:
            self.pause()

    def _read(self, file, ready):
        with contextlib.suppress(ValueError):  # a line that was cut by a kill, or a closed file
            for line in iter(file.readline, b""):
                what = json.loads(line)
                if "ready" in what:
                    ready.set()
                elif "idle" in what:
                    self._idle.set()
                else:
                    self.run.take(what)

    @property
    def pid(self):
        return self._process.pid

    def pause(self):
        self._paused = True
        self._idle.clear()
        self._process.write(b"pause\n")

    def go(self):
        self._paused = False
        self._process.write(b"go\n")

    def wait_idle(self, timeout):
        return self._idle.wait(timeout)

    def kill(self, number):
        """Ends it, and waits for what it had told."""
        assert self._process.running, f"{self.name} has ended: {self._process.stderr}"
        os.kill(self.pid, number)
        self._process.wait()
        self._reader.join(SOON)
        self._process.kill()

    def end(self):
        if not self._process.running:
            raise Failure(f"{self.name} has ended by itself: {self._process.stderr}")
        self.kill(signal.SIGKILL)


class Station:
    """A `serve` with a name, whichever program it is."""

    def check_running(self):
        if not self.serve.running:
            raise Failure(f"serve {self.name} has ended by itself with {self.serve.popen.returncode}: "
                          f"{self.serve.stderr[-5000:]}")


class LinuxStation(Station):
    """A `uvrelay serve` with these routes ({name: (judge.Route, LISTEN=TARGET)}), and its far end."""

    def __init__(self, run, name, routes, via=None, options=()):
        self.run, self.name, self.routes = run, name, routes
        self._via, self._options, self._marks = via, options, []
        self.base, self.resident, self.restarts = None, None, 0
        self.start()

    def start(self):
        self.serve = Via("--drain=0.3", *self._options, *(text for _, text in self.routes.values()), via=self._via,
                         verbose=False)
        self._marks.append(self.serve.mark)

    @property
    def pid(self):
        return self.serve.pid

    def far_ends(self):
        return sorted(self.serve.far_ends())

    def kill(self, number):
        if number == signal.SIGKILL:
            assert self.serve.running, f"{self.name} has ended: {self.serve.stderr[-3000:]}"
            self.serve.kill()
        else:
            self.serve.stop(number)
            self.serve.kill()
        self.restarts += 1

    def descriptors(self):
        return self.serve.descriptors()

    #: No far end without connections has more descriptors.
    far_most = 16
    #: So many descriptors may be kept for later beyond those of the first time: the one that tells when the carrier has
    #: room for a long frame, once that was waited for.
    kept = 1

    @staticmethod
    def far_descriptors(pid):
        return len(os.listdir(f"/proc/{pid}/fd"))

    def none_is_left(self, timeout=SOON):
        """Asserts that of those that were killed no far end is left."""
        for mark in self._marks[:-1]:
            wait_for(lambda: not marked(mark), f"the far end of a killed serve {self.name} has ended", timeout)
        del self._marks[:-1]

    def end(self):
        """In order, upon which a build with sanitizers tells what has leaked."""
        self.check_running()
        self.serve.stop()
        self.serve.kill()
        self._marks.append(None)
        self.none_is_left()

    def end_all(self):
        self.serve.kill()
        self.serve.end_all()


class Lane:
    """A thread of the driver's that makes one connection after the other, each by a call that gives its route's way,
    whether it is whole, and what is wrong with it even if something was killed meanwhile, or None."""

    def __init__(self, run, name, connect):
        self.run, self.name, self._connect = run, name, connect
        self._may_go, self._idle, self._over = threading.Event(), threading.Event(), False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while True:
            if not self._may_go.is_set():
                self._idle.set()
            self._may_go.wait()
            if self._over:
                return
            number += 1
            start = time.monotonic()
            try:
                way, whole, wrong, count = self._connect(number)
            except Exception as failure:  # reported by the judge
                way, whole, wrong, count = (), False, repr(failure), 0
            self.run.take_lane(self.name, way, start, whole, wrong, count)

    def pause(self):
        self._idle.clear()
        self._may_go.clear()

    def go(self):
        self._may_go.set()

    def wait_idle(self, timeout):
        return self._idle.wait(timeout)

    def end(self):
        self._over = True
        self._may_go.set()

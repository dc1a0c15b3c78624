"""The Windows peers of test/peers: a scripted pipe server, and a parent that gives real Windows pipes."""

import json
import threading
import time

from programs import SOON, Process, peer, unique_pipe, windows_command


class Event(dict):
    """A line that a peer printed, and when it came."""

    def __init__(self, fields):
        super().__init__(fields)
        self.time = time.monotonic()


class Peer(Process):
    """A peer whose lines are collected as events."""

    def __init__(self, name, *args):
        super().__init__(windows_command(peer(name), *args), collect=False)
        self.events = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read_events, daemon=True)
        self.readers[self.popen.stdout] = self._thread
        self._thread.start()

    def _read_events(self):
        file = self.popen.stdout
        try:
            for line in iter(file.readline, b""):
                with self._changed:
                    self.events.append(Event(json.loads(line)))
                    self._changed.notify_all()
        except (OSError, ValueError):
            pass
        with self._changed:
            self.events.append(Event({"event": "end of output"}))
            self._changed.notify_all()

    def all(self, name):
        with self._changed:
            return [event for event in self.events if event["event"] == name]

    def event(self, name, number=1, timeout=SOON):
        """Waits for the event of this name, the `number`th of it. Fails the test if it doesn't come."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.all(name)) >= number or self.all("end of output"), timeout)
            found = self.all(name)
            assert len(found) >= number, f"{self.command}: no {name}: {self.events}; stderr: {self.stderr!r}"
            return found[number - 1]

    def wait_any(self, *names, timeout=SOON):
        """Waits for the first event of one of these names and gives it."""
        with self._changed:
            self._changed.wait_for(lambda: any(map(self.all, (*names, "end of output"))), timeout)
            found = [event for event in self.events if event["event"] in names]
            assert found, f"{self.command}: none of {names}: {self.events}; stderr: {self.stderr!r}"
            return found[0]

    def finish(self, timeout=SOON):
        """Waits until the peer has done its script; fails the test if a step of it failed."""
        code = self.wait(timeout)
        self._thread.join(SOON)
        assert code == 0, f"{self.command} ended with {code}: {self.events}; stderr: {self.stderr!r}"


class PipeServer(Peer):
    """pipe_server.exe: actions as its head comment tells them. Ready when constructed, unless wait=False."""

    def __init__(self, *actions, name=None, type="message", wait=True, limit=60, **options):
        self.name = name or unique_pipe()
        self.short_name = self.name.rpartition("/")[2]
        options = {"type": type, "limit": limit, **options}
        options = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        super().__init__("pipe_server", self.name, *options, "--", *actions)
        if wait:
            try:
                self.event("listening")
            except BaseException:
                self.kill()
                raise

    def go(self):
        """Lets the server go on from its action "await"."""
        self.stdin.write(b"\n")


class Parent(Peer):
    """parent.exe: starts a program with standard handles of these kinds and does its actions."""

    def __init__(self, *actions, program, stdin="anonymous", stdout="anonymous", limit=60, progress=0, options=()):
        super().__init__("parent", f"--stdin={stdin}", f"--stdout={stdout}", f"--limit={limit}",
                         f"--progress={progress}", *options, *actions, "--", *program)



#!/usr/bin/env python3
"""The clients, or the targets, of a chaos run: many connections in one process, which the driver kills and stops.

    ends.py SETTINGS

SETTINGS is an object of JSON: `role` ("clients" or "targets"), `seed`, `limit` (the most seconds without a byte), and

- of clients: `first`, the number of the first connection, and `lanes`: each has `open`, how many connections it keeps
  open, `class` of their size, and `routes`: [name, address or "file:" with the file that has it, kind of target];
- of targets: `listen`: [kind, where, "plan" or "echo"], kind being "unix", "abstract" or "tcp".

On standard output it writes an object of JSON a line: {"ready": true} when it listens, {"idle": true} when it was asked
to pause and no connection is open, and for each connection that is over what it has seen (`End.report`). Commands come
on standard input, a line each: "pause", "go". It ends at the end of that. """

import errno
import heapq
import itertools
import json
import os
import random
import select
import socket
import struct
import sys
import time

import plan as plans

_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN)
_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT


def _tell(**what):
    os.write(1, json.dumps(what, separators=(",", ":")).encode() + b"\n")


def _address(address):
    if address.startswith("unix://"):
        return socket.AF_UNIX, address.removeprefix("unix://")
    if address.startswith("abstract:"):
        return socket.AF_UNIX, "\0" + address.removeprefix("abstract:")
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return socket.AF_INET, (host, int(port))


def _written(address):
    """What is in the file, if it is one: such an address may change. Nothing listens at port 9."""
    if address.startswith("file:"):
        try:
            with open(address.removeprefix("file:")) as file:
                return file.read()
        except FileNotFoundError:
            return "tcp://127.0.0.1:9"
    return address


class End:
    """One end of a connection, which does what its side of the plan says and compares each byte that comes.

    `how` it ended, as this end has seen it: "eof", an orderly end of the other side's output; "reset"; "done", if this
    end had all and closed first; "cut", if it did so by its plan before; "refused"; "wrong", if other bytes came than
    belong there; "hung", if nothing happened for too long.
    """

    def __init__(self, worker, sock, role, route=None):
        self.worker, self.sock, self.role, self.route = worker, sock, role, route
        self.start = self.last = time.monotonic()
        self.number, self.side, self.outgoing, self.incoming, self.size_class = None, None, None, None, None
        self.head, self.sent, self.received = b"", 0, 0
        self.eof = self.shut = self.idled = self.paused = self.connecting = False
        self.how, self.error, self.mask = None, None, -1

    # -- what it is to do --

    def follow(self, number, size_class, kind="plan"):
        """Takes its part in the plan of this connection. `kind` is the target's: "plan", "echo", which gives back what
        comes and does not learn of an end, or "echo-end", which does, and ends then."""
        self.number, self.size_class = number, size_class
        plan = plans.plan(self.worker.seed, number, size_class)
        header = plans.HEADER.pack(plans.MAGIC, self.worker.seed, number, size_class)
        up = plans.Stream(self.worker.seed, number, 0, plan.client.total, header)
        down = plans.Stream(self.worker.seed, number, 1, plan.target.total)
        if kind != "plan":
            pace = plan.client.pace and plans.pace(up.total, plan.client.pace[1])
            self.side = plan.client._replace(sends="now", ends="all" if kind == "echo" else "half", pace=pace, idle=0)
            self.outgoing = self.incoming = up
        elif self.role == "client":
            self.side, self.outgoing, self.incoming = plan.client, up, down
        else:
            self.side, self.outgoing, self.incoming = plan.target, down, up
        if self.role != "client":
            self.received = len(header)

    @property
    def may_send(self):
        side = self.side
        if self.shut or self.error or self.sent >= self.outgoing.total:
            return False
        if self.role == "client" and self.sent < plans.HEADER.size:
            return True
        return (side.sends == "now" or (side.sends == "after-end" and self.eof) or
                (side.sends == "after-all" and self.received >= self.incoming.total))

    # -- events --

    def watch(self):
        """Waits for what can go on."""
        mask = 0
        if self.connecting:
            mask = _WRITE
        elif self.number is None:
            mask = _READ
        else:
            if not self.eof and not self.paused:
                mask |= _READ
            if self.may_send and not (self.idle_now()):
                mask |= _WRITE
        if mask != self.mask:
            self.worker.watch(self, self.mask, mask)
            self.mask = mask

    def idle_now(self):
        return self.idled and self.idled > time.monotonic()

    def step(self, events):
        """Does what can be done, until the connection is over."""
        self.last = time.monotonic()
        if self.connecting:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.connecting = False
            if code:
                return self.over("refused", errno.errorcode.get(code, str(code)))
        if events & ~_WRITE and not self.paused and not self.eof:
            self.read()
        if not self.how and self.number is not None:
            self.write()
            if not self.how:
                self.check()
        elif not self.how and self.eof:
            self.over("eof")
        if not self.how:
            self.watch()

    def read(self):
        most = self.side.pace[0] if self.side and self.side.pace else 1 << 17
        for _ in range(4):
            try:
                data = self.sock.recv(most if self.number is not None else plans.HEADER.size - len(self.head))
            except BlockingIOError:
                return
            except OSError as failure:
                if failure.errno not in _GONE:
                    raise
                return self.over("reset")
            if not data:
                self.eof = True
                return
            if self.number is None:
                if not self.take_header(data):
                    return
                continue
            if not self.incoming.matches(self.received, data):
                return self.over("wrong", f"at byte {self.received}: {data[:32].hex()}")
            self.received += len(data)
            if self.side.pace:
                self.paused = True
                self.worker.later(self.side.pace[1], self.go_on)
                return

    def take_header(self, data):
        self.head += data
        if len(self.head) < plans.HEADER.size:
            return True
        magic, seed, number, size_class = plans.HEADER.unpack(self.head)
        if magic != plans.MAGIC or seed != self.worker.seed or size_class > plans.SLOW:
            self.over("wrong", f"no header: {self.head.hex()}")
            return False
        self.follow(number, size_class)
        return True

    def go_on(self):
        if not self.how:
            self.paused = False
            self.step(_READ)

    def write(self):
        while self.may_send and not self.idle_now():
            cut = self.side.cut
            most = 1 << 17
            if cut:
                if self.sent >= cut[1]:
                    return self.cut(cut[0])
                most = min(most, cut[1] - self.sent)
            if self.side.idle and not self.idled and self.sent * 2 >= self.outgoing.total:
                self.idled = time.monotonic() + self.side.idle
                self.worker.later(self.side.idle + 0.001, lambda: self.how or self.step(0))
                return
            try:
                self.sent += self.sock.send(self.outgoing.piece(self.sent, most))
            except BlockingIOError:
                return
            except OSError as failure:
                if failure.errno not in _GONE:
                    raise
                self.error = errno.errorcode[failure.errno]
                if not self.eof and self.error != "EPIPE":
                    # This call has got the reset; a read now sees an end.
                    return self.over("reset", self.error)
        if self.side.cut and self.sent >= self.side.cut[1]:
            self.cut(self.side.cut[0])

    def cut(self, how):
        if how == "reset" and self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over("cut", how)

    def check(self):
        """Ends its output, or the connection, when it is time."""
        side, all_sent = self.side, self.sent >= self.outgoing.total
        if self.eof and self.received < self.incoming.total:
            return self.over("eof", self.error)  # what is missing will not come
        if self.error and self.eof:
            return self.over("eof", self.error)
        if side.ends == "all":
            if all_sent and self.received >= self.incoming.total:
                self.over("done")
        elif all_sent and side.ends == "close" and self.received >= self.incoming.total:
            self.over("done")
        elif all_sent and not self.shut and (side.ends == "half" or self.eof):
            self.shut = True
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as failure:
                if failure.errno not in _GONE:
                    raise
                self.error = errno.errorcode[failure.errno]
        if not self.how and self.eof and self.shut:
            self.over("eof", self.error)

    def over(self, how, error=None):
        self.how, self.error = how, error
        if self.mask > 0:
            self.worker.watch(self, self.mask, 0)
            self.mask = 0
        self.sock.close()
        self.worker.over(self)

    def report(self):
        return {"role": self.role, "id": self.number, "class": self.size_class, "route": self.route,
                "start": round(self.start, 4), "end": round(time.monotonic(), 4), "sent": self.sent,
                "received": self.received, "how": self.how, "error": self.error}


class EchoEnd(End):
    """Gives back what comes, and ends after the other end."""

    def __init__(self, worker, sock, role, route=None):
        super().__init__(worker, sock, role, route)
        self.held = b""

    def watch(self):
        mask = _WRITE if self.held else _READ
        if mask != self.mask:
            self.worker.watch(self, self.mask, mask)
            self.mask = mask

    def step(self, _):
        self.last = time.monotonic()
        try:
            if not self.held:
                self.held = self.sock.recv(1 << 17)
                if not self.held:
                    return self.over("eof")
            self.held = self.held[self.sock.send(self.held):]
        except BlockingIOError:
            pass
        except OSError as failure:
            if failure.errno not in _GONE:
                raise
            return self.over("reset")
        self.watch()

    def report(self):
        return {"role": "echo", "id": None, "how": self.how}


class Worker:
    """The loop that all ends of the process run in."""

    def __init__(self, settings):
        self.seed, self.limit = settings["seed"], settings["limit"]
        self.open, self.pausing = {}, False
        self._poll, self._timers, self._order = select.epoll(), [], itertools.count()
        self._commands = b""
        self._poll.register(0, _READ)

    # -- for the ends --

    def watch(self, end, before, now):
        if before <= 0:
            if now > 0:
                self._poll.register(end.sock.fileno(), now)
        elif now > 0:
            self._poll.modify(end.sock.fileno(), now)
        else:
            self._poll.unregister(end.sock.fileno())

    def later(self, seconds, call):
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), call))

    def over(self, end):
        del self.open[end.key]
        _tell(**end.report())
        self.after(end)
        self.tell_idle()

    def add(self, end):
        end.key = end.sock.fileno()
        self.open[end.key] = end
        end.sock.setblocking(False)

    def after(self, end):
        """What is to be done when a connection is over."""

    def tell_idle(self):
        if self.pausing and not self.open:
            _tell(idle=True)

    # -- the loop --

    def command(self, line):
        if line == b"pause":
            self.pausing = True
            self.tell_idle()
        elif line == b"go":
            self.pausing = False

    def other(self, number):
        """An event of a descriptor that is no connection's."""

    def find_hung(self):
        now = time.monotonic()
        for end in [end for end in self.open.values() if now - end.last > self.limit]:
            end.over("hung", f"sent {end.sent}, received {end.received}")
        self.later(1, self.find_hung)

    def run(self):
        self.later(1, self.find_hung)
        while True:
            wait = max(0, self._timers[0][0] - time.monotonic())
            for number, events in self._poll.poll(wait):
                if number == 0:
                    data = os.read(0, 4096)
                    if not data:
                        return
                    *lines, self._commands = (self._commands + data).split(b"\n")
                    for line in lines:
                        self.command(line)
                elif number in self.open:
                    self.open[number].step(events)
                else:
                    self.other(number)
            while self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()


class Clients(Worker):
    """Keeps so many connections open in each lane."""

    def __init__(self, settings):
        super().__init__(settings)
        self.lanes, self._next = settings["lanes"], settings["first"]
        for lane in self.lanes:
            for _ in range(lane["open"]):
                self.later(0, lambda lane=lane: self.begin(lane))
        self._waiting = []
        _tell(ready=True)

    def begin(self, lane):
        if self.pausing:
            self._waiting.append(lane)
            return
        number = self._next
        self._next += 1
        name, address, kind = random.Random(number * 31 + self.seed).choice(lane["routes"])
        family, where = _address(_written(address))
        end = End(self, socket.socket(family), "client", name)
        end.lane = lane
        end.follow(number, lane["class"], kind)
        self.add(end)
        try:
            end.sock.connect(where)
        except BlockingIOError as failure:
            if family == socket.AF_UNIX:
                return end.over("refused", errno.errorcode[failure.errno])
            end.connecting = True
        except OSError as failure:
            return end.over("refused", errno.errorcode[failure.errno])
        end.watch()

    def after(self, end):
        # Not in this call, so that one that is refused at once does not begin the next from within itself.
        self.later(0.05 if end.how == "refused" else 0, lambda: self.begin(end.lane))

    def command(self, line):
        super().command(line)
        if line == b"go":
            waiting, self._waiting = self._waiting, []
            for lane in waiting:
                self.begin(lane)


class Targets(Worker):
    """Listens, and does its part of the plan with each connection that comes."""

    def __init__(self, settings):
        super().__init__(settings)
        self._listeners = {}
        for kind, where, what in settings["listen"]:
            listener = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
            if kind == "tcp":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", where))
            elif kind == "abstract":
                listener.bind("\0" + where)
            else:
                if os.path.exists(where):
                    os.unlink(where)
                listener.bind(where)
            listener.listen(1024)
            listener.setblocking(False)
            self._listeners[listener.fileno()] = listener, what
            self._poll.register(listener.fileno(), _READ)
        _tell(ready=True)

    def other(self, number):
        listener, what = self._listeners.get(number, (None, None))
        for _ in range(16 if listener else 0):
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            end = (EchoEnd if what == "echo" else End)(self, sock, "target")
            self.add(end)
            end.watch()


def main():
    settings = json.loads(sys.argv[1])
    (Clients if settings["role"] == "clients" else Targets)(settings).run()


if __name__ == "__main__":
    main()

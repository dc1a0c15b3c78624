"""Runs a chaos: clients, targets and `uvrelay serve` with its far ends, and kills, stops and continues them by a seed.

A `Run` has workers (processes of ends.py: clients and targets) and stations (a `serve` each, with its far end). It goes
on in chapters: for some seconds it lets events happen to the processes; then it lets each station serve once more, lets
all connections end, judges them, and measures descriptors and memory.

The same seed makes the same plan: what each connection does, which events come in which order, after which pauses.
"""

import collections
import contextlib
import os
import pathlib
import random
import signal
import sys
import threading
import time

import judge
import plan as plans
from processes import HERE, Failure, LinuxStation, Port, Worker
from programs import SOON, unique_name
from serving import SANITIZED, wait_for
from via import MUX, alive, resident_kib

#: Within this a killed process, once it is there again, must have served a connection whole; a slow carrier takes a
#: part of it.
BACK = 30
#: For so long a connection may be without a byte: longer than all stops and all waiting for a far end.
SILENT = 45
#: For so long an end may go on after the other one is through: behind a slow carrier, or as a slow reader.
UNTOLD = SILENT

SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM}

_LIVES = (1 << 48) - 1


def first_number(client, life):
    """The number of the first connection of a client's, started so many times: they never meet."""
    return (client << 48) + (life << 28)


class Run:
    """All of it."""

    def __init__(self, seed, say=print):
        self.seed, self._say = seed, say
        self.random = random.Random(seed)
        self.kills, self.routes, self.workers, self.stations, self.lanes = judge.Kills(), {}, {}, {}, []
        self.count = collections.Counter()
        self.events, self.longest = collections.Counter(), collections.Counter()
        self._lock = threading.Lock()
        self.survivors = set()  # the stations whose serve is never killed
        self._halves, self._held, self._waiting, self._failures = {}, [], [], []
        self._closers = contextlib.ExitStack()

    # ---- what the ends tell ----

    def take(self, report):
        """A connection's end, as one of its ends has seen it."""
        with self._lock:
            if report["role"] == "echo":
                return
            if report["id"] is None:
                self.count["no header"] += 1
                if report["how"] == "wrong" or report["how"] == "hung" and not self._kept_by_wine(report):
                    self._failures.append(f"a target: {report}")
                return
            if report["role"] == "client" and self.routes[report["route"]].echo:
                self._pair(report, None)
                return
            other = self._halves.pop(report["id"], None)
            if other is None:
                self._halves[report["id"]] = report
            elif other["role"] == report["role"]:
                self._failures.append(f"two ends of one role: {other}, {report}")
            elif report["role"] == "client":
                self._pair(report, other)
            else:
                self._pair(other, report)

    def _kept_by_wine(self, report):
        """Whether this end, whose route is not known, may be one that judge.excused describes."""
        ways = {name for route in self.routes.values() if route.wine for name in route.way}
        relay = {name for name in ways if name.startswith(("serve", "far"))}
        return self.kills.hit(relay, report["start"], report["end"])

    def _pair(self, client, target):
        """Both ends of a connection: it is as planned, or is judged when it is known what was killed."""
        route = self.routes[client["route"]]
        wrong = judge.as_planned(self.seed, route, client, target)
        if wrong:
            self._held.append((client, target, wrong))
            return
        self.count["as planned"] += 1
        self._count_bytes(client)
        if client["how"] != "cut":
            self._served(self._way(client["id"], route), client["start"], client["end"])

    def _served(self, way, start, end):
        """A connection was whole: what is on its way and was killed before has served again."""
        for one in [one for one in self._waiting if one[0] in way and start >= one[1]]:
            self._waiting.remove(one)
            kind = one[0].partition(" ")[0]
            self.longest[kind] = max(self.longest[kind], round(end - one[1], 3))

    def take_lane(self, name, way, start, whole, wrong, count):
        """A connection of a lane's is over."""
        end = time.monotonic()
        with self._lock:
            if whole:
                self.count["as planned"] += 1
                self.count["bytes"] += count
                self._served(way, start, end)
            elif wrong or not self.kills.hit(way, start, end):
                self._failures.append(f"{name}: {wrong or 'not whole, and nothing on its way was killed'}: {way}, "
                                      f"{count} bytes, from {start:.3f} to {end:.3f}; killed: "
                                      f"{self.kills.hit(way, start, end)}")
            else:
                self.count["ended by a kill"] += 1

    def _count_bytes(self, end):
        self.count["bytes"] += end["received"] + end["sent"]

    @staticmethod
    def _client_name(number):
        """The client that made the connection of this number."""
        return f"client {number >> 48}"

    def _way(self, number, route):
        return {*route.way, self._client_name(number)}

    def judge(self):
        """All that is over, now that nothing is open."""
        with self._lock:
            held, self._held = self._held, []
            for report in self._halves.values():
                held.append((report, None, "one end has told nothing") if report["role"] == "client" else
                            (None, report, "one end has told nothing"))
            self._halves = {}
            for client, target, wrong in held:
                self._judge_one(client, target, wrong)
            failures, self._failures = self._failures, []
        if failures:
            raise Failure(f"{len(failures)} failures, with seed {self.seed}; the first:\n" + "\n".join(failures[:5]))

    def _judge_one(self, client, target, wrong):
        known = client or target
        route = self.routes.get(known["route"]) if client else None
        if client and target is None and not judge.as_planned(self.seed, route, client, None):
            self.count["as planned"] += 1
            return
        start = min(end["start"] for end in (client, target) if end)
        end = max(end["end"] for end in (client, target) if end)
        if client is None or target is None:
            end += UNTOLD  # of the one that was killed before it could tell
        if route:
            hit = self.kills.hit(self._way(known["id"], route), start, end)
        else:
            name = self._client_name(known["id"])
            hit = {name} if first_number(0, self.workers[name].lives) > known["id"] & _LIVES else set()
        if not hit:
            plan = plans.plan(self.seed, known["id"], known["class"])
            self._failures.append(f"{wrong}; nothing on its way was killed: {plan}\n  {route}\n  {client}\n  {target}")
            return
        bad = route and judge.excused(self.seed, route, client, target, hit)
        if bad:
            self._failures.append(f"{bad}; killed: {sorted(hit)}\n  {route}\n  {client}\n  {target}")
            return
        refused = client and client["how"] == "refused"
        self.count["refused while it was down" if refused else "ended by a kill"] += 1
        if client:
            self._count_bytes(client)

    # ---- what happens to the processes ----

    def killed(self, name, restart, number):
        """Kills a worker or a serve, and starts it again."""
        owner = self.workers.get(name) or self.stations[name]
        with self._lock:
            self.kills.begin(name, time.monotonic())
        owner.kill(number)
        restart()
        owner.start()
        now = time.monotonic()
        with self._lock:
            self.kills.end(name, now)
            self._waiting.append((name, now))

    def kill_far(self, station, number, pick):
        """Kills the far end of a station, or one of its processes."""
        pids = station.far_ends()
        if not pids:
            return
        pid, name = pids[pick % len(pids)], f"far {station.name.partition(' ')[2]}"
        with self._lock:
            self.kills.begin(name, time.monotonic())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_for(lambda: not alive(pid), f"{name} has ended by signal {number}", BACK)
        now = time.monotonic()
        with self._lock:
            self.kills.end(name, now)
            self._waiting.append((name, now))

    def hang_far(self, station):
        """Stops its far end for good, upon which the near end replaces it."""
        self.kill_far(station, signal.SIGSTOP, 0)

    @contextlib.contextmanager
    def stopped(self, pid):
        """Stops a process for a moment."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def event(self, hangs):
        """One thing by the seed. All of its dice are thrown before anything is done."""
        source = self.random
        what = source.choices(["far", "serve", "client", "target", "stop", "hang"],
                              [30, 15, 12, 13, 30, 1 if hangs else 0])[0]
        signal_name = source.choice(["KILL", "KILL", "TERM"])
        pick, moment = source.randrange(1 << 30), source.uniform(0, 0.4)
        stations = sorted(self.stations)
        doomed = [name for name in stations if name not in self.survivors]
        workers = sorted(name for name in self.workers if name.startswith(what))
        number = SIGNALS[signal_name]
        if what == "far":
            self.kill_far(self.stations[stations[pick % len(stations)]], number, pick >> 8)
        elif what == "hang":
            self.hang_far(self.stations[stations[pick % len(stations)]])
        elif what == "serve":
            self.killed(doomed[pick % len(doomed)], lambda: time.sleep(moment / 4), number)
        elif what in ("client", "target"):
            self.killed(workers[pick % len(workers)], lambda: time.sleep(moment), number)
        else:
            pids = [self.stations[name].pid for name in stations] + [worker.pid for worker in self.workers.values()]
            pids += [pid for name in stations for pid in self.stations[name].far_ends()]
            with self.stopped(pids[pick % len(pids)]):
                time.sleep(3 * moment)
        self.events[what if what in ("stop", "hang") else f"{what} {signal_name}"] += 1

    # ---- a chapter ----

    def chapter(self, seconds, pause, hangs=False, events=True):
        """Lets events happen for so long, about one in `pause` seconds, and then judges all."""
        for worker in self.clients():
            worker.go()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0, 2 * pause))
            if events:
                self.event(hangs)
            for station in self.stations.values():
                station.check_running()
        self.wait_back()
        self.quiet()
        self.judge()
        for station in self.stations.values():
            station.none_is_left(SOON)

    def whole(self, chapters, seconds, pause, hangs=False):
        """A chapter in which nothing happens to the processes, and these. What is never killed may not grow after the
        first of these, by which all that a process keeps for later was allocated."""
        self.chapter(3, 0.5, events=False)
        self._say(self.measure(judged=False))
        for number in range(1, chapters + 1):
            self.chapter(seconds, pause, hangs)
            self._say(f"chapter {number}: {self.measure(judged=number > 1)}; {self.figures()}")

    def wait_back(self):
        """Until each that was killed has served a connection since."""
        def back():
            with self._lock:
                return not self._waiting
        end = time.monotonic() + BACK
        while not back():
            if time.monotonic() > end:
                self.quiet()
                self.judge()  # which may tell why
                raise Failure(f"not back within {BACK} s: {self._waiting}; seed {self.seed}")
            time.sleep(0.02)

    def clients(self):
        return [worker for name, worker in self.workers.items() if name.startswith("client")] + self.lanes

    def quiet(self):
        """Until no connection is open."""
        for workers in (self.clients(), [one for one in self.workers.values() if one not in self.clients()]):
            for worker in workers:
                worker.pause()
            for worker in workers:
                if not worker.wait_idle(SILENT + 2 * SOON):
                    raise Failure(f"the connections of {worker.name} do not end; seed {self.seed}")

    # ---- what stays ----

    #: By so much the memory of a process may have grown that has not been killed since it was first measured.
    MAY_GROW_KIB = 2048

    def measure(self, judged=True):
        """Descriptors must be those of the first time; and, if it is to be judged, memory may not have grown."""
        told = []
        for station in self.stations.values():
            if station.base is None:
                station.base = self._settled(station)
            wait_for(lambda: station.descriptors() <= station.base + station.kept,
                     f"{station.name} has {station.base} descriptors again, not {station.descriptors()}: "
                     f"{self._open(station.pid)}; seed {self.seed}")
            now = resident_kib(station.pid)
            told.append(f"{station.name}: {station.descriptors()} descriptors, {now} KiB")
            if not judged or station.restarts:
                station.resident, station.restarts = now, 0
            elif now > station.resident + self.MAY_GROW_KIB and not SANITIZED:
                raise Failure(f"{station.name} has grown from {station.resident} to {now} KiB; seed {self.seed}")
            self._measure_far(station, told)
        return "; ".join(told)

    @staticmethod
    def _settled(station):
        """The descriptors that are left when what the last connections have held is closed."""
        found = [station.descriptors()]
        while len(found) < 5 or found[-1] < found[-5]:
            time.sleep(0.4)
            found.append(station.descriptors())
        return found[-1]

    @staticmethod
    def _open(pid):
        with contextlib.suppress(OSError):
            return sorted(os.readlink(f"/proc/{pid}/fd/{one}") for one in os.listdir(f"/proc/{pid}/fd"))
        return []

    def _measure_far(self, station, told):
        for pid in station.far_ends():
            with contextlib.suppress(OSError):
                found = station.far_descriptors(pid)
                told.append(f"its far end: {found} descriptors, {resident_kib(pid)} KiB")
                if found > station.far_most:
                    raise Failure(f"a far end of {station.name} has {found} descriptors: {self._open(pid)}")

    def figures(self):
        total = sum(self.count[name] for name in ("as planned", "ended by a kill"))
        return (f"seed {self.seed}: {total} connections, {self.count['bytes']} bytes; "
                f"{dict(self.count)}; events: {dict(self.events)}; longest until served again: {dict(self.longest)}")

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure is not None:
            self._say(self.figures())
            for station in self.stations.values():
                self._say(f"{station.name} wrote: {station.serve.stderr[-3000:]}")
                if logs := os.environ.get("UVRELAY_CHAOS_LOGS"):
                    pathlib.Path(logs, f"{station.name}.log").write_text(station.serve.stderr)
        try:
            if failure is None:
                for station in self.stations.values():
                    station.end()
                for worker in self.workers.values():
                    worker.end()
        finally:
            for one in self.lanes:
                one.end()
            for station in self.stations.values():
                station.end_all()
            self._closers.close()

    def port(self):
        port = Port()
        self._closers.callback(port.close)
        return port.number


def lanes(routes, opens):
    """The lanes of a client: [(station's name, how many open at a time, class of size)]."""
    return [{"open": count, "class": size_class,
             "routes": [[name, route.address, route.echo or "plan"] for name, route in routes.items()
                        if f"serve {station}" in route.way]} for station, count, size_class in opens]


def linux_run(seed, directory, opens=6, say=print):
    """Three stations: one that is never killed, one that is, and one with a slow carrier; two processes of clients,
    and two of targets; all kinds of sockets on all sides, through a far end and without."""
    run = Run(seed, say)
    return begun(run, lambda: _add_linux(run, directory, opens))


def begun(run, add):
    """The run, to which this has added all there is, or nothing that stays."""
    try:
        add()
    except BaseException as failure:
        run.__exit__(type(failure))
        raise
    return run


def _add_linux(run, directory, opens):
    targets = {}
    for number in (1, 2):
        name = f"target {number}"
        listen = [("unix", f"{directory}/target{number}"), ("abstract", unique_name("chaos")), ("tcp", run.port())]
        run.workers[name] = Worker(run, name, lambda life, listen=listen: {
            "role": "targets", "seed": run.seed, "limit": SILENT, "listen": [[*one, "plan"] for one in listen]})
        targets.update({(kind, number): address(kind, where) for kind, where in listen})
    kinds = ["unix", "abstract", "tcp"]
    for station in "ABC":
        routes = {}
        for place, listener in enumerate(kinds):
            for turn, target in enumerate(kinds):
                for far in (False, True):
                    if station == "C" and not (far and (place + turn) % 3 == 0):
                        continue
                    number = 1 + (place + turn + far) % 2
                    where = address(listener, {"unix": f"{directory}/{station}{place}{turn}{int(far)}",
                                               "abstract": unique_name("chaos")}.get(listener) or run.port())
                    name = f"{station} {listener}->{'via:' * far}{target}"
                    way = (f"serve {station}", f"target {number}", *([f"far {station}"] if far else []))
                    routes[name] = (judge.Route(listener, target, way, where),
                                    f"{where}={'via:' * far}{targets[target, number]}")
        via = None
        if station == "A":
            run.survivors.add("serve A")
        if station == "C":
            via = [sys.executable, "-S", str(HERE / "carrier.py"), "20000", *MUX]
        run.stations[f"serve {station}"] = LinuxStation(run, f"serve {station}", routes, via)
        run.routes.update({name: route for name, (route, _) in routes.items()})
    for number in (1, 2):
        name = f"client {number}"
        run.workers[name] = Worker(run, name, lambda life, number=number: {
            "role": "clients", "seed": run.seed, "limit": SILENT, "first": first_number(number, life),
            "lanes": lanes(run.routes, [("A", opens, plans.FAST), ("B", opens, plans.FAST), ("C", 2, plans.SLOW)])})


def address(kind, where):
    return {"unix": f"unix://{where}", "abstract": f"abstract:{where}", "tcp": f"tcp://127.0.0.1:{where}"}[kind]

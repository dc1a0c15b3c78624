"""The figures of relays between Unix sockets and TCP ports, each beside the peers that do the same."""
import functools
import re
import subprocess

from measuring import ROUNDS, in_turn
from relays import Failed, Missing, find, held, most_connections

PEERS = ("HAProxy", "nginx", "raw epoll")
SPLICE = "HAProxy splice"


class Run:
    """What a figure is given: the place, the rows, the clock, and how thorough to be."""

    def __init__(self, place, rows, clock, options):
        self.place, self.rows, self.clock, self.options, self.quick = place, rows, clock, options, options.quick
        self.seconds = options.seconds or (0.15 if options.quick else 0.5)
        self.rounds = options.rounds or ROUNDS

    @functools.cache
    def available(self, name):
        """Whether this relay can be started; says so once if it can't."""
        try:
            self.place.relay(name, fresh=True).stop()
        except Missing as missing:
            print(f"left out: {name}: {missing}", flush=True)
            return False
        return True

    def peers(self, *names):
        names = [*self.place.programs.others, *names]
        return [name for name in dict.fromkeys(names) if self.available(name)]

    def beside(self, names, take, rounds=None, first="uvrelay"):
        """Measures uvrelay and these in turn; `take` gets a name."""
        return in_turn({name: functools.partial(take, name) for name in (first, *names)}, rounds or self.rounds, self.clock)

    def compare(self, figures, what, key, unit, goals=None, ours="uvrelay", rounds=None, exact=False):
        """Adds a row for each that uvrelay is compared with. `goals` gives the goal beside a peer by its name."""
        for name, values in figures.items():
            if name != ours and key in values:
                self.rows.add(what, name, figures[ours][key], values[key], unit, (goals or {}).get(name),
                              rounds or self.rounds, exact)


# What a connection costs, counted with tools that noise cannot fool.

def strace(log):
    return [find("strace"), "-I", "2", "-f", "-qq", "-c", "-o", log]  # -I 2: it can be ended, too


def calls_in(log):
    rows = [line.split() for line in log.read_text().splitlines() if re.match(r" *[0-9.]+ ", line)]
    if not rows:
        raise Failed("strace counted nothing")
    return sum(int(row[3]) for row in rows if row[-1] != "total")


def cachegrind(log):
    return [find("valgrind"), "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={log}"]


def instructions_in(log):
    found = re.findall(r"I +refs: +([\d,]+)", log.read_text())
    if not found:
        raise Failed(f"valgrind counted nothing: {log.read_text()[-500:]}")
    return sum(int(count.replace(",", "")) for count in found)  # also of the processes that it has started


def counted(run, tool, read, relay, at_once, count, route="ut"):
    """What a tool counts for one connection: the difference between two runs, of which one has `count`
    connections more."""
    totals = []
    for connections in (128, 128 + count):
        log = run.place.directory / "counted"
        log.unlink(missing_ok=True)
        running = run.place.relay(relay, [route], tool=tool(log))
        running.load("connect", route, at_once, operations=connections)
        running.stop()
        totals.append(read(log))
    return (totals[1] - totals[0]) / count


def calls(run):
    """system calls for a connection, one after another, Unix to TCP (strace)"""
    figures = run.beside(run.peers(*PEERS), lambda name: {"calls": counted(run, strace, calls_in, name, 1, 400)}, rounds=1)
    run.compare(figures, "system calls for a connection, ut", "calls", "calls",
                {name: "uvrelay <= 24" for name in PEERS}, rounds=1, exact=True)


def instructions(run):
    """user instructions for a connection, 64 at once, Unix to TCP (valgrind)"""
    figures = run.beside(run.peers(*PEERS), lambda name: {"count": counted(run, cachegrind, instructions_in, name, 64, 2000)},
                         rounds=1)
    run.compare(figures, "user instructions for a connection, 64 at once, ut", "count", "instructions",
                {name: "uvrelay <= 10000" for name in PEERS}, rounds=1, exact=True)


# What a connection costs, in time.

def connect(run, at_once, routes):
    name_of = "one after another" if at_once == 1 else f"{at_once} at once"
    for route in routes:
        figures = run.beside(run.peers(*PEERS, *(("socat", "systemd-socket-proxyd") if at_once == 1 and not run.quick else ())),
                             lambda name: run.place.relay(name).load("connect", route, at_once, run.seconds))
        what = f"new connections, {name_of}, {route}"
        run.compare(figures, what, "rate", "1/s", {"HAProxy": "ratio >= 1.0"})
        run.compare(figures, f"CPU for a connection, {name_of}, {route}", "cpu", "us", {"HAProxy": "ratio <= 1.0"})
        if at_once > 1:
            run.compare(figures, f"p99 of a connection, {name_of}, {route}", "p99_us", "us", {"HAProxy": "ratio <= 1.0"})


def connect_serial(run):
    """new connections a second, and CPU for each, one after another"""
    connect(run, 1, ("ut",) if run.quick else ("uu", "ut", "tu"))


def connect_many(run):
    """new connections a second, CPU for each, and the 99th percentile of their times, 64 at once"""
    connect(run, 64, ("ut",) if run.quick else ("uu", "ut", "tu"))


# Memory.

def grown_kib(run, name, count):
    """What the relay's resident memory grows by for each connection that has had one round trip and is idle."""
    relay = run.place.relay(name, ["ut"], fresh=True)
    relay.load("connect", "ut", 1, operations=20)
    before = relay.resident_kib()
    with held(run.place, relay, "ut", count):
        grown = (relay.resident_kib() - before) / count
    relay.stop()
    return {"KiB": grown}


def memory(run):
    """resident memory of an idle connection, with 1,000 and 9,000 of them, Unix to TCP"""
    for count in (1000,) if run.quick else (1000, min(9000, most_connections())):
        figures = run.beside(run.peers(*PEERS), lambda name: grown_kib(run, name, count), rounds=1 if run.quick else 3)
        run.compare(figures, f"memory of an idle connection, {count:,} of them, ut", "KiB", "KiB",
                    {name: "uvrelay <= 2.5" for name in PEERS}, rounds=1 if run.quick else 3, exact=True)


# Bytes.

def bulk(run, count):
    # From Unix to Unix, both ways are the same.
    ways = [("uu", "down"), ("tu", "up")]
    if not run.quick:
        ways += [("ut", "down"), ("ut", "up"), ("tu", "down")]
    others = () if run.quick or count > 1 else ("socat", "systemd-socket-proxyd")
    for route, way in ways:
        figures = run.beside(run.peers(SPLICE, *PEERS, *others),
                             lambda name: run.place.relay(name).load(way, route, count, run.seconds))
        what = f"{count} connection{'s' if count > 1 else ''}, {route}, {way}"
        faster = {name: "ratio >= 1.0" for name in PEERS}
        if count > 1:
            faster[SPLICE] = "ratio >= 0.95"
        run.compare(figures, f"throughput of {what}", "MBps", "MB/s", faster)
        if route != "ut":
            run.compare(figures, f"CPU for a GB, {what}", "cpu", "s", {SPLICE: "ratio <= 1.1"})


def bulk_one(run):
    """throughput and CPU for a GB, one connection"""
    bulk(run, 1)


def bulk_many(run):
    """throughput and CPU for a GB, 8 connections"""
    bulk(run, 8)


# Round trips.

def trips(run):
    """round trips of 64 bytes, over 1 and 50 connections"""
    for count in (1, 50):
        for route in ("ut",) if run.quick else ("uu", "ut", "tu"):
            others = ("socat", "systemd-socket-proxyd") if count == 1 and not run.quick else ()
            figures = run.beside(run.peers(*PEERS, *others),
                                 lambda name: run.place.relay(name).load("trips", route, count, run.seconds))
            what = f"{count} connection{'s' if count > 1 else ''}, {route}"
            run.compare(figures, f"round trips, {what}", "rate", "1/s", {name: "ratio >= 1.0" for name in PEERS})
            if not run.quick:
                run.compare(figures, f"CPU for a round trip, {what}", "cpu", "us")


def redis_rate(run, name, pipelined):
    relay = run.place.relay(name, ["ur"])
    requests = int((20000 if pipelined == 1 else 200000) * (1 if run.quick else 3))
    command = [find("redis-benchmark"), "-s", relay.front["ur"].removeprefix("unix:"), "-c", "50", "-n", str(requests),
               "-P", str(pipelined), "-t", "get", "--csv"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    found = re.search(r'^"GET[^"]*","([\d.]+)"', result.stdout, re.M)
    if not found:
        raise Failed(f"redis-benchmark: {result.stdout} {result.stderr}")
    return {"rate": float(found[1])}


def redis(run):
    """Redis: GET by 50 clients, pipelined by 1 and by 16, Unix to TCP"""
    run.place.redis()
    for pipelined in (16,) if run.quick else (1, 16):
        figures = run.beside(run.peers(*PEERS), lambda name: redis_rate(run, name, pipelined))
        run.compare(figures, f"Redis GET by 50 clients, pipelined by {pipelined}", "rate", "1/s", {"HAProxy": "ratio >= 1.0"})


FIGURES = {"calls": calls, "instructions": instructions, "connect": connect_serial, "connect64": connect_many, "memory": memory,
           "bulk": bulk_one, "bulk8": bulk_many, "trips": trips, "redis": redis}

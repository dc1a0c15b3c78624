"""The figures of connections through one far end: beside the same without, beside a Windows program for each connection,
and how a quiet connection fares beside a busy one."""
from figures import calls_in, counted, strace
from relays import loaded

MUX, WITHOUT = "uvrelay mux", "without the mux"


def names_of(run):
    """The mux, the same build without it, and an older build's mux."""
    return {MUX: MUX, WITHOUT: "uvrelay", **{f"{name} mux": f"{name} mux" for name in run.place.programs.others}}


def beside(run, take):
    names = names_of(run)
    return run.beside(list(names)[1:], lambda name: take(run.place.relay(names[name], ["uu"])), first=MUX)


def streams(run, count):
    what = "one stream" if count == 1 else f"{count} streams"
    for way in ("down", "up"):
        figures = beside(run, lambda relay: relay.load(way, "uu", count, run.seconds, anywhere=True))
        run.compare(figures, f"throughput of {what} through a mux, {way}", "MBps", "MB/s", {WITHOUT: "ratio >= 0.6"}, ours=MUX)
        run.compare(figures, f"CPU of both ends for a GB, {what}, {way}", "cpu", "s", {WITHOUT: "ratio <= 2.5"}, ours=MUX)


def mux_stream(run):
    """one stream through a mux (Linux far end) beside the same without, each way"""
    streams(run, 1)


def mux_streams(run):
    """100 streams through a mux (Linux far end) beside the same without, each way"""
    streams(run, 100)


def mux_connect(run):
    """a new connection through a mux beside the same without, and its system calls (strace)"""
    figures = beside(run, lambda relay: relay.load("connect", "uu", 1, run.seconds))
    run.compare(figures, "new connections through a mux, one after another", "rate", "1/s", {WITHOUT: "ratio >= 0.75"}, ours=MUX)
    run.compare(figures, "CPU of both ends for a connection through a mux", "cpu", "us", ours=MUX)
    names = names_of(run)
    figures = run.beside(list(names)[1:], lambda name: {"calls": counted(run, strace, calls_in, names[name], 1, 400, "uu")}, rounds=1,
                         first=MUX)
    run.compare(figures, "system calls of both ends for a connection, mux", "calls", "calls", {WITHOUT: "uvrelay <= 50"}, ours=MUX,
                rounds=1, exact=True)


def fairness(run, name, route, far):
    """Round trips on one connection while another transfers through the same far end."""
    relay, seconds = run.place.relay(name, [route]), max(run.seconds, 0.5)  # enough round trips for their p99

    def take(way):
        if way == "unloaded":
            return relay.load("trips", route, 1, seconds, anywhere=True)
        with loaded(run.place, relay, route, way):
            return relay.load("trips", route, 1, seconds, anywhere=True)

    figures = run.beside(["down", "up"], take, first="unloaded")
    for way in ("down", "up"):
        what = f"beside a transfer {way}, {far}"
        run.rows.add(f"round trip {what}", "unloaded", figures[way]["p50_us"], figures["unloaded"]["p50_us"], "us", "ratio <= 4",
                     run.rounds)
        run.rows.add(f"p99 of a round trip {what}", "unloaded", [us / 1000 for us in figures[way]["p99_us"]],
                     [us / 1000 for us in figures["unloaded"]["p99_us"]], "ms", "uvrelay <= 10", run.rounds)


def mux_fair(run):
    """64-byte round trips beside a saturated stream (Linux far end)"""
    fairness(run, MUX, "uu", "Linux far end")


FIGURES = {"mux": mux_stream, "mux100": mux_streams, "mux-connect": mux_connect, "mux-fair": mux_fair}

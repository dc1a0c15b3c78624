"""How the cost of one connection grows with the number of those that are open: a new one, a round trip, memory. The open
ones are idle; each has had one round trip."""
from figures import PEERS
from measuring import in_turn
from relays import held, most_connections

MUX = "uvrelay wide mux"
COUNTS = (1, 10, 100, 1000, 9000)
#: Below this, what a connection takes is lost in the pages and free blocks that are there.
FEWEST_FOR_MEMORY = 100
#: What is measured: its name, its unit, and what it is compared with in rows and on plots.
COSTS = {"connect_us": ("time for a new connection", "us"), "connect_cpu": ("CPU for a new connection", "us"),
         "trip_us": ("time for a round trip", "us"), "trip_cpu": ("CPU for a round trip", "us"),
         "memory": ("memory of an idle connection", "KiB")}


def cost(run, name, route, count):
    relay = run.place.relay(name, [route], fresh=True)
    relay.load("connect", route, 1, operations=50)
    before = relay.resident_kib()
    with held(run.place, relay, route, count):
        figures = {"memory": (relay.resident_kib() - before) / count} if count >= FEWEST_FOR_MEMORY else {}
        for what in ("connect", "trips"):
            measured = relay.load(what, route, 1, run.seconds / 2)
            figures[f"{what.removesuffix('s')}_us"] = measured["p50_us"]
            figures[f"{what.removesuffix('s')}_cpu"] = measured["cpu"]
    relay.stop()
    return figures


def growth(run, subject, route, names, what):
    """Rows beside itself with one connection (for memory, with a hundred), and beside the others with as many."""
    counts = [count for count in COUNTS if count <= (1000 if run.quick else most_connections())]
    takes = {(name, count): (lambda name=name, count=count: cost(run, name, route, count))
             for count in counts for name in (subject, *names)}
    measured = in_turn(takes, run.rounds, run.clock)
    for key, (cost_of, unit) in COSTS.items():
        fewest = FEWEST_FOR_MEMORY if key == "memory" else counts[0]
        for count in counts:
            if count < fewest:
                continue
            ours = measured[subject, count][key]
            text = f"{cost_of}, {count:,} {what}"
            if count == fewest:
                run.rows.add(text, None, ours, None, unit, None, run.rounds)
            else:
                base = measured[subject, fewest][key]
                run.rows.add(text, f"with {fewest}", ours, base, unit, "ratio <= 1.3", run.rounds)
            run.rows.rows[-1].update(cost=key, count=count, of=subject)
            for name in names:
                run.rows.add(text, name, ours, measured[name, count][key], unit, None, run.rounds)
                run.rows.rows[-1].update(cost=key, count=count, of=subject)


def growth_connections(run):
    """cost with 1 to 9,000 connections open, Unix to TCP"""
    growth(run, "uvrelay", "ut", run.peers(*PEERS), "open")


def growth_streams(run):
    """cost with 1 to 9,000 streams of a mux open (Linux far end, with a larger --window-total)"""
    growth(run, MUX, "uu", [f"{name} wide mux" for name in run.place.programs.others], "streams")


FIGURES = {"growth": growth_connections, "growth-mux": growth_streams}

"""What must hold for a connection of a chaos run, given what both of its ends have seen and what was killed meanwhile.

The ends have compared each byte already: what came is a prefix of what was to come, or the end is "wrong". Here:

- Where nothing was killed and the plan cuts nothing, both ends have all bytes and an orderly end.
- Where an end cuts the connection by its plan, the other one learns of it; where both are TCP and the cut is a reset,
  it is a reset unless all had come.
- Where something on the way was killed while the connection was open, each end has ended all the same. A TCP end whose
  input was cut off by a process of uvrelay that died or lost its carrier sees a reset, and no orderly end.
- Nothing else ends a connection, and none hangs.
"""

import dataclasses

import plan as plans

#: A process that was killed may run on other processors for a moment.
MARGIN = 0.1


@dataclasses.dataclass
class Route:
    """What a connection leads through: names of processes that can be killed; and the kinds of its two ends."""

    listener: str
    target: str
    way: tuple
    address: str = ""  # where clients connect
    echo: str = ""  # "echo" or "echo-end", if the target knows no plan: see End.follow
    wine: bool = False  # a process of Wine's holds a TCP connection


class Kills:
    """What was killed, and when: from the kill until it served again."""

    def __init__(self):
        self._spans = {}

    def begin(self, name, now):
        self._spans.setdefault(name, []).append([now, None])

    def end(self, name, now):
        self._spans[name][-1][1] = now

    def hit(self, names, start, end):
        """Those of these names that were down at any moment between the two."""
        return {name for name in names for begin, until in self._spans.get(name, ())
                if begin <= end and (until is None or start <= until + MARGIN)}


def as_planned(seed, route, client, target):
    """None if the two ends have seen what they must have seen with nothing killed, else what is wrong."""
    number, size_class = client["id"], client["class"]
    plan = plans.plan(seed, number, size_class)
    up, down = plan.client.total + plans.HEADER.size, plan.target.total
    if route.echo:
        return _echo_as_planned(route, plan, up, client)
    for end in (client, target):
        if end and end["how"] in ("wrong", "hung"):
            return f"{end['role']}: {end['how']}: {end['error']}"
    cut = {role for role in ("client", "target") if getattr(plan, role).cut}
    if not cut:
        if client["how"] not in ("eof", "done") or client["received"] != down or client["sent"] != up:
            return f"the client is not through (of {up} and {down} bytes)"
        if not target or target["how"] not in ("eof", "done") or target["received"] != up or target["sent"] != down:
            return f"the target is not through (of {up} and {down} bytes)"
        return None
    if client["how"] == "refused":
        return "the client was refused"
    return _cut_as_planned(route, plan, up, down, client, target)


def _cut_as_planned(route, plan, up, down, client, target):
    cutter = "client" if plan.client.cut else "target"
    if not target or target["id"] is None:
        # It cut before its header had come through: then the target has seen nothing, or an end.
        early = cutter == "client"
        return None if early and client["how"] == "cut" else "the target has seen nothing"
    if target["received"] > client["sent"] or client["received"] > target["sent"]:
        return "more has come than was sent"
    end, other, total = (client, target, up) if cutter == "client" else (target, client, down)
    if end["how"] not in ("cut", "eof", "done"):
        return f"the {cutter} saw a failure before it cut"
    if other["how"] == "refused":
        return "refused"
    if (end["how"] == "cut" and end["error"] == "reset" and route.listener == route.target == "tcp" and
            other["how"] == "eof" and not other["error"] and other["received"] < total):
        return f"the {cutter}'s reset came as an orderly end"
    return None


def _echo_as_planned(route, plan, up, client):
    if client["how"] in ("wrong", "hung", "refused"):
        return f"client: {client['how']}: {client['error']}"
    if plan.client.cut and client["how"] == "cut":
        return None
    if client["how"] != ("done" if route.echo == "echo" else "eof") or client["received"] != up:
        return f"the echo is not whole (of {up} bytes)"
    return None


def excused(seed, route, client, target, hit):
    """None if what both ends have seen may be so after what was `hit`, else what is wrong. Either end may be missing,
    if its process was killed."""
    relay = {name for name in hit if name.startswith(("serve", "far"))}
    for end in (client, target):
        # Wine's server keeps the TCP connection of a process that is killed while an overlapped send is under way.
        if end and (end["how"] == "wrong" or end["how"] == "hung" and not (route.wine and relay)):
            return f"{end['role']}: {end['how']}: {end['error']}"
    if client and target and target["id"] is not None and (
            target["received"] > client["sent"] or client["received"] > target["sent"]):
        return "more has come than was sent"
    if route.echo or not relay or hit != relay:
        return None  # an end may have ended in order, just so
    plan = plans.plan(seed, client["id"] if client else target["id"], client["class"] if client else 0)
    for end, kind, total in ((client, route.listener, plan.target.total),
                             (target, route.target, plan.client.total + plans.HEADER.size)):
        if (end and kind == "tcp" and end["how"] == "eof" and not end["error"] and end["received"] > 0 and
                end["received"] < total and not (plan.client.cut or plan.target.cut)):
            return f"a crash came as an orderly end to the {end['role']}, after {end['received']} bytes of {total}"
    return None

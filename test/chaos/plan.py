"""What a connection of a chaos run does, determined by the run's seed and the connection's number; and the bytes it
carries.

Both ends of a connection make the same plan: the client sends the seed and the number in a header, and nothing else
passes between them. What each direction carries is a piece of one table that starts where the number says, so that a
byte that is lost, doubled, changed or from another connection is seen at its place.
"""

import collections
import random
import struct

#: Magic, seed, number, class of size.
HEADER = struct.Struct(">4sQQB")
MAGIC = b"uvCh"

#: No multiple of any buffer's size, so that a lost or doubled buffer shifts the table.
_PERIOD = 1_000_003
_TABLE = random.Random(20261127).randbytes(_PERIOD)
_TWICE = _TABLE + _TABLE

#: Sizes of the two classes: most are small, some fill each buffer on the way.
_EDGES = [0, 1, 4095, 4096, 16384, 16385, 32768, 65536, 65537]
FAST, SLOW = 0, 1


class Stream:
    """What one direction carries: first these bytes, then the table, `total` bytes in all."""

    def __init__(self, seed, number, direction, total, first=b""):
        self._first, self.total = first, total + len(first)
        self._start = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + direction * 0x94D049BB) % _PERIOD

    def piece(self, offset, count):
        """At most `count` bytes from this offset on: at least one, unless this is the end."""
        count = min(count, self.total - offset)
        if offset < len(self._first):
            return self._first[offset:offset + count]
        place = (self._start + offset - len(self._first)) % _PERIOD
        return _TWICE[place:place + min(count, _PERIOD)]

    def matches(self, offset, data):
        """Whether these bytes belong there."""
        place = 0
        while place < len(data):
            expected = self.piece(offset + place, len(data) - place)
            if not expected or data[place:place + len(expected)] != expected:
                return False
            place += len(expected)
        return True


#: What one end does. When it sends: "now", "after-end" of the other's input, "after-all" that is to come. How it ends:
#: "half" closes its output when all is sent, "close" closes altogether then, "wait" does so after the other's end.
#: `cut` is None, or ("close" or "reset", after so many bytes sent). `pace`: None, or (bytes a read, pause in seconds).
#: `idle`: seconds of silence in the middle of sending.
Side = collections.namedtuple("Side", "total sends ends cut pace idle")
Plan = collections.namedtuple("Plan", "mode client target")

#: (weight, name, the client's sends and ends, the target's sends and ends)
_MODES = [
    (30, "duplex", "now", "half", "now", "half"),
    (20, "ask", "now", "half", "after-end", "half"),
    (20, "ask-close", "now", "wait", "after-all", "close"),
    (6, "target-first", "after-end", "half", "now", "half"),
    (6, "client-closes", "now", "half", "now", "half"),
    (6, "client-resets", "now", "half", "now", "half"),
    (6, "target-closes", "now", "half", "now", "half"),
    (6, "target-resets", "now", "half", "now", "half"),
]
#: At the end of what is chosen by weight.
_ALL = sum(mode[0] for mode in _MODES)


def _size(source, size_class):
    die = source.randrange(100)
    if size_class == SLOW:
        if die < 30:
            return source.choice(_EDGES[:4])
        return source.randrange(3000 if die < 90 else 40_000)
    if die < 25:
        return source.choice(_EDGES)
    if die < 75:
        return source.randrange(3000)
    if die < 92:
        return source.randrange(65536)
    return source.randrange(300_000) if die < 99 else source.randrange(2_000_000)


def pace(total, pause):
    """How a slow reader reads that is through within about two seconds."""
    return max(1024, int(total * pause / 1.5)), pause


def _pace(source, total, size_class):
    """Now and then one is slow."""
    slow, pause = source.randrange(100) < 12, source.choice([0.01, 0.03, 0.1])
    return pace(total, pause) if slow and size_class != SLOW else None


def plan(seed, number, size_class):
    """The plan of the connection of this number."""
    source = random.Random((seed << 64) + number * 2 + size_class)
    die, place = source.randrange(_ALL), 0
    while die >= _MODES[place][0]:
        die -= _MODES[place][0]
        place += 1
    _, mode, client_sends, client_ends, target_sends, target_ends = _MODES[place]
    up, down = _size(source, size_class), _size(source, size_class)
    cut = {"client": None, "target": None}
    if mode.endswith(("closes", "resets")):
        side = mode.partition("-")[0]
        cut[side] = (mode.partition("-")[2][:-1], source.randrange(1 + (up if side == "client" else down)))
    idle = source.uniform(0.2, 2) if source.randrange(100) < 6 else 0
    return Plan(mode, Side(up, client_sends, client_ends, cut["client"], _pace(source, down, size_class), idle),
                Side(down, target_sends, target_ends, cut["target"], _pace(source, up, size_class), 0))

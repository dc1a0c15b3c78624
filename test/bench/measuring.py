"""Rounds in turn, medians, ratios and what they are worth: each figure becomes rows, which are printed and kept."""
import contextlib
import datetime
import operator
import os
import pathlib
import platform
import statistics
import time

from relays import Failed

#: A figure is called noisy if half of its rounds' ratios differ by more than this part of the median, ...
SPREAD = 0.15
#: ... or if other programs took this part of one core before it was measured.
OTHERS = 0.2
ROUNDS = 5

COMPARE = {"<=": operator.le, ">=": operator.ge}
HEAD = f"{'what':58}{'beside':22}{'uvrelay':>10}{'theirs':>10} {'unit':12}{'ratio':>7} {'half of them':>13}  {'goal':17}result"


def machine():
    """One line that says what was measured on."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    name = "unknown system"
    with contextlib.suppress(OSError):
        name = platform.freedesktop_os_release().get("PRETTY_NAME", name)
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, {name}"


def busy_seconds():
    """The processor time of the whole machine, stolen time included, without what it idled."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def taken_by_others(seconds=0.25):
    """How many cores other programs use while the bench waits."""
    before, begin = busy_seconds(), time.monotonic()
    time.sleep(seconds)
    return (busy_seconds() - before) / (time.monotonic() - begin)


class Clock:
    """The time that the run may take, so that it ends on a busy machine, too: each figure may use its share."""

    def __init__(self, seconds, figures):
        self.end, self.left = time.monotonic() + seconds, figures

    def next_figure(self):
        remaining = max(0.0, self.end - time.monotonic())
        # A figure that needs little leaves its share to those that follow.
        self.figure_end = time.monotonic() + remaining * min(1.0, 4 / max(1, self.left))
        self.left -= 1

    @property
    def over(self):
        return time.monotonic() > self.figure_end


class Rows:
    """What was measured, printed as it comes."""

    def __init__(self):
        self.rows, self.figure, self.others, self._machine = [], None, 0.0, machine()
        self._date = datetime.date.today().isoformat()

    def begin(self, figure):
        self.figure, self.others = figure, taken_by_others()

    def add(self, what, beside, ours, theirs, unit, goal=None, rounds=ROUNDS, exact=False):
        """A row: what was measured in each round, of uvrelay and of what it is compared with (or None). The goal is "ratio
        OP NUMBER" or "uvrelay OP NUMBER". `rounds` is how many there should have been. An exact figure does not depend on
        the machine's load."""
        ratios = [mine / other for mine, other in zip(ours, theirs)] if theirs and all(theirs) else []
        values = {"ratio": statistics.median(ratios) if ratios else None, "uvrelay": statistics.median(ours)}
        passed = None
        if goal:
            value, compare, limit = goal.split()
            passed = values[value] is not None and COMPARE[compare](values[value], float(limit))
        spread = quartiles(ratios or ours)
        noisy = []
        if len(ours) < rounds:
            noisy.append(f"{len(ours)} of {rounds} rounds")
        if spread[1] - spread[0] > SPREAD * statistics.median(ratios or ours):
            noisy.append("the rounds differ")
        if self.others > OTHERS and not exact:
            noisy.append(f"others took {self.others:.1f} cores")
        row = {"what": what, "beside": beside, "ours": significant(values["uvrelay"]),
               "theirs": significant(statistics.median(theirs)) if theirs else None, "unit": unit,
               "ratio": round(values["ratio"], 3) if ratios else None, "goal": goal, "pass": passed, "figure": self.figure,
               "spread": [round(edge, 3) for edge in spread] if ratios else None, "rounds": len(ours), "noisy": noisy,
               "load": round(self.others, 2), "machine": self._machine, "date": self._date}
        self.rows.append(row)
        print(text_of(row), flush=True)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    cut = statistics.quantiles(values, n=4, method="inclusive")
    return cut[0], cut[2]


def significant(value):
    """Four digits."""
    return float(f"{value:.4g}")


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def text_of(row):
    goal = row["goal"] if row["goal"] else ""
    mark = {True: "reached", False: "MISSED", None: ""}[row["pass"]]
    spread = f"{row['spread'][0]:.2f} - {row['spread'][1]:.2f}" if row["spread"] else ""
    ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
    noisy = f"  noisy: {', '.join(row['noisy'])}" if row["noisy"] else ""
    return (f"{row['what']:58}{row['beside'] or '':22}{number(row['ours']):>10}{number(row['theirs']):>10} {row['unit']:12}"
            f"{ratio:>7} {spread:>13}  {goal:17}{mark}{noisy}").rstrip()


def in_turn(takes, rounds, clock):
    """Lets each of these functions measure once in each round, by name; gives each one's figures, by name and by what they
    are. Ends before the next round if the time is over. One that fails is left out, except for the first."""
    first, order, figures = next(iter(takes)), list(takes), {name: {} for name in takes}
    for done in range(rounds):
        if done and clock.over:
            break
        for name in list(order):
            try:
                measured = takes[name]()
            except Failed as failure:
                if name == first:
                    raise
                print(f"left out: {name}: {failure}", flush=True)
                order.remove(name)
                del figures[name]
                continue
            for what, value in measured.items():
                figures[name].setdefault(what, []).append(value)
        order.append(order.pop(0))  # each comes first once, in case that helps or harms
    return figures

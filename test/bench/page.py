#!/usr/bin/env python3
"""Writes the figures of a run of the bench into docs/performance.md, between its marks, and plots how the cost grows.

    python3 test/bench/page.py [--docs=DIR] ROWS.json...      (what run.sh --json=ROWS.json has written)

Only the parts for which there are rows are replaced. DIR has the page and gets the plots, in place of docs.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GROUPS = {"connections": ("calls", "instructions", "connect", "connect64", "memory"), "transfers": ("bulk", "bulk8"),
          "round trips": ("trips", "redis"), "mux": ("mux", "mux100", "mux-connect", "mux-fair"),
          "wine": ("wine", "wine-connect", "wine-fair"), "pipes": ("pipe-down", "pipe-up", "pipe-trip", "pipe-start")}
GROWTH = {"growth": "connections", "growth-mux": "streams"}
PLOTS = (("connect_us", "new connection: µs"), ("connect_cpu", "new connection: CPU µs"), ("memory", "idle connection: KiB"),
         ("trip_us", "round trip: µs"), ("trip_cpu", "round trip: CPU µs"))
#: Readable on white and on black.
COLOURS = ("#d9480f", "#1c7ed6", "#2f9e44", "#868e96", "#ae3ec9")
GREY = "#808080"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def sign(goal):
    _, compare, limit = goal.split()
    return f"{'≤' if compare == '<=' else '≥'} {float(limit):,.10g}"


def cell(row):
    """The ratio, bold where it misses its goal, with a ~ if it is noisy."""
    if row["ratio"] is None:
        return ""
    text = f"{'~' if row['noisy'] else ''}{row['ratio']:.2f}"
    if row["goal"] and row["goal"].startswith("ratio"):
        text = text if row["pass"] else f"**{text}**"
        text += f" ({sign(row['goal'])})"
    return text


def own_cell(rows):
    """uvrelay's own figure, in the same way, and its unit."""
    row = rows[0]
    text = f"{number(row['ours'])} {row['unit'].replace('us', 'µs')}"
    absolute = [row for row in rows if row["goal"] and row["goal"].startswith("uvrelay")]
    if absolute:
        text = text if absolute[0]["pass"] else f"**{text}**"
        text += f" ({sign(absolute[0]['goal'])})"
    return text


def table(head, lines):
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(line)} |" for line in lines)])


def figures_table(rows):
    besides = list(dict.fromkeys(row["beside"] for row in rows))
    whats = {}
    for row in rows:
        whats.setdefault(row["what"], []).append(row)
    lines = []
    for what, found in whats.items():
        cells = {row["beside"]: cell(row) for row in found}
        lines.append([what, own_cell(found), *(cells.get(beside, "") for beside in besides)])
    return table(["what", "uvrelay", *besides], lines)


def machine(rows):
    row = rows[0]
    return f"Measured on {row['date']}: {row['machine']}."


def growth_table(rows):
    """uvrelay's own figures, and how the last one compares with the first."""
    counts = sorted({row["count"] for row in rows})
    costs = {}
    for row in rows:
        if row["beside"] is None or row["beside"].startswith("with "):
            costs.setdefault(row["cost"], {})[row["count"]] = row
    lines = []
    for of_count in costs.values():
        any_row = next(iter(of_count.values()))
        last = of_count[max(of_count)]
        lines.append([f"{any_row['what'].split(',')[0]}, {any_row['unit'].replace('us', 'µs')}",
                      *(number(of_count[count]["ours"]) if count in of_count else "" for count in counts), cell(last)])
    return table(["", *(f"{count:,}" for count in counts), "last / first"], lines)


def plot(rows, path):
    """One file with a small plot for each cost, and a line in it for each relay."""
    lines = {}
    for row in rows:
        own = row["beside"] is None or row["beside"].startswith("with ")
        who, value = ("uvrelay" if own else row["beside"], row["ours"] if own else row["theirs"])
        lines.setdefault(row["cost"], {}).setdefault(who, {})[row["count"]] = value
    names = list(dict.fromkeys(who for of_cost in lines.values() for who in of_cost))
    script = [f'set terminal svg size 760,420 dynamic font "sans-serif,11"', f'set output "{path}"',
              f'set border lc rgb "{GREY}"', f'set xtics textcolor rgb "{GREY}"', f'set ytics textcolor rgb "{GREY}"',
              f'set title textcolor rgb "{GREY}"', f'set key off textcolor rgb "{GREY}"', "set logscale x", "set xrange [0.8:12000]",
              'set xtics ("1" 1, "10" 10, "100" 100, "1k" 1000, "9k" 9000)', "set yrange [0:*]", "set multiplot layout 2,3"]
    for cost, title in PLOTS:
        if cost not in lines:
            continue
        parts = []
        for who, points in lines[cost].items():
            block = f"$data_{cost}_{names.index(who)}"
            script += [f"{block} << EOD", *(f"{count} {value}" for count, value in sorted(points.items())), "EOD"]
            parts.append(f'{block} with linespoints lw {2.5 if who == "uvrelay" else 1.5} pt 7 ps 0.4 lc rgb '
                         f'"{COLOURS[names.index(who) % len(COLOURS)]}" title "{who}"')
        script += [f'set title "{title}"', "plot " + ", ".join(parts)]
    # The sixth place has the names.
    script += ['set title ""', "unset border", "unset xtics", "unset ytics", "set key on center center vertical", "set yrange [0:1]",
               "plot " + ", ".join(f'2 with linespoints lw 2 pt 7 ps 0.4 lc rgb "{COLOURS[at % len(COLOURS)]}" title "{who}"'
                                   for at, who in enumerate(names)), "unset multiplot"]
    try:
        subprocess.run(["gnuplot"], input="\n".join(script), text=True, check=True)
    except FileNotFoundError:
        sys.exit("page: gnuplot is not installed: run 'sh deps/setup bench'")


def replace(page, mark, text):
    """What is between `<!-- bench: MARK -->` and `<!-- end -->`."""
    pattern = re.compile(rf"(<!-- bench: {re.escape(mark)} -->\n).*?(<!-- end -->)", re.S)
    if not pattern.search(page):
        sys.exit(f"page: the page has no <!-- bench: {mark} -->")
    return pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=pathlib.Path, default=DOCS)
    parser.add_argument("rows", nargs="+", type=pathlib.Path, metavar="ROWS.json")
    options = parser.parse_args()
    rows = []
    for path in options.rows:
        try:
            rows += json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            sys.exit(f"page: cannot read {path}: {error}")
    page_path = options.docs / "performance.md"
    page = page_path.read_text(encoding="utf-8")
    for mark, names in GROUPS.items():
        found = [row for row in rows if row["figure"] in names]
        if found:
            page = replace(page, mark, figures_table(found))
    for name, what in GROWTH.items():
        found = [row for row in rows if row["figure"] == name]
        if found:
            page = replace(page, name, growth_table(found))
            plot(found, options.docs / f"performance-{what}.svg")
    if rows:
        page = replace(page, "machine", machine(rows))
    page_path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures uvrelay beside other relays and prints a row for each figure and peer; run.sh is the usual way to start it.

A figure is the median of at least five rounds, in which all relays take turns. The ratio is uvrelay's figure divided by
the other one's, in each round; what is printed is the median of these ratios and the range in which half of them lie. A
goal says what the ratio, or uvrelay's figure itself, should be. A figure is noisy if its rounds differ much, or if other
programs were using the processor.
"""
import argparse
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import figures
import figures_growth
import figures_mux
import figures_wine
import measuring
from relays import ROOT, Failed, Missing, Place

FIGURES = {**figures.FIGURES, **figures_mux.FIGURES, **figures_wine.FIGURES,
           **figures_growth.FIGURES}
#: What needs the Windows programs as well.
WINDOWS = set(figures_wine.FIGURES)
#: Seconds that a run may take, however busy the machine is.
MOST, MOST_QUICK = 18 * 60, 140


class Programs:
    """What is measured, and the programs that measure."""

    def __init__(self, options):
        build = pathlib.Path(options.build).resolve() if options.build else ROOT / "build/linux"
        self.bench = build / "bench"
        self.uvrelay = pathlib.Path(options.uvrelay).resolve() if options.uvrelay else build / "uvrelay"
        self.others = {"uvrelay before": pathlib.Path(options.before).resolve()} if options.before else {}
        windows = build.parent / "windows"
        self.windows, self.windows_bench = pathlib.Path(options.windows or windows / "uvrelay.exe").resolve(), windows / "bench"
        self.npiperelay = pathlib.Path(options.npiperelay).resolve() if options.npiperelay else None
        for program in (self.npiperelay,) if self.npiperelay else ():
            if not os.access(program, os.R_OK):
                raise Missing(f"{program} does not exist")
        for program in (self.uvrelay, self.bench / "load_unix", *self.others.values()):
            if not os.access(program, os.X_OK):
                raise Missing(f"{program} does not exist or is not a program")


def choose(only, growth):
    usual = figures_growth.FIGURES if growth else [name for name in FIGURES if name not in figures_growth.FIGURES]
    names = usual if only is None else only.split(",")
    for name in names:
        if name not in FIGURES:
            sys.exit(f"bench: unknown figure {name!r}: choose from {', '.join(FIGURES)}")
    return list(names)


def prepare(names):
    """Installs and builds what these figures need."""
    subprocess.run(["sh", str(ROOT / "deps/setup"), "bench"], check=True)
    targets = {"linux": ["uvrelay", "bench_load_unix", "bench_target_unix", "bench_raw_relay_unix"]}
    if WINDOWS & set(names):
        targets["windows"] = ["uvrelay", "bench_pipe_end_win", "bench_plain_copy_win"]
    log = ROOT / "build/bench/build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for preset, wanted in targets.items():
        for command in (["cmake", "--preset", preset, "-D", "CMAKE_BUILD_TYPE=Release"],
                        ["cmake", "--build", "--preset", preset, "--target", *wanted]):
            with open(log, "w", encoding="utf-8") as out:
                if subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False).returncode:
                    sys.exit(f"bench: {' '.join(command)} failed: see {log}")


def directory():
    """A new one below build/bench, or, where that makes the names of sockets too long, where temporary files are."""
    base = ROOT / "build/bench"
    base.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="run-", dir=base if len(str(base)) < 50 else None)


def positive(text):
    value = float(text)
    if not 0 < value < 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def arguments():
    parser = argparse.ArgumentParser(prog="test/bench/run.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer figures and shorter rounds: less than three minutes")
    parser.add_argument("--only", metavar="NAME[,NAME]", help="measure only these figures")
    parser.add_argument("--growth", action="store_true", help="measure only how the cost grows with the number of connections")
    parser.add_argument("--list", action="store_true", help="list the figures")
    parser.add_argument("--json", metavar="FILE", help="write the rows to this file as well")
    parser.add_argument("--rounds", type=lambda text: int(positive(text)), metavar="N",
                        help=f"how many rounds ({measuring.ROUNDS})")
    parser.add_argument("--seconds", type=positive, metavar="S", help="how long each load lasts (0.5; with --quick, 0.15)")
    parser.add_argument("--uvrelay", metavar="PROGRAM", help="measure this program instead of the one that is built")
    parser.add_argument("--windows", metavar="PROGRAM.exe", help="the same for the Windows program")
    parser.add_argument("--npiperelay", metavar="PATH", default=os.environ.get("UVRELAY_NPIPERELAY"),
                        help="compare with this npiperelay.exe (default: $UVRELAY_NPIPERELAY)")
    parser.add_argument("--before", metavar="PROGRAM", help="compare with this older uvrelay as well")
    parser.add_argument("--build", metavar="DIR", help="install and build nothing: use the programs in DIR, such "
                        "as build/linux, those for Windows in DIR/../windows, and the relays that are there")
    return parser.parse_args()


def measure(names, options):
    rows, clock = measuring.Rows(), measuring.Clock(MOST_QUICK if options.quick else MOST, len(names))
    print(f"{measuring.machine()}; load average {os.getloadavg()[0]:.1f}")
    print(measuring.HEAD, flush=True)
    failed = []
    with directory() as path, Place(path, Programs(options)) as place:
        run = figures.Run(place, rows, clock, options)
        for name in names:
            clock.next_figure()
            rows.begin(name)
            try:
                FIGURES[name](run)
            except Missing as missing:
                print(f"left out: {name}: {missing}", flush=True)
            except (Failed, OSError, subprocess.TimeoutExpired) as failure:
                failed.append(name)
                print(f"failed: {name}: {failure}", flush=True)
    return rows.rows, failed


def summarize(rows, failed, seconds):
    judged = [row for row in rows if row["pass"] is not None]
    noisy = sorted({row["figure"] for row in rows if row["noisy"]}, key=list(FIGURES).index)
    print(f"\n{len(rows)} rows in {seconds:.0f} s; {sum(row['pass'] for row in judged)} of {len(judged)} goals reached")
    if noisy:
        print(f"noisy figures, to be measured again on a quiet machine: {', '.join(noisy)}")
    if failed:
        print(f"failed: {', '.join(failed)}")


def main():
    options = arguments()
    names = choose(options.only, options.growth)
    if options.list:
        for name in FIGURES:
            print(f"{name:14}{FIGURES[name].__doc__}")
        return 0
    if options.json and not pathlib.Path(options.json).resolve().parent.is_dir():
        sys.exit(f"bench: cannot write {options.json}: its directory does not exist")
    # For what it starts, too: not all of it raises its own limit.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    try:
        if not options.build:
            prepare(names)
        rows, failed = measure(names, options)
    except (Missing, Failed, OSError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    summarize(rows, failed, time.monotonic() - begin)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs a chaos by hand, for as long as wanted: see CONTRIBUTING.md.

    chaos.py [--seed=N] [--chapters=N] [--seconds=N] [--pause=SECONDS] [--open=N] [--windows]

Each chapter takes `seconds`, and somewhat more until all that is open has ended. The seed is printed first; with the
same seed, the plan is the same. The exit status is 0 if nothing was found.
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def settings(options):
    """What CMake sets for the tests, unless it is set."""
    build = pathlib.Path(os.environ.get("UVRELAY_BUILD", ROOT / "build" / ("windows" if options.windows else "linux")))
    os.environ.setdefault("UVRELAY_BUILD", str(build))
    os.environ.setdefault("UVRELAY", str((ROOT / "build/linux" if options.windows else build) / "uvrelay"))
    os.environ.setdefault("UVRELAY_EXE", str(build / "uvrelay.exe"))
    os.environ.setdefault("UVRELAY_PEERS", str(build / "peers"))
    os.environ.setdefault("UVRELAY_RUN_EXE", "wine")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--chapters", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--pause", type=float, default=1, help="mean seconds between events")
    parser.add_argument("--open", type=int, default=6, help="connections at a time, of each client and station")
    parser.add_argument("--windows", action="store_true", help="the Windows program under Wine")
    options = parser.parse_args()
    settings(options)
    sys.path[:0] = [str(ROOT / "test" / "lib"), str(ROOT / "test" / "chaos")]
    import driver

    def say(text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="uvrelay-chaos-") as directory:
        say(f"seed {options.seed}")
        make = driver.linux_run
        if options.windows:
            import windows
            make = windows.windows_run
        with make(options.seed, directory, options.open, say) as run:
            run.whole(options.chapters, options.seconds, options.pause, hangs=True)
    say("nothing was found")


if __name__ == "__main__":
    main()

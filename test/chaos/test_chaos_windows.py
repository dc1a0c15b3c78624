"""Some seconds of chaos with the Windows program and its pipes: see windows.py. The seed is printed;
UVRELAY_TEST_SEED sets it."""

import os
import time

import windows

SEED = int(os.environ.get("UVRELAY_TEST_SEED", time.time_ns() % 1_000_000))


def test_chaos(tmp_path):
    print("seed", SEED)
    with windows.windows_run(SEED, tmp_path, 2) as run:
        run.whole(2, 8, 0.4)
        assert sum(run.events.values()) > 10, run.events

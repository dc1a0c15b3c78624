"""What a chunk, a round trip, a connection and their like may cost: budgets for instructions, allocations and system
calls, which a busy machine does not change, and for the memory of an idle connection.

The budgets are about 10 % above what was counted. `python3 test/lib/counting.py` prints what is counted now, with --detail
which calls and functions it consists of, and with --budgets the table below as it would be now. A change that costs less
lowers its row; one that costs more says why in its commit."""

import pathlib
import subprocess

import pytest
from counting import MEASURES, Counts, idle_bytes, measure
from programs import setting

#: For one of each: on the way from a client to its target, where no direction is named.
BUDGETS = {
    # what: user instructions, calls of malloc and the like, system calls
    "chunk uu": Counts(1550, 0, 3.3),  # 64 KiB from a Unix socket to a Unix socket
    "chunk tu": Counts(1550, 0, 3.3),  # 64 KiB from a port to a Unix socket
    "stream uu": Counts(900, 0, 1.8),  # 64 KiB of a transfer whose sender is faster than the relay
    "stream tu": Counts(900, 0, 1.8),
    "chunk mux": Counts(10000, 0, 16.0),  # 64 KiB over a mux; both ends together, as in each row of a mux
    "chunk back mux": Counts(10000, 0, 16.0),  # the same from the target to the client
    "round trip uu": Counts(2800, 0, 6.6),  # 64 bytes and an answer of 64 bytes
    "round trip mux": Counts(10000, 0, 13.2),
    "connection uu": Counts(14600, 7.7, 26.4),  # it connects, a round trip, the client ends, the target ends
    "connection ut": Counts(15800, 7.7, 30.8),  # to a port
    "connection tu": Counts(15600, 7.7, 29.7),  # from a port
    "connection mux": Counts(46500, 19.8, 45.1),
}

#: Bytes of memory for an idle connection, at so many of them.
IDLE_BUDGETS = {1000: 2560, 9000: 2560}

pytestmark = pytest.mark.skipif(pathlib.Path(setting("UVRELAY_BUILD")).name != "linux",
                                reason="the budgets are those of the release that gcc builds")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    log = tmp_path_factory.mktemp("strace") / "log"
    tried = subprocess.run(["strace", "-D", "-o", log, "true"], capture_output=True, text=True)
    if tried.returncode != 0 or not log.read_text().endswith("+++ exited with 0 +++\n"):
        pytest.skip(f"this machine does not allow processes to be traced: {tried.stderr}")
    return measure()


def test_each_count_has_a_budget():
    assert BUDGETS.keys() == MEASURES.keys()


@pytest.mark.parametrize("what", BUDGETS)
def test_costs_no_more_than_its_budget(measured, what):
    found, budget = measured[what].counts, BUDGETS[what]
    print(what, found, "of", budget)
    for kind in Counts._fields:
        count, most = getattr(found, kind), getattr(budget, kind)
        assert count <= most, f"{what}: {count:g} {kind}, of {most:g}: {measured[what].detail(kind)}"


@pytest.mark.parametrize("what", [what for what in BUDGETS if "chunk" in what or "stream" in what])
def test_a_chunk_on_the_hot_path_allocates_nothing(measured, what):
    """Not even once in a while."""
    assert measured["connection uu"].counts.allocations > 0, "allocations are not seen"
    assert measured[what].samples["allocations"] and not any(measured[what].samples["allocations"])


@pytest.mark.parametrize("count", IDLE_BUDGETS)
def test_an_idle_connection_takes_no_more_memory_than_its_budget(count):
    """In the program, from a Unix socket to a port: nothing of what made the connection stays, and no buffer."""
    each = idle_bytes(count)
    print(f"{each:.0f} bytes an idle connection, at {count}, of {IDLE_BUDGETS[count]}")
    assert each <= IDLE_BUDGETS[count]

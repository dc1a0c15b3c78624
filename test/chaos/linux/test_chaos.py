"""Some seconds of chaos over all kinds of sockets, and that it finds faults: see driver.py. The seed is printed;
UVRELAY_TEST_SEED sets it."""

import os
import time

import pytest

import driver
import judge
import plan as plans
from serving import SANITIZED

pytestmark = pytest.mark.sanitized

SEED = int(os.environ.get("UVRELAY_TEST_SEED", time.time_ns() % 1_000_000))
SECONDS, OPEN = (7, 2) if SANITIZED else (10, 3)


@pytest.mark.flaky(reruns=0)
def test_chaos(tmp_path):
    print("seed", SEED)
    with driver.linux_run(SEED, tmp_path, OPEN) as run:
        run.whole(2, SECONDS, 0.4)
        assert sum(run.events.values()) > 10, run.events


# ---- the judge ----

WAY = ("serve A", "target 1")
ROUTE = judge.Route("tcp", "tcp", WAY)


def a_plan(mode):
    """The number of a connection of this mode, with bytes both ways; and its plan."""
    for number in range(1, 10_000):
        plan = plans.plan(1, number, plans.FAST)
        if plan.mode == mode and min(plan.client.total, plan.target.total) > 100 and (
                not mode.startswith("client-") or plan.client.cut[1] > 100):
            return number, plan
    raise AssertionError(mode)


def seen(mode, **changes):
    """What both ends see of an orderly connection of this mode."""
    number, plan = a_plan(mode)
    up, down = plan.client.total + plans.HEADER.size, plan.target.total
    common = {"id": number, "class": plans.FAST, "how": "eof", "error": None, "start": 1.0, "end": 2.0}
    client = {**common, "role": "client", "sent": up, "received": down}
    target = {**common, "role": "target", "sent": down, "received": up}
    for name, value in changes.items():
        role, _, member = name.partition("_")
        {"client": client, "target": target}[role][member] = value
    return client, target


@pytest.mark.parametrize("mode", ["duplex", "ask", "ask-close", "target-first"])
def test_the_judge_sees_what_is_not_whole(mode):
    assert judge.as_planned(1, ROUTE, *seen(mode)) is None
    for changes in ({"client_received": 5}, {"target_received": 5}, {"client_how": "reset"}, {"target_how": "reset"},
                    {"client_how": "wrong"}, {"target_how": "hung"}, {"client_how": "refused"}):
        assert judge.as_planned(1, ROUTE, *seen(mode, **changes)), changes
    assert judge.as_planned(1, ROUTE, seen(mode)[0], None)


def test_the_judge_sees_a_reset_that_became_an_end():
    number, plan = a_plan("client-resets")
    cut = {"client_how": "cut", "client_error": "reset", "client_sent": plan.client.cut[1], "target_received": 50}
    assert judge.as_planned(1, ROUTE, *seen("client-resets", **cut, target_how="reset", client_received=0)) is None
    assert judge.as_planned(1, ROUTE, *seen("client-resets", **cut, client_received=0))


def test_the_judge_excuses_only_what_a_kill_explains():
    kills = judge.Kills()
    kills.begin("serve A", 1.5)
    kills.end("serve A", 1.7)
    assert kills.hit(WAY, 1.0, 2.0) == {"serve A"} and not kills.hit(WAY, 2.0, 3.0) and not kills.hit(("x",), 1.0, 2.0)
    cut = {"client_received": 50, "target_how": "reset"}
    assert judge.excused(1, ROUTE, *seen("duplex", **cut), {"serve A"})
    assert judge.excused(1, ROUTE, *seen("duplex", **cut, client_how="reset"), {"serve A"}) is None
    assert judge.excused(1, ROUTE, *seen("duplex", client_how="wrong"), {"serve A"})
    assert judge.excused(1, ROUTE, *seen("duplex", client_how="hung"), {"serve A"})


def test_a_byte_that_is_lost_doubled_or_changed_shows():
    stream = plans.Stream(1, 2, 0, 3_000_000, b"head")
    whole = b"".join(iter_pieces(stream))
    assert len(whole) == 3_000_004 and stream.matches(0, whole)
    for place in (0, 3, 4, 65_536, 2_999_999):
        assert not stream.matches(0, whole[:place] + whole[place + 1:])
        assert not stream.matches(0, whole[:place] + whole[place:place + 1] + whole[place:-1])
        assert not stream.matches(0, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
    assert not stream.matches(0, whole[:65_536] * 2) and not stream.matches(0, whole + b"x")


def iter_pieces(stream):
    place = 0
    while place < stream.total:
        piece = stream.piece(place, 100_000)
        place += len(piece)
        yield piece

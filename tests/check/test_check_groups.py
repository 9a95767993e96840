"""What groups of miners may back, on problems made for one question each."""

from dataclasses import replace

import numpy as np
import pytest
from check_cases import DOWN, SYMMETRIC, UP, at, flat, horizon, whole, with_money

from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.check import audit
from scheduler.markets.block import Award, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.plan import Backing, BlockPlan, MarketPlan, Plan, SitePlan
from scheduler.problem import Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response

COUNT = 4
LONG = 8
HIGH, MID, LOW = (Mode(name, ModeKind.MINING, watt) for name, watt in (("high", 3000), ("mid", 2000), ("low", 1000)))
OFF = Mode("off", ModeKind.OFF, 0)
PAIRS = [(a, b) for a in ("high", "mid", "low", "off") for b in ("high", "mid", "low", "off") if a != b]


def product(direction, seconds, response=Response.SIGNAL):
    return Product(direction, seconds, 15, response, 1, 1, Pricing.AS_BID, shortest_call_minutes=15)


def audit_backing(group, moved, backing):
    """Rules broken when machines make ``moved`` and back ``(product, direction, from, to, LONG)``."""
    site = Site("s", Connection(flat(9, COUNT), flat(9, COUNT)), Tariff(flat(0, COUNT)), (group,))
    markets, plans = [EnergyMarket("power", Stage.OPEN, flat(0, COUNT))], []
    index = {mode.id: m for m, mode in enumerate(group.modes)}
    seconds = {(move.from_mode_id, move.to_mode_id): move.seconds for move in group.moves}
    moves = np.array([moved.get((move.from_mode_id, move.to_mode_id), [0] * COUNT) for move in group.moves])
    count = np.zeros((len(group.modes), COUNT), np.int64)
    for cohort in group.initial_cohorts:
        count[index[cohort.mode_id]] += cohort.count
    for move, made in zip(group.moves, moves, strict=True):
        count[index[move.from_mode_id]] -= made.cumsum()
        count[index[move.to_mode_id]] += made.cumsum()
    mw = sum(mode.power_w * count[m] for m, mode in enumerate(group.modes)) / 1e6
    for k, sold in enumerate(dict.fromkeys(item[0] for item in backing)):
        entries, held = [], np.zeros(COUNT)
        for _, direction, here, there, machines in (item for item in backing if item[0] == sold):
            step_mw = abs(group.modes[index[here]].power_w - group.modes[index[there]].power_w) / 1e6
            entries.append(Backing("g", direction, here, there, np.array(machines), step_mw * np.array(machines)))
            if direction is sold.direction.parts[0]:
                held = held + step_mw * np.array(machines)
        blocks = tuple(
            Block(f"b{t}", at(t), at(t + 1), awards=(Award("a", max(1, round(1000 * held[t])), 1),))
            for t in range(COUNT)
        )
        missing = {t: {"a": np.eye(COUNT)[t] * (block.awarded_kw / 1000 - held[t])} for t, block in enumerate(blocks)}
        markets.append(ReserveMarket(f"k{k}", Stage.CLEARED, sold, blocks))
        block_plans = tuple(BlockPlan(b.id, 0, b.awarded_kw, {}, missing[t]) for t, b in enumerate(blocks))
        plans.append(MarketPlan(f"k{k}", None, block_plans, tuple(entries)))
    problem = Problem(horizon(COUNT), "EUR", Mining(flat(0, COUNT)), (site,), tuple(markets)).validated()
    assert seconds
    own = MinerGroupPlan("g", mw, count, moves, flat(0, COUNT))
    plan = Plan((SitePlan("s", mw, (own,)),), (MarketPlan("power", mw), *plans), (), 0.0)
    found = {violation.rule for violation in audit(problem, with_money(problem, plan)).violations}
    assert ("ladder_pair" not in found) or "assignment" in found, "what two products clash in, all do"
    found.discard("ladder_pair")
    return found - {"power", "balance", "position"} if any(seconds.values()) else found


def group(machines, *cohorts, modes=(HIGH, MID, LOW, OFF), seconds=0.0, times=None, **more):
    moves = tuple(Move(a, b, (times or {}).get((a, b), seconds)) for a, b in PAIRS)
    return MinerGroup("g", machines, modes, moves, cohorts, **more)


FAST, SLOW = product(SYMMETRIC, 30), product(UP, 300)


@pytest.mark.parametrize(
    ("up", "down", "more_up", "fits"),
    [
        (10, 10, 0, True),
        (10, 10, 1, False),
        (6, 10, 4, True),
        (11, 11, 0, False),
        (6, 6, 4, True),
        (6, 6, 5, False),
    ],
)
def test_a_machine_has_one_move_per_direction(up, down, more_up, fits):
    """10 machines in mid: a symmetric product takes both directions of one, another up product its own."""
    backing = [
        (FAST, UP, "mid", "low", [up] * COUNT),
        (FAST, DOWN, "mid", "high", [down] * COUNT),
        (SLOW, UP, "mid", "off", [more_up] * COUNT),
    ]
    found = audit_backing(group(10, Cohort("mid", 10, 600)), {}, backing)
    assert found - {"held"} == (set() if fits else {"assignment"})


@pytest.mark.parametrize(("dwell_minutes", "fits"), [(0, True), (0.5, True), (0.6, False)])
def test_both_directions_need_dwells_within_the_smaller_time(dwell_minutes, fits):
    """5 machines back up in 300 s and down in 30 s at once: not where up leads to a longer dwell."""
    modes = (replace(LOW, id="high", power_w=3000), MID, replace(LOW, dwell_minutes=dwell_minutes), OFF)
    down = product(DOWN, 30)
    backing = [(SLOW, UP, "mid", "low", [5] * COUNT), (down, DOWN, "mid", "high", [5] * COUNT)]
    found = audit_backing(group(5, Cohort("mid", 5, 600), modes=modes), {}, backing)
    assert found == (set() if fits else {"assignment"})
    assert audit_backing(group(10, Cohort("mid", 10, 600), modes=modes), {}, backing) == set()


@pytest.mark.parametrize(
    ("full_activation_seconds", "first"),
    [(100, 3), (300, 2), (301, 2), (1199, 2), (1201, 1), (2100, 1)],
)
def test_a_running_move_bars_until_both_fit(full_activation_seconds, first):
    """Entered at 1 by a move of 1200 s, interval 900 s; backs a move of 1 s when it and the rest fit.

    At 1 are 1200 s left, at 2 are 300, at 3 none: 300 s and 301 s differ by the second of the move itself.
    """
    machines = group(1, Cohort("off", 1, 600), times={("off", "mid"): 1200}, seconds=1)
    for interval in (1, 2, 3):
        sold = product(UP, full_activation_seconds, Response.CALLED)
        backing = [(sold, UP, "mid", "low", list(np.eye(COUNT, dtype=int)[interval]))]
        found = audit_backing(machines, {("off", "mid"): [0, 1, 0, 0]}, backing)
        first_here = 3 if full_activation_seconds == 300 else first
        assert found == (set() if interval >= first_here else {"assignment"}), interval


def test_a_cohort_in_transit_backs_what_leaves_it_time():
    machines = group(4, Cohort("mid", 3, 600), Cohort("mid", 1, 5, seconds_until_settled=1000))
    for seconds, fits in ((100, [3, 4, 4, 4]), (1000, [4, 4, 4, 4])):
        sold = product(UP, seconds)
        assert audit_backing(machines, {}, [(sold, UP, "mid", "low", fits)]) == set()
        assert audit_backing(machines, {}, [(sold, UP, "mid", "low", [fits[0] + 1, 4, 4, 4])]) == {"assignment"}
    assert audit_backing(machines, {}, [(product(UP, 100), UP, "mid", "low", [3, 5, 4, 4])]) == {"assignment"}


@pytest.mark.parametrize(
    ("minutes_since", "free"), [(0, [0, 0, 1, 1]), (10, [0, 0, 1, 1]), (15, [0, 1, 1, 1]), (30, [1] * 4)]
)
def test_a_machine_whose_dwell_runs_backs_nothing(minutes_since, free):
    modes = (HIGH, replace(MID, dwell_minutes=30), LOW, OFF)
    sold = product(UP, 1800, Response.CALLED)
    machines = group(1, Cohort("mid", 1, minutes_since), modes=modes)
    assert audit_backing(machines, {}, [(sold, UP, "mid", "low", free)]) == set()
    for t in range(COUNT):
        one = list(np.eye(COUNT, dtype=int)[t])
        assert audit_backing(machines, {}, [(sold, UP, "mid", "low", one)]) == (set() if free[t] else {"assignment"})


def test_machines_that_are_not_available_back_nothing():
    """10 in off, 4 of them not available: 6 may wake."""
    sold = product(DOWN, 30)
    machines = group(10, Cohort("off", 10, 600), available_count=whole(10, 6, 6, 6))
    assert audit_backing(machines, {}, [(sold, DOWN, "off", "low", [10, 6, 6, 6])]) == set()
    assert audit_backing(machines, {}, [(sold, DOWN, "off", "low", [10, 7, 6, 6])]) == {"assignment"}


def test_machines_that_enter_maintenance_are_those_whose_dwell_runs():
    """6 are in off for long; 4 enter it at 1, when 4 are not available: they are the ones, and 6 may wake."""
    sold = product(DOWN, 1800, Response.CALLED)
    modes = (HIGH, MID, LOW, replace(OFF, dwell_minutes=30))
    machines = group(10, Cohort("off", 6, 600), Cohort("mid", 4, 600), modes=modes, available_count=whole(10, 6, 6, 6))
    moved = {("mid", "off"): [0, 4, 0, 0]}
    assert audit_backing(machines, moved, [(sold, DOWN, "off", "low", [6] * 4)]) == set()
    assert audit_backing(machines, moved, [(sold, DOWN, "off", "low", [6, 7, 6, 6])]) == {"assignment"}
    assert audit_backing(machines, moved, []) == set()


# Locks


def one_group(group, moves, modes):
    """A problem of one group on an unlimited connection, and a plan of these moves."""
    site = Site("site", Connection(flat(np.inf, LONG), flat(0, LONG)), Tariff(flat(0, LONG)), (group,))
    market = EnergyMarket("power", Stage.OPEN, flat(0, LONG))
    problem = Problem(horizon(LONG), "EUR", Mining(flat(24, LONG)), (site,), (market,)).validated()
    own = MinerGroupPlan(group.id, flat(0, LONG), modes, moves, flat(0, LONG))
    return problem, Plan((SitePlan("site", flat(0, LONG), (own,)),), (), (), 0.0)


def locked_intervals(dwell_minutes, seconds, cohort=None):
    """Intervals in which machines that entered ``on`` at 1 may not leave it again, found by trying."""
    group = MinerGroup(
        "g",
        1,
        (Mode("off", ModeKind.OFF, 0), Mode("on", ModeKind.MINING, 1000, 100, dwell_minutes)),
        (Move("off", "on", seconds), Move("on", "off")),
        (cohort or Cohort("off", 1, 600),),
    )
    locked = []
    for leave in range(0 if cohort else 2, LONG):
        into, out = np.zeros(LONG, np.int64), np.zeros(LONG, np.int64)
        into[1] = cohort is None
        out[leave] = 1
        on = (0 if cohort is None else 1) + into.cumsum() - out.cumsum()
        problem, plan = one_group(group, np.array([into, out]), np.array([1 - on, on]))
        if any(violation.rule == "locked" for violation in audit(problem, plan).violations):
            locked.append(leave)
    return locked


@pytest.mark.parametrize(
    ("dwell_minutes", "seconds", "locked"),
    [
        (0, 0, []),  # one interval at least, which is 1
        (15, 0, []),
        (15.1, 0, [2]),
        (45.0000000001, 0, [2, 3]),
        (45, 0, [2, 3]),
        (0, 900, []),
        (0, 1200, [2]),
        (30, 2000, [2, 3]),
    ],
)
def test_a_move_locks(dwell_minutes, seconds, locked):
    assert locked_intervals(dwell_minutes, seconds) == locked


@pytest.mark.parametrize(
    ("cohort", "locked"),
    [
        (Cohort("on", 1, 60), []),
        (Cohort("on", 1, 59), [0]),
        (Cohort("on", 1, 0), [0, 1, 2, 3]),
        (Cohort("on", 1, 60, 901), [0, 1]),
    ],
)
def test_a_cohort_is_locked(cohort, locked):
    assert locked_intervals(60, 0, cohort) == locked


def test_machines_of_an_illegal_round_trip_are_found_among_others():
    """5 leave at 1, of which 3 entered at 0 and 2 are free: locked by 3, whatever the sums say."""
    group = MinerGroup(
        "g",
        10,
        (Mode("off", ModeKind.OFF, 0), Mode("on", ModeKind.MINING, 1000, 100, 30)),
        (Move("off", "on"), Move("on", "off")),
        (Cohort("off", 8, 600), Cohort("on", 2, 600)),
    )
    moves = whole([3] + [0] * 7, [0, 5] + [0] * 6)
    on = 2 + moves[0].cumsum() - moves[1].cumsum()
    problem, plan = one_group(group, moves, np.array([10 - on, on]))
    found = [violation for violation in audit(problem, plan).violations if violation.rule == "locked"]
    assert [violation.amount for violation in found] == [3]
    assert found[0].field.endswith("modes[1].count[1]")

"""What must hold of every plan, whatever the problem: small random problems, each named by its seed.

Where two problems are compared, it is bound against objective: the gap then never feigns a difference. Obligations
come before money (formulation 1), so money is compared only where the same MW hours of awards are missing.
"""

from datetime import timedelta

import numpy as np
import pytest
from second_solver import assert_same_optimum
from small_problems import (
    shifted_in_time,
    shuffled,
    small_problem,
    with_finer_step,
    with_hashprice,
    with_more_capacity,
    with_more_machines,
    with_target_power_on_the_way,
)

from scheduler.check import audit
from scheduler.plan import CashKind, Plan, Schedule, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy

ROUNDING = 0.01  # the streams of a plan add up to its objective within this
ROUNDING_MW_H = 1e-5


def seeds(first: int, quick: int, thorough: int) -> list:
    """Seeds from the first on: the quick ones always, all the thorough ones with -m slow."""
    return [pytest.param(first + i, marks=[] if i < quick else [pytest.mark.slow]) for i in range(thorough)]


def planned(problem: Problem, strategy: Strategy = Strategy.FAST) -> Schedule:
    """Its schedule: make_schedule raises where a plan fails the checker; here once more with what is claimed of it."""
    options = SolveOptions(rel_gap=5e-4, abs_gap=0.1, strategy=strategy, time_limit_seconds=120.0)
    schedule = make_schedule(problem, options)
    assert schedule.solve.stop_reason in {StopReason.PROVEN, StopReason.CONFLICT}
    if schedule.plan is not None:
        assert audit(problem, schedule.plan, schedule.solve, options).violations == ()
        assert schedule.solve.bound is not None
        allowed = max(options.abs_gap, options.rel_gap * abs(schedule.plan.objective))
        assert -ROUNDING <= schedule.solve.bound - schedule.plan.objective <= allowed + ROUNDING
    return schedule


def missing_mw_h(schedule: Schedule) -> float:
    assert schedule.plan is not None
    missing = [
        mw.sum() for market in schedule.plan.markets for block in market.blocks for mw in block.missing_mw.values()
    ]
    return float(sum(missing)) * schedule.problem.horizon.step_hours


def assert_never_less(richer: Schedule, poorer: Schedule, more: float = 0.0) -> None:
    """What the richer misses is no more, and where it misses as much, it earns at least ``more`` than the poorer."""
    if poorer.plan is None:
        return
    assert richer.plan is not None, richer.no_plan_reason
    fewer = missing_mw_h(poorer) - missing_mw_h(richer)
    assert fewer >= -ROUNDING_MW_H
    if fewer <= ROUNDING_MW_H:
        assert richer.solve.bound is not None
        assert richer.solve.bound >= poorer.plan.objective + more - ROUNDING


def assert_same(one: Schedule, other: Schedule) -> None:
    assert (one.plan is None) is (other.plan is None)
    assert_never_less(one, other)
    assert_never_less(other, one)


@pytest.mark.parametrize("seed", seeds(0, 40, 300))
def test_fast_and_plain_agree(seed):
    problem = small_problem(seed)
    assert_same(planned(problem, Strategy.FAST), planned(problem, Strategy.PLAIN))


@pytest.mark.parametrize("seed", seeds(1000, 16, 100))
def test_more_machines_never_earn_less(seed):
    problem = small_problem(seed)
    assert_never_less(planned(with_more_machines(problem)), planned(problem))


@pytest.mark.parametrize("seed", seeds(2000, 16, 100))
def test_more_capacity_never_earns_less(seed):
    problem = small_problem(seed)
    assert_never_less(planned(with_more_capacity(problem)), planned(problem))


@pytest.mark.parametrize("seed", seeds(3000, 16, 100))
def test_higher_hashprice_never_earns_less(seed):
    """The same plan would earn in proportion, planned hashes and those of expected calls together."""
    problem = small_problem(seed)
    before = planned(problem)
    if before.plan is not None:
        assert_never_less(planned(with_hashprice(problem, 1.3)), before, 0.3 * mined(before.plan))


def mined(plan: Plan) -> float:
    kinds = {CashKind.BTC, CashKind.ACTIVATION_MINING}
    return sum(cash.total for cash in plan.cash if cash.stream.kind in kinds)


@pytest.mark.parametrize("seed", seeds(4000, 16, 100))
def test_finer_step_never_earns_less(seed):
    """With the target's power from the start of a move: else a coarse mean hides a peak from the import limit."""
    problem = with_target_power_on_the_way(small_problem(seed))
    parts = {60: 2, 30: 2, 15: 3}[problem.horizon.step_minutes]
    assert_never_less(planned(with_finer_step(problem, parts)), planned(problem))


@pytest.mark.parametrize("seed", seeds(5000, 16, 100))
def test_time_shift_shifts_the_plan(seed):
    """By a week always; by one interval where no civil day counts starts."""
    problem = small_problem(seed)
    budgets = any(group.daily_start_budget_count is not None for site in problem.sites for group in site.assets)
    by = timedelta(days=7) if budgets else timedelta(minutes=problem.horizon.step_minutes)
    here, there = planned(problem), planned(shifted_in_time(problem, by))
    assert here.solve.bound == there.solve.bound
    assert (here.plan is None) is (there.plan is None)
    if here.plan is not None and there.plan is not None:
        assert_same_plan(here.plan, there.plan)


def assert_same_plan(one: Plan, other: Plan) -> None:
    assert one.objective == other.objective
    for here, there in zip(one.sites, other.sites, strict=True):
        for mine, yours in zip(here.assets, there.assets, strict=True):
            assert np.array_equal(mine.mode_count, yours.mode_count)
            assert np.array_equal(mine.move_count, yours.move_count)
    for here, there in zip(one.markets, other.markets, strict=True):
        assert [(b.offered_kw, b.bid_kw) for b in here.blocks] == [(b.offered_kw, b.bid_kw) for b in there.blocks]
        for mine, yours in zip(here.backing, there.backing, strict=True):
            assert np.array_equal(mine.machine_count, yours.machine_count)


@pytest.mark.parametrize("seed", seeds(6000, 16, 100))
def test_order_does_not_matter(seed):
    """Sites, assets, markets, blocks, bids, awards, modes, moves, cohorts."""
    problem = small_problem(seed)
    assert_same(planned(problem), planned(shuffled(problem, seed)))


@pytest.mark.parametrize("seed", seeds(7000, 24, 300))
def test_second_solver_agrees(seed):
    """Machines by the hundred are left out: both solvers would take minutes to prove the last cent."""
    problem = small_problem(seed)
    if max(group.machine_count for site in problem.sites for group in site.assets) <= 12:
        assert_same_optimum(problem)

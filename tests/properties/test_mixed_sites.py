"""Sites with everything: plans pass the checker, both strategies and a second solver agree, firm load is first."""

from dataclasses import replace

import numpy as np
import pytest
from mixed_sites import mixed_request
from second_solver import assert_same_optimum
from test_properties import seeds

from scheduler.assets.firm_load import FirmLoadPlan
from scheduler.check import audit
from scheduler.plan import Schedule, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy
from scheduler.wire.request import schedule_request_from_pb

OPTIONS = SolveOptions(rel_gap=1e-5, abs_gap=1e-3, time_limit_seconds=120, counterfactuals=False)
LUMPY, MANY = 4, 80


def problem_of(seed: int, machine_count: int) -> Problem:
    return schedule_request_from_pb(mixed_request(seed, machine_count))[1]


def planned(problem: Problem, **changes: object) -> Schedule:
    options = replace(OPTIONS, **changes)
    schedule = make_schedule(problem, options)
    if schedule.plan is not None:
        assert schedule.solve.stop_reason in {StopReason.PROVEN, StopReason.CONFLICT}
        assert audit(problem, schedule.plan, schedule.solve, options).violations == ()
    return schedule


def unserved_mwh(schedule: Schedule) -> float:
    assert schedule.plan is not None
    loads = [own for site in schedule.plan.sites for own in site.assets if isinstance(own, FirmLoadPlan)]
    return sum((float(own.unserved_mw.sum()) for own in loads), 0.0) * schedule.problem.horizon.step_hours


@pytest.mark.parametrize("machine_count", [LUMPY, MANY])
@pytest.mark.parametrize("seed", seeds(20_000, 20, 150))
def test_fast_and_plain_agree(seed, machine_count):
    problem = problem_of(seed, machine_count)
    fast, plain = planned(problem), planned(problem, strategy=Strategy.PLAIN)
    assert (fast.plan is None) is (plain.plan is None)
    if fast.plan is not None and plain.plan is not None:
        assert unserved_mwh(fast) == pytest.approx(unserved_mwh(plain), abs=1e-4)
        room = 0.02 + 2 * OPTIONS.rel_gap * abs(plain.plan.objective)
        assert fast.plan.objective == pytest.approx(plain.plan.objective, abs=room)


def test_an_offer_that_no_machine_may_stand_behind():
    """Once the search for rows of whole machines ended there."""
    problem = problem_of(9015, 1)
    fast, plain = planned(problem), planned(problem, strategy=Strategy.PLAIN)
    assert fast.plan is not None and plain.plan is not None
    assert fast.plan.objective == pytest.approx(plain.plan.objective, rel=1e-4)


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("gaps", [(0.0, 0.0), (1e-9, 1e-9), (0.0, 1e-6)])
def test_nothing_is_called_proven_that_rounding_has_made_less(strategy, gaps):
    options = replace(OPTIONS, rel_gap=gaps[0], abs_gap=gaps[1], strategy=strategy)
    schedule = make_schedule(problem_of(8012, 2), options)
    assert schedule.plan is not None and schedule.plan.objective == pytest.approx(26.25)


@pytest.mark.parametrize("seed", seeds(21_000, 12, 100))
def test_no_simpler_way_beats_the_bound(seed):
    problem = problem_of(seed, LUMPY)
    schedule = planned(problem, counterfactuals=True)
    for way in schedule.plan.counterfactuals if schedule.plan is not None else ():
        assert schedule.solve.bound is not None
        assert way.shortfalls or way.total <= schedule.solve.bound + 0.02


@pytest.mark.parametrize("seed", seeds(22_000, 12, 100))
def test_second_solver_agrees(seed):
    assert_same_optimum(problem_of(seed, LUMPY))


@pytest.mark.parametrize("seed", seeds(23_000, 12, 100))
def test_what_is_not_served_does_not_depend_on_money(seed):
    """The same MWh at a hashprice of 900, and at prices turned around."""
    problem = problem_of(seed, LUMPY)
    before = planned(problem)
    if before.plan is None:
        return
    dear = replace(problem, mining=replace(problem.mining, hashprice_per_ph_day=np.full(problem.horizon.count, 900.0)))
    turned = tuple(
        replace(market, price_per_mwh=-market.price_per_mwh) if market.kind == "energy" else market
        for market in problem.markets
    )
    for other in (dear, replace(problem, markets=turned)):
        assert unserved_mwh(planned(other)) == pytest.approx(unserved_mwh(before), abs=1e-4)

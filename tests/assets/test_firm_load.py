"""Firm load: served first, whatever mining would earn, and what is not served is said with its cause."""

from dataclasses import replace

import numpy as np
import pytest
from asset_cases import EXACT, asset_of, hourly, planned, problem_of, rules

from scheduler.incumbents import UNEXPLAINED, interim
from scheduler.plan import Solve, StopReason
from scheduler.planner import make_schedule
from scheduler.settings import Strategy
from tools.fixtures.build import DOWN, award, block, energy_cleared, firm_load, product, reserve, site
from tools.fixtures.tiny import pair, unit

LOAD = "problem.sites[0].assets[1].firm_load.load_mw"
IMPORT = "problem.sites[0].connection.import_limit_mw"


def short(import_mw=1.0, load_mw=(0.5, 1.5, 2.0, 0.5), strategy=Strategy.FAST):
    grid = hourly(4)
    return planned(
        problem_of(grid, [unit(2), firm_load(grid, list(load_mw))], import_mw=import_mw),
        replace(EXACT, strategy=strategy),
    )


@pytest.mark.parametrize("strategy", list(Strategy))
def test_what_is_not_served_is_said_with_interval_mw_and_cause(strategy):
    schedule = short(strategy=strategy)
    assert schedule.solve.stop_reason is StopReason.CONFLICT
    load, limit = schedule.shortfalls
    assert (load.site_id, load.asset_id, load.field) == ("site", "hall", LOAD)
    assert (load.start, load.end) == (1, 3)
    assert load.missing_mw == pytest.approx(1.0, abs=1e-4)
    assert load.cost == 0
    assert load.reason == f"1 MW of 2 MW not served, 1.5 MWh: to serve more of it, raise {IMPORT}"
    assert (limit.field, limit.start, limit.end) == (IMPORT, 1, 3)
    assert limit.reason == f"raise {IMPORT}: 1.5 of 1.5 MW h"


def test_a_plan_that_is_short_is_no_proven_plan():
    schedule = short()
    proven = replace(schedule.solve, stop_reason=StopReason.PROVEN)
    from scheduler.check import audit

    found = audit(schedule.problem, schedule.plan, proven, EXACT).violations
    assert {violation.rule for violation in found} == {"conflict"}


def test_where_time_ends_before_the_cause_is_known_that_is_said():
    schedule = short()
    answer = interim(schedule.problem, schedule.plan, Solve(StopReason.CONFLICT, 0.0))
    assert [(one.asset_id, one.reason) for one in answer.shortfalls] == [("hall", UNEXPLAINED)]


@pytest.mark.parametrize("seed", range(12))
def test_mining_never_displaces_it_at_any_price(seed):
    """What is not served is exactly what the connection cannot bring, at prices from -1000 to 1000 a MWh."""
    rng = np.random.default_rng(seed)
    grid = hourly(4)
    load_mw = rng.integers(0, 5, 4) / 2
    import_mw = rng.integers(1, 5, 4) / 2
    price = rng.choice([-1000.0, -20.0, 0.0, 20.0, 59.0, 1000.0], 4)
    hashprice = float(rng.choice([0.0, 24.0, 5000.0]))
    assets = [unit(3), firm_load(grid, load_mw.tolist())]
    problem = problem_of(grid, assets, price.tolist(), import_mw=import_mw.tolist(), hashprice=hashprice)
    for strategy in Strategy:
        plan = planned(problem, replace(EXACT, strategy=strategy)).plan
        assert asset_of(plan, "hall").unserved_mw == pytest.approx(np.maximum(0, load_mw - import_mw), abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_no_call_can_break_it(seed):
    """Load and all that is held down are within the import limit, whatever capacity pays."""
    rng = np.random.default_rng(100 + seed)
    grid = hourly(3)
    load_mw, import_mw = rng.integers(0, 4, 3) / 2, float(rng.integers(2, 6)) / 2
    spec = product(DOWN, 300, max_step_mw=5, smallest=500, step=500)
    offered = reserve("down", spec, [block(grid, str(t), t, t + 1, 5000.0) for t in range(3)])
    problem = problem_of(
        grid, [unit(4, start="off"), firm_load(grid, load_mw.tolist())], 20, offered, import_mw=import_mw
    )
    plan = planned(problem).plan
    held_mw = sum((entry.mw for entry in plan.markets[1].backing), np.zeros(3))
    assert (plan.sites[0].grid_mw + held_mw <= import_mw + 1e-6).all()
    assert asset_of(plan, "hall").unserved_mw == pytest.approx(np.maximum(0, load_mw - import_mw), abs=1e-5)


def test_an_award_gives_way_to_it_and_both_are_said():
    grid = hourly(1)
    spec = product(DOWN, 300, max_step_mw=5)
    won = reserve("down", spec, [block(grid, "all", 0, 1, awards=[award(1000, penalty=9999)])], cleared=True)
    problem = problem_of(grid, [unit(start="off"), firm_load(grid, 1.5)], 20, won, import_mw=1)
    schedule = planned(problem)
    assert asset_of(schedule.plan, "hall").unserved_mw == pytest.approx([0.5], abs=1e-5)
    assert schedule.plan.markets[1].blocks[0].missing_mw["won"] == pytest.approx([1.0], abs=1e-5)
    load, missing, *limits = schedule.shortfalls
    assert (load.asset_id, missing.award_id) == ("hall", "won")
    assert missing.cost == pytest.approx(9999, abs=0.1)
    assert [limit.field for limit in limits] == [IMPORT]


def test_a_position_that_is_too_small_for_it_is_a_cause():
    from scheduler.wire.request import schedule_request_from_pb

    grid = hourly(1)
    market = energy_cleared(grid, 20, 1.0, long=10, short=30, max_deviation_mw=0.25)
    request = pair("test", grid, [site(grid, [unit(start="off"), firm_load(grid, 2)])], 20)
    request.problem.markets[0].CopyFrom(market)
    schedule = make_schedule(schedule_request_from_pb(request)[1], EXACT)
    load, limit = schedule.shortfalls
    assert load.missing_mw == pytest.approx(0.75, abs=1e-4)
    assert limit.field == "problem.markets[0].energy.max_deviation_mw"


def test_the_checker_finds_what_is_wrong_with_it():
    grid = hourly(2)
    problem = problem_of(grid, [firm_load(grid, [1.0, 2.0])])
    plan = planned(problem).plan
    assert rules(problem, plan) == set()

    def with_hall(**changes):
        (of,) = plan.sites
        return replace(plan, sites=(replace(of, assets=(replace(of.assets[0], **changes),)),))

    assert "power" in rules(problem, with_hall(power_mw=np.array([1.0, 1.0])))
    assert {"power", "balance"} <= rules(problem, with_hall(unserved_mw=np.array([0.0, 0.5])))
    assert "negative" in rules(problem, with_hall(unserved_mw=np.array([-0.5, 0.0])))
    assert "unserved" in rules(problem, with_hall(unserved_mw=np.array([1.5, 0.0])))
    assert "length" in rules(problem, with_hall(unserved_mw=np.zeros(3)))

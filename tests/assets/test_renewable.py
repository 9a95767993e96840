"""Solar, wind, run-of-river: made or left, fed in, and what an island does with it."""

from dataclasses import replace

import numpy as np
import pytest
from asset_cases import EXACT, asset_of, hourly, island_of, planned, problem_of, rules, total

from scheduler.counterfactual import ALWAYS, THRESHOLD, simulated_plan
from scheduler.counterfactual.fleet import CannotRunError, Fleet
from scheduler.plan import CashKind, StopReason
from scheduler.planner import make_schedule
from tools.fixtures.build import firm_load, renewable
from tools.fixtures.tiny import unit

GRID = hourly(3)


def test_what_is_not_enough_on_an_island_is_the_cause():
    problem = island_of(GRID, [unit(), firm_load(GRID, 2), renewable(GRID, [3, 1, 0], "hydro")])
    schedule = planned(problem)
    assert schedule.solve.stop_reason is StopReason.CONFLICT
    load, limit = schedule.shortfalls
    field = "problem.sites[0].assets[2].renewable.available_mw"
    assert (load.site_id, load.start, load.end, load.missing_mw) == ("island", 1, 3, pytest.approx(2.0, abs=1e-4))
    assert load.reason.endswith(f"to serve more of it, have more power of 'hydro', raise {field}")
    assert limit.field == field


def test_power_that_an_island_cannot_leave_is_named_where_no_plan_exists():
    problem = island_of(GRID, [unit(), renewable(GRID, 2.5, "hydro", curtailable=False)])
    schedule = make_schedule(problem, EXACT)
    assert schedule.plan is None
    assert "let 'hydro' be curtailed, see problem.sites[0].assets[1].renewable.curtailable" in schedule.no_plan_reason


def test_a_premium_that_curtailing_loses_is_counted():
    """A premium of 8: at -5 a MWh sun is made, at -10 and -70 it is left, for the grid pays more than the premium."""
    sun = renewable(GRID, 1, curtailed_value=-8)
    problem = problem_of(GRID, [unit(start="off"), sun], [-5, -10, -70], export_mw=5)
    plan = planned(replace(problem, mining=replace(problem.mining, hashprice_per_ph_day=np.zeros(3)))).plan
    assert asset_of(plan, "solar").curtailed_mw == pytest.approx([0, 1, 1], abs=1e-6)
    assert total(plan, CashKind.CURTAILMENT) == pytest.approx(-16)
    assert asset_of(plan, "unit").mode_count[1].tolist() == [1, 1, 1]


def test_simple_ways_use_the_sun_after_the_firm_load():
    """Always: 2 MW of connection, 3, 1, 0 MW of sun and 1 MW of load leave 4, 2 and 1 machines of 5."""
    assets = [unit(5), firm_load(GRID, 1), renewable(GRID, [3, 1, 0])]
    problem = problem_of(GRID, assets, [20, 20, 90], import_mw=2)
    fleet = Fleet(problem)
    always, threshold = simulated_plan(fleet, ALWAYS), simulated_plan(fleet, THRESHOLD)
    assert asset_of(always, "unit").mode_count[1].tolist() == [4, 2, 1]
    assert asset_of(threshold, "unit").mode_count[1].tolist() == [4, 2, 0]
    assert always.objective == pytest.approx(60 * 7 - 20 * 2 - 20 * 2 - 90 * 2)
    assert threshold.objective == pytest.approx(60 * 6 - 20 * 2 - 20 * 2 - 90 * 1)
    schedule = make_schedule(problem, replace(EXACT, counterfactuals=True))
    assert {way.name for way in schedule.plan.counterfactuals} == {ALWAYS, THRESHOLD}
    assert max(way.total for way in schedule.plan.counterfactuals) <= schedule.solve.bound + 0.01


def test_simple_ways_that_miss_firm_load_say_so():
    problem = problem_of(GRID, [unit(), firm_load(GRID, [1, 3, 1])], import_mw=2)
    schedule = make_schedule(problem, replace(EXACT, counterfactuals=True))
    for way in schedule.plan.counterfactuals:
        (short,) = way.shortfalls
        assert (short.asset_id, short.start, short.end, short.missing_mw) == ("hall", 1, 2, pytest.approx(1, abs=1e-4))


def test_a_simple_way_that_leaves_power_nowhere_to_go_is_left_out():
    """Two machines must take 2 MW that cannot be left; at a negative profit the threshold would rest them."""
    problem = island_of(GRID, [unit(2), renewable(GRID, 2, "hydro", curtailable=False)])
    assert simulated_plan(Fleet(problem), ALWAYS).objective == pytest.approx(360)
    dear = replace(problem, mining=replace(problem.mining, hashprice_per_ph_day=np.zeros(3)))
    with pytest.raises(CannotRunError, match="stands beside them"):
        simulated_plan(Fleet(dear), THRESHOLD)


def test_the_checker_finds_what_is_wrong_with_it():
    problem = problem_of(GRID, [unit(), renewable(GRID, [1, 2, 3])], export_mw=1)
    plan = planned(problem).plan
    (of,) = plan.sites
    assert rules(problem, plan) == set()

    def with_solar(**changes):
        return replace(plan, sites=(replace(of, assets=(of.assets[0], replace(of.assets[1], **changes))),))

    assert {"power", "balance"} <= rules(problem, with_solar(curtailed_mw=np.array([0.0, 0.5, 0.5])))
    assert "curtailed" in rules(problem, with_solar(curtailed_mw=np.array([1.5, 0.0, 1.0])))
    assert "negative" in rules(problem, with_solar(curtailed_mw=np.array([-0.5, 0.0, 1.0])))
    assert "power" in rules(problem, with_solar(power_mw=np.zeros(3)))
    must_run = problem_of(GRID, [unit(), renewable(GRID, [1, 2, 3], curtailable=False)], export_mw=1)
    assert "curtailed" in rules(must_run, plan)


def test_a_fee_that_pays_for_import_and_export_at_once_is_refused():
    from scheduler.errors import InvalidRequestError

    with pytest.raises(InvalidRequestError) as refused:
        problem_of(GRID, [renewable(GRID, 1)], export_mw=1, fee=-1)
    assert [violation.field for violation in refused.value.violations] == ["problem.sites[0].tariff.import_fee_per_mwh"]
    problem_of(GRID, [renewable(GRID, 1)], fee=-1)

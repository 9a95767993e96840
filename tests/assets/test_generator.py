"""Generators: run and rest, minimum load, fuel, and reserve while they run."""

from dataclasses import replace

import numpy as np
import pytest
from asset_cases import EXACT, asset_of, hourly, island_of, planned, problem_of, rules, total

from scheduler.counterfactual import ALWAYS, THRESHOLD, simulated_plan
from scheduler.counterfactual.fleet import Fleet
from scheduler.plan import CashKind
from scheduler.planner import make_schedule
from scheduler.settings import Strategy
from tools.fixtures.build import DOWN, UP, activation, award, block, firm_load, generator, product, reserve
from tools.fixtures.tiny import quarters, unit

GRID = hourly(4)


def lengths(running, first, since):
    """(state, minutes) of each run and rest that ends in the horizon, hourly."""
    found, state, minutes = [], first, since
    for now in running:
        if bool(now) != state:
            found.append((state, minutes))
            state, minutes = bool(now), 0
        minutes += 15
    return found


@pytest.mark.parametrize("seed", range(10))
def test_fast_and_plain_agree_and_runs_and_rests_are_long_enough(seed):
    rng = np.random.default_rng(seed)
    grid = quarters(12)
    running, since = bool(rng.random() < 0.5), float(rng.choice([0, 15, 600]))
    engine = generator(
        grid,
        2,
        30,
        min_mw=float(rng.choice([0, 0.5, 1.5])),
        start_cost=float(rng.choice([0, 5, 40])),
        run=float(rng.choice([0, 20, 60])),
        rest=float(rng.choice([0, 30, 45])),
        running=running,
        since=since,
    )
    spec = {d: product(d, 300, max_step_mw=5, smallest=500, step=500) for d in (UP, DOWN)}
    calls = activation(grid, 0.1, price=20)
    markets = [
        reserve("up", spec[UP], [block(grid, "a", 0, 6, 6), block(grid, "b", 6, 12, 6)], up=calls),
        reserve("down", spec[DOWN], [block(grid, "a", 0, 12, 4)], down=calls),
    ]
    price = rng.choice([-20.0, 10.0, 40.0, 90.0], 12).tolist()
    problem = problem_of(grid, [unit(2), engine], price, *markets, export_mw=float(rng.choice([0, 5])))
    found = [planned(problem, replace(EXACT, strategy=strategy)) for strategy in Strategy]
    assert found[0].plan.objective == pytest.approx(found[1].plan.objective, abs=0.01)
    pb = engine.generator
    for schedule in found:
        own = asset_of(schedule.plan, "engine")
        for was_on, minutes in lengths(own.running_count, running, since):
            assert minutes >= (pb.min_run_minutes if was_on else pb.min_rest_minutes)
        assert (-own.power_mw <= 2 * own.running_count + 1e-6).all()
        assert (-own.power_mw >= pb.min_mw * own.running_count - 1e-6).all()


def test_gas_on_an_island_serves_the_load_before_it_mines():
    assets = [unit(3), firm_load(GRID, 1), generator(GRID, 3, 30, available_mw=[3, 2, 1, 0.5])]
    schedule = planned(island_of(GRID, assets))
    assert asset_of(schedule.plan, "unit").mode_count[1].tolist() == [2, 1, 0, 0]
    assert asset_of(schedule.plan, "hall").unserved_mw == pytest.approx([0, 0, 0, 0.5], abs=1e-5)
    assert total(schedule.plan, CashKind.FUEL) == pytest.approx(-30 * 6.5)
    fields = [one.field for one in schedule.shortfalls if not one.asset_id]
    assert "problem.sites[0].assets[2].generator.available_mw" in fields


def test_mining_stops_where_fuel_is_dearer_than_what_it_earns():
    assets = [unit(2), firm_load(GRID, 1), generator(GRID, 3, [30, 59, 61, 90])]
    problem = island_of(GRID, assets)
    plan = planned(problem).plan
    assert asset_of(plan, "unit").mode_count[1].tolist() == [2, 2, 0, 0]
    fleet = Fleet(problem)
    threshold, always = simulated_plan(fleet, THRESHOLD), simulated_plan(fleet, ALWAYS)
    assert threshold.objective == pytest.approx(plan.objective)
    assert asset_of(always, "unit").mode_count[1].tolist() == [2, 2, 2, 2]
    assert always.objective == pytest.approx(60 * 8 - 3 * (30 + 59 + 61 + 90))


def test_a_generator_backs_an_award_only_while_it_runs():
    grid = hourly(2)
    won = reserve(
        "up", product(UP, 300), [block(grid, "all", 0, 2, awards=[award(1000, 1, penalty=500)])], cleared=True
    )
    problem = problem_of(grid, [generator(grid, 2, 30, min_mw=0.5, rest=120, since=60)], 0, won, export_mw=5)
    schedule = planned(problem)
    assert asset_of(schedule.plan, "engine").running_count.tolist() == [0, 1]
    assert schedule.plan.markets[1].blocks[0].missing_mw["won"] == pytest.approx([1, 0], abs=1e-5)


def test_the_end_of_a_rest_that_no_plan_survives_is_named():
    """Sun cannot be used: an engine that must run at 2 MW has nowhere to send it."""
    problem = island_of(GRID, [unit(1), generator(GRID, 3, 30, min_mw=2, run=600, running=True, since=0)])
    schedule = make_schedule(problem, EXACT)
    assert schedule.plan is None
    assert "problem.sites[0].assets[1].generator.min_mw" in schedule.no_plan_reason
    assert "problem.sites[0].assets[1].generator.min_run_minutes" in schedule.no_plan_reason


def engine_plan():
    grid = hourly(3)
    engine = generator(grid, 2, 30, min_mw=1, run=120, rest=120, running=True)
    up = reserve("up", product(UP, 300), [block(grid, "first", 0, 1, 25)])
    problem = problem_of(grid, [engine], [40, 40, 35], up, export_mw=5)
    return problem, planned(problem).plan


WRONG = [
    ({"running_count": np.array([1, 0, 1])}, {"too_short", "output_most"}),
    ({"running_count": np.array([1, 1, 2])}, {"range"}),
    ({"running_count": np.array([0, 1, 1])}, {"too_short", "output_most"}),
    ({"power_mw": np.array([-2.0, -2.0, -2.0])}, {"output_most", "balance"}),
    ({"power_mw": np.array([-1.0, -0.5, -2.0])}, {"output_least", "balance"}),
    ({"power_mw": np.array([-1.0, -2.5, -2.0])}, {"output_most", "balance"}),
    ({"running_count": np.array([1, 1])}, {"length"}),
]


@pytest.mark.parametrize(("changes", "wanted"), WRONG)
def test_the_checker_finds_what_is_wrong_with_it(changes, wanted):
    problem, plan = engine_plan()
    assert rules(problem, plan) == set()
    assert asset_of(plan, "engine").power_mw == pytest.approx([-1, -2, -2])
    (of,) = plan.sites
    wrong = replace(plan, sites=(replace(of, assets=(replace(of.assets[0], **changes),)),))
    assert wanted <= rules(problem, wrong)


def test_power_that_is_not_available_while_it_must_run_is_refused():
    from scheduler.errors import InvalidRequestError

    with pytest.raises(InvalidRequestError) as refused:
        problem_of(
            GRID, [generator(GRID, 2, 30, min_mw=1, available_mw=[2, 0.5, 2, 2], run=120, running=True, since=0)]
        )
    (violation,) = refused.value.violations
    assert violation.field == "problem.sites[0].assets[0].generator.available_mw.values[1]"

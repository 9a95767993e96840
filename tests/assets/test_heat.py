"""Heat: sold, stored, rejected, made; and what calls may take away or add."""

from dataclasses import replace

import numpy as np
import pytest
from asset_cases import EXACT, asset_of, hourly, planned, problem_of, rules, total

from scheduler.counterfactual import ALWAYS, THRESHOLD, simulated_plan
from scheduler.counterfactual.fleet import Fleet
from scheduler.plan import CashKind
from scheduler.planner import make_schedule
from scheduler.settings import Strategy
from tools.fixtures.build import (
    DOWN,
    UP,
    activation,
    award,
    block,
    boiler,
    dry_cooler,
    heat_demand,
    heat_store,
    product,
    reserve,
)
from tools.fixtures.tiny import quarters, unit

GRID = hourly(3)


@pytest.mark.parametrize("seed", range(12))
def test_fast_and_plain_agree_and_every_plan_passes_the_checker(seed):
    """Everything at once, calls expected, two holding times."""
    rng = np.random.default_rng(seed)
    grid = quarters(8)
    least = rng.integers(0, 3, 8) / 2
    wanted = (least + rng.integers(0, 3, 8) / 2).tolist()
    assets = [
        unit(4, heat=float(rng.choice([0.5, 0.9, 1]))),
        heat_demand(grid, wanted, float(rng.choice([0, 30])), least_mw=least.tolist()),
        heat_store(float(rng.choice([0.5, 2])), float(rng.choice([0.5, 2])), initial_mwh=0.5, loss=0.02, end_value=20),
        boiler(grid, 2, 70, electric=float(rng.choice([0, 0, 1]))),
    ]
    if rng.random() < 0.6:
        assets.append(dry_cooler(grid, float(rng.choice([2, 3, 4]))))
    calls = activation(grid, 0.2, price=40)
    markets = [
        reserve(
            name,
            product(direction, 300, hold=hold, max_step_mw=5, smallest=500, step=500),
            [block(grid, "a", 0, 4, 15), block(grid, "b", 4, 8, 15)],
            **{"up" if direction == UP else "down": calls},
        )
        for name, direction, hold in (("up", UP, 15), ("long-up", UP, 60), ("down", DOWN, 15))
    ]
    problem = problem_of(grid, assets, rng.choice([-20.0, 20.0, 65.0, 120.0], 8).tolist(), *markets)
    found = [planned(problem, replace(EXACT, strategy=strategy)) for strategy in Strategy]
    assert found[0].plan.objective == pytest.approx(found[1].plan.objective, abs=0.01)


def test_heat_counts_in_the_break_even():
    """At 80 a machine loses 20 and sells 1 MWh of heat at 30."""
    assets = [unit(2, heat=1), heat_demand(GRID, 2, 30)]
    problem = problem_of(GRID, assets, [50, 80, 95])
    plan = planned(problem).plan
    assert asset_of(plan, "unit").mode_count[1].tolist() == [2, 2, 0]
    fleet = Fleet(problem)
    threshold, always = simulated_plan(fleet, THRESHOLD), simulated_plan(fleet, ALWAYS)
    assert threshold.objective == pytest.approx(plan.objective)
    assert asset_of(always, "unit").mode_count[1].tolist() == [2, 2, 2]
    assert total(always, CashKind.HEAT) == pytest.approx(180)


def test_a_rule_that_fills_the_heat_loop_is_left_out():
    assets = [unit(2, heat=1), dry_cooler(GRID, 1)]
    schedule = make_schedule(problem_of(GRID, assets, 20), replace(EXACT, counterfactuals=True))
    assert schedule.plan.counterfactuals == ()
    assert asset_of(schedule.plan, "unit").mode_count[1].tolist() == [1, 1, 1]


def test_an_award_that_the_heat_floor_bars_says_so():
    grid = hourly(1)
    held = block(grid, "all", 0, 1, awards=[award(2000, 5, penalty=100)])
    won = reserve("up", product(UP, 300, hold=60, max_step_mw=5), [held], cleared=True)
    assets = [unit(2, heat=1), heat_demand(grid, 2, 20, least_mw=1)]
    schedule = planned(problem_of(grid, assets, 20, won))
    assert schedule.plan.markets[1].blocks[0].missing_mw["won"] == pytest.approx([1.0], abs=1e-5)
    fields = {one.field for one in schedule.shortfalls if not one.award_id}
    assert "problem.sites[0].assets[1].heat_demand.least_mw" in fields


def test_heat_that_cannot_be_delivered_at_all_is_named():
    schedule = make_schedule(problem_of(GRID, [unit(heat=0.5), heat_demand(GRID, 2, 0, least_mw=1)]), EXACT)
    assert schedule.plan is None
    assert "problem.sites[0].assets[1].heat_demand.least_mw" in schedule.no_plan_reason


def test_machines_without_use_for_their_heat_have_none():
    """The same plan and money, whatever they could recover."""
    one, other = (planned(problem_of(GRID, [unit(2, heat=heat)], [20, 80, 20])) for heat in (0.0, 1.0))
    assert one.plan.objective == other.plan.objective
    assert total(other.plan, CashKind.HEAT) == 0


def test_a_meter_that_shows_less_than_the_nameplate_costs_more_heat():
    """Of 1.25 MW of machines the meter shows 0.8: 1 MW sold up takes all of their heat."""
    grid = hourly(1)
    up = reserve("up", product(UP, 300, hold=60, max_step_mw=5, smallest=100, step=100), [block(grid, "all", 0, 1, 10)])
    assets = [unit(5, frac=0.8, heat=1), heat_demand(grid, 9, 0, least_mw=2.5)]
    plan = planned(problem_of(grid, assets, 20, up)).plan
    assert plan.markets[1].blocks[0].offered_kw == 2000  # 2.5 MW of heat are left of 5


def warm_plan():
    grid = hourly(2)
    assets = [
        unit(2, heat=1),
        heat_demand(grid, [1.0, 1.5], 30, least_mw=[0.5, 0.5]),
        heat_store(2, 1, initial_mwh=0.5, loss=0.1, end_mwh=0.5),
        boiler(grid, 1, 25),
        dry_cooler(grid, 2),
    ]
    spec = {d: product(d, 300, hold=60, max_step_mw=5) for d in (UP, DOWN)}
    up = reserve("up", spec[UP], [block(grid, "all", 0, 2, 20)])
    down = reserve("down", spec[DOWN], [block(grid, "all", 0, 2, 20)])
    problem = problem_of(grid, assets, [20, 62], up, down)
    return problem, planned(problem).plan


NETWORK, TANK, BOILER, COOLER = 1, 2, 3, 4
WRONG = [
    (NETWORK, {"delivered_mw": np.array([2.0, 1.5])}, {"heat_demand", "heat_balance"}),
    (NETWORK, {"delivered_mw": np.array([0.25, 1.5])}, {"heat_least", "heat_balance"}),
    (NETWORK, {"delivered_mw": np.array([-1.0, 1.5])}, {"negative"}),
    (NETWORK, {"power_mw": np.ones(2)}, {"power"}),
    (TANK, {"heat_mw": np.array([1.5, 0.0])}, {"discharge", "stored", "heat_balance", "stored_limit"}),
    (TANK, {"heat_mw": np.array([-1.5, -1.5])}, {"charge", "stored", "stored_limit", "heat_balance"}),
    (TANK, {"stored_mwh": np.zeros(2)}, {"stored"}),
    (BOILER, {"heat_mw": np.array([1.5, 0.0])}, {"boiler", "heat_balance"}),
    (COOLER, {"rejected_mw": np.array([2.5, 2.5])}, {"cooler", "heat_balance", "heat_room"}),
    (COOLER, {"rejected_mw": np.zeros(3)}, {"length"}),
]


@pytest.mark.parametrize(("asset", "changes", "wanted"), WRONG)
def test_the_checker_finds_what_is_wrong_with_heat(asset, changes, wanted):
    problem, plan = warm_plan()
    assert rules(problem, plan) == set()
    (of,) = plan.sites
    assets = tuple(replace(own, **changes) if a == asset else own for a, own in enumerate(of.assets))
    wrong = replace(plan, sites=(replace(of, assets=assets),))
    assert wanted <= rules(problem, wrong)


@pytest.mark.parametrize(
    ("asset", "changes", "rule"),
    [
        (NETWORK, {"least_mw": np.array([1.0, 1.5])}, "heat_floor"),
        (TANK, {"initial_mwh": 0.0}, "stored"),
        (COOLER, {"max_mw": np.array([0.5, 0.5])}, "heat_room"),
    ],
)
def test_the_checker_holds_calls_against_the_heat(asset, changes, rule):
    """The same plan for a site that needs more heat, or has less room for it."""
    problem, plan = warm_plan()
    (site,) = problem.sites
    assets = tuple(replace(own, **changes) if a == asset else own for a, own in enumerate(site.assets))
    assert rule in rules(replace(problem, sites=(replace(site, assets=assets),)), plan)

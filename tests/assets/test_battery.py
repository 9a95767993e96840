"""Batteries: energy moved, reserve with energy for the holding time, and nothing burnt."""

from dataclasses import replace

import numpy as np
import pytest
from asset_cases import EXACT, asset_of, hourly, island_of, planned, problem_of, rules, total

from scheduler.counterfactual import ALWAYS, THRESHOLD
from scheduler.plan import CashKind, StopReason
from scheduler.planner import make_schedule
from scheduler.settings import Strategy
from tools.fixtures.build import (
    DOWN,
    SYMMETRIC,
    UP,
    activation,
    award,
    battery,
    bid,
    block,
    firm_load,
    product,
    renewable,
    reserve,
)
from tools.fixtures.tiny import quarters, unit

GRID = hourly(4)


def held_mw(plan, market, direction):
    found = [entry.mw for entry in plan.markets[market].backing if entry.direction.value == direction]
    return sum(found, np.zeros(len(plan.sites[0].grid_mw)))


@pytest.mark.parametrize("seed", range(10))
def test_fast_and_plain_agree_and_nothing_is_burnt(seed):
    rng = np.random.default_rng(seed)
    grid = quarters(8)
    asset = battery(
        float(rng.choice([0.5, 1, 3])),
        float(rng.choice([0.5, 1, 2])),
        initial_mwh=0.5,
        both_frac=(float(rng.choice([1, 0.95])), float(rng.choice([1, 0.9]))),
        end_value=float(rng.choice([0, 30])),
        wear=float(rng.choice([0, 2])),
    )
    others = [renewable(grid, rng.integers(0, 3, 8).tolist())] if rng.random() < 0.5 else []
    spec = product(SYMMETRIC, 300, hold=15, max_step_mw=5, smallest=250, step=250, as_bid=False)
    calls = activation(grid, 0.2)
    fcr = reserve("fcr", spec, [block(grid, "a", 0, 4, 8), block(grid, "b", 4, 8, 8)], up=calls, down=calls)
    price = rng.choice([-60.0, 0.0, 20.0, 90.0], 8).tolist()
    export = {"export_mw": 1.0} if rng.random() < 0.5 else {}
    problem = problem_of(grid, [unit(2), asset, *others], price, fcr, **export)
    found = [planned(problem, replace(EXACT, strategy=strategy)) for strategy in Strategy]
    for schedule in found:
        own = asset_of(schedule.plan, "battery")
        if asset.battery.charge_frac * asset.battery.discharge_frac < 1:
            assert np.minimum(own.charge_mw, own.discharge_mw).max() <= 1e-6
    assert found[0].plan.objective == pytest.approx(found[1].plan.objective, abs=0.01)


BURNS = {
    "a negative hour to come": {"price": [30, 30, 10, -50], "load": 0.1},
    "a negative hour to come, without a load": {"price": [10, 10, 10, -200]},
    "up reserve where nothing may be exported": {"price": 90.0, "offer": (UP, 200.0), "power_mw": 10.0},
    "an end that costs": {"price": 50.0, "end_value": -100.0},
}


@pytest.mark.parametrize("case", BURNS.values(), ids=BURNS.keys())
@pytest.mark.parametrize("strategy", Strategy)
def test_nothing_is_burnt_where_to_have_less_stored_would_pay(case, strategy):
    """A full battery without a right to export: charging and discharging at once would make room."""
    full = {"initial_mwh": 1.0, "both_frac": (0.9, 0.9), "wear": 1.0, "end_value": case.get("end_value", 0.0)}
    asset = battery(1.0, case.get("power_mw", 1.0), **full)
    loads = [firm_load(GRID, case["load"])] if "load" in case else []
    markets = []
    if "offer" in case:
        direction, price = case["offer"]
        spec = product(direction, 300, hold=15, smallest=250, step=250, as_bid=False)
        markets = [reserve("reserve", spec, [block(GRID, "b", 0, 4, price)])]
    problem = problem_of(GRID, [asset, *loads], case["price"], *markets, import_mw=5.0, export_mw=0.0)
    schedule = make_schedule(problem, replace(EXACT, strategy=strategy))
    plan = asset_of(schedule.plan, "battery")
    assert (np.minimum(plan.charge_mw, plan.discharge_mw) < 1e-6).all()
    assert schedule.solve.stop_reason is StopReason.PROVEN


@pytest.mark.parametrize("hold", [0, 15, 60, 120])
def test_energy_for_the_holding_time_is_there_in_every_interval(hold):
    """Both ways, on top of a plan that moves energy at 0 and at 100."""
    spec = {d: product(d, 300, hold=hold, smallest=10, step=10) for d in (UP, DOWN)}
    blocks = [block(GRID, str(t), t, t + 1, 30.0) for t in range(4)]
    asset = battery(4, 2, initial_mwh=1, both_frac=(0.95, 0.9), end_value=40)
    markets = [reserve("up", spec[UP], blocks), reserve("down", spec[DOWN], blocks)]
    plan = planned(problem_of(GRID, [asset], [0, 100, 0, 100], *markets, export_mw=5)).plan
    own = asset_of(plan, "battery")
    up, down = held_mw(plan, 1, "up"), held_mw(plan, 2, "down")
    assert up.max() > 0 and down.max() > 0
    levels = np.concatenate([[1.0], own.stored_mwh])
    assert (up * hold / 60 / 0.9 <= np.minimum(levels[:-1], levels[1:]) + 1e-6).all()
    assert (down * hold / 60 * 0.95 <= 4 - np.maximum(levels[:-1], levels[1:]) + 1e-6).all()
    assert (up <= 2 + own.power_mw + 1e-6).all()
    assert (down <= 2 - own.power_mw + 1e-6).all()


def test_a_battery_helps_machines_to_hold_an_award():
    """3 MW up are won: a machine holds 1 MW, a battery 2 MW, from taking 1 MW to giving 1 MW."""
    grid = hourly(1)
    held = block(grid, "all", 0, 1, awards=[award(3000, 5)])
    won = reserve("up", product(UP, 300, max_step_mw=5), [held], cleared=True)
    problem = problem_of(grid, [unit(), battery(3, initial_mwh=1, end_mwh=1)], 20, won, export_mw=5)
    schedule = planned(problem)
    assert schedule.shortfalls == ()
    backing = {entry.asset_id: entry.mw for entry in schedule.plan.markets[1].backing}
    assert {id: mw.tolist() for id, mw in backing.items()} == {
        "unit": [pytest.approx(1)],
        "battery": [pytest.approx(2)],
    }


def test_each_bid_is_held_by_its_own_share_and_wears_by_its_chance():
    grid = hourly(1)
    bids = [bid("sure", 1000, 10), bid("maybe", 1000, 12, 0.5)]
    up = reserve("up", product(UP, 300), [block(grid, "all", 0, 1, bids=bids)], up=activation(grid, 0.5, price=60))
    plan = planned(problem_of(grid, [battery(5, 2, initial_mwh=3, end_value=20, wear=2)], 20, up)).plan
    (entry,) = plan.markets[1].backing
    assert entry.mw == pytest.approx([2.0])
    assert entry.bid_mw["all", "maybe"] == pytest.approx([1.0])
    assert entry.from_mode_id == entry.to_mode_id == ""
    assert total(plan, CashKind.ACTIVATION) == pytest.approx(60 * 0.5 * 1.5)
    assert total(plan, CashKind.WEAR) == pytest.approx(-2 * 0.5 * 1.5)


def test_firm_load_on_an_island_is_carried_through_the_night():
    assets = [firm_load(GRID, 1), renewable(GRID, [3, 3, 0, 0]), battery(3, 2, both_frac=(0.9, 0.9))]
    schedule = planned(island_of(GRID, assets))
    assert schedule.shortfalls == ()
    assert asset_of(schedule.plan, "battery").power_mw[2:] == pytest.approx([-1, -1])


def test_a_battery_that_is_too_small_is_a_cause():
    assets = [firm_load(GRID, 1), renewable(GRID, [3, 3, 0, 0]), battery(1, 2)]
    schedule = planned(island_of(GRID, assets))
    assert schedule.solve.stop_reason is StopReason.CONFLICT
    assert asset_of(schedule.plan, "hall").unserved_mw.sum() == pytest.approx(1.0, abs=1e-5)
    fields = {one.field for one in schedule.shortfalls if not one.asset_id}
    assert "problem.sites[0].assets[2].battery.capacity_mwh" in fields


def test_an_end_that_cannot_be_reached_is_named():
    schedule = make_schedule(problem_of(GRID, [battery(9, 1, end_mwh=6)], 20), EXACT)
    assert schedule.plan is None
    assert "problem.sites[0].assets[0].battery.end_mwh" in schedule.no_plan_reason


def test_simple_ways_have_the_battery_too():
    """Always and threshold run the machine, and the battery moves 1 MWh from 0 to 50 for both."""
    problem = problem_of(GRID, [unit(), battery(1, end_mwh=0)], [0, 50, 20, 20], import_mw=2)
    schedule = make_schedule(problem, replace(EXACT, counterfactuals=True))
    ways = {way.name: way.total for way in schedule.plan.counterfactuals}
    assert ways == {ALWAYS: pytest.approx(240 - 90 + 50), THRESHOLD: pytest.approx(240 - 90 + 50)}
    assert schedule.plan.objective == pytest.approx(200, abs=0.01)


def battery_plan():
    problem = problem_of(
        hourly(2),
        [battery(2, initial_mwh=1, both_frac=(0.9, 0.9), end_mwh=0.5, prequalified={("up", UP): 1.0})],
        [10, 50],
        reserve("up", product(UP, 300, hold=30), [block(hourly(2), "all", 0, 2, 100)]),
        export_mw=5,
    )
    return problem, planned(problem).plan


WRONG = [
    ({"charge_mw": np.array([2.0, 0.0])}, {"charge", "power", "stored"}),
    ({"discharge_mw": np.array([0.0, 1.5])}, {"discharge", "power", "stored"}),
    ({"charge_mw": np.array([-0.5, 0.0])}, {"negative"}),
    ({"charge_mw": np.array([0.5, 0.5]), "discharge_mw": np.array([0.5, 0.5])}, {"one_way"}),
    ({"stored_mwh": np.array([1.0, 1.1])}, {"stored"}),
    (
        {"discharge_mw": np.array([1.0, 1.0]), "charge_mw": np.zeros(2)},
        {"stored_limit", "end", "held_energy", "held_power"},
    ),
    ({"charge_mw": np.array([1.0, 1.0]), "discharge_mw": np.zeros(2)}, {"stored", "power"}),
    ({"power_mw": np.ones(2)}, {"power"}),
    ({"stored_mwh": np.zeros(3)}, {"length"}),
]


@pytest.mark.parametrize(("changes", "wanted"), WRONG)
def test_the_checker_finds_what_is_wrong_with_it(changes, wanted):
    problem, plan = battery_plan()
    assert rules(problem, plan) == set()
    (of,) = plan.sites
    wrong = replace(plan, sites=(replace(of, assets=(replace(of.assets[0], **changes),)),))
    assert wanted <= rules(problem, wrong)


def test_the_checker_knows_what_a_battery_may_hold():
    problem, plan = battery_plan()
    _, market = plan.markets
    (entry,) = market.backing

    def found(changed_problem=problem, **changes):
        backing = (replace(entry, **changes),)
        return rules(changed_problem, replace(plan, markets=(plan.markets[0], replace(market, backing=backing))))

    assert "move" in found(from_mode_id="full")
    assert "move" in found(machine_count=np.ones(2, dtype=np.int64))
    assert {"prequalified", "held"} <= found(mw=entry.mw * 2)
    site = problem.sites[0]
    slow = replace(problem, sites=(replace(site, assets=(replace(site.assets[0], response_seconds=301.0),)),))
    assert "speed" in found(slow)

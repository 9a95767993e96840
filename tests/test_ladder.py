"""Activation ladders by hand: order, ends, machines that move, and what following one delivers for every MW."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from test_worth import COUNT, DOWN, ECO, FULL, OFF, UP, backing, group, plan_of, problem, reserve

from scheduler import make_plan
from scheduler.assets.battery import Battery
from scheduler.assets.generator import Generator
from scheduler.ladder import ladder_of, with_ladders
from scheduler.plan import Backing, MarketPlan
from scheduler.problem import Direction

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def ladder(asset, *held, **more):
    asked = problem(asset, reserve(), **more)
    return ladder_of(asked, asked.markets[1], held)


def test_cheapest_first_and_ends_add_up():
    """Up: full to eco costs 60.61, eco to off 111.11, full to off 95.24 per MWh; at 40 per PH and day."""
    rungs = ladder(
        group(OFF, ECO, FULL),
        backing(UP, ECO, OFF, [100] * COUNT, [0.24] * COUNT),
        backing(UP, FULL, ECO, [100] * COUNT, [0.11] * COUNT),
        backing(UP, FULL, OFF, [100] * COUNT, [0.35, 0.35, 0.0, 0.35]),
    )
    assert [rung.cost_per_mwh[0] for rung in rungs] == pytest.approx([1000 / 9, 60.6061, 95.2381], abs=1e-4)
    assert rungs[0].cumulated_mw == pytest.approx([0.70, 0.70, 0.35, 0.70])
    assert rungs[1].cumulated_mw == pytest.approx([0.11] * COUNT)
    assert rungs[2].cumulated_mw == pytest.approx([0.46, 0.46, 0.0, 0.46]), "0 where it holds nothing"
    assert [rung.machine_count.tolist() for rung in rungs] == [[100] * 4, [100] * 4, [100, 100, 0, 100]]


def test_down_is_cheapest_where_most_is_gained():
    asked = problem(group(OFF, ECO, FULL), reserve(direction=DOWN))
    rungs = ladder_of(
        asked,
        asked.markets[1],
        (
            backing(DOWN, ECO, FULL, [10] * COUNT, [0.011] * COUNT),
            backing(DOWN, OFF, ECO, [10] * COUNT, [0.024] * COUNT),
        ),
    )
    assert [rung.cost_per_mwh[0] for rung in rungs] == pytest.approx([-60.6061, -1000 / 9], abs=1e-4)
    assert [rung.cumulated_mw[0] for rung in rungs] == pytest.approx([0.035, 0.024])


def test_the_two_directions_of_a_symmetric_product_are_two_ladders():
    asked = problem(group(OFF, ECO, FULL), reserve(direction=Direction.SYMMETRIC))
    both = (
        backing(UP, FULL, ECO, [10] * COUNT, [0.011] * COUNT),
        backing(DOWN, ECO, FULL, [10] * COUNT, [0.011] * COUNT),
    )
    assert [rung.cumulated_mw[0] for rung in ladder_of(asked, asked.markets[1], both)] == pytest.approx([0.011] * 2)


def test_of_equals_the_first_named_comes_first():
    asset = group(OFF, FULL, replace(FULL, id="twin"))
    held = (
        backing(UP, FULL, OFF, [1] * COUNT, [0.003] * COUNT),
        backing(UP, asset.modes[2], OFF, [1] * 4, [0.002] * 4),
    )
    assert [rung.cumulated_mw[0] for rung in ladder(asset, *held)] == pytest.approx([0.003, 0.005])


@pytest.mark.parametrize(
    ("mw", "behind", "moves"),
    [(0.35, 100, 100), (0.35, 200, 100), (0.3501, 200, 101), (0.0001, 5, 1), (0.0, 5, 0), (0.35 + 1e-9, 100, 100)],
)
def test_as_many_machines_move_as_deliver(mw, behind, moves):
    """3.5 kW each; who waits to rotate, or is behind it in vain, does not move."""
    (rung,) = ladder(group(OFF, FULL), backing(UP, FULL, OFF, [behind] * COUNT, [mw] * COUNT))
    assert rung.machine_count.tolist() == [moves] * COUNT


def test_what_the_meter_does_not_show_takes_more_machines():
    (rung,) = ladder(group(OFF, FULL, delivery_frac=0.8, seconds=12), backing(UP, FULL, OFF, [200] * 4, [0.35] * 4))
    assert (rung.machine_count[0], rung.seconds) == (125, 12.0)


def test_a_plan_gets_a_ladder_where_it_holds_anything():
    asset = group(OFF, FULL)
    asked = problem(asset, reserve())
    held = backing(UP, FULL, OFF, [10] * COUNT, [0.03] * COUNT)
    planned = plan_of(asset, {"full": [1000] * COUNT}, MarketPlan("r", backing=(held,)))
    assert [len(market.ladder) for market in with_ladders(asked, planned).markets] == [0, 1]
    again = with_ladders(asked, with_ladders(asked, planned))
    assert [len(market.ladder) for market in again.markets] == [0, 1]


PLANNED = ["days/spike-day", "days/clock-autumn", "pairs/both-directions-feasible", "pairs/rotation-binding"]
PLANNED += ["pairs/battery-energy-up-feasible", "pairs/generator-down-binding", "pairs/generator-up-binding"]


@pytest.mark.parametrize("name", PLANNED)
def test_following_a_ladder_delivers_every_mw(name):
    """A controller that reads nothing but the ladder, called for random MW in every interval."""
    result = make_plan(FIXTURES / name / "request.json")
    draw = np.random.default_rng(5)
    called = 0
    for market, planned in zip(result.schedule.problem.markets, result.plan.markets, strict=True):
        if market.kind != "reserve":
            continue
        sold = result.reserve()[market.id]
        for direction in market.product.direction.parts:
            rungs = [rung for rung in planned.ladder if rung.direction is direction]
            held = sold[direction.value, "offered_mw"] + sold[direction.value, "awarded_mw"]
            held = (held - sold[direction.value, "missing_mw"]).to_numpy()
            for t in range(result.schedule.problem.horizon.count):
                for asked_mw in (held[t], *draw.uniform(0, held[t], 3)) if held[t] else ():
                    moved = follow(rungs, t, asked_mw)
                    delivered = sum(mw for _, mw in moved)
                    assert delivered >= asked_mw - 1e-6
                    one_each = sum(rung.machine_mw for rung, _ in moved)
                    assert all(rung.machine_mw == machine_mw(result.schedule.problem, rung) for rung, _ in moved)
                    assert delivered <= asked_mw + one_each + 1e-6, "no machine more than it takes, rung by rung"
                    assert all(rung.seconds <= market.product.full_activation_seconds for rung, _ in moved)
                    costs = [rung.cost_per_mwh[t] for rung, _ in moved]
                    assert all(b >= a - 1e-6 for a, b in pairwise(costs))
                    called += 1
    assert called > 0


def follow(rungs, t, asked_mw):
    """The rungs with the MW that they deliver, by the words of the wire format alone."""
    moved, below = [], 0.0
    for rung in sorted((r for r in rungs if r.mw[t] > 0), key=lambda r: r.cumulated_mw[t]):
        whole = asked_mw >= rung.cumulated_mw[t] - 1e-9
        rest_mw = rung.mw[t] if whole else asked_mw - below
        if rest_mw > 0:
            machines = int(rung.machine_count[t])
            if rung.machine_mw and not whole:
                machines = math.ceil(rest_mw / rung.machine_mw - 1e-9)
            assert machines <= rung.machine_count[t]
            moved.append((rung, machines * rung.machine_mw if rung.machine_mw else rest_mw))
        below = rung.cumulated_mw[t]
    return moved


def machine_mw(asked, rung):
    (asset,) = (asset for site in asked.sites for asset in site.assets if asset.id == rung.asset_id)
    if asset.kind != "miner_group":
        return 0.0
    power = {mode.id: mode.power_w for mode in asset.modes}
    return abs(power[rung.from_mode_id] - power[rung.to_mode_id]) / 1e6 * asset.delivery_frac


def test_machines_and_others_on_one_ladder():
    """A generator at 50 per MWh comes before machines that lose 95.24, a battery whose energy is worth 110 after."""
    machines = group(OFF, FULL)
    generator = Generator("gen", 1.0, np.array([50.0, 50.0, 100.0, 50.0]), True, response_seconds=30.0)
    battery = Battery("bat", 1.0, 1.0, 1.0, 0.9, 0.8, 0.5, None, 80.0, 10.0, 2.0)
    asked = problem(machines, reserve())
    site = replace(asked.sites[0], assets=(machines, generator, battery))
    asked = replace(asked, sites=(site,))
    none = np.zeros(COUNT, dtype=int)
    held = (
        backing(UP, FULL, OFF, [100] * COUNT, [0.35] * COUNT),
        *(Backing(name, UP, "", "", none, np.full(COUNT, 0.2)) for name in ("gen", "bat")),
    )
    of_machines, of_generator, of_battery = ladder_of(asked, asked.markets[1], held)
    assert of_generator.cumulated_mw == pytest.approx([0.2, 0.2, 0.55, 0.2])
    assert of_machines.cumulated_mw == pytest.approx([0.55, 0.55, 0.35, 0.55])
    assert of_battery.cumulated_mw == pytest.approx([0.75] * COUNT)
    assert of_battery.cost_per_mwh == pytest.approx([110.0] * COUNT)  # 80 / 0.8 and 10 of wear
    assert (of_generator.seconds, of_battery.seconds, of_battery.machine_mw) == (30.0, 2.0, 0.0)
    down = tuple(replace(one, direction=DOWN) for one in held[1:])
    market = reserve(direction=DOWN)
    costs = [rung.cost_per_mwh[0] for rung in ladder_of(asked, market, down)]
    assert costs == pytest.approx([-50.0, -72.0])


def test_the_table_is_in_the_order_of_calls():
    result = make_plan(FIXTURES / "days" / "spike-day" / "request.json")
    frame = result.ladder()
    assert list(frame.columns[:4]) == ["utc_start", "market_id", "direction", "rung"]
    for _, climb in frame.groupby(["utc_start", "market_id", "direction"]):
        assert climb["rung"].tolist() == list(range(1, len(climb) + 1))
        assert climb["mw"].cumsum().tolist() == pytest.approx(climb["cumulated_mw"].tolist())
        assert climb["cost_eur_per_mwh"].is_monotonic_increasing
    held = frame.groupby("market_id")["mw"].sum()
    backed = result.reserve().xs("backed_mw", axis="columns", level="quantity")
    for market_id, mw in held.items():
        assert mw == pytest.approx(backed[market_id].to_numpy().sum())

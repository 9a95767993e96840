"""Peak charge: the highest import, once, above what was reached, with what is held down."""

from dataclasses import replace

import numpy as np
import pytest
from asset_cases import EXACT, planned, problem_of, total

from scheduler.plan import CashKind
from scheduler.planner import make_schedule
from scheduler.settings import Strategy
from scheduler.v1 import problem_pb2 as pb
from tools.fixtures.build import DOWN, battery, block, firm_load, product, renewable, reserve
from tools.fixtures.tiny import quarters, unit


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("counts", [True, False])
def test_what_is_paid_is_what_the_meter_and_calls_come_to(seed, counts):
    rng = np.random.default_rng(seed)
    grid = quarters(8)
    charge = pb.PeakCharge(price_per_mw=float(rng.choice([5, 30, 200])), reached_mw=float(rng.choice([0, 2])))
    charge.counts_calls = counts
    assets = [
        unit(4),
        firm_load(grid, rng.integers(0, 4, 8).tolist()),
        battery(2, initial_mwh=1, both_frac=(0.9, 0.9), end_mwh=1),
        renewable(grid, rng.integers(0, 3, 8).tolist()),
    ]
    spec = product(DOWN, 300, hold=15, max_step_mw=5, smallest=500, step=500)
    down = reserve("down", spec, [block(grid, "a", 0, 4, 12), block(grid, "b", 4, 8, 12)])
    price = rng.choice([-20.0, 20.0, 55.0, 90.0], 8).tolist()
    problem = problem_of(grid, assets, price, down, export_mw=2, fee=5, peak=charge)
    found = [planned(problem, replace(EXACT, strategy=strategy)) for strategy in Strategy]
    assert found[0].plan.objective == pytest.approx(found[1].plan.objective, abs=0.01)
    for schedule in found:
        (of,), held = schedule.plan.sites, sum((entry.mw for entry in schedule.plan.markets[1].backing), np.zeros(8))
        highest = max(charge.reached_mw, (of.grid_mw + counts * held).max())
        paid = charge.price_per_mw * (highest - charge.reached_mw)
        assert total(schedule.plan, CashKind.PEAK) == pytest.approx(-paid, abs=1e-3)
        assert total(schedule.plan, CashKind.FEES) == pytest.approx(-5 / 4 * np.maximum(of.grid_mw, 0).sum(), abs=1e-3)


def test_simple_ways_pay_their_peak():
    """Two machines always: 2 MW, of which 1 MW was reached."""
    grid = quarters(4)
    problem = problem_of(grid, [unit(2)], 20, peak=pb.PeakCharge(price_per_mw=100, reached_mw=1))
    schedule = make_schedule(problem, replace(EXACT, counterfactuals=True))
    assert [way.total for way in schedule.plan.counterfactuals] == [pytest.approx(80 - 100)] * 2
    assert schedule.plan.objective == pytest.approx(40)

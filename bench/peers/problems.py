"""What peers are given: plain figures as JSON, of the same problem that we plan.

Written from the validated problem, not from our model: how it becomes variables and rows is theirs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from scheduler.assets.machine import Mode, Move
from scheduler.assets.miner_group import MinerGroup
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.problem import Direction, Problem
from scheduler.v1 import scheduler_pb2
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.build import Grid, energy, full, group, move, off, request, site
from tools.fixtures.scale import lumpy_request
from tools.fixtures.shapes import curve

SHARE_OF_CONNECTION = 0.7


@dataclass(frozen=True)
class Case:
    """A problem as we plan it, and the same for a peer."""

    name: str
    problem: Problem
    given: dict[str, Any]


def lumpy_case(units_count: int, seed: int) -> Case:
    """The full problem of single large units: minimum times, starts, two reserve products."""
    problem = schedule_request_from_pb(lumpy_request(units_count, seed))[1]
    given = _common(problem) | {"products": _products(problem)}
    return Case(f"lumpy {units_count}", problem, given)


def switching_case(units_count: int, seed: int) -> Case:
    """What FlexMeasures can express of it: units on or off, prices, one connection; no minimum times, no reserve."""
    problem = schedule_request_from_pb(switching_request(units_count, seed))[1]
    limit_mw = problem.sites[0].connection.import_limit_mw.tolist() if problem.sites[0].connection else []
    return Case(f"switching {units_count}", problem, _common(problem) | {"import_limit_mw": limit_mw})


def switching_request(units_count: int, seed: int) -> scheduler_pb2.ScheduleRequest:
    """Single large units that switch at once behind a connection too small for all of them."""
    rng = random.Random(seed)
    grid = Grid("2026-03-09T23:00", 15, 96)
    prices = curve(grid, 64, (8, 1.8, 44), (13.3, 2.8, -70), (19.3, 2.1, 82), ripple=9)
    prices = [round(price + rng.uniform(-5, 5), 2) for price in prices]
    units, all_mw = [], 0.0
    for number in range(units_count):
        mw = round(rng.uniform(2, 9), 1)
        all_mw += mw
        ths = round(mw * rng.uniform(35, 110) * 24000 / 40 / 0.98)
        units.append(
            group(f"unit-{number:03}", 1, [off(0), full(mw * 1e6, ths)], [move("off>full"), move("full>off")], "off")
        )
    limit_mw = round(SHARE_OF_CONNECTION * all_mw, 1)
    place = site(grid, units, import_mw=limit_mw, fee=12)
    return request(
        f"switching-{units_count}-{seed}", grid, [place], [energy(grid, prices)], hashprice=40, pool_fee=0.02
    )


def _common(problem: Problem) -> dict[str, Any]:
    (place,) = problem.sites
    (market,) = (market for market in problem.markets if isinstance(market, EnergyMarket))
    return {
        "start_utc": problem.horizon.start_utc.isoformat(),
        "step_minutes": problem.horizon.step_minutes,
        "price_per_mwh": market.price_per_mwh.tolist(),
        "fee_per_mwh": place.tariff.import_fee_per_mwh.tolist(),
        "income_per_ths_h": problem.mining.income_per_ths_h.tolist(),
        "units": [_unit(asset) for asset in place.assets if isinstance(asset, MinerGroup)],
    }


def _unit(group: MinerGroup) -> dict[str, Any]:
    """A single machine that is off or full; it has been there for as long as it needs to."""
    rest, run = _mode(group, "off"), _mode(group, "full")
    start, stop = _move(group, "off"), _move(group, "full")
    (cohort,) = group.initial_cohorts
    assert group.machine_count == 1 and rest.power_w == 0 and group.delivery_frac == 1
    return {
        "id": group.id,
        "mw": run.power_w / 1e6,
        "hashrate_ths": run.hashrate_ths,
        "run_minutes": run.dwell_minutes,
        "rest_minutes": rest.dwell_minutes,
        "start_seconds": start.seconds,
        "stop_seconds": stop.seconds,
        "start_cost": start.wear_cost,
        "initially_full": cohort.mode_id == "full",
    }


def _mode(group: MinerGroup, mode_id: str) -> Mode:
    return group.modes[group.mode_index[mode_id]]


def _move(group: MinerGroup, from_mode_id: str) -> Move:
    (found,) = (move for move in group.moves if move.from_mode_id == from_mode_id)
    return found


def _products(problem: Problem) -> list[dict[str, Any]]:
    found = []
    for market in problem.markets:
        if isinstance(market, ReserveMarket):
            product, (direction,) = market.product, market.product.direction.parts
            expected = market.activation[direction]
            assert product.smallest_bid_kw == product.step_kw == 1000
            blocks = [
                {"first": inside.start, "end": inside.stop, "price_per_mw_h": block.price_per_mw_h}
                for block in market.blocks
                for inside in [block.intervals(problem.horizon)]
            ]
            found.append(
                {
                    "up": direction is Direction.UP,
                    "full_activation_seconds": product.full_activation_seconds,
                    "shortest_call_minutes": product.shortest_call_minutes,
                    "blocks": blocks,
                    "expected_frac": expected.expected_frac.tolist(),
                    "calls_per_hour": expected.calls_per_hour.tolist(),
                    "price_per_mwh": expected.price_per_mwh.tolist(),
                }
            )
    return found

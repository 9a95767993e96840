"""Energy bids per interval for aFRR and mFRR: what a call must pay at least, by the machines that move (facts C1, E6).

Signs. The price column is a magnitude, and ENERGY_PRICE_PAYMENT_DIRECTION says who pays: GRID_TO_PROVIDER, we receive
it; PROVIDER_TO_GRID, we pay it. That is the sign of the cash flow in either direction of the call. The price of a
merit order is the same for POS and has the other sign for NEG: it stands in a column of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from scheduler.errors import SchedulerError
from scheduler.formats.capacity_bids import SIDES
from scheduler.formats.local_day import day_of, number_in_day, on_market_clock
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import Backing, Plan
from scheduler.problem import Direction, Floats, Problem
from scheduler.tables import Cell
from scheduler.worth import asset_of, call_cost_per_mwh, is_worth_stated, site_of_asset

ENERGY_TYPES = ("aFRR", "mFRR")
KW_PER_MW = 1000
CENTS = 100
ROUNDING_KW = 1e-3

Row = list[Cell]


def energy_bids(problem: Problem, plan: Plan, market: ReserveMarket, reserve_type: str) -> list[Row]:
    """A heading, then the bids of each interval, cheapest first, over all that the plan holds for the market.

    Machines are sorted by what their calls cost, and bids are cut from them in the product's steps: each asks for its
    dearest MW, rounded up to the cent, so that no call is paid below cost. Intervals are numbered through the
    market's day, POS_001 to POS_092, _096 or _100, and stand as UTC instants beside it.
    Raises SchedulerError for a type or product without energy bids.
    """
    if reserve_type not in ENERGY_TYPES:
        raise SchedulerError(f"energy is bid for {' and '.join(ENERGY_TYPES)}, not for {reserve_type!r}")
    if market.product.direction is Direction.SYMMETRIC:
        raise SchedulerError(f"market {market.id!r} is symmetric: its calls take no energy bids")
    currency = problem.currency_code
    rows: list[Row] = [
        [
            "DELIVERY_DATE",
            "UTC_START",
            "TYPE_OF_RESERVES",
            "PRODUCT",
            f"ENERGY_PRICE_[{currency}/MWh]",
            "ENERGY_PRICE_PAYMENT_DIRECTION",
            "OFFERED_CAPACITY_[MW]",
            f"MERIT_ORDER_PRICE_[{currency}/MWh]",
        ]
    ]
    horizon, side = on_market_clock(problem.horizon), SIDES[market.product.direction]
    inverted = -1 if market.product.direction is Direction.DOWN else 1
    held = []
    for backing in next(one for one in plan.markets if one.market_id == market.id).backing:
        site = site_of_asset(problem, backing.asset_id)
        if not is_worth_stated(asset_of(site, backing.asset_id)):
            words = "must be filled again to end_mwh, and what that costs is not stated: give end_value_per_mwh instead"
            raise SchedulerError(f"battery {backing.asset_id!r} {words}")
        held.append((backing, call_cost_per_mwh(problem, site, market, backing)))
    for t in range(horizon.count):
        product = f"{side}_{number_in_day(horizon, t):03d}"
        for kw, cents in _bids(held, t, market.product.smallest_bid_kw, market.product.step_kw):
            payer = "GRID_TO_PROVIDER" if cents >= 0 else "PROVIDER_TO_GRID"
            price: Row = [abs(cents) / CENTS, payer, kw / KW_PER_MW, inverted * cents / CENTS + 0.0]
            rows.append([str(day_of(horizon, t)), horizon.boundary_utc(t), reserve_type, product, *price])
    return rows


def _bids(held: list[tuple[Backing, Floats]], t: int, smallest_kw: int, step_kw: int) -> Iterator[tuple[int, int]]:
    """kW and price in cents of each bid of an interval, cheapest first; all that is held is in one of them."""
    machines = sorted((float(cost[t]), float(backing.mw[t]) * KW_PER_MW) for backing, cost in held if backing.mw[t] > 0)
    total_kw = round(sum(kw for _, kw in machines))
    if not total_kw:
        return
    cuts = [smallest_kw + step_kw * i for i in range(max(0, (total_kw - smallest_kw) // step_kw) + 1)]
    cuts[-1] = total_kw  # what is left of a step goes with the last bid
    bids: list[tuple[int, int]] = []
    for start, end in pairwise([0, *cuts]):
        cents = math.ceil(_dearest(machines, end) * CENTS - 1e-6)
        if bids and (bids[-1][1] == cents or bids[-1][0] < smallest_kw):
            bids[-1] = (bids[-1][0] + end - start, cents)
        else:
            bids.append((end - start, cents))
    if len(bids) > 1 and bids[-1][0] < smallest_kw:
        kw, cents = bids.pop()
        bids[-1] = (bids[-1][0] + kw, cents)
    yield from bids


def _dearest(machines: list[tuple[float, float]], kw: float) -> float:
    """Cost of the last of so many kW, cheapest first."""
    for cost, mine_kw in machines:
        kw -= mine_kw
        if kw <= ROUNDING_KW:
            return cost
    return machines[-1][0]

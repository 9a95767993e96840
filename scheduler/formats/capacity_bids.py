"""Capacity bids for FCR, aFRR and mFRR in the layout of regelleistung.net (facts B1, C1), for all else in one of ours.

FCR is priced per MW and block, aFRR and mFRR per MW and hour: the heading says which. Blocks last real hours, so that
the block with the clock change has 3 or 5. Ours names the market, and instants instead of blocks; see `bid_results`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from scheduler.errors import SchedulerError
from scheduler.formats.local_day import block_hours, on_market_clock
from scheduler.markets.block import KW_PER_MW, Block
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import BlockPlan, Plan
from scheduler.problem import Direction, Problem
from scheduler.product import Pricing
from scheduler.tables import Cell

RESERVE_TYPES = ("FCR", "aFRR", "mFRR")
SIDES = {Direction.UP: "POS", Direction.DOWN: "NEG", Direction.SYMMETRIC: "NEGPOS"}
CENTS = 100

Row = list[Cell]


def capacity_bids(problem: Problem, plan: Plan, market: ReserveMarket, reserve_type: str) -> list[Row]:
    """A heading, then a row for each bid of each block that the plan makes an offer for; awards are not bid again.

    The price is the bid's; of a block without bids, the one expected where each is paid its own, and the lowest to ask
    (else, where it was not computed, the one expected) where all are paid the clearing price. Rounded up to the cent.
    Raises SchedulerError for a type that does not fit the product, and blocks that are none of the market's hours.
    """
    if reserve_type not in RESERVE_TYPES:
        raise SchedulerError(f"reserve is of type {', '.join(RESERVE_TYPES)}, not {reserve_type!r}")
    per_block = reserve_type == "FCR"
    if per_block != (market.product.direction is Direction.SYMMETRIC):
        raise SchedulerError(f"market {market.id!r} is {market.product.direction.value}: it is not {reserve_type}")
    currency = problem.currency_code
    unit = f"[{currency}/MW]" if per_block else f"[({currency}/MW)/h]"
    bids = f"{'OFFERED_' if per_block else ''}CAPACITY_PRICE_{unit}"
    heading = ["DATE_FROM", "DATE_TO", "TYPE_OF_RESERVES", "PRODUCT", bids, "OFFERED_CAPACITY_[MW]", "INDIVISIBLE"]
    rows: list[Row] = [[*heading, "BID", "PARENT_BID", "EXCLUSIVE_GROUP"]]
    market_plan = next(one for one in plan.markets if one.market_id == market.id)
    for block, block_plan in zip(market.blocks, market_plan.blocks, strict=True):
        if not block_plan.offered_kw:
            continue
        day, hours = block_hours(on_market_clock(problem.horizon), block.start_utc, block.end_utc)
        real_hours = (block.end_utc - block.start_utc).total_seconds() / 3600
        for bid_id, kw, price, more in _offers(market, block, block_plan):
            asked = math.ceil(price * (real_hours if per_block else 1.0) * CENTS - 1e-6) / CENTS
            name = f"{SIDES[market.product.direction]}_{hours}"
            rows.append([str(day), str(day), reserve_type, name, asked, kw / KW_PER_MW, *more[:1], bid_id, *more[1:]])
    return rows


def own_capacity_bids(problem: Problem, plan: Plan, market: ReserveMarket) -> list[Row]:
    """A heading, then a row for each bid, of any product; prices per MW and hour, as in `capacity_bids`."""
    price_name = f"price_{problem.currency_code.lower()}_per_mw_h"
    heading = ["market", "utc_start", "utc_end", "bid", "offered_mw", price_name]
    rows: list[Row] = [[*heading, "indivisible", "parent_bid", "exclusive_group"]]
    market_plan = next(one for one in plan.markets if one.market_id == market.id)
    for block, block_plan in zip(market.blocks, market_plan.blocks, strict=True):
        if not block_plan.offered_kw:
            continue
        for bid_id, kw, price, more in _offers(market, block, block_plan):
            asked = math.ceil(price * CENTS - 1e-6) / CENTS
            rows.append([market.id, block.start_utc, block.end_utc, bid_id, kw / KW_PER_MW, asked, *more])
    return rows


def at_expected_price_count(plan: Plan, market: ReserveMarket) -> int:
    """How many blocks that are paid the clearing price are offered without knowing what they cost."""
    market_plan = next(one for one in plan.markets if one.market_id == market.id)
    is_cleared = market.product.pricing is Pricing.AS_CLEARED
    return sum(
        is_cleared and bool(own.offered_kw) and not block.bids and own.lowest_price_per_mw_h is None
        for block, own in zip(market.blocks, market_plan.blocks, strict=True)
    )


def _offers(
    market: ReserveMarket, block: Block, plan: BlockPlan
) -> Iterator[tuple[str, int, float, tuple[str, str, str]]]:
    """Bid, kW, price per MW and hour, and whether it is indivisible, its parent, its group."""
    if not block.bids:
        assert block.price_per_mw_h is not None, "a block that takes offers has a price or bids"
        price = block.price_per_mw_h
        if market.product.pricing is Pricing.AS_CLEARED and plan.lowest_price_per_mw_h is not None:
            price = max(0.0, min(price, plan.lowest_price_per_mw_h))
        yield "", plan.offered_kw, price, ("no", "", "")
    for bid in block.bids:
        if kw := plan.bid_kw.get(bid.id, 0):
            indivisible = "yes" if bid.indivisible else "no"
            yield bid.id, kw, bid.price_per_mw_h, (indivisible, bid.parent_bid_id, bid.exclusive_group)

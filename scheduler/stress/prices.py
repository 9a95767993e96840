"""One problem at other prices: as a problem, for the checker, and as money on the same matrix, for the solver.

Both say the same, and every point that is told has been compared: the checker's own sum for the problem against the
vectors for the matrix.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.assets.miner_group import MinerGroup
from scheduler.markets.block import Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.model.compile import Matrix
from scheduler.model.repricing import Money, parts_of_money
from scheduler.plan import CashKind, Stream
from scheduler.problem import Mining, Problem, Site, Stage
from scheduler.resilience import Axis


def repriced(problem: Problem, axis: Axis, factor: float) -> Problem:
    """The problem with a price so many times as high; what was agreed before keeps its price."""
    match axis:
        case Axis.HASHPRICE:
            sites = tuple(_with_hashprice(site, factor) for site in problem.sites)
            return replace(problem, mining=_times(problem.mining, factor), sites=sites)
        case Axis.POWER:
            markets = [
                _power_times(each, factor) if isinstance(each, EnergyMarket) else each for each in problem.markets
            ]
        case Axis.RESERVE:
            markets = [
                replace(each, blocks=tuple(_offered_times(block, factor) for block in each.blocks))
                if isinstance(each, ReserveMarket) and each.stage is Stage.OPEN
                else each
                for each in problem.markets
            ]
    return replace(problem, markets=tuple(markets))


def _times(mining: Mining, factor: float) -> Mining:
    return replace(mining, hashprice_per_ph_day=factor * mining.hashprice_per_ph_day)


def _with_hashprice(site: Site, factor: float) -> Site:
    assets = tuple(
        replace(asset, mining_override=_times(asset.mining_override, factor))
        if isinstance(asset, MinerGroup) and asset.mining_override is not None
        else asset
        for asset in site.assets
    )
    return replace(site, assets=assets)


def _power_times(market: EnergyMarket, factor: float) -> EnergyMarket:
    if market.stage is Stage.OPEN:
        return replace(market, price_per_mwh=factor * market.price_per_mwh)
    if market.long_price_per_mwh is None or market.short_price_per_mwh is None:
        return market
    return replace(
        market,
        long_price_per_mwh=factor * market.long_price_per_mwh,
        short_price_per_mwh=factor * market.short_price_per_mwh,
    )


def _offered_times(block: Block, factor: float) -> Block:
    price = None if block.price_per_mw_h is None else factor * block.price_per_mw_h
    bids = tuple(replace(bid, price_per_mw_h=factor * bid.price_per_mw_h) for bid in block.bids)
    return replace(block, price_per_mw_h=price, bids=bids)


def money_of_axes(matrix: Matrix) -> dict[Axis, Money]:
    """What of a matrix's money is in proportion to each price; axes that no money depends on are left out."""
    markets = {market.id: market for market in matrix.ledger.problem.markets}

    def axis_of(stream: Stream) -> Axis | None:
        is_open = stream.market_id in markets and markets[stream.market_id].stage is Stage.OPEN
        if stream.kind in (CashKind.BTC, CashKind.ACTIVATION_MINING):
            return Axis.HASHPRICE
        if stream.kind is CashKind.DEVIATION or (stream.kind is CashKind.ENERGY and is_open):
            return Axis.POWER
        return Axis.RESERVE if stream.kind is CashKind.CAPACITY and is_open else None

    parts = parts_of_money(matrix, axis_of)
    found = {}
    for axis in Axis:
        money = parts.get(axis)
        if money is None:
            continue
        if axis is Axis.RESERVE:  # what is constant there are awards
            money = Money(money.costs, 0.0)
        if money.costs.any():
            found[axis] = money
    return found


def price_today(problem: Problem, axis: Axis) -> float:
    """The mean of a price over the horizon, and over the markets or blocks that have it."""
    match axis:
        case Axis.HASHPRICE:
            return float(problem.mining.hashprice_per_ph_day.mean())
        case Axis.POWER:
            energy = [market for market in problem.markets if isinstance(market, EnergyMarket)]
            prices = [market.price_per_mwh for market in energy if market.stage is Stage.OPEN]
            prices = prices or [m.short_price_per_mwh for m in energy if m.short_price_per_mwh is not None]
            return float(np.mean(prices)) if prices else 0.0
        case Axis.RESERVE:
            offered = [
                price
                for market in problem.markets
                if isinstance(market, ReserveMarket) and market.stage is Stage.OPEN
                for block in market.blocks
                for price in (
                    [bid.price_per_mw_h for bid in block.bids]
                    if block.price_per_mw_h is None
                    else [block.price_per_mw_h]
                )
            ]
            return float(np.mean(offered)) if offered else 0.0

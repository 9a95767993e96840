"""New prices on a known fleet: day-ahead, hashprice, capacity, activated energy. All else stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.problem import Floats, Problem

DAY_AHEAD_PER_MWH = 8.0  # standard deviation
ACTIVATED_PER_MWH = 6.0
OTHERS_FRAC = 0.05


def with_new_prices(problem: Problem, number: int) -> Problem:
    """The same problem with other prices, the same for the same number."""
    random = np.random.default_rng(number)

    def around(series: Floats, deviation: float) -> Floats:
        return np.round(series + random.normal(0, deviation, len(series)), 2)

    hashprice = problem.mining.hashprice_per_ph_day
    hashprice = np.round(hashprice * random.normal(1, OTHERS_FRAC, 1), 3)
    markets = []
    for market in problem.markets:
        changed = market
        if isinstance(market, EnergyMarket):
            changed = replace(market, price_per_mwh=around(market.price_per_mwh, DAY_AHEAD_PER_MWH))
        elif isinstance(market, ReserveMarket):
            activation = {
                direction: replace(expected, price_per_mwh=around(expected.price_per_mwh, ACTIVATED_PER_MWH))
                for direction, expected in market.activation.items()
            }
            factors = random.normal(1, OTHERS_FRAC, len(market.blocks)).tolist()
            blocks = tuple(
                block if block.price_per_mw_h is None else replace(block, price_per_mw_h=block.price_per_mw_h * factor)
                for block, factor in zip(market.blocks, factors, strict=True)
            )
            changed = replace(market, activation=activation, blocks=blocks)
        markets.append(changed)
    return replace(problem, mining=replace(problem.mining, hashprice_per_ph_day=hashprice), markets=tuple(markets))

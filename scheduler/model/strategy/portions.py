"""Where the relaxation of many sites begins: a portion of them at a time, all with their share of what sites share.

A step of the simplex method takes as long as there are rows and columns, so twenty small problems are solved in a
twentieth of the time of one large. Each portion is solved by itself first, at nearly the prices of the first one. Then
they trade: at common prices, which each may leave by a little, one holds more and another less of what a market asks.
What is traded stays, what is not evenly matched is shared out, and the common prices follow the mean of all. That comes
near in a few rounds, then hardly nearer (alternating directions, as in Boyd and others 2011, with a box in the place of
the penalty): good prices, and the few columns that matter, for all sites at once to begin with.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock
from scheduler.model.strategy.apart import Indices, side_by_side
from scheduler.model.strategy.blocks import MOST_COLUMNS_COUNT_WITH_SOLVERS, rows_naming, rows_of_markets, sites_of
from scheduler.model.strategy.relaxation import Relaxation, Start
from scheduler.problem import Floats

FEW_SITES_COUNT, SOME_SITES_COUNT = 12, 60
"""Of more than few sites a portion comes first, of more than some all of them."""
SITES_PER_PORTION = 5
SITES_PER_SAMPLED = 5
"""Where a single portion comes first, it is one site of so many."""
GAP_OF_PORTION = 1e-3
ROUNDS_COUNT = 6
BOX = 0.05
"""Half its width at the first round, in mean prices."""
WIDER, NARROWER, CALMER = 1.1, 0.5, 0.8
"""After a round in which all together still hold too much, or too little; after one that turned it over; and else."""
DUST_MW = 1e-6


def relaxation_of(matrix: Matrix, clock: Clock) -> Relaxation:
    """The relaxation of a matrix, begun. Raises SolverError: it cannot be taken apart, or the time is too short."""
    start = None
    with suppress(SolverError):  # the share of some may be more than they can hold: all together begin from nothing
        start = _start(matrix, clock)
    return Relaxation(matrix, clock, start)


def _start(matrix: Matrix, clock: Clock) -> Start | None:
    """What portions of the sites lead to; None for few sites."""
    site, markets = sites_of(matrix), rows_of_markets(matrix)
    sites = np.unique(site[site >= 0])
    if len(sites) <= FEW_SITES_COUNT:
        return None
    if len(sites) <= SOME_SITES_COUNT:
        one = _Portion(matrix, site, sites[::SITES_PER_SAMPLED], markets)
        one.solve(None, clock)
        return Start(one.prices_of_rows(matrix.matrix.shape[0]))
    count = -(-len(sites) // SITES_PER_PORTION)
    portions = [_Portion(matrix, site, sites[number::count], markets) for number in range(count)]
    portions[0].solve(None, clock)
    first = portions[0].prices(len(markets))
    side_by_side(lambda portion: portion.solve(first, clock), portions[1:])
    center = _traded(portions, len(markets))
    prices, used = np.zeros(matrix.matrix.shape[0]), np.zeros(len(matrix.money), dtype=bool)
    while portions:  # each is large
        portion = portions.pop()
        prices[portion.rows] = portion.relaxation.prices
        used[portion.columns] |= portion.relaxation.used
    prices[markets] = center
    return Start(prices, used)


def _traded(portions: list[_Portion], count: int) -> Floats:
    """[rows of markets] common prices after some rounds of trade."""
    present = np.maximum(_sum(portion.spread(np.ones(len(portion.here)), count) for portion in portions), 1.0)

    def trade(center: Floats, box: Floats) -> tuple[Floats, Floats]:
        """Common prices, and what all together hold too much."""
        over = side_by_side(lambda portion: portion.trade(center, box), portions)
        of_all = _sum(portion.spread(own, count) for portion, own in zip(portions, over, strict=True))
        for portion, own in zip(portions, over, strict=True):
            portion.given = portion.given + own - (of_all / present)[portion.here]
        return agreed(), np.where(np.abs(of_all) > DUST_MW, of_all, 0.0)

    def agreed() -> Floats:
        mean = _sum(portion.prices(count) for portion in portions) / present
        side_by_side(lambda portion: portion.ask(mean), portions)
        return mean

    center, before = agreed(), np.zeros(count)
    box = np.full(count, BOX * float(np.abs(center).mean()))
    for _ in range(ROUNDS_COUNT):
        center, over = trade(center, box)
        same = np.sign(over) * np.sign(before)
        box = box * np.select([same > 0, same < 0], [WIDER, NARROWER], CALMER)
        before = over
    return center


def _sum(arrays: Iterable[Floats]) -> Floats:
    total: Floats = np.sum(list(arrays), axis=0)
    return total


class _Portion:
    """Some sites, with their share of what belongs to no site; ``here`` says which rows of markets they have."""

    relaxation: Relaxation

    def __init__(self, matrix: Matrix, site: Indices, chosen: Indices, markets: Indices) -> None:
        self.columns = np.flatnonzero(np.isin(site, chosen) | (site < 0))
        self.rows = np.unique(matrix.matrix[:, self.columns].indices).astype(np.int64)
        part = matrix.part(self.columns, self.rows)
        of_all = site[self.columns] < 0
        share = len(chosen) / len(np.unique(site[site >= 0]))
        scaled: NDArray[np.float64] = np.where(of_all, share, 1.0)
        sides = np.where(rows_naming(part, of_all), share, 1.0)
        self._matrix = replace(
            part,
            lower=part.lower * scaled,
            upper=part.upper * scaled,
            row_lower=part.row_lower * sides,
            row_upper=part.row_upper * sides,
        )
        self._keeps_solvers = len(matrix.money) <= MOST_COLUMNS_COUNT_WITH_SOLVERS
        self._markets = markets
        self.here: Indices = np.zeros(0, dtype=np.int64)
        self.given: Floats = np.zeros(0)

    def solve(self, prices: Floats | None, clock: Clock) -> None:
        """By itself, from ``prices`` [rows of markets] of another."""
        start = None
        if prices is not None:
            own = np.zeros(len(self.rows))
            at = np.searchsorted(self._markets, self.rows) % len(self._markets)
            is_market = self._markets[at] == self.rows
            own[is_market] = prices[at[is_market]]
            start = Start(own)
        self.relaxation = Relaxation(self._matrix, clock, start, keeps_solvers=self._keeps_solvers)
        self.here = np.searchsorted(self._markets, self.rows[self.relaxation.markets_rows])
        self.given = np.zeros(len(self.here))
        self.relaxation.solve(GAP_OF_PORTION)
        self.relaxation.rest()

    def prices_of_rows(self, count: int) -> Floats:
        """[rows of the whole]"""
        prices = np.zeros(count)
        prices[self.rows] = self.relaxation.prices
        return prices

    def prices(self, count: int) -> Floats:
        """[rows of markets] nothing where there are none here."""
        return self.spread(self.relaxation.prices[self.relaxation.markets_rows], count)

    def trade(self, center: Floats, box: Floats) -> Floats:
        """[here] What it holds beyond what it offers and was given."""
        return self.relaxation.trade(center[self.here], box[self.here], self.given)

    def ask(self, center: Floats) -> None:
        """More columns come into use, at common prices."""
        self.relaxation.ask(center[self.here])

    def spread(self, own: Floats, count: int) -> Floats:
        """[rows of markets] of what is known of those that are here."""
        spread = np.zeros(count)
        spread[self.here] = own
        return spread

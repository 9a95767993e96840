"""A large fleet by its blocks: its relaxation, whole offers by branch and price, machines among the columns in use.

What those leave out costs a little money, never the bound. In less time than this takes there are stages: offers that
were found by then, else the nearest to what of the relaxation there is, else just below; machines rounded around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Result
from scheduler.model.strategy.blocks import rows_naming
from scheduler.model.strategy.offers import Offers
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.rounding import (
    REPAIRS_COUNT,
    SHARE_OF_TIME_ROUNDING,
    Rounding,
    best_rounding,
    made_better,
)
from scheduler.model.strategy.sample import relaxation_of
from scheduler.model.strategy.search import Solution, among, best_of, better, proven, told_of_all
from scheduler.model.strategy.tightening import ROUNDS_COUNT, Tightening, tightening_of
from scheduler.settings import SolveOptions

LARGEST_COLUMNS_COUNT = 300_000
"""Beyond this many, all columns at once are never asked where there is a plan."""
SHARE_FOR_ROWS = 0.2
"""Of the time, what rows that whole offers keep may take to find."""
GAP_OF_RELAXATION = 3e-5
GAP_BEFORE_ROWS = 1e-3
"""Rows that whole offers keep need no more, and change the prices again."""
SHARE_OF_TIME_TO_RELAX = 0.5
"""Of the time that is left, what the relaxation may take once it is begun."""
SHARE_OF_TIME_FOR_OFFERS = 0.6
"""Of the time that is left then, what the offers may take. Where that found no plan the nearest are taken."""
SHARE_FOR_OFFERS = 0.8
"""Of the gap, what offers are searched to: rounding the machines around them mostly loses 0.1 to 0.4 more."""
SHARE_TO_ROUND = 0.9
"""Of the gap, what offers may have lost for a first rounding: it is sooner tried than searched on."""
ROUNDINGS = ((0.07, 0), (0.1, 0), (0.15, 0), (0.25, 0), (0.5, 0))
"""The first that fits is the best of them."""
SHARE_BY_MARGIN = 0.6
"""Of the time that is left, what each of these may take: of a large fleet it takes seconds to see that one fits."""
IN_HASTE, AT_LAST = ((0.15, 0),), ((0.15, 0), (0.5, 0), (0.0, 1))
"""When the time is over: mostly the first fits; and around less, if it does not."""
SHARE_IN_HASTE = 0.95
"""Of the time that is left, what the first may take: with less there would be no second one either."""
SHARE_OF_TIME_NEAREST = 0.3
"""Of the time that is left then, what offers may take that are made whole some at a time."""
SEARCHES = ((0.15, 1), (0.05, 1))
"""They take a minute: when there are no other offers to try."""

Tries = Sequence[tuple[float, int]]
"""Margins and how far to search around, of roundings."""


def by_blocks(
    matrix: Matrix, formulated: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None
) -> Result:
    """The most money of a large fleet. Raises SolverError: too hard to take apart, or no relaxation was found."""
    return _ByBlocks(matrix, _relaxed(matrix, formulated, clock), options, clock, on_incumbent).result()


def _relaxed(matrix: Matrix, formulated: Matrix, clock: Clock) -> Relaxation:
    """The relaxation with rows that whole offers keep, or what of it there is when its time is over."""
    tightening = tightening_of(formulated, Clock(SHARE_FOR_ROWS * clock.left_seconds))
    relaxation = relaxation_of(matrix, clock)
    until = Clock(SHARE_OF_TIME_TO_RELAX * clock.left_seconds)
    try:
        if tightening is not None:
            _tighten(relaxation, tightening, until)
        if not relaxation.is_late:
            relaxation.solve(GAP_OF_RELAXATION, until=until)
    except SolverError:  # in the middle of a turn: a bound is known by then, or nothing
        if not np.isfinite(relaxation.bound):
            raise
    is_small = len(matrix.money) <= LARGEST_COLUMNS_COUNT
    if relaxation.money == -np.inf and clock.left_seconds > 0 and not relaxation.is_late and is_small:
        raise SolverError("the relaxation did not converge")
    return relaxation


def _tighten(relaxation: Relaxation, tightening: Tightening, until: Clock) -> None:
    """Adds rows that whole offers keep as long as the relaxation breaks any and there is time."""
    relaxation.solve(GAP_BEFORE_ROWS, roughly=True, until=until)
    for _ in range(ROUNDS_COUNT):
        rows = () if relaxation.is_late else tightening.violated(relaxation.x)
        if not rows:
            break
        relaxation.tighten(rows)
        relaxation.solve(GAP_OF_RELAXATION, until=until)


class _ByBlocks:
    """A relaxation, its offers, and the best plan that was found."""

    def __init__(
        self,
        matrix: Matrix,
        relaxation: Relaxation,
        options: SolveOptions,
        clock: Clock,
        on_incumbent: Incumbent | None,
    ) -> None:
        self._matrix, self._relaxation, self._options, self._clock = matrix, relaxation, options, clock
        self._on_incumbent = on_incumbent
        self._offers = Offers(relaxation)
        self._best: Solution | None = None

    def result(self) -> Result:
        """Offers and machines around them; in haste where that found no plan in its share of the time."""
        self._relaxation.clock = Clock(SHARE_OF_TIME_FOR_OFFERS * self._clock.left_seconds)
        with suppress(SolverError):  # out of time: what is known by then counts
            self._search()
        if self._best is None:
            self._in_haste()
        return best_of(self._best, self._offers.bound, self._options)

    @property
    def _is_open(self) -> bool:
        return self._best is None or not proven(self._best[1], self._offers.bound, self._options)

    def _search(self) -> None:
        """Better offers, machines around those that are good enough to try, until it is proven."""
        offers, rounded_money, is_solved = self._offers, -np.inf, self._relaxation.money > -np.inf
        allowed = max(self._options.abs_gap, self._options.rel_gap * abs(self._relaxation.bound))
        gap = SHARE_FOR_OFFERS * allowed
        while is_solved and gap > 0 and self._is_open and offers.improve(gap):
            enough = gap if self._best is not None else max(gap, SHARE_TO_ROUND * allowed)
            if offers.money > rounded_money and offers.bound - offers.money <= enough:
                rounded_money = offers.money
                self._round(ROUNDINGS)
            if self._best is not None:  # what machines lose is known
                gap = min(gap, 0.99 * allowed + self._best[1] - offers.money)
        if offers.x is not None and self._is_open:
            soon = () if self._best is not None or rounded_money == offers.money else ROUNDINGS
            self._round((*soon, *SEARCHES))

    def _in_haste(self) -> None:
        """Machines rounded around the offers that were found, else around the nearest, else around less."""
        offers, self._relaxation.clock = self._offers, self._clock
        with suppress(SolverError):  # no time: the bound is good to have
            if offers.x is not None:
                self._round(IN_HASTE, (0,), SHARE_IN_HASTE)
            if self._best is None:
                offers.settle()
                self._relaxation.clock = Clock(SHARE_OF_TIME_NEAREST * self._clock.left_seconds)
                with suppress(SolverError):
                    if offers.take_nearest(at_once=False):
                        self._round(IN_HASTE, (0,), SHARE_IN_HASTE)
            if self._best is None:
                self._relaxation.clock = self._clock
                if offers.take_nearest(at_once=True):
                    self._round(AT_LAST)

    def _round(
        self, tries: Tries, repairs_counts: Sequence[int] = (0, REPAIRS_COUNT), share: float = SHARE_BY_MARGIN
    ) -> None:
        """Machines rounded among the columns in use, with the offers that were found."""
        matrix, relaxation, offers = self._matrix, self._relaxation, self._offers
        options, clock = self._options, self._clock
        assert offers.x is not None
        columns, count = np.flatnonzero(relaxation.used), len(matrix.money)
        told = told_of_all(self._on_incumbent, columns, count)
        part = matrix.part(columns, np.flatnonzero(rows_naming(matrix, relaxation.used)))
        rounding = Rounding(part, offers.x[columns], options.seed)
        best: Solution | None = None
        for repairs_count in repairs_counts:
            best = best or best_rounding(rounding, tries, offers.bound, options, clock, told, repairs_count, share)
            tries = [(margin, radius) for margin, radius in tries if not radius]  # a search is not repaired
        if best is not None and not proven(best[1], offers.bound, options):
            time = Clock(SHARE_OF_TIME_ROUNDING * clock.left_seconds)
            best = made_better(rounding, best, offers.bound, options, time)
        if best is not None:
            self._best = better(self._best, (among(columns, best[0], count), best[1]))

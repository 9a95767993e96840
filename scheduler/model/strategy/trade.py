"""Portions of the sites in balance, draw after draw: each begins with what its sites hold, and trades it among them.

What one draw learns is kept for the next by column, row and asset, so that a portion begins nearly where it ends, and
no more than two of them are in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import give_memory_back
from scheduler.model.solve import Basis
from scheduler.model.strategy.apart import AT_ONCE, Indices, side_by_side
from scheduler.model.strategy.blocks import MOST_COLUMNS_COUNT_WITH_SOLVERS, NOTHING, rows_naming
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.relaxation import Known, Relaxation
from scheduler.model.strategy.shares import Shares
from scheduler.problem import Floats

GAP_OF_FIRST, GAP = 1e-3, 1e-4
"""Of the first draw, and of those after it."""
EQUAL = 1e-9
"""Of the money: so much less is the same."""


@dataclass(frozen=True, eq=False)
class Portion:
    """Some sites, with their share of what belongs to none, as a relaxation: its columns and rows of the whole.

    ``is_common`` [rows]: where its sites meet others at a common price; ``more`` [met rows]: what it holds for others.
    """

    chosen: Indices
    columns: Indices
    rows: Indices
    relaxation: Relaxation
    is_common: NDArray[np.bool_]
    more: Floats


@dataclass(frozen=True, eq=False)
class _Met:
    """Where the sites of a portion meet others: ``x`` [shared columns], ``duals`` of ``rows`` of these."""

    x: Floats
    rows: Indices
    duals: Floats


class Trade:
    """Draws of portions, and what is known by then of all columns, rows and assets.

    ``prices`` [met rows]: the mean of all portions of all draws but the first: good for a bound.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._keeps_solvers = len(shares.matrix.money) <= MOST_COLUMNS_COUNT_WITH_SOLVERS
        rows_count, columns_count = shares.matrix.matrix.shape
        self.prices = np.zeros(len(shares.met_rows))
        self._draws_count = 0
        self._x = shares.x.copy()
        self._used: NDArray[np.bool_] = np.zeros(columns_count, dtype=bool)
        self._duals = np.zeros(rows_count)  # where sites meet, the mean of the portions' of the last draw
        self._bases: dict[int, Basis] = {}
        self._prices_of_few: Floats | None = None  # [rows] to begin with

    @property
    def money(self) -> float:
        """What all earn, in parts of machines and of MW."""
        return float(self._shares.matrix.money @ self._shares.x) + self._shares.matrix.constant

    def hold(self, x: Floats) -> None:
        """From ``x`` [columns] on, which is a solution of the relaxation."""
        self._x = x.copy()
        self._used |= np.abs(x) > NOTHING
        self._shares.hold(x)

    def prices_of(self, rows: Indices) -> Floats:
        """[rows] prices for a bound: common ones where sites meet, elsewhere what was known last."""
        own: Floats = np.where(self._shares.are_shared(rows), self._shares.spread(self.prices, rows), self._duals[rows])
        return own

    def begin(self, drawn: Sequence[Indices], few: Indices, clock: Clock, until: Clock) -> None:
        """The first draw, from the prices of a ``few`` sites. Raises SolverError if a portion was not balanced."""
        with suppress(SolverError):  # their share may be more than they can hold
            met = self._balanced(self.portion(few, clock), GAP_OF_FIRST, Clock(until.left_seconds / len(drawn)))
            prices = np.zeros(len(self._duals))
            prices[met.rows] = met.duals
            self._prices_of_few = prices
        seconds = until.left_seconds * AT_ONCE / len(drawn)

        def balanced(chosen: Indices) -> _Met:
            return self._balanced(self.portion(chosen, clock), GAP_OF_FIRST, Clock(seconds))

        self._take(drawn, side_by_side(balanced, drawn))

    def go_on(self, drawn: Sequence[Indices], clock: Clock, until: Clock) -> None:
        """Another draw, from what is held and known; a portion that was not balanced in time keeps what it holds."""
        seconds = until.left_seconds * AT_ONCE / len(drawn)

        def balanced(chosen: Indices) -> _Met | None:
            with suppress(SolverError):
                return self._balanced(self.portion(chosen, clock), GAP, Clock(seconds), is_known=True)
            return None

        self._take(drawn, side_by_side(balanced, drawn))

    def portion(self, chosen: Indices, clock: Clock, lacking: Floats | None = None) -> Portion:
        """Some sites as they are known; they hold what others are ``lacking`` [met rows] too, where they can at all."""
        columns, rows, part = self._shares.part(chosen)
        known, prices = None, None if self._prices_of_few is None else self._prices_of_few[rows]
        if self._draws_count:
            bases = {asset: self._bases[asset] for asset in np.unique(part.asset).tolist() if asset in self._bases}
            known, prices = Known(self._used[columns], self._duals[rows], bases), self._duals[rows]
        is_common = self._shares.is_common[rows] & rows_naming(part, ~self._shares.is_shared[columns])
        more = np.where(is_common, 0.0 if lacking is None else self._shares.spread(lacking, rows), 0.0)
        if lacking is not None:
            part = replace(part, row_lower=part.row_lower + more, row_upper=part.row_upper + more)
        relaxation = Relaxation(with_counts(part), clock, prices, keeps_solvers=self._keeps_solvers, known=known)
        return Portion(chosen, columns, rows, relaxation, is_common, self._shares.gathered(more, rows))

    def _balanced(self, portion: Portion, gap: float, until: Clock, *, is_known: bool = False) -> _Met:
        """A portion by itself. What belongs to its sites alone is noted at once, and nothing else is kept of it."""
        relaxation, columns, rows = portion.relaxation, portion.columns, portion.rows
        relaxation.solve(gap, until=until)
        x, money = relaxation.x, relaxation.money
        if money == -np.inf and is_known:  # no time: what is in use has a solution, for what is held is one
            found = relaxation.among_used()
            x, money = found.x, found.money
        elif money == -np.inf:
            relaxation.settle()
            x, money = relaxation.x, relaxation.money
        if money == -np.inf or (is_known and money < self._held_money(portion)):
            raise SolverError("some of the sites were not brought into balance, or earn less than before")
        known, is_shared = relaxation.known, self._shares.is_shared[columns]
        is_met, is_own = self._shares.are_met(portion.chosen, rows), ~self._shares.are_shared(rows)
        self._x[columns[~is_shared]] = x[~is_shared]
        self._used[columns] |= known.used
        self._duals[rows[is_own]] = known.duals[is_own]
        self._bases |= known.bases
        return _Met(x[is_shared], rows[is_met], known.duals[is_met])

    def _held_money(self, portion: Portion) -> float:
        """What a portion earns with what its sites hold, and less by what a solver leaves."""
        own = np.where(self._shares.is_shared[portion.columns], 0.0, self._x[portion.columns])
        own[self._shares.is_shared[portion.columns]] = self._shares.offered_by(portion.chosen)
        money = float(portion.relaxation.matrix.money @ own) + portion.relaxation.matrix.constant
        return money - EQUAL * abs(money)

    def _take(self, drawn: Sequence[Indices], found: Sequence[_Met | None]) -> None:
        """What all hold from now on, and the prices where they meet."""
        shares, duals, count = self._shares, np.zeros(len(self._duals)), np.zeros(len(self._duals))
        offered = np.zeros(int(np.count_nonzero(shares.is_shared)))
        for chosen, met in zip(drawn, found, strict=True):
            if met is None:
                offered += shares.offered_by(chosen)
            else:
                offered += met.x
                duals[met.rows] += met.duals
                count[met.rows] += 1
        is_told = count > 0
        self._duals[is_told] = duals[is_told] / count[is_told]
        self.prices += (self._duals[shares.met_rows] - self.prices) / max(1, self._draws_count)
        self._draws_count += 1
        self._x[shares.is_shared] = offered
        shares.hold(self._x.copy())
        give_memory_back()

"""The relaxation of a large matrix by column generation: a bound that is true, and the few columns that matter.

Two problems take turns. The blocks (`blocks.py`) answer to prices of the rows that they share: that is a bound, and
tells which columns each would use. The master is the relaxation restricted to the columns that were ever used, and
tells new prices. What makes it converge in ten turns instead of hundreds is that the prices of what markets ask for may
not leave a box around the best prices so far (du Merle, Villeneuve, Desrosiers, Hansen 1999), and that columns are used
by themselves, not in whole answers, so that the master combines parts of all of them. The master goes on from its last
basis by the primal simplex method.

Prices to begin with: those of the problem that offers nothing, and for each offer its own price, evenly over its block.
Of many sites a sample comes first: its prices are nearly those of all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, hstack

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.apart import Apart, Indices, side_by_side
from scheduler.model.strategy.blocks import NOTHING, Blocks, Bound, columns_beside
from scheduler.problem import Floats

FIRST_BOX, FIRST_BOX_OF_SAMPLE = 2.0, 0.15
"""Half the width of the box, in mean prices to begin with; those of a sample are nearly right."""
NARROWER, WIDER, FREE = 0.7, 1.5, 4.0
"""After prices that were no better; after better ones that the box held back; where only the box is in the way."""
OFF_BALANCE_MW = 1e-5
TURNS_COUNT = 60
SAMPLE_SITES_COUNT = 12
"""Of more sites a sample comes first, of one in `SITES_PER_SAMPLED`."""
SITES_PER_SAMPLED = 5
GAP_OF_SAMPLE = 1e-3


class Relaxation:
    """The relaxation of a matrix; ``bound`` and ``x`` [columns] after `solve`."""

    def __init__(self, matrix: Matrix, clock: Clock) -> None:
        self.matrix = matrix
        self.bound = np.inf
        self.money = -np.inf  # of x
        self.x = np.zeros(len(matrix.money))
        self._clock = clock
        self._blocks = Blocks(matrix)
        self._weak_duality = Bound(matrix)
        self._boxed = self._blocks.markets_rows
        self.used = np.zeros(len(matrix.money), dtype=bool)
        self.used[self._blocks.shared_columns] = True
        self.used |= matrix.lower > 0
        self._center = self._first_prices()
        self._box = self._first_box()
        self._master = _Master(matrix, self._blocks.shared_rows, self._boxed)
        answer = self._blocks.answer(self._center, clock)
        self._answered = answer.duals  # [rows] of all rows, at the best prices
        self.used |= answer.used

    def _first_prices(self) -> Floats:
        """[rows] of the problem that offers nothing; of what markets ask for, of a sample or of the offers."""
        matrix, boxed = self.matrix, self._boxed
        rows, columns = np.setdiff1d(np.arange(matrix.matrix.shape[0]), boxed), columns_beside(matrix, boxed)
        bare = matrix.part(columns, rows)
        prices = np.zeros(matrix.matrix.shape[0])

        def solve(part: tuple[Indices, Indices]) -> None:
            solver = Solver(bare.part(*part), relaxed=True)
            solver.set_costs(bare.money[part[0]], maximise=True)
            result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=self._clock.left_seconds)
            if result.outcome is not Outcome.OPTIMAL:
                raise SolverError("the relaxation without offers was not solved")
            self.used[columns[part[0][np.abs(solver.point()[0]) > NOTHING]]] = True
            prices[rows[part[1]]] = solver.duals()

        side_by_side(solve, Apart(bare).parts)
        sampled = _prices_of_sample(matrix, boxed, self._clock)
        prices[boxed] = _prices_of_offers(matrix, boxed) if sampled is None else sampled
        self._box_share = FIRST_BOX if sampled is None else FIRST_BOX_OF_SAMPLE
        return prices

    def _first_box(self) -> float:
        typical = np.abs(self._center[self._boxed])
        if not typical.any():
            typical = np.abs(self._center[np.abs(self._center) > NOTHING])
        return self._box_share * float(typical.mean()) if typical.size else 1.0

    @property
    def prices(self) -> Floats:
        """[rows] those of the bound, of the rows that blocks share."""
        return self._center

    @property
    def prices_of_all_rows(self) -> Floats:
        """[rows] those of the bound, and of the rows of each block what it answers to them."""
        return self._answered

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """From now on the same with other bounds of some columns."""
        every_lower, every_upper = self.matrix.lower.copy(), self.matrix.upper.copy()
        every_lower[columns], every_upper[columns] = lower, upper
        self.matrix = replace(self.matrix, lower=every_lower, upper=every_upper)
        self._blocks.limit(columns, lower, upper)
        self._weak_duality.limit(columns, lower, upper)
        self._master.limit(columns, lower, upper)

    def money_among_used(self) -> tuple[float, Floats]:
        """Money of the columns that were used so far, and what one unit more of each [columns] would bring.

        Quick, and no bound: others may bring more. Minus infinity where those do not make a solution.
        """
        self._master.go_on(np.flatnonzero(self.used), self._center, self._box)
        prices, money, off_balance_mw = self._master.solve(self._clock)
        margins = self.matrix.money - self.matrix.matrix.T @ prices
        return (-np.inf if off_balance_mw > OFF_BALANCE_MW else money), margins

    def solve(self, rel_gap: float, enough: float = -np.inf) -> None:
        """Until bound and money are within ``rel_gap``, or until the bound is no more than ``enough``: then no money.

        Raises SolverError where the time is too short.
        """
        self.bound, self.money = self._weak_duality.of(self._answered), -np.inf
        for _ in range(TURNS_COUNT):
            if self.bound <= enough:
                return
            self._master.go_on(np.flatnonzero(self.used), self._center, self._box)
            prices, money, off_balance_mw = self._master.solve(self._clock)
            answer = self._blocks.answer(prices, self._clock)
            self.used |= answer.used
            bound = self._weak_duality.of(answer.duals)
            better, held_back = bound < self.bound, off_balance_mw > OFF_BALANCE_MW
            if better:
                self.bound, self._center, self._answered = bound, prices, answer.duals
            solved = self.bound - money <= rel_gap * abs(money)
            if solved and not held_back:
                self.money = money
                self.x = self._master.x()
                return
            if held_back and (better or solved):
                self._box *= FREE if solved else WIDER
            elif not better:
                self._box *= NARROWER
        raise SolverError("the relaxation did not converge")


class _Master:
    """The relaxation restricted to some columns, with prices of the boxed rows held near a center.

    Rows that none of its columns names are left out: most of them, and each makes every step of the simplex method
    dearer.
    """

    def __init__(self, matrix: Matrix, shared: Indices, boxed: Indices) -> None:
        self._matrix, self._boxed = matrix, boxed
        self._columns = np.zeros(0, dtype=np.int64)  # of the whole, in the order of the master's, after the boxes
        self._rows = shared  # of the whole, in the order of the master's
        self._row_of = np.full(matrix.matrix.shape[0], -1, dtype=np.int64)
        self._row_of[shared] = np.arange(len(shared))
        count = len(boxed)
        more = csc_array((np.ones(count), (self._row_of[boxed], np.arange(count))), shape=(len(shared), count))
        nothing = matrix.part(self._columns, shared)
        free = replace(
            nothing,
            matrix=csc_array(hstack([more, -more])),
            lower=np.zeros(2 * count),
            upper=np.full(2 * count, np.inf),
        )
        self._solver = Solver(free, relaxed=True)
        self._values = np.zeros(0)
        self._solved = False
        self._is_limited = False  # anew, since it was solved

    def go_on(self, columns: Indices, center: Floats, box: float) -> None:
        """More columns, another box; not yet where bounds are new, which the old columns take up first."""
        if self._is_limited and self._solved:
            self._solver.go_on_from_basis(primal=False)
            return
        new = np.setdiff1d(columns, self._columns, assume_unique=True)
        if len(new):
            self._add_columns(self._matrix.part(new))
            self._columns = np.concatenate([self._columns, new])
        low, high = center[self._boxed] - box, center[self._boxed] + box
        costs = np.concatenate([low, -high, self._matrix.money[self._columns]])
        self._solver.set_costs(costs, self._matrix.constant, maximise=True)
        if self._solved:
            self._solver.go_on_from_basis(primal=True)

    def _add_columns(self, part: Matrix) -> None:
        touched = np.unique(part.matrix.indices).astype(np.int64)
        rows = touched[self._row_of[touched] < 0]
        self._row_of[rows] = len(self._rows) + np.arange(len(rows))
        self._rows = np.concatenate([self._rows, rows])
        self._solver.add_empty_rows(self._matrix.row_lower[rows], self._matrix.row_upper[rows])
        entries = part.matrix
        columns = csc_array(
            (entries.data, self._row_of[entries.indices], entries.indptr), shape=(len(self._rows), entries.shape[1])
        )
        columns.sort_indices()
        self._solver.add_columns(columns, part.money, part.lower, part.upper)

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Bounds of some columns, of those too that are not there yet."""
        low, high = self._matrix.lower.copy(), self._matrix.upper.copy()
        low[columns], high[columns] = lower, upper
        self._matrix = replace(self._matrix, lower=low, upper=high)
        here = np.flatnonzero(np.isin(self._columns, columns))
        at = self._columns[here]
        self._solver.set_bounds(here + 2 * len(self._boxed), low[at], high[at])
        self._is_limited = True

    def solve(self, clock: Clock) -> tuple[Floats, float, float]:
        """Prices [rows], money, and the MW by which boxed rows are off balance."""
        result = self._solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        if result.outcome is not Outcome.OPTIMAL:
            raise SolverError("the restricted relaxation was not solved")
        self._solved, self._is_limited = True, False
        x, money = self._solver.point()
        count = 2 * len(self._boxed)
        self._values = x[count:]
        prices = np.zeros(len(self._row_of))
        prices[self._rows] = self._solver.duals()
        return prices, money, float(x[:count].sum())

    def x(self) -> Floats:
        """[columns of the whole]"""
        x = np.zeros(len(self._matrix.money))
        x[self._columns] = self._values
        return x


def _prices_of_offers(matrix: Matrix, boxed: Indices) -> Floats:
    """[boxed] prices at which every offer is worth what it earns, evenly over its intervals: the least that do."""
    part = csc_array(matrix.matrix.tocsr()[boxed])
    offers = np.flatnonzero((matrix.asset < 0) & (np.diff(part.indptr) > 0) & (matrix.upper > matrix.lower))
    if not len(offers):
        return np.zeros(len(boxed))
    prices: Floats = np.linalg.lstsq(part[:, offers].T.toarray(), matrix.money[offers], rcond=None)[0]
    return prices


def _prices_of_sample(matrix: Matrix, boxed: Indices, clock: Clock) -> Floats | None:
    """[boxed] prices of a sample of the sites, all that sites share in proportion; None for few sites."""
    sites = np.unique(matrix.site[matrix.site >= 0])
    if len(sites) <= SAMPLE_SITES_COUNT:
        return None
    chosen = sites[:: max(SITES_PER_SAMPLED, 1)]
    share = len(chosen) / len(sites)
    columns = np.flatnonzero(np.isin(matrix.site, chosen) | (matrix.site < 0))
    entries = csc_array(matrix.matrix[:, columns])
    rows = np.unique(entries.indices)
    sample = matrix.part(columns, rows)
    of_all = sample.site < 0
    rows_of_all = abs(sample.matrix) @ of_all.astype(float) > 0
    scaled: NDArray[np.float64] = np.where(of_all, share, 1.0)
    sides = np.where(rows_of_all, share, 1.0)
    sample = replace(
        sample,
        lower=sample.lower * scaled,
        upper=sample.upper * scaled,
        row_lower=sample.row_lower * sides,
        row_upper=sample.row_upper * sides,
    )
    try:
        relaxation = Relaxation(sample, clock)
        relaxation.solve(GAP_OF_SAMPLE)
    except SolverError:
        return None
    prices = np.zeros(matrix.matrix.shape[0])
    prices[rows] = relaxation.prices
    return prices[boxed]

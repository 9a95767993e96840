"""The relaxation of a large matrix by column generation: a bound that is true, and the few columns that matter.

Two problems take turns. The blocks (`blocks.py`) answer to prices of the rows that they share: that is a bound, and
tells which columns each would use. The master is the relaxation restricted to the columns that were ever used, and
tells new prices. What makes it converge in ten turns instead of hundreds is that the prices of what markets ask for may
not leave a box around the best prices so far (du Merle, Villeneuve, Desrosiers, Hansen 1999), wider for each row that
it holds back, and that columns are used by themselves, not in whole answers, so that the master combines parts of all
of them. The master goes on from its last basis by the primal simplex method.

Prices to begin with: those of the problem that offers nothing, and for each offer its own price, evenly over its block.
Of many sites a sample comes first: its prices are nearly those of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.apart import Apart, Indices, side_by_side
from scheduler.model.strategy.blocks import NOTHING, Blocks, Bound, columns_beside, rows_naming
from scheduler.model.strategy.tightening import Row, with_rows
from scheduler.problem import Floats

FIRST_BOX, FIRST_BOX_OF_SAMPLE = 2.0, 0.15
"""Half the width of the box, in mean prices to begin with; those of a sample are nearly right."""
BOX_OF_ROWS = 100.0
"""That of a row that whole offers keep, in the same; prices of a step, which is some MW."""
BOX_WHEN_LIMITED = 0.05
"""In the same, at least: prices of other offers are others."""
WIDEST = 1e5
"""Of offers that nobody can hold prices would rise without end."""
WIDE = 100.0
"""In the same, beyond any price: a box that holds nothing back but what has no solution."""
NARROWER, WIDER, FREE = 0.7, 1.5, 4.0
"""After prices that were no better; after better ones that the box held back; where only the box is in the way, each
time more."""
OFF_BALANCE_MW = 1e-5
TURNS_COUNT = 60
SAMPLE_SITES_COUNT = 12
"""Of more sites a sample comes first, of one in `SITES_PER_SAMPLED`."""
SITES_PER_SAMPLED = 5
GAP_OF_SAMPLE = 1e-3


@dataclass(frozen=True, eq=False)
class Among:
    """A relaxation restricted to some columns: its money, minus infinity where they do not make a solution.

    ``x`` [columns of the whole], and ``margins`` [the same]: what one unit more of each would bring.
    """

    money: float
    x: Floats
    margins: Floats


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
        self._width = self._first_box()
        self._box = np.full(len(self._boxed), self._width)
        self._master = _Master(matrix, self._blocks.shared_rows, self._boxed)
        answer = self._blocks.answer(self._center, clock)
        self._answered = answer.duals  # [rows] of all rows, at the best prices
        self.used |= answer.used

    def _first_prices(self) -> Floats:
        """[rows] of the problem that offers nothing; of what markets ask for, of a sample or of the offers."""
        matrix, boxed = self.matrix, self._boxed
        sampled = _prices_of_sample(matrix, boxed, self._clock)  # before anything else takes memory
        self._box_share = FIRST_BOX if sampled is None else FIRST_BOX_OF_SAMPLE
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
        prices[boxed] = _prices_of_offers(matrix, boxed) if sampled is None else sampled
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

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """From now on the same with other bounds of some columns."""
        self.matrix = self.matrix.limited(columns, lower, upper)
        self._blocks.limit(columns, lower, upper)
        self._weak_duality.limit(columns, lower, upper)
        self._master.limit(columns, lower, upper)
        self._box = np.maximum(self._box, BOX_WHEN_LIMITED * self._width)

    def tighten(self, rows: Sequence[Row]) -> None:
        """From now on with more rows, which all whole solutions keep."""
        self.matrix = with_rows(self.matrix, rows)
        count = len(rows)
        self._box = np.append(self._box, np.full(count, BOX_OF_ROWS * self._width))
        self._boxed = np.append(self._boxed, len(self._center) + np.arange(count))
        self._center, self._answered = (np.append(prices, np.zeros(count)) for prices in (self._center, self._answered))
        self._blocks.tighten(self.matrix)
        self._weak_duality.tighten(self.matrix)
        self._master.tighten(self.matrix, self._boxed)

    def among_used(self) -> Among:
        """The same of the columns that were used so far: quick, and no bound, for others may bring more."""
        self._master.go_on(np.flatnonzero(self.used), self._center, self._box)
        solved = self._master.solve(self._clock)
        if solved is None:
            return Among(-np.inf, self.x, np.zeros(len(self.x)))
        prices, money, off_balance_mw = solved
        margins = self.matrix.money - self.matrix.matrix.T @ prices
        return Among(-np.inf if off_balance_mw.sum() > OFF_BALANCE_MW else money, self._master.x(), margins)

    def restricted(self, columns: Indices) -> tuple[Solver, Indices]:
        """The columns in use as they are solved, for other bounds of some, and where in it these are; no `limit` holds.

        What lacks there is bought dearly, so there is always a solution.
        """
        box = np.abs(self._center[self._boxed]) + WIDE * self._width  # around nothing, or what is off balance earned
        solver = self._master.opened(np.flatnonzero(self.used), np.zeros(len(self._center)), box, self._clock)
        return solver, self._master.at(columns)

    def solve(self, rel_gap: float, enough: float = -np.inf, *, roughly: bool = False) -> None:
        """Until bound and money are within ``rel_gap``, or until the bound is no more than ``enough``: then no money.
        None either, and the bound that there is, where limits leave columns in use no solution, or after many turns.

        ``roughly``: even if the box still holds something back, so that the point is not quite balanced.

        Raises SolverError where the time is too short.
        """
        self.bound, self.money = self._weak_duality.of(self._answered), -np.inf
        free = 1.0
        for _ in range(TURNS_COUNT):
            if self.bound <= enough:
                return
            self._master.go_on(np.flatnonzero(self.used), self._center, self._box)
            found = self._master.solve(self._clock)
            if found is None:
                return
            prices, money, off_balance_mw = found
            answer = self._blocks.answer(prices, self._clock)
            self.used |= answer.used
            bound = self._weak_duality.of(answer.duals)
            better, off = bound < self.bound, off_balance_mw > OFF_BALANCE_MW / max(1, len(self._boxed))
            held_back = off_balance_mw.sum() > OFF_BALANCE_MW
            if better:
                self.bound, self._center, self._answered = bound, prices, answer.duals
            solved = self.bound - money <= rel_gap * abs(money)
            if solved and (roughly or not held_back):
                self.money = money
                self.x = self._master.x()
                return
            if solved:
                free *= FREE
                self._box[off] *= free
            elif better:
                self._box[off] *= WIDER
            else:
                self._box *= NARROWER
            self._box = np.minimum(self._box, WIDEST * self._width)


class _Master:
    """The relaxation restricted to some columns, with prices of the boxed rows held near a center.

    Rows that none of its columns names are left out: most of them, and each makes every step of the simplex method
    dearer.
    """

    def __init__(self, matrix: Matrix, shared: Indices, boxed: Indices) -> None:
        self._matrix, self._boxed = matrix, boxed
        self._is_upper = np.zeros(len(boxed), dtype=bool)  # of boxed rows: only their upper side holds
        self._columns = np.zeros(0, dtype=np.int64)  # of the whole
        self._rows = shared  # of the whole, in the order of the master's
        self._row_of = np.full(matrix.matrix.shape[0], -1, dtype=np.int64)
        self._row_of[shared] = np.arange(len(shared))
        self._solver = Solver(matrix.part(self._columns, shared), relaxed=True)
        self._at = np.zeros(0, dtype=np.int64)  # of the solver's columns, where those of the whole are
        self._more, self._less = self._add_slack(boxed, 1.0), self._add_slack(boxed, -1.0)  # where these are
        self._x = np.zeros(0)
        self._solved = False
        self._is_limited = False  # anew, since it was solved

    def go_on(self, columns: Indices, center: Floats, box: Floats) -> None:
        """More columns, another box; not yet where bounds are new, which the old columns take up first."""
        new = np.setdiff1d(columns, self._columns, assume_unique=True)
        is_dual = self._is_limited and self._solved
        if len(new) and not is_dual:
            self._add_columns(self._matrix.part(new))
            self._columns = np.concatenate([self._columns, new])
        costs = np.zeros(self._solver.columns_count)
        costs[self._more] = (center[self._boxed] - box)[~self._is_upper]
        costs[self._less] = -(center[self._boxed] + box)
        costs[self._at] = self._matrix.money[self._columns]
        self._solver.set_costs(costs, self._matrix.constant, maximise=True)
        if self._solved:
            self._solver.go_on_from_basis(primal=not is_dual)

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
        self._at = np.append(self._at, self._solver.columns_count + np.arange(len(part.money)))
        self._solver.add_columns(columns, part.money, part.lower, part.upper)

    def _add_slack(self, rows: Indices, sign: float) -> Indices:
        """What some rows may be off balance, one way; where the columns are."""
        count, first = len(rows), self._solver.columns_count
        columns = csc_array((np.full(count, sign), (self._row_of[rows], np.arange(count))), (len(self._rows), count))
        self._solver.add_columns(columns, np.zeros(count), np.zeros(count), np.full(count, np.inf))
        return first + np.arange(count)

    def tighten(self, matrix: Matrix, boxed: Indices) -> None:
        """The rows that the matrix has more than before, boxed too."""
        new = np.arange(len(self._row_of), matrix.matrix.shape[0])
        entries = coo_array(csr_array(matrix.matrix)[new][:, self._columns])
        shape = (len(new), self._solver.columns_count)
        rows = csr_array((entries.data, (entries.row, self._at[entries.col])), shape=shape)
        self._solver.add_rows(rows, matrix.row_upper[new])
        self._matrix = matrix
        self._row_of = np.append(self._row_of, len(self._rows) + np.arange(len(new)))
        self._rows = np.append(self._rows, new)
        self._boxed = boxed
        self._is_upper = np.append(self._is_upper, np.ones(len(new), dtype=bool))
        self._less = np.append(self._less, self._add_slack(new, -1.0))
        self._is_limited = True

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Bounds of some columns, of those too that are not there yet."""
        self._matrix = self._matrix.limited(columns, lower, upper)
        here = np.isin(self._columns, columns)
        at = self._columns[here]
        self._solver.set_bounds(self._at[here], self._matrix.lower[at], self._matrix.upper[at])
        self._is_limited = True

    def solve(self, clock: Clock) -> tuple[Floats, float, Floats] | None:
        """Prices [rows], money, how much boxed rows are off balance [boxed]; None where other rows are broken."""
        result = self._solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        if result.outcome is Outcome.INFEASIBLE:
            return None
        if result.outcome is not Outcome.OPTIMAL:
            raise SolverError("the restricted relaxation was not solved")
        self._solved, self._is_limited = True, False
        self._x, money = self._solver.point()
        prices = np.zeros(len(self._row_of))
        prices[self._rows] = self._solver.duals()
        off = self._x[self._less]
        off[~self._is_upper] += self._x[self._more]
        return prices, money, off

    def opened(self, columns: Indices, center: Floats, box: Floats, clock: Clock) -> Solver:
        """Solved with more columns, to go on by the dual simplex method."""
        self._is_limited = False
        self.go_on(columns, center, box)
        self.solve(clock)
        self._solver.go_on_from_basis(primal=False)
        return self._solver

    def at(self, columns: Indices) -> Indices:
        """Where some columns of the whole are."""
        order = np.argsort(self._columns)
        return self._at[order[np.searchsorted(self._columns, columns, sorter=order)]]

    def x(self) -> Floats:
        """[columns of the whole]"""
        x = np.zeros(len(self._matrix.money))
        x[self._columns] = self._x[self._at]
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
    rows = np.unique(matrix.matrix[:, columns].indices).astype(np.int64)
    sample = matrix.part(columns, rows)
    of_all = sample.site < 0
    rows_of_all = rows_naming(sample, of_all)
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

"""The master of column generation (`relaxation.py`): the columns in use, and slack where prices have a box."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Basis, Outcome, Solver
from scheduler.model.strategy.apart import Indices
from scheduler.problem import Floats


class Master:
    """The relaxation restricted to some columns, with prices of the boxed rows held near a center.

    Rows that none of its columns names are left out: most of them, and each makes every step of the simplex method
    dearer.
    """

    def __init__(self, matrix: Matrix, shared: Indices, boxed: Indices) -> None:
        self._matrix, self._boxed, self._shared = matrix, boxed, shared
        self._is_upper = np.zeros(len(boxed), dtype=bool)  # of boxed rows: only their upper side holds
        self.begin_anew()

    def begin_anew(self) -> None:
        """Without columns, and without a basis to go on from."""
        self._columns = np.zeros(0, dtype=np.int64)  # of the whole
        self._rows = self._shared  # of the whole, in the order of the master's
        self._row_of = np.full(self._matrix.matrix.shape[0], -1, dtype=np.int64)
        self._row_of[self._rows] = np.arange(len(self._rows))
        self._solver = Solver(self._matrix.part(self._columns, self._rows), relaxed=True)
        self._at = np.zeros(0, dtype=np.int64)  # of the solver's columns, where those of the whole are
        self._more = self._add_slack(self._boxed[~self._is_upper], 1.0)  # where these are
        self._less = self._add_slack(self._boxed, -1.0)
        self._x = np.zeros(self._solver.columns_count)
        self._solved = False
        self._is_limited = False  # anew, since it was solved

    def go_on(self, columns: Indices, center: Floats, box: Floats) -> None:
        """More columns, another box [boxed] around other prices.

        Columns not yet where bounds are new, which the old ones take up first.
        """
        new = np.setdiff1d(columns, self._columns, assume_unique=True)
        is_dual = self._is_limited and self._solved
        if len(new) and not is_dual:
            self._add_columns(self._matrix.part(new))
            self._columns = np.concatenate([self._columns, new])
        costs = np.zeros(self._solver.columns_count)
        costs[self._more] = (center - box)[~self._is_upper]
        costs[self._less] = -(center + box)
        costs[self._at] = self._matrix.money[self._columns]
        self._solver.set_costs(costs, self._matrix.constant, maximise=True)
        if self._solved:
            self._solver.go_on_from_basis(primal=not is_dual)

    def _add_columns(self, part: Matrix) -> None:
        is_new = np.zeros(len(self._row_of), dtype=bool)
        is_new[part.matrix.indices] = True
        rows = np.flatnonzero(is_new & (self._row_of < 0))
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
        self._shared = np.append(self._shared, new)
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
        if clock.left_seconds <= 0:
            raise SolverError("no time for the restricted relaxation")
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

    def begin_from(self, basis: Basis, solver: Solver) -> None:
        """The primal simplex method begins at a basis of a solver that was `opened`, if it is still the one in use."""
        if solver is self._solver and basis.columns_count <= solver.columns_count:
            self._solver.go_on_from_part(basis)
            self._is_limited = False

    def x(self) -> Floats:
        """[columns of the whole]"""
        x = np.zeros(len(self._matrix.money))
        x[self._columns] = self._x[self._at]
        return x

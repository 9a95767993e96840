"""A matrix taken apart: what belongs to one asset alone, and what assets share.

An asset's columns meet those of others only in rows that are shared: its site's balance and limits, what is held for a
market. For given prices of the shared rows each asset is a small problem of its own, warm from one set of prices to the
next (Dantzig and Wolfe 1960).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.apart import Indices, side_by_side
from scheduler.problem import Floats

NOTHING = 1e-9
"""Values and prices below are taken for zero."""


@dataclass(frozen=True, eq=False)
class Block:
    """Columns of one asset, rows that name no others, and the problem that they are."""

    columns: Indices
    rows: Indices
    solver: Solver


@dataclass(frozen=True, eq=False)
class Priced:
    """What the blocks answer to prices of the shared rows: prices of all rows, and the columns they would use."""

    duals: Floats
    used: NDArray[np.bool_]


def rows_of_markets(matrix: Matrix) -> Indices:
    """Rows in which columns of assets meet columns of no site: what is held for a market and what it asks."""
    whole = abs(matrix.matrix)
    of_asset = whole @ (matrix.asset >= 0).astype(float) > 0
    of_all = whole @ (matrix.site < 0).astype(float) > 0
    return np.flatnonzero(of_asset & of_all)


def columns_beside(matrix: Matrix, rows: Indices) -> Indices:
    """Columns that none of some rows name."""
    return np.flatnonzero(np.diff(csc_array(csr_array(matrix.matrix)[rows]).indptr) == 0)


class Blocks:
    """The blocks of a matrix."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self.owner_of_row = owner_of_rows(matrix)
        self.shared_rows = np.flatnonzero(self.owner_of_row < 0)
        self.shared_columns = np.flatnonzero(matrix.asset < 0)
        self.markets_rows = rows_of_markets(matrix)
        columns_of = _grouped(matrix.asset)
        rows_of = _grouped(self.owner_of_row)
        empty = np.zeros(0, dtype=np.int64)
        self._blocks = [self._block(columns, rows_of.get(a, empty)) for a, columns in columns_of.items()]

    def _block(self, columns: Indices, rows: Indices) -> Block:
        return Block(columns, rows, Solver(self._matrix.part(columns, rows), relaxed=True))

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Bounds of some columns, from now on."""
        for block in self._blocks:
            here, own, given = np.intersect1d(block.columns, columns, return_indices=True)
            if len(here):
                block.solver.set_bounds(own, lower[given], upper[given])

    def tighten(self, matrix: Matrix) -> None:
        """The matrix with more rows, all of them shared."""
        self.shared_rows = np.append(self.shared_rows, np.arange(self._matrix.matrix.shape[0], matrix.matrix.shape[0]))
        self._matrix = matrix

    def answer(self, duals: Floats, clock: Clock) -> Priced:
        """The best of every block at the prices ``duals`` [rows] of the shared rows; others are not read."""
        prices = np.zeros(len(duals))
        prices[self.shared_rows] = duals[self.shared_rows]
        answered = prices.copy()
        costs = self._matrix.money - self._matrix.matrix.T @ prices
        used = np.zeros(len(costs), dtype=bool)

        def answer(block: Block) -> None:
            block.solver.set_costs(costs[block.columns], maximise=True)
            result = block.solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
            if result.outcome is not Outcome.OPTIMAL:
                raise SolverError("a block of the relaxation was not solved")
            used[block.columns[np.abs(block.solver.point()[0]) > NOTHING]] = True
            answered[block.rows] = block.solver.duals()

        side_by_side(answer, self._blocks)
        return Priced(answered, used)


class Bound:
    """Weak duality on a whole matrix: any prices of its rows say how much money there is at most."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._transposed = csr_array(matrix.matrix.T)
        self._lower, self._upper = _implied_bounds(matrix)

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Bounds of some columns, from now on."""
        self._lower[columns], self._upper[columns] = lower, upper

    def tighten(self, matrix: Matrix) -> None:
        """The matrix with more rows."""
        self._matrix = matrix
        self._transposed = csr_array(matrix.matrix.T)

    def of(self, duals: Floats, without: NDArray[np.bool_] | None = None) -> float:
        """No solution of the relaxation has more money; infinite where the prices say nothing.

        ``without`` [columns] those whose own money at these prices is not counted.
        """
        prices, side = self._sides(duals)
        reduced = self._matrix.money - self._transposed @ prices
        if without is not None:
            reduced = np.where(without, 0.0, reduced)
        best = np.where(reduced > 0, self._upper, self._lower)
        best = np.where(reduced != 0, best, 0.0)
        return float(self._matrix.constant + prices @ side + reduced @ best)

    def reduced(self, duals: Floats) -> Floats:
        """[columns] money of a unit at these prices of the rows."""
        reduced: Floats = self._matrix.money - self._transposed @ self._sides(duals)[0]
        return reduced

    def _sides(self, duals: Floats) -> tuple[Floats, Floats]:
        """[rows] prices that count, and the side that each holds to."""
        side = np.where(duals > 0, self._matrix.row_upper, self._matrix.row_lower)
        prices = np.where(np.isfinite(side) & (np.abs(duals) > NOTHING), duals, 0.0)
        return prices, np.where(prices != 0, side, 0.0)


def owner_of_rows(matrix: Matrix) -> Indices:
    """[rows] the one asset of all columns of a row; -1 where there are several, or a column of none."""
    rows, owners = matrix.matrix.indices, np.repeat(matrix.asset, np.diff(matrix.matrix.indptr))
    least = np.full(matrix.matrix.shape[0], np.iinfo(np.int64).max)
    most = np.full(matrix.matrix.shape[0], -1, dtype=np.int64)
    np.minimum.at(least, rows, owners)
    np.maximum.at(most, rows, owners)
    return np.where(least == most, most, -1)


def _grouped(owner: Indices) -> dict[int, Indices]:
    """Positions of each owner, without those of none."""
    order = np.argsort(owner, kind="stable")
    owners, first = np.unique(owner[order], return_index=True)
    parts = np.split(order, first[1:])
    return {int(one): part for one, part in zip(owners, parts, strict=True) if one >= 0}


def _implied_bounds(matrix: Matrix) -> tuple[Floats, Floats]:
    """Bounds of the columns, infinite ones made finite where a row says so, twice over."""
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    entries = coo_array(matrix.matrix)
    rows, columns, factors = entries.row, entries.col, entries.data
    for _ in range(2 if len(rows) else 0):
        open_lower, open_upper = np.isinf(lower), np.isinf(upper)
        here = (open_lower | open_upper)[columns]
        if not here.any():
            break
        least = np.where(factors > 0, factors * lower[columns], factors * upper[columns])
        most = np.where(factors > 0, factors * upper[columns], factors * lower[columns])
        by_most = (matrix.row_upper[rows] - _of_others(rows, least, -np.inf))[here] / factors[here]
        by_least = (matrix.row_lower[rows] - _of_others(rows, most, np.inf))[here] / factors[here]
        positive, at = factors[here] > 0, columns[here]
        highest, lowest = np.where(positive, by_most, by_least), np.where(positive, by_least, by_most)
        implied_lower, implied_upper = lower.copy(), upper.copy()
        np.maximum.at(implied_lower, at, lowest)
        np.minimum.at(implied_upper, at, highest)
        lower, upper = np.where(open_lower, implied_lower, lower), np.where(open_upper, implied_upper, upper)
    return lower, upper


def _of_others(rows: NDArray[np.int32], amounts: Floats, endless: float) -> Floats:
    """[entries] the sum of what the other entries of a row amount to; ``endless`` where one of them is."""
    is_endless = np.isinf(amounts)
    finite = np.where(is_endless, 0.0, amounts)
    sums, endless_count = np.bincount(rows, finite), np.bincount(rows, is_endless)
    others: Floats = np.where(endless_count[rows] > is_endless, endless, sums[rows] - finite)
    return others

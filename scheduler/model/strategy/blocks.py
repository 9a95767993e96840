"""A matrix taken apart: what belongs to one asset alone, and what assets share.

An asset's columns meet those of others only in rows that are shared: its site's balance and limits, what is held for a
market. For given prices of the shared rows each asset is a small problem of its own, warm from one set of prices to the
next (Dantzig and Wolfe 1960).

Of the largest fleets what is kept of a block is its last basis, a byte for each row and column: a solver takes a
kilobyte, all of them gigabytes, and making one anew a millisecond. A block that has no basis yet begins with that of
another one that is built alike, which is nearly right: it takes a tenth of the time of one that has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Basis, Outcome, Solver
from scheduler.model.strategy.apart import Indices, positions_of_each, side_by_side
from scheduler.problem import Floats

NOTHING = 1e-9
"""Values and prices below are taken for zero."""
MOST_COLUMNS_COUNT_WITH_SOLVERS = 1_000_000
"""Of more, solvers are not kept."""


@dataclass(eq=False)
class Block:
    """Columns of one asset, rows that name no others, and where its simplex method ended last, or its solver."""

    columns: Indices
    rows: Indices
    basis: Basis | None = None
    solver: Solver | None = None


@dataclass(frozen=True, eq=False)
class Priced:
    """What the blocks answer to prices of the shared rows: prices of all rows, and the columns they would use."""

    duals: Floats
    used: NDArray[np.bool_]


def rows_of_markets(matrix: Matrix) -> Indices:
    """Rows in which columns of assets meet columns of no site: what is held for a market and what it asks."""
    of_asset, of_all = rows_naming(matrix, matrix.asset >= 0), rows_naming(matrix, matrix.site < 0)
    return np.flatnonzero(of_asset & of_all)


def sites_of(matrix: Matrix) -> Indices:
    """[columns] the site of each, also of what belongs to none but meets the columns of a single one; else -1."""
    sites = matrix.site.astype(np.int64)
    (rows_count, columns_count), endless = matrix.matrix.shape, np.iinfo(np.int64).max
    for _ in range(2):  # some meet them by way of others
        most, least = np.full(rows_count, -1), np.full(rows_count, endless)
        for rows, columns, _ in matrix.entries():
            site = sites[columns]
            np.maximum.at(most, rows, site)
            np.minimum.at(least, rows, np.where(site < 0, endless, site))
        highest, lowest = np.full(columns_count, -1), np.full(columns_count, endless)
        for rows, columns, _ in matrix.entries(sites < 0):
            np.maximum.at(highest, columns, most[rows])
            np.minimum.at(lowest, columns, least[rows])
        sites = np.where((sites < 0) & (highest == lowest), highest, sites)
    return sites


def rows_naming(matrix: Matrix, columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[rows] whether a row names any of some columns."""
    named = np.zeros(matrix.matrix.shape[0], dtype=bool)
    for rows, _, _ in matrix.entries(columns):
        named[rows] = True
    return named


def columns_beside(matrix: Matrix, rows: Indices) -> Indices:
    """Columns that none of some rows name."""
    is_given, is_beside = np.zeros(matrix.matrix.shape[0], dtype=bool), np.ones(len(matrix.money), dtype=bool)
    is_given[rows] = True
    for named, columns, _ in matrix.entries():
        is_beside[columns[is_given[named]]] = False
    return np.flatnonzero(is_beside)


class Blocks:
    """The blocks of a matrix; ``keeps_solvers`` None: if there are few columns."""

    def __init__(
        self, matrix: Matrix, keeps_solvers: bool | None = None, bases: Mapping[int, Basis] | None = None
    ) -> None:
        """``bases``: of some assets, from where they were in another matrix."""
        few = len(matrix.money) <= MOST_COLUMNS_COUNT_WITH_SOLVERS
        self._keeps_solvers = few if keeps_solvers is None else keeps_solvers
        self._matrix = matrix
        self.owner_of_row = owner_of_rows(matrix)
        self.shared_rows = np.flatnonzero(self.owner_of_row < 0)
        self.shared_columns = np.flatnonzero(matrix.asset < 0)
        self.markets_rows = rows_of_markets(matrix)
        columns_of = positions_of_each(matrix.asset)
        rows_of = positions_of_each(self.owner_of_row)
        empty, known = np.zeros(0, dtype=np.int64), bases or {}
        self._blocks = [Block(columns, rows_of.get(a, empty), known.get(a)) for a, columns in columns_of.items()]
        first_of = {(len(block.columns), len(block.rows)): block for block in reversed(self._blocks)}
        self._first = list(first_of.values())  # of each kind
        self._others = [block for block in self._blocks if block not in self._first]
        self._like = [first_of[len(block.columns), len(block.rows)] for block in self._others]

    @property
    def bases(self) -> dict[int, Basis]:
        """By asset, where its block ended."""
        ended = {
            int(self._matrix.asset[block.columns[0]]): block.basis if block.solver is None else block.solver.basis()
            for block in self._blocks
        }
        return {asset: basis for asset, basis in ended.items() if basis is not None}

    def limit(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Bounds of some columns, from now on."""
        self._matrix = self._matrix.limited(columns, lower, upper)
        owners = set(self._matrix.asset[columns].tolist())
        for block in self._blocks:
            if block.solver is not None and int(self._matrix.asset[block.columns[0]]) in owners:
                _, own, given = np.intersect1d(block.columns, columns, return_indices=True)
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
            solver = block.solver or self._begun(block)
            solver.set_costs(costs[block.columns], maximise=True)
            result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
            if result.outcome is not Outcome.OPTIMAL:
                raise SolverError("a block of the relaxation was not solved")
            used[block.columns[np.abs(solver.point()[0]) > NOTHING]] = True
            answered[block.rows] = solver.duals()
            if self._keeps_solvers:
                block.solver = solver
            if block.solver is None or block.basis is None:
                block.basis = solver.basis()

        side_by_side(answer, self._first)
        for block, like in zip(self._others, self._like, strict=True):
            block.basis = block.basis or like.basis
        side_by_side(answer, self._others)
        return Priced(answered, used)

    def _begun(self, block: Block) -> Solver:
        solver = Solver(self._matrix.part(block.columns, block.rows), relaxed=True)
        if block.basis is not None:
            solver.go_on_from(block.basis)
        return solver


class Bound:
    """Weak duality on a whole matrix: any prices of its rows say how much money there is at most."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._transposed = csr_array(matrix.matrix.T)
        self._lower, self._upper = _implied_bounds(matrix)

    def tighten(self, matrix: Matrix) -> None:
        """The matrix with more rows."""
        self._matrix = matrix
        self._transposed = csr_array(matrix.matrix.T)

    def of(self, duals: Floats, without: NDArray[np.bool_] | None = None) -> float:
        """No solution of the relaxation has more money; infinite where the prices say nothing.

        ``without`` [columns] those whose own money at these prices is not counted.
        """
        prices, side = self._sides(duals)
        reduced = self._reduced(prices)
        return self._most(prices, side, reduced if without is None else np.where(without, 0.0, reduced))

    def cut(self, duals: Floats, columns: Indices) -> tuple[float, Floats]:
        """The same whatever the bounds of some columns: the money without theirs, and that of a unit of each."""
        prices, side = self._sides(duals)
        reduced = self._reduced(prices)
        per_unit = reduced[columns]
        reduced[columns] = 0.0
        return self._most(prices, side, reduced), per_unit

    def reduced(self, duals: Floats) -> Floats:
        """[columns] money of a unit at these prices of the rows."""
        return self._reduced(self._sides(duals)[0])

    def _reduced(self, prices: Floats) -> Floats:
        reduced: Floats = self._matrix.money - self._transposed @ prices
        return reduced

    def _most(self, prices: Floats, side: Floats, reduced: Floats) -> float:
        best = np.where(reduced > 0, self._upper, self._lower)
        best = np.where(reduced != 0, best, 0.0)
        return float(self._matrix.constant + prices @ side + reduced @ best)

    def _sides(self, duals: Floats) -> tuple[Floats, Floats]:
        """[rows] prices that count, and the side that each holds to."""
        side = np.where(duals > 0, self._matrix.row_upper, self._matrix.row_lower)
        prices = np.where(np.isfinite(side) & (np.abs(duals) > NOTHING), duals, 0.0)
        return prices, np.where(prices != 0, side, 0.0)


def owner_of_rows(matrix: Matrix) -> Indices:
    """[rows] the one asset of all columns of a row; -1 where there are several, or a column of none."""
    owner = matrix.asset.astype(np.int32)
    least = np.full(matrix.matrix.shape[0], np.iinfo(np.int32).max, dtype=np.int32)
    most = np.full(matrix.matrix.shape[0], -1, dtype=np.int32)
    for rows, columns, _ in matrix.entries():
        np.minimum.at(least, rows, owner[columns])
        np.maximum.at(most, rows, owner[columns])
    return np.where(least == most, most, -1).astype(np.int64)


def _implied_bounds(matrix: Matrix) -> tuple[Floats, Floats]:
    """Bounds of the columns, infinite ones made finite where a row says so, twice over."""
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    for _ in range(2):
        if np.isfinite(lower).all() and np.isfinite(upper).all():
            break
        sums, endless_count = _sides_of_rows(matrix, lower, upper)
        highest, lowest = np.full(len(upper), np.inf), np.full(len(lower), -np.inf)
        for rows, columns, factors in matrix.entries():
            least, most = _sides_of_entries(factors, lower[columns], upper[columns])
            by_most = (matrix.row_upper[rows] - _of_others(rows, least, sums[0], endless_count[0], -np.inf)) / factors
            by_least = (matrix.row_lower[rows] - _of_others(rows, most, sums[1], endless_count[1], np.inf)) / factors
            np.maximum.at(lowest, columns, np.where(factors > 0, by_least, by_most))
            np.minimum.at(highest, columns, np.where(factors > 0, by_most, by_least))
        lower, upper = np.where(np.isinf(lower), lowest, lower), np.where(np.isinf(upper), highest, upper)
    return lower, upper


def _sides_of_entries(factors: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """What entries amount to at least and at most."""
    least, most = np.where(factors > 0, lower, upper), np.where(factors > 0, upper, lower)
    return factors * least, factors * most


def _sides_of_rows(matrix: Matrix, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """[2, rows] the same of rows, without what is endless; and how many of their entries are."""
    count = matrix.matrix.shape[0]
    sums, endless_count = np.zeros((2, count)), np.zeros((2, count))
    for rows, columns, factors in matrix.entries():
        for side, amounts in enumerate(_sides_of_entries(factors, lower[columns], upper[columns])):
            is_endless = np.isinf(amounts)
            sums[side] += np.bincount(rows, np.where(is_endless, 0.0, amounts), count)
            endless_count[side] += np.bincount(rows, is_endless, count)
    return sums, endless_count


def _of_others(rows: NDArray[np.int32], amounts: Floats, sums: Floats, endless_count: Floats, endless: float) -> Floats:
    """[entries] the sum of what the other entries of a row amount to; ``endless`` where one of them is."""
    is_endless = np.isinf(amounts)
    finite = np.where(is_endless, 0.0, amounts)
    others: Floats = np.where(endless_count[rows] > is_endless, endless, sums[rows] - finite)
    return others

"""A day taken apart where blocks of reserve end: a true bound, and offers that are nearly the best (formulation 10).

At a border between blocks the prices of a relaxation stand for the rows that cross it: what machines carry over, how
often they may start. Then each window is a problem of its own with a handful of offers, and the sum of their bounds is
a bound of the whole (Geoffrion 1974). What crosses is priced, but not lost where counts are rows too (`counts.py`): the
machines of a group add up in every window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Solver
from scheduler.model.strategy.apart import Indices, side_by_side
from scheduler.model.strategy.blocks import NOTHING
from scheduler.problem import Floats


@dataclass(frozen=True, eq=False)
class Window:
    """Columns of some intervals, and the problem that they are."""

    columns: Indices
    own: Matrix
    costs: Floats


@dataclass(frozen=True, eq=False)
class Proposed:
    """What the windows say: a bound, and their solutions side by side [columns], which break what crosses the cuts."""

    bound: float
    x: Floats | None  # None where a window had no time for a solution


def borders(matrix: Matrix) -> Indices:
    """Intervals that begin a window: no offer stands before and after one."""
    count = matrix.ledger.intervals
    spans = np.zeros(count + 1, dtype=np.int64)
    rows = csr_array(matrix.matrix)
    for column in np.flatnonzero(matrix.coarse & (matrix.interval < 0)):
        named = rows[matrix.matrix.indices[matrix.matrix.indptr[column] : matrix.matrix.indptr[column + 1]]].indices
        intervals = matrix.interval[named]
        intervals = intervals[intervals >= 0]
        if len(intervals):
            spans[intervals.min() + 1] += 1
            spans[intervals.max() + 1] -= 1
    return np.flatnonzero(np.cumsum(spans[:count]) == 0)


def even(starts: Indices, intervals: int, count: int) -> Indices:
    """At most ``count`` of some borders, as evenly over the intervals as they allow."""
    wanted = np.arange(count) * intervals / count
    return np.unique([starts[np.argmin(np.abs(starts - at))] for at in wanted])


class Windows:
    """A matrix cut at some intervals, with prices [rows] of a relaxation for the rows that cross a cut."""

    def __init__(self, matrix: Matrix, starts: Indices, prices: Floats) -> None:
        self._count = len(matrix.money)
        window = _window_of(matrix, starts)
        rows, columns = matrix.matrix.indices, np.repeat(np.arange(self._count), np.diff(matrix.matrix.indptr))
        first = np.full(matrix.matrix.shape[0], np.iinfo(np.int64).max)
        last = np.full(matrix.matrix.shape[0], -1, dtype=np.int64)
        np.minimum.at(first, rows, window[columns])
        np.maximum.at(last, rows, window[columns])
        crosses = first != last
        side = np.where(prices > 0, matrix.row_upper, matrix.row_lower)
        prices = np.where(crosses & np.isfinite(side) & (np.abs(prices) > NOTHING), prices, 0.0)
        self._constant = matrix.constant + float(prices @ np.where(prices != 0, side, 0.0))
        costs = matrix.money - matrix.matrix.T @ prices
        self._windows = []
        for number in np.unique(window):
            own = np.flatnonzero(window == number)
            part = matrix.part(own, np.flatnonzero(~crosses & (first == number)))
            self._windows.append(Window(own, part, costs[own]))

    def solve(self, abs_gap: float, clock: Clock, seed: int) -> Proposed:
        """Each window to its share of ``abs_gap``, two at a time."""
        share = abs_gap / len(self._windows)

        def solved(window: Window) -> tuple[float, Floats | None]:
            solver = Solver(replace(window.own, integer=window.own.coarse), seed=seed)
            solver.search_the_tree_only()
            solver.set_costs(window.costs, maximise=True)
            result = solver.solve(rel_gap=0.0, abs_gap=share, seconds=clock.left_seconds)
            return (np.inf if result.bound is None else result.bound), result.x

        results = side_by_side(solved, self._windows)
        bound = self._constant + sum(bound for bound, _ in results)
        x = np.zeros(self._count)
        for window, (_, found) in zip(self._windows, results, strict=True):
            if found is None:
                return Proposed(bound, None)
            x[window.columns] = found
        return Proposed(bound, x)


def _window_of(matrix: Matrix, starts: Indices) -> Indices:
    """[columns] the window of each; those of no interval go with the rows that name them, or all into one more."""
    window = np.searchsorted(starts, matrix.interval, side="right").astype(np.int64) - 1
    none = matrix.interval < 0
    rows = csr_array(matrix.matrix)
    for column in np.flatnonzero(none):
        named = rows[matrix.matrix.indices[matrix.matrix.indptr[column] : matrix.matrix.indptr[column + 1]]].indices
        those = np.unique(window[named[~none[named]]])
        window[column] = those[0] if len(those) == 1 else len(starts)
    return window

"""Whole offers by a tree of our own on a relaxation that stays warm (Land and Doig 1960).

Some tens of offers matter among thousands of columns. From one branch to the next the dual simplex method takes a few
steps, some milliseconds; a search that begins anew with presolve and cuts takes a hundred times that before it branches
at all. So each offer is tried both ways once, and what that cost says where to branch from then on (pseudocosts from
strong branching: Achterberg, Koch and Martin 2005).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Outcome, Result, Solver
from scheduler.problem import Floats

MOST_COLUMNS_COUNT = 300
"""With more whole columns than that, such as those of large units, the tree would not end."""
WHOLE = 1e-6
TRIED_COUNT = 8
"""Offers that are tried at a branch at most: those that are nearest to a half."""
LEAST_LOSS = 1e-6
LOSS_OF_NOTHING = 1e9
"""What it counts for that a branch holds no solution."""


@dataclass(frozen=True, eq=False)
class _Branch:
    """Bounds of the whole columns, and the relaxation under them; no x: it holds no solution."""

    lower: Floats
    upper: Floats
    x: Floats | None
    money: float


class _NotSolvedError(Exception):
    """A relaxation was not solved: no time, or no precision."""


class Tree:
    """A relaxation, as its solver has it, with the coarse columns of its matrix made whole.

    The solver may have more rows than the matrix, if whole solutions keep them, and other costs for each search: what
    was learned of the offers stays. ``relaxations_count``: of the last search.
    """

    def __init__(self, relaxed: Solver, matrix: Matrix) -> None:
        self._relaxed = relaxed
        self._columns = np.flatnonzero(matrix.coarse)
        self._lower, self._upper = matrix.lower[self._columns], matrix.upper[self._columns]
        self._lost = np.zeros((2, len(self._columns)))  # money that parts of a unit down and up have cost so far
        self._parts_tried = np.zeros((2, len(self._columns)))
        self.relaxations_count = 0

    def parts_count(self, x: Floats) -> int:
        """How many of them are not whole in a solution."""
        return int(np.count_nonzero(self._open_columns(x)))

    def search(self, most_relaxations: int, clock: Clock, *, gap: float, enough: float = -np.inf) -> Result:
        """The most money of whole offers, within ``gap``; or proof that no more than ``enough`` can be had.

        LIMIT: too many relaxations or no time; the bound is a true one where there is any. Raises SolverError.
        """
        self.relaxations_count = 0
        if len(self._columns) > MOST_COLUMNS_COUNT:
            return Result(Outcome.LIMIT, None, None, None)
        best: _Branch | None = None
        bound: float | None = None
        outcome = Outcome.LIMIT
        try:
            found: list[_Branch] = [self._branch(self._lower, self._upper, clock)]
            open_branches: list[tuple[float, int, _Branch]] = []
            count = 0
            while True:
                for branch in found:
                    if branch.x is None:
                        continue
                    count += 1
                    heappush(open_branches, (-branch.money, count, branch))
                    if not self._open_columns(branch.x).any() and (best is None or branch.money > best.money):
                        best = branch
                if not open_branches:
                    return Result(Outcome.INFEASIBLE, None, None, None)
                bound = -open_branches[0][0]
                if bound <= enough or (best is not None and bound - best.money <= gap):
                    outcome = Outcome.OPTIMAL
                    break
                if self.relaxations_count >= most_relaxations:
                    break
                found = self._children(heappop(open_branches)[2], clock)
        except _NotSolvedError:
            pass
        finally:
            self._relaxed.set_bounds(self._columns, self._lower, self._upper)
        return Result(outcome, None, None, bound) if best is None else Result(outcome, best.x, best.money, bound)

    def _branch(self, lower: Floats, upper: Floats, clock: Clock) -> _Branch:
        if clock.left_seconds <= 0:
            raise _NotSolvedError
        self.relaxations_count += 1
        self._relaxed.set_bounds(self._columns, lower, upper)
        result = self._relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        if result.outcome is Outcome.INFEASIBLE:
            return _Branch(lower, upper, None, -np.inf)
        if result.outcome is not Outcome.OPTIMAL or result.x is None or result.objective is None:
            raise _NotSolvedError
        return _Branch(lower, upper, result.x, result.objective)

    def _open_columns(self, x: Floats) -> Floats:
        """[whole columns] how far from whole, 0 where that is the solver's dust."""
        away = np.abs(x[self._columns] - np.rint(x[self._columns]))
        return np.where(away > WHOLE, away, 0.0)

    def _children(self, branch: _Branch, clock: Clock) -> list[_Branch]:
        """Both sides of the offer that costs most to make whole."""
        assert branch.x is not None
        away = self._open_columns(branch.x)
        candidates = np.flatnonzero(away)
        untried = candidates[(self._parts_tried[:, candidates] == 0).any(axis=0)]
        tried = {
            int(column): list(self._sides(branch, int(column), clock))
            for column in untried[np.argsort(-away[untried], kind="stable")][:TRIED_COUNT]
        }

        def loss_of_both(column: int) -> float:
            if column in tried:
                losses = [LOSS_OF_NOTHING if side.x is None else branch.money - side.money for side in tried[column]]
            else:
                losses = list(self._loss(column) * self._parts(branch, column))
            return max(losses[0], LEAST_LOSS) * max(losses[1], LEAST_LOSS)

        chosen = max(candidates.tolist(), key=loss_of_both)
        return tried[chosen] if chosen in tried else list(self._sides(branch, chosen, clock))

    def _sides(self, branch: _Branch, column: int, clock: Clock) -> Iterator[_Branch]:
        """A branch with an offer rounded down, and with it rounded up; notes what that costs."""
        assert branch.x is not None
        parts = self._parts(branch, column)
        value = branch.x[self._columns[column]]
        for side, whole in enumerate((np.floor(value), np.ceil(value))):
            lower, upper = branch.lower.copy(), branch.upper.copy()
            (upper if side == 0 else lower)[column] = whole
            child = self._branch(lower, upper, clock)
            if child.x is not None:
                self._lost[side, column] += branch.money - child.money
                self._parts_tried[side, column] += parts[side]
            yield child

    def _parts(self, branch: _Branch, column: int) -> Floats:
        """How far an offer is from the whole below, and from the whole above."""
        assert branch.x is not None
        part = branch.x[self._columns[column]] % 1.0
        return np.array([part, 1.0 - part])

    def _loss(self, column: int) -> Floats:
        """[2] money that a unit less, and one more, has cost on average; of all offers where this was not tried."""
        all_tried = self._parts_tried.sum(axis=1)
        overall = np.where(all_tried > 0, self._lost.sum(axis=1) / np.maximum(all_tried, WHOLE), 1.0)
        tried = self._parts_tried[:, column]
        return np.where(tried > 0, self._lost[:, column] / np.maximum(tried, WHOLE), overall)

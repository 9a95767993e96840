"""Whole offers by a tree of our own on a relaxation that stays warm (Land and Doig 1960).

Some tens of offers matter among thousands of columns. From one branch to the next the dual simplex method takes a few
steps, some milliseconds; a search that begins anew with presolve and cuts takes a hundred times that before it branches
at all. So each offer is tried both ways once, and what that cost says where to branch from then on (pseudocosts from
strong branching: Achterberg, Koch and Martin 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Basis, Outcome, Result, Solver
from scheduler.model.strategy.apart import Indices, one_by_one, side_by_side
from scheduler.problem import Floats

MOST_COLUMNS_COUNT = 100
"""With more, such as those of large units, the tree would not end: only its root is looked at."""
MOST_PARTS = 40
"""With so many offers in parts at once a tree has too many branches: after one dive it ends."""
WHOLE = 1e-6
TRIED_COUNT = 8
"""Offers that are tried at a branch at most: those that are nearest to a half."""
RELAXATIONS_TO_DIVE = 20
"""After so many, then after more and more, a dive looks for whole offers."""
SHARE_AT_ONCE = 0.34
"""Of the offers in parts, how many a step of it rounds."""
TWIN_COLUMNS_COUNT = 8000
"""From here on both sides of a branch are solved at once, each by a solver of its own, both from the branch's basis."""
LEAST_LOSS = 1e-6
LOSS_OF_NOTHING = 1e9
"""What it counts for that a branch holds no solution."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Bounds of the whole columns, and the relaxation under them; no x: it holds no solution, or was not solved."""

    lower: Floats
    upper: Floats
    x: Floats | None = None
    money: float = -np.inf
    basis: Basis | None = None


class _NotSolvedError(Exception):
    """A relaxation was not solved: no time, or no precision."""


class Tree:
    """A relaxation, as its solver has it, with some columns made whole: of each its least and its most.

    The solver may have rows that only whole solutions keep, and other costs for each search: what
    was learned of the offers stays. Of the last search: ``relaxations_count``, and ``leaves``, which together hold all
    solutions that it was asked for.
    """

    def __init__(self, relaxed: Solver, columns: Indices, lower: Floats, upper: Floats) -> None:
        self.relaxed = relaxed
        self._both: tuple[Solver, Solver] | None = None  # for the two sides of a branch
        self.columns, self._lower, self._upper = columns, lower, upper
        self._lost = np.zeros((2, len(self.columns)))  # money that parts of a unit down and up have cost so far
        self._parts_tried = np.zeros((2, len(self.columns)))
        self.relaxations_count = 0
        self.leaves: list[Branch] = []

    def move(self, relaxed: Solver, columns: Indices) -> None:
        """Another solver of the same relaxation, and where in it the whole columns are."""
        self.relaxed, self.columns, self._both = relaxed, columns, None

    def search(
        self,
        most_relaxations: int,
        clock: Clock,
        *,
        gap: float,
        enough: float = -np.inf,
        begin: Sequence[Branch] = (),
        goes_on: bool = False,
    ) -> Result:
        """The most money of whole offers, within ``gap``; or proof that no more than ``enough`` can be had.

        ``begin``: only among the solutions that these branches hold, which need not be solved. ``goes_on``: the next
        search will have the same costs and rows.

        LIMIT: too many relaxations, no time, or one that was not solved; the bound is a true one where there is any.
        """
        self.relaxations_count = 0
        if len(self.columns) > MOST_COLUMNS_COUNT:
            most_relaxations = 1
        best: Branch | None = None
        bound: float | None = None
        outcome = Outcome.LIMIT
        next_dive = 0
        open_branches: list[tuple[float, int, Branch]] = []
        not_solved = list(begin) or [Branch(self._lower, self._upper)]
        self.leaves = []
        try:
            found = [self._branch(self._solvers[0], branch.lower, branch.upper, clock) for branch in not_solved]
            not_solved = []
            count = 0
            while True:
                for branch in found:
                    if branch.x is None:
                        self.leaves.append(branch)
                        continue
                    count += 1
                    heappush(open_branches, (-branch.money, count, branch))
                    if not self._away(branch).any():
                        best = _better(best, branch)
                if not open_branches:
                    return Result(Outcome.INFEASIBLE, None, None, None)
                bound = -open_branches[0][0]
                if self.relaxations_count >= next_dive and bound > enough:
                    next_dive = 2 * self.relaxations_count + RELAXATIONS_TO_DIVE
                    best = _better(best, self._dive(open_branches[0][2], best, clock))
                if bound <= enough or (best is not None and bound - best.money <= gap):
                    outcome = Outcome.OPTIMAL
                    break
                branch = heappop(open_branches)[2]
                not_solved = [branch]
                if self.relaxations_count >= most_relaxations or np.count_nonzero(self._away(branch)) > MOST_PARTS:
                    break
                found = self._children(branch, clock)
                not_solved = []
        except _NotSolvedError:
            pass
        finally:
            self.relaxed.set_bounds(self.columns, self._lower, self._upper)
            if not goes_on:
                self._both = None
            self.leaves += [*not_solved, *(branch for _, _, branch in open_branches)]
        return Result(outcome, None, None, bound) if best is None else Result(outcome, best.x, best.money, bound)

    @property
    def _solvers(self) -> tuple[Solver, Solver]:
        if self._both is None:
            is_large = self.relaxed.columns_count >= TWIN_COLUMNS_COUNT
            self._both = (self.relaxed.twin(), self.relaxed.twin()) if is_large else (self.relaxed, self.relaxed)
        return self._both

    def _branch(self, solver: Solver, lower: Floats, upper: Floats, clock: Clock) -> Branch:
        if clock.left_seconds <= 0:
            raise _NotSolvedError
        self.relaxations_count += 1
        solver.set_bounds(self.columns, lower, upper)
        try:
            result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        except SolverError as error:
            raise _NotSolvedError from error
        if result.outcome is Outcome.INFEASIBLE:
            return Branch(lower, upper, None, -np.inf)
        if result.outcome is not Outcome.OPTIMAL:
            raise _NotSolvedError
        return Branch(lower, upper, *solver.point(), solver.basis())

    def _away(self, branch: Branch) -> Floats:
        """[whole columns] how far from whole, 0 where that is the solver's dust."""
        assert branch.x is not None
        away = np.abs(branch.x[self.columns] - np.rint(branch.x[self.columns]))
        return np.where(away > WHOLE, away, 0.0)

    def _dive(self, branch: Branch, best: Branch | None, clock: Clock) -> Branch | None:
        """Whole offers near those of a branch: some rounded at a time, the nearest first. None: none better."""
        while branch.x is not None and (best is None or branch.money > best.money):
            away = self._away(branch)
            if not away.any():
                return branch
            nearest = nearest_to_whole(away)
            lower, upper = branch.lower.copy(), branch.upper.copy()
            lower[nearest] = upper[nearest] = np.rint(branch.x[self.columns[nearest]])
            branch = self._branch(self._solvers[0], lower, upper, clock)
        return None

    def _children(self, branch: Branch, clock: Clock) -> list[Branch]:
        """Both sides of the offer that costs most to make whole."""
        away = self._away(branch)
        candidates = np.flatnonzero(away)
        untried = candidates[(self._parts_tried[:, candidates] == 0).any(axis=0)]
        tried = {
            int(column): self._sides(branch, int(column), clock)
            for column in untried[np.argsort(-away[untried], kind="stable")][:TRIED_COUNT]
        }

        def loss_of_both(column: int) -> float:
            if column in tried:
                losses = [LOSS_OF_NOTHING if side.x is None else branch.money - side.money for side in tried[column]]
            else:
                losses = list(self._loss(column) * self._parts(branch, column))
            return max(losses[0], LEAST_LOSS) * max(losses[1], LEAST_LOSS)

        chosen = max(candidates.tolist(), key=loss_of_both)
        return tried[chosen] if chosen in tried else self._sides(branch, chosen, clock)

    def _sides(self, branch: Branch, column: int, clock: Clock) -> list[Branch]:
        """A branch with an offer rounded down, and with it rounded up; notes what that costs."""
        assert branch.x is not None
        value = branch.x[self.columns[column]]
        lower, upper = branch.lower.copy(), branch.upper.copy()
        upper[column], lower[column] = np.floor(value), np.ceil(value)
        first, beside = self._solvers
        bounds = ((first, branch.lower, upper), (beside, lower, branch.upper))
        if first is beside:
            sides = one_by_one(lambda side: self._branch(*side, clock), bounds)
        else:
            assert branch.basis is not None
            for solver, _, _ in bounds:
                solver.go_on_from(branch.basis)
            sides = side_by_side(lambda side: self._branch(*side, clock), bounds)
        for number, (child, part) in enumerate(zip(sides, self._parts(branch, column), strict=True)):
            if child.x is not None:
                self._lost[number, column] += branch.money - child.money
                self._parts_tried[number, column] += part
        return sides

    def _parts(self, branch: Branch, column: int) -> Floats:
        """How far an offer is from the whole below, and from the whole above."""
        assert branch.x is not None
        part = branch.x[self.columns[column]] % 1.0
        return np.array([part, 1.0 - part])

    def _loss(self, column: int) -> Floats:
        """[2] money that a unit less, and one more, has cost on average; of all offers where this was not tried."""
        all_tried = self._parts_tried.sum(axis=1)
        overall = np.where(all_tried > 0, self._lost.sum(axis=1) / np.maximum(all_tried, WHOLE), 1.0)
        tried = self._parts_tried[:, column]
        return np.where(tried > 0, self._lost[:, column] / np.maximum(tried, WHOLE), overall)


def nearest_to_whole(away: Floats) -> Indices:
    """Of what is away from whole, so far each, the part that is rounded at a time: the nearest first."""
    parts = np.flatnonzero(away)
    return parts[np.argsort(away[parts], kind="stable")][: max(1, int(SHARE_AT_ONCE * len(parts)))]


def tree_of(relaxed: Solver, matrix: Matrix) -> Tree:
    """Of a relaxation of a whole matrix, with its coarse columns made whole."""
    columns = np.flatnonzero(matrix.coarse)
    return Tree(relaxed, columns, matrix.lower[columns], matrix.upper[columns])


def _better(one: Branch | None, other: Branch | None) -> Branch | None:
    if one is None or other is None:
        return one or other
    return one if one.money >= other.money else other

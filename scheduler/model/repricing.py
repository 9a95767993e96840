"""One matrix, many prices: what the most money is under other prices, from what is known of those before.

What may be done does not depend on prices, so a plan that was found under some prices is a plan under all, and its
money there is one product of vectors. And the most money is the largest of many linear functions, one for each plan, so
it is convex in the prices: between two prices it lies below the chord of its bounds there (formulation 10, money many).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeVar

import numpy as np

from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.component import Obligation
from scheduler.model.solve import Outcome, Result, Solver
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.fast import fast, offers_by_solver
from scheduler.model.strategy.rounding import ROUNDINGS, Rounding, best_rounding
from scheduler.model.strategy.rows import Row, with_rows
from scheduler.model.strategy.search import SHORTFALL_PRECISION_MW_H, Solution, proven
from scheduler.model.strategy.tightening import Tightening, tightening_of
from scheduler.model.strategy.tree import Tree, tree_of
from scheduler.plan import Stream
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

Key = TypeVar("Key", bound=Hashable)

MOST_RELAXATIONS_COUNT = 100
"""A tree that needs more is left to a solve from the beginning."""
SHARE_FOR_OFFERS = 0.5
"""Of the gap, what the tree may leave; the rest is for rounding the machines."""
SHARE_FOR_TIGHTENING = 0.1
"""Of the time for the first solve, what rows for all of them may take to find."""


@dataclass(frozen=True, eq=False)
class Money:
    """Money of a solution x: costs @ x + constant."""

    costs: Floats  # [columns]
    constant: float

    def __add__(self, other: Money) -> Money:
        return Money(self.costs + other.costs, self.constant + other.constant)

    def times(self, factor: float) -> Money:
        """The same at prices so many times as high."""
        return Money(factor * self.costs, factor * self.constant)

    def of(self, x: Floats) -> float:
        """What a solution earns."""
        return float(self.costs @ x) + self.constant


def parts_of_money(matrix: Matrix, part_of: Callable[[Stream], Key]) -> dict[Key, Money]:
    """The money of a matrix in parts that add up to it, by what ``part_of`` makes of each stream."""
    ledger = matrix.ledger
    parts: dict[Key, Floats] = {}
    constants: dict[Key, float] = {}
    for earning in ledger.earnings:
        key = part_of(earning.stream)
        costs = parts.setdefault(key, np.zeros(len(matrix.money)))
        columns = matrix.column_of[earning.variables]
        there = columns >= 0  # a variable that no row names does not matter
        np.add.at(costs, columns[there], earning.coefficients[there])
    for stream, amount in ledger.constants.items():
        key = part_of(stream)
        constants[key] = constants.get(key, 0.0) + float(amount.sum())
    nothing = np.zeros(len(matrix.money))
    keys = dict.fromkeys([*parts, *constants])
    return {key: Money(parts.get(key, nothing), constants.get(key, 0.0)) for key in keys}


class Repricing:
    """A matrix with obligations held as in a first solution, and all plans that were found on it.

    ``solves_count``: how often the whole problem was solved, not only looked up or bounded.
    """

    def __init__(self, matrix: Matrix, x: Floats, options: SolveOptions) -> None:
        self._matrix = holding(matrix, x)
        self._options = options
        self._relaxed: Solver | None = None
        self._tight: Matrix | None = None
        self._tightening: Tightening | None = None
        self._rows: list[Row] = []  # that were added to the relaxation
        self._tree: Tree | None = None
        self.plans: list[Floats] = [x]
        self.solves_count = 0

    def best_known(self, money: Money) -> tuple[Floats, float]:
        """The best of the plans that were found so far, and its money."""
        best = max(self.plans, key=money.of)
        return best, money.of(best)

    def relaxed_bound(self, money: Money, clock: Clock) -> float:
        """No plan earns more: machines and offers in parts, warm from the last prices. Infinite without time."""
        if clock.left_seconds <= 0:
            return np.inf
        if self._relaxed is None:
            self._tight = with_counts(self._matrix)
            self._tightening = tightening_of(self._matrix, Clock(SHARE_FOR_TIGHTENING * clock.left_seconds))
            self._relaxed = Solver(self._tight, relaxed=True, seed=self._options.seed)
            self._tree = tree_of(self._relaxed, self._matrix)
        self._relaxed.set_costs(money.costs, money.constant, maximise=True)
        result = self._relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        if result.x is not None and self._tightening is not None:
            self._rows.extend(self._tightening.add_violated(self._relaxed, clock))
            result = self._relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        return result.objective if result.outcome is Outcome.OPTIMAL and result.objective is not None else np.inf

    def solve(self, money: Money, clock: Clock) -> Result:
        """The most money; a plan that is known already is taken where the relaxation proves it good enough."""
        bound = self.relaxed_bound(money, clock)
        known = self.best_known(money)
        if proven(known[1], bound, self._options):
            return Result(Outcome.OPTIMAL, *known, bound)
        self.solves_count += 1
        priced = replace(self._matrix, money=money.costs, constant=money.constant)
        offers = self._whole_offers(money, known[1], bound, clock)
        bound = min(bound, np.inf if offers.bound is None else offers.bound)
        best = known
        if offers.x is not None and not proven(known[1], bound, self._options):
            near = best_rounding(Rounding(priced, offers.x, self._options.seed), ROUNDINGS, bound, self._options, clock)
            best = self._better(known, near)
        if not proven(best[1], bound, self._options):
            found = fast(priced, self._options, clock)
            bound = min(bound, np.inf if found.bound is None else found.bound)
            if found.x is not None and found.objective is not None:
                best = self._better(best, (found.x, found.objective))
        outcome = Outcome.OPTIMAL if proven(best[1], bound, self._options) else Outcome.LIMIT
        return Result(outcome, *best, bound if np.isfinite(bound) else None)

    def _whole_offers(self, money: Money, known_money: float, bound: float, clock: Clock) -> Result:
        """Whole offers good enough to round machines around them, if they are soon found; a bound in any case."""
        assert self._tree is not None and self._tight is not None
        allowed = max(self._options.abs_gap, self._options.rel_gap * abs(known_money))
        gap, enough = SHARE_FOR_OFFERS * allowed, known_money + allowed
        found = self._tree.search(MOST_RELAXATIONS_COUNT, clock, gap=gap, enough=enough)
        if found.outcome is Outcome.OPTIMAL or not (self._tight.integer & ~self._tight.coarse).any():
            return replace(found, x=None) if found.outcome is not Outcome.OPTIMAL else found
        bound = min(bound, np.inf if found.bound is None else found.bound)
        if found.objective is not None and proven(found.objective, bound, self._options):
            return found
        tight = replace(with_rows(self._tight, self._rows), money=money.costs, constant=money.constant)
        return offers_by_solver(tight, self._options.seed, clock, rel_gap=0.0, abs_gap=gap, x=found.x)

    def _better(self, best: Solution, found: Solution | None) -> Solution:
        """Keeps a plan for other prices, and says which is better."""
        if found is None:
            return best
        self.plans.append(found[0])
        return max(best, found, key=itemgetter(1))


def holding(matrix: Matrix, x: Floats) -> Matrix:
    """The same with no more missing of any obligation than in a solution; that no price can buy (formulation 1)."""
    for obligation in Obligation:
        missing_mw_h = float(matrix.missing_hours(obligation) @ x)
        if missing_mw_h <= SHORTFALL_PRECISION_MW_H:
            upper = matrix.upper.copy()
            upper[matrix.shortfalls[obligation]] = 0.0
            matrix = replace(matrix, upper=upper)
        else:
            matrix = matrix.with_least_shortfall(missing_mw_h + SHORTFALL_PRECISION_MW_H, obligation)
    return matrix

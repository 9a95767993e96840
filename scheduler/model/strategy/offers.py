"""Whole offers for a relaxation by blocks: near its solution, then by branch and price (Barnhart and others 1998).

A tree (`tree.py`) among the columns in use is quick, but its bound says nothing of all other columns. So its leaves,
which hold all whole offers, are asked once more with all columns: mostly the first prices say that there is no more
money than is needed. Where there is, columns come into use and the tree goes on from those leaves.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.blocks import rows_naming
from scheduler.model.strategy.relaxation import Among, Relaxation
from scheduler.model.strategy.tree import Branch, Tree, nearest_to_whole
from scheduler.problem import Floats

PRECISION = 2e-5
"""Of the money of offers that are decided, and of a leaf."""
HOPELESS = 0.05
"""Of the money: what lacks so much of the bound is given up, for there may be no solution at all."""
STEPS_COUNT = 16
"""Single steps asked after from there."""
WORTH_ASKING = 3e-6
"""A step is asked after if prices promise more than this share of the money."""
MOST_RELAXATIONS_OF_BLOCK_COUNT = 16
SHARE_OF_BLOCK = 0.1
"""Of the gap, what a block may lose."""
MOST_RELAXATIONS_COUNT = 150
"""Of a tree among the columns in use; then others are asked for."""
NEARLY_WHOLE = 1e-6
LESS = -1.0
"""How much more an offer was made that was made less by a step: once is enough."""


class Offers:
    """The best offers that were found, and a bound on all.

    ``values`` of the whole columns, None before there are any, with ``money`` and ``x`` [all columns].
    """

    def __init__(self, relaxation: Relaxation) -> None:
        self.bound = relaxation.bound
        self.money = -np.inf
        self.values: Floats | None = None
        self.x: Floats | None = None
        matrix = relaxation.matrix
        self.columns = relaxation.columns
        relaxation.used[self.columns] = True
        self._lower, self._upper = matrix.lower[self.columns], matrix.upper[self.columns]
        self._relaxation = relaxation
        self._leaves = [(relaxation.bound, Branch(self._lower, self._upper))]  # with a bound each
        self._first = relaxation.x[self.columns]
        self._is_begun = False
        self._kept: Tree | None = None
        self._searched_around: Floats | None = None

    def improve(self, gap: float) -> bool:
        """Better ones, or a better bound; false where no more than ``gap`` is left, or nothing is left to be tried.

        Raises SolverError where the time is too short.
        """
        if not self._is_begun:
            self._is_begun = True
            values = self._nearest(self._first)
            self._take(values)
            if self.values is None:  # too much: what of it there is
                self._relaxation.limit(self._lower, values)
                self._relaxation.solve(PRECISION)
                self._take(np.floor(self._relaxation.x[self.columns] + NEARLY_WHOLE))
            if self.bound - self.money > gap:  # now among more columns
                values = self._nearest(self._first)
                self._take(values)
                self._take(self._better_steps(values))
            return True
        if self.bound - self.money <= gap:
            return False
        before = (self.bound, self.money, np.count_nonzero(self._relaxation.used), len(self._leaves))
        self._search(gap)
        return before != (self.bound, self.money, np.count_nonzero(self._relaxation.used), len(self._leaves))

    @property
    def _hopeless(self) -> float:
        return self.bound - HOPELESS * abs(self.bound)

    def settle(self) -> None:
        """What the columns in use make in balance, from where the nearest are taken. Raises SolverError."""
        if self._is_begun:  # else nothing is limited, and the last columns join at once
            self._relaxation.limit(self._lower, self._upper)
        self._relaxation.settle()
        self._first = self._relaxation.x[self.columns]

    def take_nearest(self, *, at_once: bool) -> bool:
        """Those nearest to it, made whole some at a time; or those just below, which are sooner found, ``at_once``.

        False where the columns in use cannot hold them. Raises SolverError where the time is too short.
        """
        values = np.floor(self._first + NEARLY_WHOLE) if at_once else self._nearest(self._first)
        self._relaxation.limit(values, values)
        found = self._relaxation.among_used()
        if found.money == -np.inf:
            return False
        self.money, self.values, self.x = found.money, values, found.x
        return True

    def _nearest(self, values: Floats) -> Floats:
        """Offers made whole some at a time, first those that are nearly whole; all where the columns in use end."""
        lower, upper = self._lower.copy(), self._upper.copy()
        more = np.zeros(len(values))
        while True:
            away = np.abs(values - np.rint(values))
            nearest = nearest_to_whole(np.where(away > NEARLY_WHOLE, away, 0.0))
            lower[nearest] = upper[nearest] = np.rint(values[nearest])
            more[nearest] = lower[nearest] - values[nearest]
            self._relaxation.limit(lower, upper)
            found = self._held(lower, upper, more) if len(nearest) else None
            if found is None:
                return np.rint(values)
            values = found.x[self.columns]

    def _held(self, lower: Floats, upper: Floats, more: Floats) -> Among | None:
        """What the columns in use make of these bounds, changed where offers cannot be held; None: nothing.

        Of offers that are decided, made ``more`` by so much, one at a time is made less by a step: first of those that
        lack and were made more, then of those that stand in the same hours, then of all that lack.
        """
        while (found := self._relaxation.among_used()).money == -np.inf:
            lacking = self._stand_in(found.lacking) & (lower == upper)
            beside = np.any([np.isin(np.arange(len(more)), b) for b in self._blocks if lacking[b].any()], axis=0)
            fewer = lacking & (lower > self._lower) & (more > LESS)
            some = next((some for some in ((more > 0) & lacking, (more > 0) & beside, fewer) if some.any()), None)
            if some is None:
                return None
            most = np.argmax(np.where(some, more, -np.inf))
            lower[most] = upper[most] = lower[most] - 1
            more[most] = LESS
            self._relaxation.limit(lower, upper)
        return found

    def _stand_in(self, rows: Indices) -> NDArray[np.bool_]:
        """[offers] those that some rows name."""
        offers = self._relaxation.matrix.matrix[:, self.columns]
        return np.add.reduceat(np.append(np.isin(offers.indices, rows), 0), offers.indptr[:-1]) > 0

    def _better_steps(self, values: Floats) -> Floats:
        """The values after single steps that each earn more among the columns in use."""
        self._relaxation.limit(values, values)
        among = self._relaxation.among_used()
        seen = {tuple(values)}
        for _ in range(STEPS_COUNT):
            step = self._next_step(values, among.margins, seen, WORTH_ASKING * abs(among.money))
            if step is None:
                break
            seen.add(tuple(step))
            self._relaxation.limit(step, step)
            found = self._relaxation.among_used()
            if found.money > among.money:
                values, among = step, found
        return values

    def _next_step(self, values: Floats, margins: Floats, seen: set[tuple[float, ...]], least: float) -> Floats | None:
        """The most promising step that was not asked after yet."""
        for i in np.argsort(-np.abs(margins)):
            if abs(margins[i]) < least:
                return None
            step = values.copy()
            step[i] += np.sign(margins[i])
            if self._lower[i] <= step[i] <= self._upper[i] and tuple(step) not in seen:
                return step
        return None

    def _take(self, values: Floats) -> None:
        """Offers, with all columns considered, if they are better."""
        self._relaxation.limit(values, values)
        self._relaxation.solve(PRECISION, max(self.money, self._hopeless))
        if self._relaxation.money > self.money:
            self.money, self.values, self.x = self._relaxation.money, values, self._relaxation.x

    def _search(self, gap: float) -> None:
        """Until no more than ``gap`` is left of the bound, or the tree ends."""
        relaxation = self._relaxation
        if self.values is not None and self.values is not self._searched_around:
            self._take_around(self.values, gap)
            self._searched_around = self.values
        done = [leaf for leaf in self._leaves if leaf[0] <= self.money + gap]
        left = [branch for bound, branch in self._leaves if bound > self.money + gap]
        if not left:
            self.bound = max(bound for bound, _ in done)
            return
        tree = self._tree()
        found = tree.search(
            MOST_RELAXATIONS_COUNT, self._relaxation.clock, gap=gap, enough=self.money + gap, begin=left
        )
        leaves = tree.leaves
        if found.x is not None:
            self._take(np.rint(found.x[tree.columns]))
        enough = max(self.money + gap, self._hopeless)
        for leaf in leaves:
            if leaf.money <= enough and self._most(leaf) > enough:
                relaxation.limit(leaf.lower, leaf.upper)
                if leaf.basis is not None:
                    relaxation.begin_from(leaf.basis, tree.relaxed)
                relaxation.solve(PRECISION, enough)
        bounds = [min(self._most(leaf), self.bound) for leaf in leaves]
        self._leaves = [*done, *zip(bounds, leaves, strict=True)]
        self.bound = max(bound for bound, _ in self._leaves)

    def _most(self, leaf: Branch) -> float:
        """The most money that a leaf holds, by what was asked so far."""
        return self._relaxation.cuts.of_whole(leaf.lower, leaf.upper, self._relaxation.clock)

    def _take_around(self, values: Floats, gap: float) -> None:
        """Offers made better a block at a time, all others as they are: the best of each by a small tree.

        Also where the columns in use make less of them: those that would make more may not be in use yet.
        """
        tree, clock, money = self._tree(), self._relaxation.clock, -np.inf
        for block in self._blocks:
            lower, upper = values.copy(), values.copy()
            lower[block], upper[block] = self._lower[block], self._upper[block]
            found = tree.search(
                MOST_RELAXATIONS_OF_BLOCK_COUNT,
                clock,
                gap=SHARE_OF_BLOCK * gap,
                enough=money,
                begin=[Branch(lower, upper)],
                goes_on=True,
            )
            if found.x is not None and found.objective is not None and found.objective > money:
                values, money = np.rint(found.x[tree.columns]), found.objective
        self._take(values)

    def _tree(self) -> Tree:
        """On the columns in use, knowing what was learned before."""
        solver, at = self._relaxation.restricted()
        if self._kept is None:
            self._kept = Tree(solver, at, self._lower, self._upper)
        self._kept.move(solver, at)
        return self._kept

    @cached_property
    def _blocks(self) -> list[Indices]:
        """Offers that stand in the same intervals as others, by the one that they begin in."""
        matrix = self._relaxation.matrix
        entries, interval = matrix.matrix, np.where(matrix.interval >= 0, matrix.interval, matrix.ledger.intervals)
        here = np.flatnonzero(rows_naming(matrix, matrix.coarse)[entries.indices])
        column = np.searchsorted(entries.indptr, here, side="right") - 1
        first_of_row = np.full(entries.shape[0], matrix.ledger.intervals)
        np.minimum.at(first_of_row, entries.indices[here], interval[column])
        named = [entries.indices[a:b] for a, b in zip(*entries.indptr[[self.columns, self.columns + 1]], strict=True)]
        first = np.array([first_of_row[rows].min(initial=matrix.ledger.intervals) for rows in named])
        return [np.flatnonzero(first == one) for one in np.unique(first)]

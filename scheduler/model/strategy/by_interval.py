"""Without moves that say nothing each interval is a problem of its own, most often which machines fit under a limit.

What is left of a matrix without its transfers (`transfers.py`) is written with fewer columns: a count follows from the
other one of its asset where there are two, what a meter shows from what runs behind it. Where each row is a limit on
whole columns of its own then, all are solved side by side (`knapsacks.py`), in milliseconds; else each part is asked
of HiGHS. Either way the bound is one of the whole, and a solution counts where the whole matrix allows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Outcome, Result
from scheduler.model.strategy.apart import Apart, Indices
from scheduler.model.strategy.knapsacks import Knapsacks, fill
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import among, proven
from scheduler.model.strategy.transfers import NOTHING, Entries, Transfers, transfers_of
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHARE_OF_GAP = 0.9
"""Of the gap, what the choice of machines may use: the rest is for rounding."""
SHARE_OF_TIME = 0.8
"""Of the time, what parts may take: the whole, if it must answer, needs some."""


def by_interval(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None) -> Result | None:
    """The most money, where that can be found without transfers; None where there are none, or it did not come off."""
    transfers = transfers_of(matrix)
    if transfers is None:
        return None
    try:
        found = _as_knapsacks(transfers, options) or _in_parts(transfers, options, clock, on_incumbent)
    except SolverError:  # the whole matrix has an answer, or says so itself
        return None
    if found is None:
        return None
    x, bound = transfers.complete(found[0]), found[1]
    if x is None:
        return None
    objective = float(matrix.money @ x) + matrix.constant
    is_proven = proven(objective, bound, options)
    return Result(Outcome.OPTIMAL if is_proven else Outcome.LIMIT, x, objective, max(bound, objective))


def _in_parts(
    transfers: Transfers, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None
) -> tuple[Floats, float] | None:
    """A solution without transfers and a bound, by the solver, each part alone; None where there is none in time."""
    left, columns = transfers.without()
    apart, x, bound = Apart(left), np.zeros(len(columns)), left.constant
    several = len(apart.parts) > 1
    each = replace(options, rel_gap=SHARE_OF_GAP * options.rel_gap, abs_gap=options.abs_gap / max(1, len(apart.parts)))

    def whole(x: Floats) -> Floats:
        return among(columns, apart.complete(x), len(transfers.matrix.money))

    limit = Clock(SHARE_OF_TIME * clock.left_seconds)
    for number, (own, rows) in enumerate(apart.parts):
        part = replace(left.part(own, rows), constant=0.0 if several else left.constant)
        if several or on_incumbent is None:
            result = plain(part, each, Clock(limit.left_seconds / (len(apart.parts) - number)))
        else:
            result = plain(part, options, limit, _completed(transfers, whole, own, on_incumbent))
        if result.x is None or result.bound is None:
            return None
        x[own] = result.x
        bound += result.bound - part.constant
    return whole(x), bound


def _completed(
    transfers: Transfers, whole: Callable[[Floats], Floats], columns: Indices, on_incumbent: Incumbent
) -> Incumbent:
    """Tells solutions of ``columns`` without transfers as solutions of the whole, where they are."""

    def told(x: Floats, objective: float, bound: float | None) -> bool | None:
        matrix = transfers.matrix
        found = whole(among(columns, x, len(matrix.money) - len(transfers.columns)))
        done = transfers.complete(np.where(matrix.integer, np.rint(found), found))
        return None if done is None else on_incumbent(done, objective, bound)

    return told


def _as_knapsacks(transfers: Transfers, options: SolveOptions) -> tuple[Floats, float] | None:
    """A solution without transfers and a bound; None where what is left is more than limits on whole columns."""
    fewer = _Fewer(transfers)
    matrix, entries, money = transfers.matrix, fewer.entries, fewer.money
    lower, upper = fewer.lower, fewer.upper
    if (lower > upper).any():
        return None
    named = np.bincount(entries.column, minlength=len(money))
    free = np.flatnonzero(named == 0)
    x = np.clip(0.0, lower, upper)
    x[free] = np.where(money[free] > 0, upper[free], np.where(money[free] < 0, lower[free], x[free]))
    items, factor = entries.column, entries.factor
    rows, row = np.unique(entries.row, return_inverse=True)
    row_lower, row_upper, count = fewer.row_lower[rows], fewer.row_upper[rows], len(rows)
    finite = np.isfinite(x).all() and np.isfinite(lower[items]).all() and np.isfinite(upper[items]).all()
    if not finite or (named > 1).any() or not matrix.integer[items].all():
        return None
    span = (upper - lower)[items]
    start, reach = np.bincount(row, factor * lower[items], count), factor * span
    most = start + np.bincount(row, np.maximum(reach, 0.0), count)
    least = start + np.bincount(row, np.minimum(reach, 0.0), count)
    below, above = least < row_lower - NOTHING, most > row_upper + NOTHING
    if (below & above).any():
        return None
    limit = np.where(below, start - row_lower, row_upper - start)
    weight = np.where(below, -1.0, 1.0)[row] * factor  # all limits from above
    down = weight < 0  # from the upper bound down, so that all weights are positive
    limit -= np.bincount(row[down], (weight * span)[down], count)
    if (limit < -NOTHING).any():
        return None
    x[items] = np.where(down, upper[items], lower[items])
    fixed = float(money @ x) + fewer.constant
    step = np.where(down, -1.0, 1.0)
    knapsacks = Knapsacks(limit, row, np.abs(weight), step * money[items], span)
    filled = fill(knapsacks, fixed, SHARE_OF_GAP * options.rel_gap, SHARE_OF_GAP * options.abs_gap)
    x[items] += step * filled.taken
    return fewer.complete(x), fixed + filled.bound


@dataclass(frozen=True, eq=False)
class _Substitution:
    """Columns that follow from others: column = (side - factors @ others) / divisor."""

    columns: Indices
    divisor: Floats
    side: Floats
    others: Entries  # rows: positions in ``columns``

    def complete(self, x: Floats) -> None:
        """Sets them in a solution."""
        others = np.bincount(self.others.row, self.others.factor * x[self.others.column], len(self.columns))
        x[self.columns] = (self.side - others) / self.divisor


class _Fewer:
    """What is left of a matrix without transfers, in fewer columns; those that are gone have no money and no rows."""

    def __init__(self, transfers: Transfers) -> None:
        system, matrix = transfers.counts, transfers.matrix
        self.entries = system.entries
        self.row_lower, self.row_upper = system.row_lower.copy(), system.row_upper.copy()
        self.lower, self.upper = system.lower.copy(), system.upper.copy()
        self.money, self.constant = matrix.money.copy(), matrix.constant
        self._integer = matrix.integer
        self._steps: list[_Substitution] = []
        self._without_pairs(transfers.first_count)
        self._rows_of_one()
        while len(slacks := self._slacks()):
            self._substitute(self.entries.row[slacks], self.entries.column[slacks])

    def complete(self, x: Floats) -> Floats:
        """The same with all columns."""
        found = x.copy()
        for step in reversed(self._steps):
            step.complete(found)
        return found

    def _without_pairs(self, first_count: int) -> None:
        """Of two whole columns that add up to a whole number one is enough: in its other rows, it is that less the
        other."""
        entries = self.entries
        lengths = np.bincount(entries.row, minlength=len(self.row_lower))
        at = np.flatnonzero((entries.row >= first_count) & (lengths[entries.row] == 2))
        one, other = at[np.argsort(entries.row[at], kind="stable")].reshape(-1, 2).T
        named = np.bincount(entries.column, minlength=len(self.money))
        swap = named[entries.column[one]] > named[entries.column[other]]
        one, other = np.where(swap, other, one), np.where(swap, one, other)
        ratio = entries.factor[other] / entries.factor[one]
        sums = self.row_lower[entries.row[one]] / entries.factor[one]
        fine = self._integer[entries.column[one]] & self._integer[entries.column[other]]
        fine &= (np.abs(ratio) == 1) & (sums == np.rint(sums))
        one, other, ratio, sums = one[fine], other[fine], ratio[fine], sums[fine]
        gone, instead = np.full(len(self.money), -1), entries.column[other]
        gone[entries.column[one]] = np.arange(len(one))
        rows = entries.row[one]
        self._substitute(rows, entries.column[one])
        entries = self.entries
        elsewhere = np.flatnonzero(gone[entries.column] >= 0)
        if not len(elsewhere):
            return
        number = gone[entries.column[elsewhere]]
        moved = np.bincount(entries.row[elsewhere], entries.factor[elsewhere] * sums[number], len(self.row_lower))
        self.row_lower, self.row_upper = self.row_lower - moved, self.row_upper - moved
        column, factor = entries.column.copy(), entries.factor.copy()
        column[elsewhere] = instead[number]
        factor[elsewhere] *= -ratio[number]
        places, where = np.unique(entries.row * len(self.money) + column, return_inverse=True)
        summed = np.asarray(np.bincount(where, factor), dtype=np.float64)
        self.entries = Entries(places // len(self.money), places % len(self.money), summed).part(summed != 0)

    def _rows_of_one(self) -> None:
        """A row of a single column bounds it."""
        entries = self.entries
        single = np.bincount(entries.row, minlength=len(self.row_lower))[entries.row] == 1
        of = entries.part(single)
        ends = np.stack([self.row_lower[of.row], self.row_upper[of.row]]) / of.factor
        low, high = np.where(of.factor > 0, ends, ends[::-1])
        whole = self._integer[of.column]
        np.maximum.at(self.lower, of.column, np.where(whole, np.ceil(low - NOTHING), low))
        np.minimum.at(self.upper, of.column, np.where(whole, np.floor(high + NOTHING), high))
        self.entries = entries.part(~single)

    def _slacks(self) -> Indices:
        """Entries of columns in parts that nothing else names, one of each equation."""
        entries = self.entries
        named = np.bincount(entries.column, minlength=len(self.money))
        equation = self.row_lower == self.row_upper
        slack = np.flatnonzero(equation[entries.row] & ~self._integer[entries.column] & (named[entries.column] == 1))
        return slack[np.unique(entries.row[slack], return_index=True)[1]]

    def _substitute(self, rows: Indices, columns: Indices) -> None:
        """Leaves out a column of each of some equations: its bounds become sides, its money goes to the others."""
        entries, number = self.entries, np.full(len(self.row_lower), -1)
        number[rows] = np.arange(len(rows))
        of_rows = np.flatnonzero(number[entries.row] >= 0)
        is_own = entries.column[of_rows] == columns[number[entries.row[of_rows]]]
        own, rest = of_rows[is_own], of_rows[~is_own]
        divisor = np.zeros(len(rows))
        divisor[number[entries.row[own]]] = entries.factor[own]
        side, money = self.row_lower[rows].copy(), self.money[columns] / divisor
        others = Entries(number[entries.row[rest]], entries.column[rest], entries.factor[rest])
        self._steps.append(_Substitution(columns, divisor, side, others))
        self.money -= np.bincount(others.column, money[others.row] * others.factor, len(self.money))
        self.constant += float(money @ side)
        ends = np.stack([divisor * self.lower[columns], divisor * self.upper[columns]])
        self.row_lower[rows], self.row_upper[rows] = side - ends.max(axis=0), side - ends.min(axis=0)
        self.money[columns] = self.lower[columns] = self.upper[columns] = 0.0
        bare = np.isinf(self.row_lower) & np.isinf(self.row_upper)
        kept = ~bare[entries.row]
        kept[own] = False
        self.entries = entries.part(kept)

"""The rows that single machines share, said for whole ways of theirs (`paths_program.py`).

What a machine is ready to hold it may hold in part, or not at all: a column for that of each machine and interval would
be most of the program. Instead what is held is paid by prices of the rows that say what is offered, as in Lagrangian
relaxation, and the rows count all that may be held where that helps them. Every bound is a true one at any prices; with
those of the machine that is the last to be needed it is that of the relaxation.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from scheduler.model.compile import Matrix
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.blocks import owner_of_rows
from scheduler.model.strategy.paths import Paths, numbers_of_machines
from scheduler.problem import Floats

DUST = 1e-9
LEAST_MW = 1e-6
"""Of what is needed: less is the solver's dust."""
LEAST_MONEY = 1e-6


class PathsRows:
    """Rows of a matrix that machines share, and the columns beside theirs."""

    def __init__(self, matrix: Matrix, paths: Paths) -> None:
        self.matrix = matrix
        numbers = numbers_of_machines(matrix)
        self._of_machines = np.isin(matrix.asset, numbers)
        self.others = np.flatnonzero(~self._of_machines & ((matrix.lower != 0) | (matrix.upper != 0)))
        shared = np.flatnonzero(~np.isin(owner_of_rows(matrix), numbers))
        self._formulated = csr_array(csr_array(matrix.matrix)[shared])
        self._lower, self._upper = matrix.row_lower[shared], matrix.row_upper[shared]
        self._set_holds(paths)
        self._prices = np.zeros(len(shared))  # of the rows that say what is held
        self._balances, self._is_row = np.zeros(len(shared)), np.ones(len(shared), dtype=bool)
        self._balanced = list[tuple[int, int, float]]()  # row, column, factor
        self._price_balances()
        rest = np.flatnonzero(self._is_row)
        self.whole = self._counted(csr_array(self._formulated[rest]), self._lower[rest], self._upper[rest])
        self._say_differences(*self.whole)
        self._set_money()

    def _set_holds(self, paths: Paths) -> None:
        """What machines may hold: columns, MW, and the row that says what is offered of it."""
        at = np.nonzero(paths.back >= 0)
        self._back, self._held, self._mw = paths.back[at], paths.held[at], paths.mw[at[1:]]
        self._is_hold = np.zeros(len(self.matrix.money), dtype=bool)
        self._is_hold[self._back] = self._is_hold[self._held] = True
        rows = coo_array(self._formulated)
        equal = np.flatnonzero((self._lower == self._upper)[rows.row])
        row_of, self._factor = np.full(len(self.matrix.money), -1, dtype=np.int64), np.ones(len(self._lower))
        row_of[rows.col[equal]] = rows.row[equal]
        self._row_of_hold = row_of[self._held]
        said = equal[self._is_hold[rows.col[equal]]]
        self._factor[rows.row[said]] = rows.data[said]  # of all machines in a row the same, a sign

    def _price_balances(self) -> None:
        """Equations that only say what another column is, such as what a site draws: they are paid, and not rows."""
        matrix, entries = self.matrix, coo_array(self._formulated)
        low, high = (
            np.where(entries.data > 0, one[entries.col], other[entries.col]) * entries.data
            for one, other in ((matrix.lower, matrix.upper), (matrix.upper, matrix.lower))
        )
        has_hold = np.bincount(entries.row, self._is_hold[entries.col], len(self._lower)) > 0
        equal = (self._lower == self._upper) & ~has_hold
        while True:
            rest = np.flatnonzero(self._is_row)
            counted, _, _ = self._counted(csr_array(self._formulated[rest]), self._lower[rest], self._upper[rest])
            once = np.bincount(counted.indices, minlength=len(matrix.money)) == 1
            beside = np.isin(np.arange(len(matrix.money)), self.others) & once & ~matrix.integer
            money, found = matrix.money - self._formulated.T @ self._balances, list[int]()
            for at in np.flatnonzero(beside[entries.col] & (equal & self._is_row)[entries.row]):
                row, column, factor = entries.row[at], entries.col[at], entries.data[at]
                others = (entries.row == row) & (entries.col != column)
                ends = (self._lower[row] - np.array([low[others].sum(), high[others].sum()])) / factor
                within = matrix.lower[column] - DUST <= ends.min() and ends.max() <= matrix.upper[column] + DUST
                if within and self._is_row[row]:
                    found.append(int(column))
                    self._balanced.append((int(row), int(column), float(factor)))
                    self._balances[row], self._is_row[row] = money[column] / factor, False
            if not found:
                break
            self.others = self.others[~np.isin(self.others, found)]

    def _counted(self, rows: csr_array, lower: Floats, upper: Floats) -> tuple[csr_array, Floats, Floats]:
        """Rows with all that may be held in them where that helps them, and nothing where it does not."""
        entries = coo_array(rows)
        holds = self._is_hold[entries.col]
        has = np.bincount(entries.row, holds, rows.shape[0]) > 0
        parts, sides = [rows[np.flatnonzero(~has)]], [(lower[~has], upper[~has])]
        for sign, finite in ((1.0, np.isfinite(lower)), (-1.0, np.isfinite(upper))):
            data = np.where(holds & (sign * entries.data < 0), 0.0, entries.data)
            clipped = csr_array(coo_array((data, (entries.row, entries.col)), shape=rows.shape))
            chosen = np.flatnonzero(has & finite)
            parts.append(clipped[chosen])
            endless = np.full(len(chosen), np.inf)
            sides.append((lower[chosen], endless) if sign > 0 else (-endless, upper[chosen]))
        counted = csr_array(vstack(parts))
        counted.eliminate_zeros()
        own_lower, own_upper = (np.concatenate([side[i] for side in sides]) for i in (0, 1))
        says = self._says_something(counted, own_lower, own_upper)
        return csr_array(counted[says]), own_lower[says], own_upper[says]

    def _says_something(self, rows: csr_array, lower: Floats, upper: Floats) -> Indices:
        """Rows that name machines, or that bounds of the columns alone do not keep."""
        entries = coo_array(rows)
        least, most = self.matrix.lower[entries.col], self.matrix.upper[entries.col]
        low = np.where(entries.data > 0, least, most) * entries.data
        high = np.where(entries.data > 0, most, least) * entries.data
        count = rows.shape[0]
        names = np.bincount(entries.row, self._of_machines[entries.col], count) > 0
        keeps = (np.bincount(entries.row, low, count) >= lower) & (np.bincount(entries.row, high, count) <= upper)
        return np.flatnonzero(names | ~keeps)

    def _say_differences(self, rows: csr_array, row_lower: Floats, row_upper: Floats) -> None:
        """Of rows that ask the same in one interval after the other only what changes, and what each has to spare.

        A machine that stays where it is has no entry then: the simplex method takes half the time.
        """
        beside = csr_array(rows[:, self.others])
        least = np.isfinite(row_lower) & np.isinf(row_upper) & (np.diff(beside.indptr) > 0)
        alike: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
        for row in np.flatnonzero(least):
            here = slice(beside.indptr[row], beside.indptr[row + 1])
            alike[beside.indices[here].tobytes(), beside.data[here].tobytes()].append(int(row))
        groups = [rows for rows in alike.values() if len(rows) > 1]
        count = len(row_lower)
        later, before = (
            np.array([row for rows in groups for row in rows[part]], dtype=np.int64)
            for part in (slice(1, None), slice(None, -1))
        )
        chosen = np.array([row for rows in groups for row in rows], dtype=np.int64)
        every = np.arange(count)
        data = np.append(np.ones(count), -np.ones(len(later)))
        turned = csr_array(coo_array((data, (np.append(every, later), np.append(every, before))), shape=(count, count)))
        spare = coo_array((-np.ones(len(chosen)), (chosen, np.arange(len(chosen)))), shape=(count, len(chosen)))
        self.rows, self.spare = csr_array(turned @ rows), csr_array(turned @ csr_array(spare))
        self.rows.data[np.abs(self.rows.data) < DUST] = 0.0
        self.rows.eliminate_zeros()
        lower, upper = row_lower.copy(), row_upper.copy()
        lower[later] -= row_lower[before]
        upper[chosen] = lower[chosen]
        self.lower, self.upper = lower, upper

    def _set_money(self) -> None:
        """Money of a unit of each column at the prices of what is held."""
        prices = self._prices + self._balances
        reduced = self.matrix.money - self._formulated.T @ prices
        money = np.where(self._is_hold, 0.0, reduced)
        money[self._back] = np.maximum(0.0, reduced[self._back] + self._mw * np.maximum(0.0, reduced[self._held]))
        self.money = money
        self.constant = self.matrix.constant + float(prices @ np.where(prices != 0, self._lower, 0.0))

    def kept_by_whole(self, rows: csr_array) -> csr_array:
        """Rows with upper sides that whole machines keep, counted the same way: what is held only where it helps."""
        entries = coo_array(rows)
        data = np.where(self._is_hold[entries.col] & (entries.data > 0), 0.0, entries.data)
        return csr_array(coo_array((data, (entries.row, entries.col)), shape=entries.shape))

    def price_what_is_held(self, x: Floats) -> bool:
        """Each row that says what is held is paid as the machine is that is the last to be needed for it.

        ``x`` [columns]: a solution, with all that machines are ready to hold. False, and the prices stay: it earned
        nothing too much at those until now by machines that were paid and not needed.
        """
        needed = self._needed(x)
        row, mw, money, per_mw = needed.row, needed.mw, needed.money, self._prices * self._factor
        first = needed.first
        paid = np.maximum(0.0, money - per_mw[row]) @ mw + per_mw[row[first]] @ needed.all_mw[first]
        if paid - money @ needed.held_mw <= LEAST_MONEY:
            return False
        is_needed = needed.before_mw < needed.all_mw - LEAST_MW
        is_needed[first] = True
        last = np.maximum.reduceat(np.where(is_needed, np.arange(len(row)), -1), first)
        self._prices = np.zeros(len(self._prices))
        self._prices[row[first]] = money[last] / self._factor[row[first]]
        self._set_money()
        return True

    def allows(self, x: Floats) -> bool:
        """Whether a solution, with all that machines are ready to hold, keeps all rows if they hold what is needed."""
        needed, x = self._needed(x), x.copy()
        x[self._held] = 0.0
        x[needed.held] = needed.held_mw
        for row, column, factor in reversed(self._balanced):
            x[column] += (self._lower[row] - self._formulated[[row]] @ x)[0] / factor
        sums = self._formulated @ x
        return bool((sums >= self._lower - LEAST_MW).all() and (sums <= self._upper + LEAST_MW).all())

    def _needed(self, x: Floats) -> _Needed:
        known = self._row_of_hold >= 0
        money = (self.matrix.money[self._held] + self.matrix.money[self._back] / self._mw)[known]
        mw, row, held = (self._mw * x[self._back])[known], self._row_of_hold[known], self._held[known]
        of_row = (self._lower - self._formulated @ np.where(self._is_hold, 0.0, x)) / self._factor
        order = np.lexsort((-money, row))
        row, mw, money, held = row[order], mw[order], money[order], held[order]
        first = np.flatnonzero(np.append(True, row[1:] != row[:-1])[: len(row)])
        before = np.cumsum(mw) - mw
        before -= np.repeat(before[first], np.diff(np.append(first, len(row))))
        return _Needed(row, held, mw, money, of_row[row], before, np.clip(of_row[row] - before, 0.0, mw), first)


@dataclass(frozen=True, eq=False)
class _Needed:
    """What machines may hold, by row and by what it earns: the first are needed first."""

    row: Indices
    held: Indices  # columns
    mw: Floats  # that it is ready to hold
    money: Floats  # per MW
    all_mw: Floats  # that the row needs
    before_mw: Floats  # that those before are ready to hold
    held_mw: Floats
    first: Indices  # of each row

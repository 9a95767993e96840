"""Moves that say nothing are left out: what is left often falls apart by interval.

Machines that go from any mode to any other at once, for nothing, are where the plan wants them; how they got there can
be said afterwards. In the matrix such moves are columns without money that take from one equation of their asset what
they give to another of the same interval (transfers), between any two of them, and that other rows name only beside a
single other column, of that interval.

The relaxation. The sum of an asset's equations of an interval names no transfer, and the sum of these sums up to an
interval names, of the asset's other columns, only those of the interval: so many machines there are. These sums take
the place of the equations, and each other row that names transfers gives way to what it says of its other column
whatever the transfers are. Every solution of the whole solves this, and earns the same: its bound is a true bound.

The way back. In each interval transfers are filled one after the other, each as far as both of its equations need it.
What an equation lacks and what the others have too much of add up to nothing, and there is a transfer between any two:
so all equations hold. Whether all other rows do is looked at, in the whole matrix, as the last step: where one does
not, this way has no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array

from scheduler.model.compile import Matrix
from scheduler.model.strategy.apart import Indices
from scheduler.problem import Floats

NOTHING = 1e-9
"""Sums below are taken for zero."""
FEASIBLE = 1e-7
"""By how much a row may be broken: as much as the solver allows itself."""


@dataclass(frozen=True, eq=False)
class Entries:
    """What a matrix consists of: factors of columns in rows."""

    row: Indices
    column: Indices
    factor: Floats

    def part(self, which: NDArray[np.bool_] | Indices) -> Entries:
        """Some of them."""
        at = np.flatnonzero(which) if which.dtype == np.bool_ else which  # once, not for each array
        return Entries(self.row[at], self.column[at], self.factor[at])

    def sums_of_columns(self, columns_count: int) -> Floats:
        """[columns] all factors of each."""
        return np.asarray(np.bincount(self.column, self.factor, columns_count), dtype=np.float64)

    def joined(self, other: Entries) -> Entries:
        """These and others."""
        return Entries(
            np.concatenate([self.row, other.row]),
            np.concatenate([self.column, other.column]),
            np.concatenate([self.factor, other.factor]),
        )


@dataclass(frozen=True, eq=False)
class System:
    """Rows of entries with their sides, and bounds of columns, numbered as in a matrix; rows of no entries are none."""

    entries: Entries
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, eq=False)
class Transfers:
    """A matrix, and which of its columns are transfers; ``counts`` is what is left without them."""

    matrix: Matrix
    columns: Indices
    equations: Entries  # those that name transfers
    counts: System  # its last rows are the sums

    @property
    def first_count(self) -> int:
        """Number of the first row that is a sum."""
        return int(self.matrix.matrix.shape[0])

    def without(self) -> tuple[Matrix, Indices]:
        """What is left as a matrix of its own, and its columns in the whole."""
        system, count = self.counts, len(self.matrix.money)
        kept = np.ones(count, dtype=bool)
        kept[self.columns] = False
        columns = np.flatnonzero(kept)
        rows, row = np.unique(system.entries.row, return_inverse=True)
        number = np.cumsum(kept) - 1
        shape = (len(rows), len(columns))
        entries = coo_array((system.entries.factor, (row, number[system.entries.column])), shape=shape)
        part = self.matrix.part(columns, np.zeros(0, dtype=np.int64))
        return (
            replace(
                part,
                matrix=csc_array(entries),
                row_lower=system.row_lower[rows],
                row_upper=system.row_upper[rows],
                lower=system.lower[columns],
                upper=system.upper[columns],
            ),
            columns,
        )

    def complete(self, x: Floats) -> Floats | None:
        """[columns] the same with transfers that lead to it; None where the whole matrix does not allow it."""
        matrix, found = self.matrix, x.copy()
        found[self.columns] = 0.0
        lacks = matrix.row_lower - matrix.matrix @ found
        own = np.zeros(len(x), dtype=bool)
        own[self.columns] = True
        of = self.equations.part(own[self.equations.column])
        gives, takes = of.part(of.factor > 0), of.part(of.factor < 0)  # of each transfer one, in the order of columns
        for turn in _turns(matrix, gives.column):
            factor, give, take = gives.factor[turn], gives.row[turn], takes.row[turn]
            made = np.floor(np.minimum(lacks[give], -lacks[take]) / factor + NOTHING)
            made = np.clip(made, 0.0, matrix.upper[gives.column[turn]])
            lacks[give] -= factor * made
            lacks[take] += factor * made
            found[gives.column[turn]] = made
        return found if fits(matrix, found) else None


def fits(matrix: Matrix, x: Floats) -> bool:
    """Whether a solution keeps all bounds, rows and integers of a matrix."""
    activity = matrix.matrix @ x
    room = FEASIBLE * np.maximum(1.0, np.abs(activity))
    whole = x[matrix.integer]
    return bool(
        (activity >= matrix.row_lower - room).all()
        and (activity <= matrix.row_upper + room).all()
        and (x >= matrix.lower - FEASIBLE).all()
        and (x <= matrix.upper + FEASIBLE).all()
        and (whole == np.rint(whole)).all()
    )


def _turns(matrix: Matrix, columns: Indices) -> list[Indices]:
    """Positions in ``columns`` in turns: in each at most one of an asset and interval."""
    time = matrix.asset[columns] * matrix.ledger.intervals + matrix.interval[columns]
    order = np.argsort(time, kind="stable")
    _, first, count = np.unique(time[order], return_index=True, return_counts=True)
    turn = np.arange(len(order)) - np.repeat(first, count)
    return [order[turn == number] for number in range(int(turn.max(initial=-1)) + 1)]


def transfers_of(matrix: Matrix) -> Transfers | None:
    """The transfers of all assets of which no other move matters; None where there are none."""
    count, (rows_count, columns_count) = matrix.ledger.intervals, matrix.matrix.shape
    entries = Entries(
        matrix.matrix.indices.astype(np.int64),  # of the kind of positions: several times as fast
        np.repeat(np.arange(columns_count), np.diff(matrix.matrix.indptr)),
        matrix.matrix.data,
    )
    facts = _Rows(matrix, entries)
    candidates = facts.candidates()
    if not candidates.any():
        return None
    moves = candidates[entries.column]
    names_moves = np.zeros(rows_count, dtype=bool)
    names_moves[entries.row[moves]] = True
    equation = facts.is_equation & names_moves
    of_equations = equation[entries.row]
    time = np.where(facts.owner >= 0, facts.owner * count + facts.last, -1)  # of rows: asset and interval
    assets = int(matrix.asset.max(initial=0)) + 1
    suits = np.asarray(facts.complete(candidates, equation, time, assets * count).reshape(assets, count).all(axis=1))
    # the asset's other columns come and go within two intervals: so its sums name each where it comes alone
    kept = entries.part(of_equations & ~moves)
    here = facts.last[kept.row] == matrix.interval[kept.column]
    later = facts.last[kept.row] == matrix.interval[kept.column] + 1
    came, went = (kept.part(which).sums_of_columns(columns_count) for which in (here, later))
    stays = (np.abs(came + went) > NOTHING) & (matrix.interval < count - 1)
    suits[matrix.asset[np.flatnonzero(stays)]] = False
    suits[facts.owner[kept.row[~(here | later)]]] = False
    suits[facts.owner[facts.crowded(entries, moves, equation)]] = False
    if not suits.any():
        return None
    own = np.append(suits, False)  # of no asset: not
    chosen = candidates & own[matrix.asset]
    equation &= own[facts.owner]
    summed = np.flatnonzero((np.abs(came) > NOTHING) & own[matrix.asset])
    at = matrix.asset[summed] * count + matrix.interval[summed]
    sides = np.bincount(time[equation], matrix.row_lower[equation], assets * count)
    sides = sides.reshape(-1, count).cumsum(axis=1).ravel()
    counts = Entries(rows_count + at, summed, came[summed])
    gone = equation | (names_moves & own[facts.owner])
    lower, upper = facts.bounds(entries, chosen, gone & ~equation)
    return Transfers(
        matrix,
        np.flatnonzero(chosen),
        entries.part(equation[entries.row]),
        System(
            entries.part(~gone[entries.row]).joined(counts),
            np.append(matrix.row_lower, sides),
            np.append(matrix.row_upper, sides),
            lower,
            upper,
        ),
    )


class _Rows:
    """Of each row of a matrix: whose it is, which intervals it names."""

    def __init__(self, matrix: Matrix, entries: Entries) -> None:
        self._matrix = matrix
        self._entries = entries
        rows = matrix.matrix.shape[0]
        interval, owner = matrix.interval[entries.column], matrix.asset[entries.column]
        self.last = np.full(rows, -1, dtype=np.int32)
        self.first = np.full(rows, matrix.ledger.intervals, dtype=np.int32)
        np.maximum.at(self.last, entries.row, interval)
        np.minimum.at(self.first, entries.row, interval)
        self.owner = np.full(rows, -1, dtype=np.int64)
        self.owner[entries.row] = owner  # of one of its columns
        several = self.owner[entries.row] != owner
        self.owner[entries.row[several]] = -1
        self.is_equation = (matrix.row_lower == matrix.row_upper) & (self.owner >= 0)

    def candidates(self) -> NDArray[np.bool_]:
        """[columns] whole, without money, that take from one equation of their interval what they give to another, and
        that no row of several intervals, assets or other equations names."""
        matrix, entries, columns = self._matrix, self._entries, len(self._matrix.money)
        may = matrix.integer & (matrix.money == 0) & (matrix.lower == 0) & np.isfinite(matrix.upper)
        may &= (matrix.interval >= 0) & (matrix.asset >= 0)
        of = entries.part(may[entries.column])
        now = self.last[of.row] == matrix.interval[of.column]
        equation = self.is_equation[of.row]
        fine = np.where(equation, now, now & (self.first[of.row] == self.last[of.row]) & (self.owner[of.row] >= 0))
        may[of.column[~fine]] = False
        of = of.part(equation)
        named = np.bincount(of.column, minlength=columns)
        given = np.bincount(of.column, of.factor, columns)
        return np.asarray(may & (named == 2) & (given == 0))

    def complete(
        self, candidates: NDArray[np.bool_], equation: NDArray[np.bool_], time: Indices, size: int
    ) -> NDArray[np.bool_]:
        """[asset * intervals + interval] whether there is a candidate between any two of the equations, each way."""
        matrix = self._matrix
        columns = np.flatnonzero(candidates)
        ways = np.bincount(matrix.asset[columns] * matrix.ledger.intervals + matrix.interval[columns], minlength=size)
        ends = np.bincount(time[equation], minlength=size)
        return np.asarray((ways > 0) & (ways == ends * (ends - 1)))

    def crowded(self, entries: Entries, moves: NDArray[np.bool_], equation: NDArray[np.bool_]) -> Indices:
        """Rows beside the equations that name candidates and more than one other column."""
        rows = len(equation)
        with_moves = np.bincount(entries.row[moves], minlength=rows) > 0
        others = np.bincount(entries.row[~moves], minlength=rows)
        return np.flatnonzero(with_moves & ~equation & (others > 1))

    def bounds(self, entries: Entries, chosen: NDArray[np.bool_], rows: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """[columns] bounds, with what ``rows`` say of their one column that is not ``chosen``, whatever those are."""
        matrix = self._matrix
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        here = entries.part(rows[entries.row])
        moves = chosen[here.column]
        reach = here.factor[moves] * matrix.upper[here.column[moves]]
        most = np.bincount(here.row[moves], np.maximum(reach, 0.0), len(rows))
        least = np.bincount(here.row[moves], np.minimum(reach, 0.0), len(rows))
        of = here.part(~moves)
        with np.errstate(invalid="ignore"):
            ends = np.stack([matrix.row_lower - most, matrix.row_upper - least])[:, of.row] / of.factor
        low, high = np.where(of.factor > 0, ends, ends[::-1])
        whole = matrix.integer[of.column]
        np.maximum.at(lower, of.column, np.where(whole, np.ceil(low - NOTHING), low))
        np.minimum.at(upper, of.column, np.where(whole, np.floor(high + NOTHING), high))
        return lower, upper

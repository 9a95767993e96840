"""The model as a sparse matrix with named cost vectors: physics once, money many."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, repeat, starmap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array, vstack

from scheduler.model.component import Obligation
from scheduler.model.ledger import Day, Ledger, Values, Vars
from scheduler.model.structure import Skeleton
from scheduler.problem import Floats

MANY_COLUMNS_COUNT = 1_000_000
"""Of so many, what building them leaves behind is given back."""
COLUMNS_AT_ONCE = 200_000
"""Whose entries are looked at together."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """row_lower <= matrix @ x <= row_upper, lower <= x <= upper, some of x whole; most money @ x + constant."""

    ledger: Ledger
    column_of: NDArray[np.int64]  # [variables + 1] column of each variable, -1 of those that no row names, and of none
    matrix: csc_array  # [rows, columns]
    row_lower: Floats
    row_upper: Floats
    lower: Floats  # [columns]
    upper: Floats
    integer: NDArray[np.bool_]
    coarse: NDArray[np.bool_]  # integers of which one unit matters: offers, groups of few large machines
    shortfalls: tuple[NDArray[np.int64], ...]  # by `Obligation`: columns of the MW that are missing
    offers: NDArray[np.int64]  # columns that must be 1 for an offer to be submitted: without them there are none
    money: Floats  # [columns] all streams together
    constant: float
    site: NDArray[np.int32]  # [columns] number of the site that a column belongs to, -1: of all sites
    asset: NDArray[np.int32]  # [columns] number of the asset, -1: of a site or of all
    interval: NDArray[np.int32]  # [columns] the interval that a column belongs to, -1: to none alone
    row_counts: tuple[tuple[str, int], ...] = ()  # of a compiled ledger, as its components named rows; of a part, none

    @property
    def row_names(self) -> tuple[str, ...]:
        """Of every row; none of a part."""
        return tuple(chain.from_iterable(starmap(repeat, self.row_counts)))

    @property
    def shortfall(self) -> NDArray[np.int64]:
        """Columns of what is missing of any obligation."""
        return np.concatenate(self.shortfalls)

    def missing_hours(self, obligation: Obligation) -> Floats:
        """[columns] MW hours that are missing of an obligation, per unit of a column."""
        weights = np.zeros(self.matrix.shape[1])
        weights[self.shortfalls[obligation]] = self.ledger.hours
        return weights

    def without_shortfall(self) -> Matrix:
        """The same with every obligation met in full."""
        upper = self.upper.copy()
        upper[self.shortfall] = 0.0
        return replace(self, upper=upper)

    def with_least_shortfall(self, mw_h: float, obligation: Obligation = Obligation.AWARD) -> Matrix:
        """The same with at most ``mw_h`` of an obligation missing."""
        return replace(
            self,
            matrix=csc_array(vstack([self.matrix, csc_array(self.missing_hours(obligation)[None, :])])),
            row_lower=np.append(self.row_lower, -np.inf),
            row_upper=np.append(self.row_upper, mw_h),
        )

    def limited(self, columns: NDArray[np.int64], least: Floats, most: Floats) -> Matrix:
        """The same with other bounds of some columns."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[columns], upper[columns] = least, most
        return replace(self, lower=lower, upper=upper)

    def part(self, columns: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Matrix:
        """The same with all other columns at zero and without all other rows; numbered anew, so of no ledger.

        Both come in the order given. Nothing as long as the whole is made: of a large fleet there are many parts.
        """
        matrix = csc_array(self.matrix[:, columns])
        if rows is not None:
            matrix = _with_rows(matrix, rows)
        kept = slice(None) if rows is None else rows
        return replace(
            self,
            column_of=np.zeros(0, dtype=np.int64),
            row_counts=(),
            matrix=matrix,
            row_lower=self.row_lower[kept],
            row_upper=self.row_upper[kept],
            lower=self.lower[columns],
            upper=self.upper[columns],
            integer=self.integer[columns],
            coarse=self.coarse[columns],
            shortfalls=tuple(_together([_positions(missing, columns)]) for missing in self.shortfalls),
            offers=_together([_positions(self.offers, columns)]),
            money=self.money[columns],
            site=self.site[columns],
            asset=self.asset[columns],
            interval=self.interval[columns],
        )

    def entries(
        self, chosen: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], Floats]]:
        """Rows, columns and factors of all entries, or of ``chosen`` [columns], those of some columns at a time.

        All of a large fleet at once are gigabytes.
        """
        entries = self.matrix
        for first in range(0, entries.shape[1], COLUMNS_AT_ONCE):
            starts = entries.indptr[first : first + COLUMNS_AT_ONCE + 1]
            here = slice(starts[0], starts[-1])
            columns = first + np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            if chosen is None:
                yield entries.indices[here], columns, entries.data[here]
            else:
                kept = chosen[columns]
                yield entries.indices[here][kept], columns[kept], entries.data[here][kept]

    def columns(self, variables: Vars) -> NDArray[np.int64]:
        """Columns of some variables, without those that no row names."""
        return _together([self.column_of[variables.ravel()]])

    def values(self, x: Floats) -> Values:
        """A solution by variable."""
        return Values(self.ledger.problem, np.append(x, 0.0)[self.column_of])


@contextmanager
def collector_paused() -> Iterator[None]:
    """Millions of small objects that all stay: the cyclic garbage collector would walk them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def give_memory_back() -> None:
    """What is freed but kept for later, in pieces, goes back to the system: of a large fleet half a gigabyte.

    Where the C library cannot do that (it is one of glibc's), nothing happens.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def compile_matrix(ledger: Ledger) -> Matrix:
    """The matrix of a complete ledger, with the bounds, sides and money of its day.

    Columns follow the order in which variables were declared. What no day changes is compiled once and shared.
    """
    skeleton = ledger.structure.skeleton
    lower, upper = skeleton.lower.copy(), skeleton.upper.copy()
    for variables, least, most in ledger.day.bounds:
        _put(lower, skeleton.column_of[variables], least)
        _put(upper, skeleton.column_of[variables], most)
    row_lower, row_upper = skeleton.row_lower.copy(), skeleton.row_upper.copy()
    for rows, least, most in ledger.day.sides:
        _put(row_lower, rows.numbers, least)
        _put(row_upper, rows.numbers, most)
    money = np.zeros(len(lower))
    for earning in ledger.day.earnings:
        at = skeleton.column_of[earning.variables]
        np.add.at(money, at[at >= 0], earning.coefficients[at >= 0])  # a variable that no row names does not matter
    shortfalls = []
    for obligation in Obligation:
        columns = _together([skeleton.column_of[missing] for missing in ledger.shortfalls_mw.get(obligation, ())])
        shortfalls.append(columns[upper[columns] > 0])
    return Matrix(
        ledger,
        skeleton.column_of,
        _with_factors(skeleton, ledger.day),
        row_lower,
        row_upper,
        lower,
        upper,
        skeleton.integer,
        skeleton.coarse,
        tuple(shortfalls),
        _together([skeleton.column_of[offer.submitted] for offer in ledger.day.offers]),
        money,
        float(sum(amount.sum() for amount in ledger.day.constants.values())),
        skeleton.site,
        skeleton.asset,
        skeleton.interval,
        skeleton.row_counts,
    )


def _put(values: Floats, at: NDArray[np.int64], figures: ArrayLike | None) -> None:
    """Sets values where there is a position for them."""
    if figures is not None:
        there = at >= 0
        listed = np.asarray(figures, dtype=float)
        values[at[there]] = listed[there] if listed.ndim else listed


def _with_factors(skeleton: Skeleton, day: Day) -> csc_array:
    """The matrix itself, or where a day brings other factors one that shares all but them."""
    matrix = skeleton.matrix
    if not day.factors:
        return matrix
    factors = matrix.data.copy()
    for rows, variables, figures in day.factors:
        columns = skeleton.column_of[variables]
        there = (rows.numbers >= 0) & (columns >= 0)
        at = skeleton.position(rows.numbers[there], columns[there])
        listed = np.asarray(figures, dtype=float)
        factors[at] = listed[there] if listed.ndim else listed
    return csc_array((factors, matrix.indices, matrix.indptr), shape=matrix.shape)


def _with_rows(matrix: csc_array, rows: NDArray[np.int64]) -> csc_array:
    """Some rows of a matrix, in the order given."""
    at = _positions(matrix.indices, rows)
    kept = at >= 0
    starts = np.append(0, np.cumsum(kept))[matrix.indptr]
    entries = (matrix.data[kept], at[kept].astype(np.int32), starts.astype(np.int32))
    part = csc_array(entries, shape=(len(rows), matrix.shape[1]))
    part.sort_indices()
    return part


def _positions(of: NDArray[Any], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where some numbers stand among others; -1 for those that do not."""
    if not len(among):
        return np.full(len(of), -1, dtype=np.int64)
    order = np.argsort(among, kind="stable")
    at = order[np.minimum(np.searchsorted(among[order], of), len(among) - 1)]
    return np.where(among[at] == of, at, -1)


def _together(columns: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """All columns that there are."""
    found = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
    return found[found >= 0]

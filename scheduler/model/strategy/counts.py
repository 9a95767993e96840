"""Equations that carry machines from interval to interval, some of them said again without the past.

Each mode of a group has an equation: those that are in it are those that were, and who came, less who left. The sum of
all equations of an asset up to an interval says how many machines there are in all modes together, and names no other
interval. In the place of one of them it says the same as before, and the simplex method needs a third of the time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, vstack

from scheduler.model.compile import Matrix
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.blocks import NOTHING, owner_of_rows
from scheduler.problem import Floats

LONGEST = 1.0
"""A sum that names more columns than this share of those in the equations of its interval says too much of the past."""


def with_counts(matrix: Matrix) -> Matrix:
    """The same solutions: of the equations of each asset and interval one gives way to the sum of all up to then."""
    rows, count = csr_array(matrix.matrix), matrix.ledger.intervals
    equations, time = _equations(matrix, rows)  # time: asset * intervals + interval
    times, number = np.unique(time, return_inverse=True)
    sums, sides = _sums(rows[equations], matrix.row_upper[equations], time, count)
    lengths = np.diff(rows.indptr)[equations]
    of_sums = np.diff(sums.indptr)[times]
    several = np.bincount(number, minlength=len(times)) > 1
    fits = several & (of_sums > 0) & (of_sums <= LONGEST * np.bincount(number, lengths, len(times)))
    longest_first = np.lexsort((-lengths, number))
    longest = longest_first[np.searchsorted(number[longest_first], np.arange(len(times)))]
    replaced, new = equations[longest[fits]], times[fits]
    order = np.arange(rows.shape[0])
    order[replaced] = rows.shape[0] + np.arange(len(replaced))
    lower, upper = matrix.row_lower.copy(), matrix.row_upper.copy()
    lower[replaced] = upper[replaced] = sides[new]
    return replace(
        matrix, matrix=csc_array(csr_array(vstack([rows, sums[new]]))[order]), row_lower=lower, row_upper=upper
    )


def _equations(matrix: Matrix, rows: csr_array) -> tuple[Indices, Indices]:
    """Rows that are equations of one asset, and of each when: the last interval that it names."""
    owner = owner_of_rows(matrix)
    last = np.maximum.reduceat(np.append(matrix.interval[rows.indices], -1), rows.indptr[:-1])
    last[np.diff(rows.indptr) == 0] = -1
    found = np.flatnonzero((matrix.row_lower == matrix.row_upper) & (owner >= 0) & (last >= 0))
    return found, owner[found] * matrix.ledger.intervals + last[found]


def _sums(equations: csr_array, sides: Floats, time: Indices, count: int) -> tuple[csr_array, Floats]:
    """By time, the sum of all equations of the asset up to then: rows and sides; rows of an asset are empty if long."""
    end = count * (int(time.max(initial=-1)) // count + 1)
    entries = coo_array(equations)
    each = csc_array(coo_array((entries.data, (time[entries.row], entries.col)), shape=(end, equations.shape[1])))
    each.sum_duplicates()  # and in the order of time
    at, columns = each.indices.astype(np.int64), np.repeat(np.arange(equations.shape[1]), np.diff(each.indptr))
    before = np.append(0.0, np.cumsum(each.data))
    so_far = before[1:] - before[each.indptr[:-1]][columns]
    until = np.append(at[1:], 0)
    is_last = np.append(columns[1:] != columns[:-1], True)[: len(at)]
    until[is_last] = (at[is_last] // count + 1) * count
    stays = np.where(np.abs(so_far) > NOTHING, until - at, 0)
    asset = at // count
    is_long = np.bincount(asset, stays, end // count) > LONGEST * np.bincount(
        time[entries.row] // count, minlength=end // count
    )
    stays[is_long[asset]] = 0
    first = np.cumsum(stays) - stays
    intervals = np.repeat(at - first, stays) + np.arange(stays.sum())
    values = (np.repeat(so_far, stays), (intervals, np.repeat(columns, stays)))
    summed = np.bincount(time, sides, end).reshape(-1, count).cumsum(axis=1).ravel()
    return csr_array(coo_array(values, shape=(end, equations.shape[1]))), summed

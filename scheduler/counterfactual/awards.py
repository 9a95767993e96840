"""What can be held of awards when the machines are given: least missing, then most money (formulation 1 and 7).

With counts and moves fixed, little couples one interval to the next, so the problem falls into many small ones that are
solved one by one, whole machines and all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csc_array
from scipy.sparse.csgraph import connected_components

from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Solver
from scheduler.model.strategy.plain import plain
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SMALL_COUNT = 150
"""Parts with at most so many whole numbers are solved to the gaps of the options; larger ones within neighbourhoods of
their relaxation: what that costs is a few machines' worth."""
RADII = (0.0, 1.0, 4.0, np.inf)
"""Neighbourhoods, in machines."""
LEAST_MW = 1e-4
"""What is missing is least to within that, per part and interval."""
NOTHING_MW_H = 1e-7
WHOLE = 1e-6

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def hold_most(matrix: Matrix, fixed: Flags, x: Floats, options: SolveOptions) -> Floats | None:
    """The solution with some columns fixed as in ``x``; None where there is none in time."""
    found = x.copy()
    kept = np.flatnonzero(~fixed)
    rows, columns = _parts(matrix.matrix[:, kept])
    count = int(columns.max(initial=-1)) + 1
    options = replace(options, abs_gap=options.abs_gap / max(1, count))
    clock = Clock(options.time_limit_seconds)
    used = matrix.matrix @ np.where(fixed, x, 0.0)
    row_order, column_order = np.argsort(rows, kind="stable"), np.argsort(columns, kind="stable")
    row_ends = np.searchsorted(rows[row_order], np.arange(count + 1))
    column_ends = np.searchsorted(columns[column_order], np.arange(count + 1))
    for part in range(count):
        own = kept[column_order[column_ends[part] : column_ends[part + 1]]]
        at = row_order[row_ends[part] : row_ends[part + 1]]
        solved = _least_then_most(_part(matrix, used, at, own), options, clock)
        if solved is None:
            return None
        found[own] = solved
    return found


def _parts(matrix: csc_array) -> tuple[Ints, Ints]:
    """For each row and each column, which of the parts that share nothing it belongs to; rows without columns: none,
    -1."""
    both = block_array([[None, matrix], [matrix.T, None]], format="csr")
    _, label = connected_components(both, directed=False)
    rows, columns = label[: matrix.shape[0]], label[matrix.shape[0] :]
    known = np.unique(columns)
    position = np.full(len(label) + 1, -1, dtype=np.int64)
    position[known] = np.arange(len(known))
    return position[rows], position[columns]


def _part(matrix: Matrix, used: Floats, rows: Ints, columns: Ints) -> Matrix:
    """Some rows and columns of a matrix, with what the others use taken from the rows."""
    position = np.full(matrix.matrix.shape[1], -1, dtype=np.int64)
    position[columns] = np.arange(len(columns))
    shortfalls = tuple(position[columns] for columns in matrix.shortfalls)
    return replace(
        matrix,
        matrix=csc_array(matrix.matrix[:, columns][rows]),
        row_lower=matrix.row_lower[rows] - used[rows],
        row_upper=matrix.row_upper[rows] - used[rows],
        lower=matrix.lower[columns],
        upper=matrix.upper[columns],
        integer=matrix.integer[columns],
        coarse=matrix.coarse[columns],
        shortfalls=tuple(columns[columns >= 0] for columns in shortfalls),
        offers=matrix.offers[:0],
        money=matrix.money[columns],
        constant=0.0,
    )


def _least_then_most(part: Matrix, options: SolveOptions, clock: Clock) -> Floats | None:
    """A solution with whole machines; small parts are solved as they are, large ones near their relaxation."""
    relaxed = Solver(part, relaxed=True, seed=options.seed)
    relaxed.set_costs(_missing(part), maximise=False)
    bound = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
    if bound.x is None or bound.objective is None:
        return None
    radii: tuple[float, ...] = (np.inf,) if np.count_nonzero(part.integer) <= SMALL_COUNT else RADII
    near = _richest_relaxed(part.with_least_shortfall(bound.objective + NOTHING_MW_H), options, clock)
    if near is None:
        return None
    if bound.objective <= NOTHING_MW_H:
        in_full = part.without_shortfall()
        roomy = _richest_relaxed(_with_room_to_round(in_full), options, clock) if len(radii) > 1 else None
        for guide, radius in ((roomy, 0.0), *((near, radius) for radius in radii)):
            found = None if guide is None else _solved(_within(in_full, guide, radius), options, clock)
            if found is not None:
                return found
    for radius in radii:
        box = _within(part, near, radius)
        exact = replace(options, rel_gap=0.0, abs_gap=LEAST_MW * part.ledger.hours)
        least = plain(replace(box, money=-_missing(part), constant=0.0), exact, clock)
        if least.x is not None and least.objective is not None:
            held = box.with_least_shortfall(NOTHING_MW_H - least.objective)
            richest = _solved(held, options, clock, start=least.x)
            return least.x if richest is None else richest
    return None


def _missing(part: Matrix) -> Floats:
    """[columns] MW hours that are missing of awards."""
    weights = np.zeros(len(part.money))
    weights[part.shortfall] = part.ledger.hours
    return weights


def _richest_relaxed(part: Matrix, options: SolveOptions, clock: Clock) -> Floats | None:
    """The most money with machines in parts; None where there is none."""
    solver = Solver(part, relaxed=True, seed=options.seed)
    solver.set_costs(part.money, maximise=True)
    return solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds).x


def _solved(part: Matrix, options: SolveOptions, clock: Clock, start: Floats | None = None) -> Floats | None:
    """The most money with whole machines; None where there is none."""
    return plain(part, options, clock, start=start).x


def _with_room_to_round(part: Matrix) -> Matrix:
    """The same with so many machines less in rows of machines alone that every count may be rounded up."""
    matrix = part.matrix
    ones = np.repeat(part.integer, np.diff(matrix.indptr)) & (matrix.data == 1)
    counts = np.bincount(matrix.indices, minlength=matrix.shape[0])
    machines = (np.bincount(matrix.indices, weights=ones, minlength=matrix.shape[0]) == counts) & (counts > 0)
    upper = np.where(machines, np.maximum(0.0, np.floor(part.row_upper + WHOLE) - counts + 1), part.row_upper)
    return replace(part, row_upper=upper)


def _within(part: Matrix, x: Floats, radius: float) -> Matrix:
    """The same with whole numbers near a solution."""
    lower, upper, whole = part.lower.copy(), part.upper.copy(), part.integer
    lower[whole] = np.maximum(lower[whole], np.floor(x[whole] + WHOLE) - radius)
    upper[whole] = np.minimum(upper[whole], np.ceil(x[whole] - WHOLE) + radius)
    return replace(part, lower=lower, upper=upper)

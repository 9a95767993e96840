"""Variables and rows as arrays of numbers: what a day never changes of a model, and its sparse matrix.

A variable is its number, in the order of declaration; `NONE` stands for "no variable here": rows skip it, its value is
zero. Rows keep their entries flat. Nothing in here is a Python object for each variable or row, so that millions of
them fit (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csc_array

from scheduler.errors import SolverError
from scheduler.problem import Floats

NONE = -1
"""No variable, no row."""

Vars = NDArray[Any]  # of whole numbers; where a rule knows a plan without a solver, the figures themselves
Term = tuple[ArrayLike, Vars]
"""Coefficients and variables, one per row; with two dimensions, several of both per row."""
Owner = tuple[str, str]
"""Site and asset that variables belong to; empty where it is a site's own, or of all sites."""
Entry = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Declared:
    """An array of variables, numbered without gaps. Coarse: integers of which one unit matters."""

    name: str
    first: int
    count: int
    integer: bool
    coarse: bool
    owner: Owner

    @property
    def variables(self) -> Vars:
        """Their numbers."""
        return np.arange(self.first, self.first + self.count)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one name: their numbers, `NONE` where there is none because it would name no variable or has no side."""

    name: str
    numbers: NDArray[np.int64]


@dataclass(eq=False)
class _Parts:
    """What the matrix is made of, piece by piece: given up as it is joined, for there may be gigabytes of it."""

    lower: list[Floats] = field(default_factory=list)  # [variables]
    upper: list[Floats] = field(default_factory=list)
    interval: list[Entry] = field(default_factory=list)
    row_counts: list[tuple[str, int]] = field(default_factory=list)  # names, and how many rows have each
    row_lower: list[Floats] = field(default_factory=list)  # [rows]
    row_upper: list[Floats] = field(default_factory=list)
    rows: list[Entry] = field(default_factory=list)  # [entries] row, variable and factor
    variables: list[Entry] = field(default_factory=list)
    factors: list[Floats] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A structure as a matrix: columns are the variables that any row names."""

    column_of: NDArray[np.int64]  # [variables + 1] column of each variable, -1 where no row names it; last: of none
    matrix: csc_array  # [rows, columns]
    row_lower: Floats
    row_upper: Floats
    lower: Floats  # [columns]
    upper: Floats
    integer: NDArray[np.bool_]
    coarse: NDArray[np.bool_]
    site: Entry
    asset: Entry
    interval: Entry
    row_counts: tuple[tuple[str, int], ...]  # names of rows in their order, and how many rows have each

    def position(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the matrix keeps entries that it has."""
        starts = self.matrix.indptr
        return np.array(
            [
                starts[column] + int(np.searchsorted(self.matrix.indices[starts[column] : starts[column + 1]], row))
                for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
            ],
            dtype=np.int64,
        )

    @property
    def size_bytes(self) -> int:
        """Memory of its arrays."""
        arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        arrays += [self.matrix.data, self.matrix.indices, self.matrix.indptr]
        return sum(array.nbytes for array in arrays) + 8 * len(self.row_counts)


class Finding(Protocol):
    """What a strategy learned, and how much memory that takes."""

    size_bytes: int


@dataclass
class Structure:
    """Collects variables and rows until it is closed; a matrix from then on."""

    intervals: int
    declared: list[Declared] = field(default_factory=list)
    closed: bool = False
    findings: dict[bytes, Finding] = field(default_factory=dict)  # what a strategy learned of it, for other days
    _parts: _Parts = field(default_factory=_Parts)
    _variables_count: int = 0
    _rows_count: int = 0

    @property
    def size_bytes(self) -> int:
        """Memory of a closed structure with all that is kept with it, about: variables are kept where they are used."""
        found = sum(each.size_bytes for each in self.findings.values())
        return self.skeleton.size_bytes + 8 * self._variables_count + found

    def add_variables(
        self, name: str, chosen: NDArray[np.bool_], sides: tuple[ArrayLike, ArrayLike], kind: tuple[bool, bool, Owner]
    ) -> Vars:
        """Variables where ``chosen``, with bounds; ``kind``: whether whole, whether coarse, and whose."""
        self._demand_open(name)
        count = int(chosen.sum())
        out = np.full(chosen.shape, NONE, dtype=np.int64)
        declared = Declared(name, self._variables_count, count, *kind)
        out[chosen] = declared.variables
        self.declared.append(declared)
        self._variables_count += count
        for side, part in zip(sides, (self._parts.lower, self._parts.upper), strict=True):
            part.append(_spread(side, chosen.shape)[chosen])
        along = np.arange(self.intervals) if chosen.shape[-1] == self.intervals > 1 else np.full(1, NONE)
        self._parts.interval.append(np.broadcast_to(along, chosen.shape)[chosen].astype(np.int32))
        return out

    def add_rows(self, name: str, terms: Sequence[Term], lower: ArrayLike | None, upper: ArrayLike | None) -> Rows:
        """One row for each position of the terms' first axis. Raises SolverError for one that can never hold."""
        self._demand_open(name)
        if not terms:
            return Rows(name, np.zeros(0, dtype=np.int64))
        variables, factors = _side_by_side(terms)
        count = len(variables)
        least, most = (
            _spread(-np.inf if lower is None else lower, count),
            _spread(np.inf if upper is None else upper, count),
        )
        used = (variables != NONE) & (factors != 0)
        named = used.any(axis=1)
        kept = named & (np.isfinite(least) | np.isfinite(most))
        kept_count = int(np.count_nonzero(kept))
        numbers = np.full(count, NONE, dtype=np.int64)
        numbers[kept] = np.arange(self._rows_count, self._rows_count + kept_count)
        self._rows_count += kept_count
        rows = Rows(name, numbers)
        demand_possible(rows, ~named, lower, upper)
        used &= kept[:, None]
        parts = self._parts
        parts.row_counts.append((name, kept_count))
        parts.row_lower.append(least[kept])
        parts.row_upper.append(most[kept])
        parts.rows.append(numbers[np.nonzero(used)[0]].astype(np.int32))
        parts.variables.append(variables[used].astype(np.int32))
        parts.factors.append(factors[used])
        return rows

    def _demand_open(self, name: str) -> None:
        if self.closed:
            raise SolverError(f"{name} came when the structure was closed: what a day brings adds no variables or rows")

    @cached_property
    def skeleton(self) -> Skeleton:
        """The matrix of a structure that is closed."""
        if not self.closed:
            raise SolverError("the structure is not closed yet")
        parts = self._parts
        variables = _joined(parts.variables, np.int32)
        named = np.zeros(self._variables_count + 1, dtype=bool)
        named[variables] = True
        column_of = np.where(named, np.cumsum(named) - 1, NONE)
        kept = named[:-1]
        count = [declared.count for declared in self.declared]
        sites, assets = {"": -1}, {"": -1}
        site = [sites.setdefault(declared.owner[0], len(sites) - 1) for declared in self.declared]
        asset = [assets.setdefault(declared.owner[1], len(assets) - 1) for declared in self.declared]
        return Skeleton(
            column_of,
            self._matrix(column_of.astype(np.int32)[variables], int(kept.sum())),
            _joined(parts.row_lower, np.float64),
            _joined(parts.row_upper, np.float64),
            _joined(parts.lower, np.float64)[kept],
            _joined(parts.upper, np.float64)[kept],
            np.repeat(np.array([declared.integer for declared in self.declared], dtype=bool), count)[kept],
            np.repeat(np.array([declared.coarse for declared in self.declared], dtype=bool), count)[kept],
            np.repeat(np.array(site, dtype=np.int32), count)[kept],
            np.repeat(np.array(asset, dtype=np.int32), count)[kept],
            _joined(parts.interval, np.int32)[kept],
            tuple(parts.row_counts),
        )

    def _matrix(self, columns: Entry, columns_count: int) -> csc_array:
        """[rows, columns] of the entries in ``columns``; gives up their parts."""
        rows, factors = _joined(self._parts.rows, np.int32), _joined(self._parts.factors, np.float64)
        matrix = csc_array(coo_array((factors, (rows, columns)), shape=(self._rows_count, columns_count)))
        matrix.sort_indices()
        return matrix


def demand_possible(rows: Rows, nothing: NDArray[np.bool_], lower: ArrayLike | None, upper: ArrayLike | None) -> None:
    """Raises SolverError where a row that is ``nothing`` but zero cannot lie between its sides."""
    if not nothing.any():
        return
    too_high, too_low = np.greater(0.0 if lower is None else lower, 0), np.less(0.0 if upper is None else upper, 0)
    impossible = nothing & (too_high | too_low)
    if impossible.any():
        raise SolverError(f"row {int(np.argmax(impossible))} of {rows.name} has no variable and can never hold")


def _spread(figures: ArrayLike, shape: int | tuple[int, ...]) -> Floats:
    """The same figure, or figures, all over a shape."""
    listed = np.asarray(figures, dtype=float)
    if listed.ndim == 0:
        return np.full(shape, listed)  # several times as fast as broadcasting, and it is asked often
    return np.broadcast_to(listed, shape)


def _side_by_side(terms: Sequence[Term]) -> tuple[Vars, Floats]:
    """[rows, entries] variables and factors of all terms."""
    variables = [v if v.ndim == 2 else v[:, None] for _, v in terms]
    factors = np.empty((len(variables[0]), sum(v.shape[1] for v in variables)))
    at = 0
    for (factor, _), v in zip(terms, variables, strict=True):
        c = np.asarray(factor, dtype=float)
        factors[:, at : at + v.shape[1]] = c[:, None] if c.ndim == 1 else c
        at += v.shape[1]
    return np.hstack(variables), factors


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    """All parts as one array; the list is empty then."""
    whole = np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
    parts.clear()
    return whole

"""Variables and rows as arrays of numbers: what a day never changes of a model, and its sparse matrix.

A variable is its number, in the order of declaration; `NONE` stands for "no variable here": rows skip it, its value is
zero. Rows keep their entries flat. Nothing in here is a Python object for each variable or row, so that millions of
them fit (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

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
class Bounds:
    """Bounds and integrality of an array of variables. Coarse: integers of which one unit matters."""

    name: str
    variables: Vars  # in the order of declaration, without gaps
    lower: Floats
    upper: Floats
    integer: bool
    coarse: bool
    owner: Owner


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one name: their numbers, `NONE` where there is none because it would name no variable or has no side."""

    name: str
    numbers: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Entries:
    """What rows of one name hold, row by row: lower <= sum of factors * variables <= upper."""

    name: str
    count: int
    rows: Entry  # [entries] numbers of rows
    variables: Entry
    factors: Floats
    lower: Floats  # [rows]
    upper: Floats


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
    site: NDArray[np.int64]
    asset: NDArray[np.int64]
    row_names: tuple[str, ...]

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
        return sum(array.nbytes for array in arrays) + 8 * len(self.row_names)


@dataclass
class Structure:
    """Collects variables and rows until it is closed; a matrix from then on."""

    bounds: list[Bounds] = field(default_factory=list)
    closed: bool = False
    _entries: list[_Entries] = field(default_factory=list)
    _variables_count: int = 0
    _rows_count: int = 0

    @property
    def size_bytes(self) -> int:
        """Memory of a closed structure with its matrix, about: numbers of variables are kept where they are used."""
        return self.skeleton.size_bytes + 4 * 8 * self._variables_count

    def add_variables(
        self, name: str, chosen: NDArray[np.bool_], sides: tuple[ArrayLike, ArrayLike], kind: tuple[bool, bool, Owner]
    ) -> Vars:
        """Variables where ``chosen``, with bounds; ``kind``: whether whole, whether coarse, and whose."""
        self._demand_open(name)
        count = int(chosen.sum())
        out = np.full(chosen.shape, NONE, dtype=np.int64)
        out[chosen] = np.arange(self._variables_count, self._variables_count + count)
        self._variables_count += count
        lower, upper = (np.broadcast_to(np.asarray(side, dtype=float), chosen.shape)[chosen] for side in sides)
        self.bounds.append(Bounds(name, out[chosen], lower, upper, *kind))
        return out

    def add_rows(self, name: str, terms: Sequence[Term], lower: ArrayLike | None, upper: ArrayLike | None) -> Rows:
        """One row for each position of the terms' first axis. Raises SolverError for one that can never hold."""
        self._demand_open(name)
        if not terms:
            return Rows(name, np.zeros(0, dtype=np.int64))
        variables, factors = _side_by_side(terms)
        count = len(variables)
        least = np.broadcast_to(np.asarray(-np.inf if lower is None else lower, dtype=float), (count,))
        most = np.broadcast_to(np.asarray(np.inf if upper is None else upper, dtype=float), (count,))
        used = (variables != NONE) & (factors != 0)
        kept = used.any(axis=1) & (np.isfinite(least) | np.isfinite(most))
        numbers = np.full(count, NONE, dtype=np.int64)
        numbers[kept] = np.arange(self._rows_count, self._rows_count + int(kept.sum()))
        self._rows_count += int(kept.sum())
        rows = Rows(name, numbers)
        demand_possible(rows, ~used.any(axis=1), lower, upper)
        used &= kept[:, None]
        at, position = np.nonzero(used)
        self._entries.append(
            _Entries(
                name,
                int(kept.sum()),
                numbers[at].astype(np.int32),
                variables[at, position].astype(np.int32),
                factors[at, position],
                least[kept],
                most[kept],
            )
        )
        return rows

    def _demand_open(self, name: str) -> None:
        if self.closed:
            raise SolverError(f"{name} came when the structure was closed: what a day brings adds no variables or rows")

    @cached_property
    def skeleton(self) -> Skeleton:
        """The matrix of a structure that is closed."""
        if not self.closed:
            raise SolverError("the structure is not closed yet")
        rows = _joined([entries.rows for entries in self._entries], np.int32)
        variables = _joined([entries.variables for entries in self._entries], np.int32)
        factors = _joined([entries.factors for entries in self._entries], np.float64)
        named = np.zeros(self._variables_count + 1, dtype=bool)
        named[variables] = True
        column_of = np.where(named, np.cumsum(named) - 1, NONE)
        kept = named[:-1]
        shape = (self._rows_count, int(kept.sum()))
        matrix = csc_array(coo_array((factors, (rows, column_of[variables].astype(np.int32))), shape=shape))
        matrix.sort_indices()
        count = [len(bounds.variables) for bounds in self.bounds]
        sites, assets = {"": -1}, {"": -1}
        site = [sites.setdefault(bounds.owner[0], len(sites) - 1) for bounds in self.bounds]
        asset = [assets.setdefault(bounds.owner[1], len(assets) - 1) for bounds in self.bounds]
        names = tuple(entries.name for entries in self._entries for _ in range(entries.count))
        skeleton = Skeleton(
            column_of,
            matrix,
            _joined([entries.lower for entries in self._entries], np.float64),
            _joined([entries.upper for entries in self._entries], np.float64),
            _joined([bounds.lower for bounds in self.bounds], np.float64)[kept],
            _joined([bounds.upper for bounds in self.bounds], np.float64)[kept],
            np.repeat(np.array([bounds.integer for bounds in self.bounds], dtype=bool), count)[kept],
            np.repeat(np.array([bounds.coarse for bounds in self.bounds], dtype=bool), count)[kept],
            np.repeat(np.array(site, dtype=np.int64), count)[kept],
            np.repeat(np.array(asset, dtype=np.int64), count)[kept],
            names,
        )
        self._entries.clear()  # the matrix holds them
        return skeleton


def demand_possible(rows: Rows, nothing: NDArray[np.bool_], lower: ArrayLike | None, upper: ArrayLike | None) -> None:
    """Raises SolverError where a row that is ``nothing`` but zero cannot lie between its sides."""
    if not nothing.any():
        return
    too_high, too_low = np.greater(0.0 if lower is None else lower, 0), np.less(0.0 if upper is None else upper, 0)
    impossible = nothing & (too_high | too_low)
    if impossible.any():
        raise SolverError(f"row {int(np.argmax(impossible))} of {rows.name} has no variable and can never hold")


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


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)

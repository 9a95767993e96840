"""Rows that whole solutions keep and a relaxation may break, added to a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, vstack

from scheduler.model.compile import Matrix
from scheduler.model.strategy.apart import Indices
from scheduler.problem import Floats


@dataclass(frozen=True, eq=False)
class Row:
    """factors @ x[columns] <= upper."""

    columns: Indices
    factors: Floats
    upper: float


def with_rows(matrix: Matrix, rows: Sequence[Row]) -> Matrix:
    """The same with more rows."""
    if not rows:
        return matrix
    added = matrix_of(rows, len(matrix.money))
    return replace(
        matrix,
        matrix=csc_array(vstack([matrix.matrix, added])),
        row_lower=np.concatenate([matrix.row_lower, np.full(len(rows), -np.inf)]),
        row_upper=np.concatenate([matrix.row_upper, [row.upper for row in rows]]),
    )


def matrix_of(rows: Sequence[Row], columns_count: int) -> csr_array:
    """[rows, columns]"""
    columns = np.concatenate([row.columns for row in rows])
    factors = np.concatenate([row.factors for row in rows])
    at = np.repeat(np.arange(len(rows)), [len(row.columns) for row in rows])
    return csr_array(coo_array((factors, (at, columns)), shape=(len(rows), columns_count)))

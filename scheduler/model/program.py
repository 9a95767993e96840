"""What a solver takes: a compiled matrix (`compile.py`) is one, others need no ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from scheduler.problem import Floats


class Program(Protocol):
    """Most or least of costs @ x where row_lower <= matrix @ x <= row_upper, lower <= x <= upper, some of x whole."""

    @property
    def matrix(self) -> csc_array: ...
    @property
    def row_lower(self) -> Floats: ...
    @property
    def row_upper(self) -> Floats: ...
    @property
    def lower(self) -> Floats: ...
    @property
    def upper(self) -> Floats: ...
    @property
    def integer(self) -> NDArray[np.bool_]: ...


@dataclass(frozen=True, eq=False)
class Bare:
    """A program and nothing else."""

    matrix: csc_array
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats
    integer: NDArray[np.bool_]

    @staticmethod
    def empty(columns_count: int, rows_count: int) -> Bare:
        """Columns and rows, all zero, that have nothing to do with each other."""
        of_rows, of_columns = np.zeros(rows_count), np.zeros(columns_count)
        matrix = csc_array((rows_count, columns_count))
        return Bare(matrix, of_rows, of_rows, of_columns, of_columns, of_columns.astype(bool))

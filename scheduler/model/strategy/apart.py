"""Problems that share nothing, side by side: without offers and cleared energy each site is one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from scheduler.model.compile import Matrix
from scheduler.problem import Floats

AT_ONCE = 2
"""Problems solved side by side: HiGHS lets go of the interpreter."""

_here = threading.local()

Indices = NDArray[np.int64]
Problem = TypeVar("Problem")
Solution = TypeVar("Solution")


def side_by_side(solved: Callable[[Problem], Solution], problems: Iterable[Problem]) -> list[Solution]:
    """The solutions of some problems, in their order. Within one of them: one by one."""
    if getattr(_here, "is_within", False):
        return one_by_one(solved, problems)

    def one(problem: Problem) -> Solution:
        _here.is_within = True
        return solved(problem)

    threads = _threads(os.getpid())
    begun = [threads.submit(one, problem) for problem in problems]
    try:
        return [each.result() for each in begun]
    finally:
        for each in begun:
            each.cancel()
        wait(begun)


def one_by_one(solved: Callable[[Problem], Solution], problems: Iterable[Problem]) -> list[Solution]:
    """The same, one after the other."""
    return list(map(solved, problems))


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Of this process, kept: in each new thread HiGHS sets up threads of its own, which takes some milliseconds."""
    return ThreadPoolExecutor(AT_ONCE)


class Apart:
    """A matrix as problems that share nothing: ``parts`` are the columns and rows of each."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._free, self._free_rows = _free_columns(matrix)
        entries = coo_array(matrix.matrix)
        kept = ~np.isin(entries.row, self._free_rows)
        count = matrix.matrix.shape[0]
        both = count + matrix.matrix.shape[1]
        links = coo_array((kept[kept], (entries.row[kept], count + entries.col[kept])), shape=(both, both))
        _, number = connected_components(links, directed=False)
        of_row, of_column = number[:count], number[count:]
        of_row[self._free_rows] = -1
        of_column[self._free] = -1
        order, numbers = np.argsort(of_column, kind="stable"), np.unique(of_column)
        columns = np.split(order, np.searchsorted(of_column[order], numbers[1:]))
        self.parts: list[tuple[Indices, Indices]] = [
            (own, np.flatnonzero(of_row == one)) for one, own in zip(numbers, columns, strict=True) if one >= 0
        ]

    def complete(self, x: Floats) -> Floats:
        """[columns] the same with the columns of no part, which only take up what is left of a row."""
        matrix, rows = self._matrix, csr_array(self._matrix.matrix)[self._free_rows]
        lower, upper = matrix.row_lower[self._free_rows], matrix.row_upper[self._free_rows]
        rest = x.copy()
        rest[self._free] = 0.0
        left = np.where(np.isfinite(lower), lower, upper) - rows @ rest
        rest[self._free] = left / matrix.matrix.data[matrix.matrix.indptr[self._free]]
        return rest


def _free_columns(matrix: Matrix) -> tuple[Indices, Indices]:
    """Columns without bounds and money that a single row names, and the rows: these say nothing about all others."""
    alone = np.diff(matrix.matrix.indptr) == 1
    free = np.flatnonzero(alone & np.isinf(matrix.lower) & np.isinf(matrix.upper) & (matrix.money == 0))
    rows, first = np.unique(matrix.matrix.indices[matrix.matrix.indptr[free]], return_index=True)
    return free[first], rows.astype(np.int64)

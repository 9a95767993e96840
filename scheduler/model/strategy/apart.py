"""Problems that share nothing, side by side: without offers and cleared energy each site is one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
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
    """A matrix as problems that share nothing: ``parts`` are the columns and rows of each, in the order of columns.

    Of ``chosen`` [columns] alone, where given. Columns of one number in ``together`` [columns] stay together, even if
    they share nothing (-1: of no number): much less has to be kept to take a large fleet apart.
    """

    def __init__(
        self, matrix: Matrix, chosen: NDArray[np.bool_] | None = None, together: NDArray[np.int32] | None = None
    ) -> None:
        self._matrix = matrix
        is_here = np.ones(len(matrix.money), dtype=bool) if chosen is None else chosen.copy()
        self._free, self._free_rows = _free_columns(matrix, is_here)
        is_here[self._free] = False
        number, count = _numbers(len(is_here), together)
        part_of_number, part_of_row = self._taken_apart(is_here, number, count)
        rows = positions_of_each(part_of_row)
        columns = positions_of_each(np.where(is_here, part_of_number[number], -1))
        nothing = np.zeros(0, dtype=np.int64)
        self.parts = [(own, rows.get(part, nothing)) for part, own in columns.items()]

    def _taken_apart(self, is_here: NDArray[np.bool_], number: Indices, count: int) -> tuple[Indices, Indices]:
        """[count], [rows] the part of each number, and of each row, -1 where no column of a part is named."""
        rows_count = self._matrix.matrix.shape[0]
        is_free = np.zeros(rows_count, dtype=bool)
        is_free[self._free_rows] = True
        least, most = np.full(rows_count, count), np.full(rows_count, -1)
        for rows, columns, _ in self._matrix.entries(is_here):
            np.minimum.at(least, rows, number[columns])
            np.maximum.at(most, rows, number[columns])
        links_two = (least < most) & ~is_free
        node = count + np.cumsum(links_two) - 1
        links = [
            (node[rows[kept]], number[columns[kept]])
            for rows, columns, _ in self._matrix.entries(is_here)
            for kept in (links_two[rows],)
        ]
        both_count = count + int(np.count_nonzero(links_two))
        ends = tuple(np.concatenate(end) for end in zip(*links, strict=True)) if links else (np.zeros(0, np.int64),) * 2
        graph = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(both_count, both_count))
        part = connected_components(graph, directed=False)[1][:count].astype(np.int64)
        return part, np.where((most < 0) | is_free, -1, part[np.minimum(least, count - 1)])

    def complete(self, x: Floats) -> Floats:
        """[columns] the same with the columns of no part, which only take up what is left of a row."""
        matrix, rows = self._matrix, self._free_rows
        lower, upper = matrix.row_lower[rows], matrix.row_upper[rows]
        rest = x.copy()
        rest[self._free] = 0.0
        left = np.where(np.isfinite(lower), lower, upper) - (matrix.matrix @ rest)[rows]
        rest[self._free] = left / matrix.matrix.data[matrix.matrix.indptr[self._free]]
        return rest


def _free_columns(matrix: Matrix, is_here: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Columns without bounds and money that a single row names, and the rows: these say nothing about all others."""
    alone = np.diff(matrix.matrix.indptr) == 1
    free = np.flatnonzero(alone & is_here & np.isinf(matrix.lower) & np.isinf(matrix.upper) & (matrix.money == 0))
    rows, first = np.unique(matrix.matrix.indices[matrix.matrix.indptr[free]], return_index=True)
    return free[first], rows.astype(np.int64)


def _numbers(columns_count: int, together: NDArray[np.int32] | None) -> tuple[Indices, int]:
    """[columns] a number for what stays together, and how many there are."""
    if together is None:
        return np.arange(columns_count), max(1, columns_count)
    is_alone = together < 0
    first = int(together.max(initial=-1)) + 1
    number = np.where(is_alone, first + np.cumsum(is_alone) - 1, together.astype(np.int64))
    return number, max(1, first + int(np.count_nonzero(is_alone)))


def positions_of_each(numbers: NDArray[Any]) -> dict[int, Indices]:
    """Where each number stands, in the order of numbers; without what is below zero."""
    order = np.argsort(numbers, kind="stable")
    each, first, count = np.unique(numbers[order], return_index=True, return_counts=True)
    return {int(one): order[at : at + n] for one, at, n in zip(each, first, count, strict=True) if one >= 0}

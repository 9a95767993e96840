"""Equations said again without the past: the same solutions, in rows that name one interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array

from scheduler.model.compile import Matrix
from scheduler.model.strategy.blocks import owner_of_rows
from scheduler.model.strategy.counts import with_counts
from tests.model.test_relaxation import in_one_piece, matrix_of
from tests.model.tiny_fixtures import NAMES, problem_of

DAYS = ["days/sunny-sunday", "days/twelve-containers", "days/clock-autumn", "days/microgrid-heat", "scale/s"]


def equations(matrix: Matrix) -> csc_array:
    """Equations of single assets with their sides as one more column."""
    found = np.flatnonzero((matrix.row_lower == matrix.row_upper) & (owner_of_rows(matrix) >= 0))
    return csr_array(np.column_stack([csr_array(matrix.matrix)[found].toarray(), matrix.row_upper[found]]))


@pytest.mark.parametrize("name", NAMES)
def test_equations_say_the_same(name: str) -> None:
    """Each set of equations spans the other, so the same x solve both."""
    before = matrix_of(problem_of(name))
    after = with_counts(before)
    old, new = equations(before).toarray(), equations(after).toarray()
    rank = np.linalg.matrix_rank
    assert old.shape == new.shape
    assert rank(old) == rank(new) == rank(np.vstack([old, new]))


@pytest.mark.parametrize("name", NAMES)
def test_all_other_rows_stay(name: str) -> None:
    before = matrix_of(problem_of(name))
    after = with_counts(before)
    changed = np.unique((before.matrix != after.matrix).tocoo().row)
    owner = owner_of_rows(before)
    assert (before.row_lower[changed] == before.row_upper[changed]).all() and (owner[changed] >= 0).all()
    others = np.setdiff1d(np.arange(len(owner)), changed)
    assert (before.row_lower[others] == after.row_lower[others]).all()
    assert (before.row_upper[others] == after.row_upper[others]).all()
    assert (before.money == after.money).all() and (before.lower == after.lower).all()


@pytest.mark.parametrize("name", DAYS)
def test_the_relaxation_is_the_same(name: str) -> None:
    matrix = matrix_of(problem_of(name))
    assert in_one_piece(with_counts(matrix)) == pytest.approx(in_one_piece(matrix), rel=1e-7)


def test_a_group_counts_its_machines_in_every_interval() -> None:
    """Of three groups: rows that name one interval, and the one before where a move takes longer."""
    matrix = matrix_of(problem_of("days/sunny-sunday"))
    after = with_counts(matrix)
    rows = csr_array(after.matrix)[np.unique((matrix.matrix != after.matrix).tocoo().row)]
    entries = np.split(np.arange(rows.nnz), rows.indptr[1:-1])
    assert len(entries) > 0.9 * 3 * matrix.ledger.intervals
    assert np.mean([(rows.data[own] == 1).all() for own in entries]) > 0.3
    for own in entries:
        assert np.ptp(after.interval[rows.indices[own]]) <= 1

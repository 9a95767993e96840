"""What lets the largest fleets fit: parts that know nothing of the whole, bases instead of solvers."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.model import compile as compile_module
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Result
from scheduler.model.strategy import blocks, fast
from scheduler.model.strategy.blocks import Blocks, Bound, columns_beside, rows_naming, rows_of_markets
from scheduler.model.strategy.counts import with_counts
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.scale import SIZES, scale_request


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """Two sites of six groups, of which the sixth is built like the first; 32 quarters in two blocks."""
    monkeypatch.setitem(SIZES, "S", (2, 6, 32))
    problem = schedule_request_from_pb(scale_request("S", 1))[1]
    return with_counts(compile_matrix(build(problem).ledger).without_shortfall())


def test_a_part_has_the_entries_bounds_and_offers_of_its_columns_and_rows(fleet: Matrix) -> None:
    random = np.random.default_rng(1)
    rows_count, columns_count = fleet.matrix.shape
    columns = np.union1d(np.flatnonzero(random.random(columns_count) < 0.3), fleet.offers[:3])
    rows = random.permutation(rows_count)[: rows_count // 3]
    part = fleet.part(columns, rows)
    assert (part.matrix != fleet.matrix.tocsr()[rows][:, columns]).nnz == 0
    assert part.matrix.indices.dtype == np.int32 and part.matrix.has_sorted_indices
    assert (part.upper == fleet.upper[columns]).all() and (part.row_upper == fleet.row_upper[rows]).all()
    assert (columns[part.offers] == fleet.offers[np.isin(fleet.offers, columns)]).all()
    assert not fleet.part(columns, rows[:0]).matrix.nnz and not fleet.part(columns[:0]).matrix.nnz


def test_what_rows_name_is_said_by_the_matrix(fleet: Matrix) -> None:
    rows, whole = rows_of_markets(fleet), abs(fleet.matrix)
    assert (rows == np.flatnonzero((whole @ (fleet.asset >= 0) > 0) & (whole @ (fleet.site < 0) > 0))).all()
    named = np.zeros(len(fleet.money), dtype=bool)
    named[fleet.matrix.tocsr()[rows].indices] = True
    assert (columns_beside(fleet, rows) == np.flatnonzero(~named)).all()
    assert rows_naming(fleet, named)[rows].all() and not rows_naming(fleet, np.zeros_like(named)).any()


@pytest.mark.parametrize("most_with_solvers", [0, 10**9])
def test_a_block_answers_the_same_from_any_basis(
    fleet: Matrix, most_with_solvers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MOST_COLUMNS_COUNT_WITH_SOLVERS", most_with_solvers)
    bound, used_before = Bound(fleet), Blocks(fleet)
    random = np.random.default_rng(2)
    for scale in (0.0, 1.0, 20.0):
        prices = scale * random.standard_normal(fleet.matrix.shape[0])
        said = bound.of(used_before.answer(prices, Clock(60)).duals)
        assert said == pytest.approx(bound.of(Blocks(fleet).answer(prices, Clock(60)).duals), rel=1e-7)


@pytest.mark.parametrize("library", [None, object()])
def test_memory_is_given_back_where_that_is_possible(library: object | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if library is not None:  # of another C library, without the function
        monkeypatch.setattr(compile_module.ctypes, "CDLL", lambda _: library)
    compile_module.give_memory_back()


def test_blocks_answer_the_same_each_time(fleet: Matrix) -> None:
    prices = np.random.default_rng(3).standard_normal(fleet.matrix.shape[0])
    one, other = (Blocks(fleet).answer(prices, Clock(60)) for _ in range(2))
    assert (one.duals == other.duals).all() and (one.used == other.used).all()


def test_bounds_of_columns_do_not_depend_on_how_many_are_looked_at_together(
    fleet: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = np.random.default_rng(4).standard_normal(fleet.matrix.shape[0])
    together = Bound(fleet).of(prices)
    monkeypatch.setattr(compile_module, "COLUMNS_AT_ONCE", 100)
    assert Bound(fleet).of(prices) == pytest.approx(together, rel=1e-9)


@pytest.mark.parametrize(
    "known, seconds, last",
    [
        (Result(Outcome.OPTIMAL, np.zeros(1), 1.0, 1.0), 60, True),
        (Result(Outcome.LIMIT, np.zeros(1), 1.0, 2.0), 60, True),
        (Result(Outcome.LIMIT, None, None, np.inf), 60, False),  # perhaps no plan is possible: that must be said
        (Result(Outcome.LIMIT, None, None, np.inf), 0, True),
    ],
)
def test_of_the_largest_fleets_what_blocks_find_is_last(
    fleet: Matrix, monkeypatch: pytest.MonkeyPatch, known: Result, seconds: float, last: bool
) -> None:
    monkeypatch.setattr(fast, "LARGEST_COLUMNS_COUNT", 0)
    assert fast._is_last(known, fleet, Clock(seconds)) is last
    monkeypatch.undo()
    assert fast._is_last(known, fleet, Clock(seconds)) is (known.outcome is Outcome.OPTIMAL)

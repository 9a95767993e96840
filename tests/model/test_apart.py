"""Problems that share nothing: side by side they earn what the whole earns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Solver
from scheduler.model.strategy.apart import Apart, side_by_side
from scheduler.model.strategy.blocks import columns_beside, rows_of_markets
from scheduler.model.strategy.fast import _without_offers
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tests.model.test_relaxation import matrix_of, problem_of
from tools.fixtures.scale import SIZES, scale_request


def solved(matrix: Matrix) -> tuple[np.ndarray, float]:
    solver = Solver(matrix, relaxed=True)
    solver.set_costs(matrix.money, maximise=True)
    result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
    assert result.x is not None and result.objective is not None
    return result.x, result.objective


def without_offers(matrix: Matrix) -> Matrix:
    held = rows_of_markets(matrix)
    rows = np.setdiff1d(np.arange(matrix.matrix.shape[0]), held)
    return replace(matrix.part(columns_beside(matrix, held), rows), constant=0.0)


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """Four sites that meet in nothing but offers."""
    monkeypatch.setitem(SIZES, "S", (4, 2, 24))
    return matrix_of(schedule_request_from_pb(scale_request("S", 2))[1])


def test_sites_without_offers_share_nothing(fleet: Matrix) -> None:
    bare = without_offers(fleet)
    apart = Apart(bare)
    sites = [set(bare.site[columns].tolist()) for columns, _ in apart.parts if len(columns) > 10]
    assert sorted(map(tuple, sites)) == [(0,), (1,), (2,), (3,)]
    x, money = np.zeros(len(bare.money)), 0.0
    for (columns, _), (own, earned) in zip(
        apart.parts, side_by_side(lambda part: solved(bare.part(*part)), apart.parts), strict=True
    ):
        x[columns] = own
        money += earned
    assert money == pytest.approx(solved(bare)[1], rel=1e-9)
    activity = bare.matrix @ apart.complete(x)
    assert (activity <= bare.row_upper + 1e-6).all() and (activity >= bare.row_lower - 1e-6).all()


def test_of_chosen_columns_what_stays_together_is_taken_apart_as_the_part_is(fleet: Matrix) -> None:
    """By assets, among the columns that name no market: the same problems as of the matrix of these alone."""
    held = rows_of_markets(fleet)
    beside = columns_beside(fleet, held)
    chosen = np.zeros(len(fleet.money), dtype=bool)
    chosen[beside] = True
    found = Apart(fleet, chosen, fleet.asset).parts
    rows = np.setdiff1d(np.arange(fleet.matrix.shape[0]), held)
    exact = [(beside[columns], rows[own]) for columns, own in Apart(fleet.part(beside, rows)).parts]
    assert len(found) <= len(exact) and len(found) >= 4
    for columns, own in found:
        within = [each for each in exact if np.isin(each[0], columns).any()]
        assert (np.sort(np.concatenate([each for each, _ in within])) == columns).all()
        assert (np.sort(np.concatenate([each for _, each in within])) == own).all()


def test_of_nothing_there_are_no_parts(fleet: Matrix) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert Apart(fleet.part(nothing)).parts == []
    assert Apart(fleet, np.zeros(len(fleet.money), dtype=bool), fleet.asset).parts == []


def test_sites_that_offer_together_are_one_problem(fleet: Matrix) -> None:
    assert max(len(columns) for columns, _ in Apart(fleet).parts) > 0.9 * len(fleet.money)


@pytest.mark.parametrize("name", ["days/spike-day", "days/day-after-result", "days/absorber", "days/texas-day"])
def test_a_plan_without_offers_keeps_every_row(name: str) -> None:
    matrix = matrix_of(problem_of(name))
    found = _without_offers(matrix, SolveOptions(), Clock(60))
    assert found is not None
    x, money = found
    activity = matrix.matrix @ x
    assert (activity <= matrix.row_upper + 1e-6).all() and (activity >= matrix.row_lower - 1e-6).all()
    assert (x[matrix.integer] == np.rint(x[matrix.integer])).all() and not x[matrix.offers].any()
    assert money == pytest.approx(float(matrix.money @ x) + matrix.constant)


def test_within_a_problem_others_are_solved_one_by_one() -> None:
    """Or each would wait for threads that wait for it."""
    assert side_by_side(lambda n: sum(side_by_side(lambda m: n * m, range(4))), range(8)) == [6 * n for n in range(8)]


def test_an_error_ends_all_and_reaches_the_caller() -> None:
    ended = []

    def solved(number: int) -> None:
        if number == 0:
            raise SolverError("no")
        ended.append(number)

    with pytest.raises(SolverError):
        side_by_side(solved, range(50))
    count = len(ended)
    assert side_by_side(lambda number: number, range(3)) == [0, 1, 2] and len(ended) == count

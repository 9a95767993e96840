"""Rows on sums of offers: whole solutions keep them at any prices, relaxations do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.model.build import build
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.tightening import rows_on_sums, tightened
from scheduler.problem import Floats, Problem
from scheduler.wire.request import schedule_request_from_pb
from tests.model.tiny_fixtures import NAMES, problem_of
from tools.fixtures.build import DOWN, UP, Grid, block, energy, full, group, moves, off, product, request, reserve, site

DAYS = ["days/sunny-sunday", "days/spike-day", "days/chances"]


def matrix_of(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger).without_shortfall()


def most(matrix: Matrix, costs: Floats, *, relaxed: bool = False) -> float | None:
    """Of these costs, all integers whole or none; None where nothing fits."""
    solver = Solver(matrix, relaxed=relaxed)
    solver.set_costs(costs, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
    assert result.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
    return result.objective


@pytest.mark.parametrize("name", NAMES)
def test_whole_solutions_are_the_same_at_any_prices(name: str) -> None:
    matrix = matrix_of(problem_of(name))
    tight = tightened(matrix, rows_on_sums(matrix, Clock(60)))
    if tight is matrix:
        return
    random = np.random.default_rng(0)
    columns = np.unique([column for offer in matrix.ledger.day.offers for column in matrix.columns(offer.submitted)])
    for _ in range(4):
        costs = matrix.money.copy()
        costs[columns] += random.uniform(-1, 3, len(columns)) * max(1.0, np.abs(matrix.money).max())
        assert most(tight, costs) == pytest.approx(most(matrix, costs), rel=1e-6, abs=1e-6)


def test_tiny_fixtures_have_such_rows() -> None:
    """Or the test above would prove nothing."""
    matrices = [matrix_of(problem_of(name)) for name in NAMES]
    assert sum(tightened(matrix, rows_on_sums(matrix, Clock(60))) is not matrix for matrix in matrices) >= 3


@pytest.mark.parametrize("name", DAYS)
def test_whole_offers_earn_the_same_and_parts_of_offers_less(name: str) -> None:
    matrix = matrix_of(problem_of(name))
    tight = tightened(matrix, rows_on_sums(matrix, Clock(60)))
    assert len(tight.row_upper) > len(matrix.row_upper)
    offers_only = [replace(each, integer=matrix.coarse) for each in (matrix, tight)]
    whole, tight_whole = (most(each, matrix.money) for each in offers_only)
    parts, tight_parts = (most(each, matrix.money, relaxed=True) for each in (matrix, tight))
    assert whole is not None and tight_whole is not None and parts is not None and tight_parts is not None
    assert tight_whole == pytest.approx(whole, rel=1e-6)
    assert whole <= tight_parts + 1e-6 * abs(whole) and tight_parts <= parts + 1e-6 * abs(parts)
    assert parts - tight_parts > 0.05 * (parts - whole)


def test_what_is_on_is_not_off() -> None:
    """Ten machines of 0.26 MW: up and down together hold 2.6 MW, so 2 MW in whole steps.

    Each alone holds no more by its bounds.
    """
    grid = Grid("2026-03-10T00:00", 60, 2)
    machines = group("m", 10, [off(), full(0.26e6, 1000)], moves("off>full", "full>off"), "full")
    reserves = [
        reserve(name, product(direction, 300, max_step_mw=1.0), [block(grid, "all", 0, 2, price)])
        for name, direction, price in (("up", UP, 5.0), ("down", DOWN, 6.0))
    ]
    message = request("sums", grid, [site(grid, [machines])], [energy(grid, 50), *reserves], hashprice=40)
    matrix = matrix_of(schedule_request_from_pb(message)[1])
    tight = tightened(matrix, rows_on_sums(matrix, Clock(60)))
    added = slice(len(matrix.row_upper), None)
    up, down = (int(matrix.columns(offer.submitted)[0]) for offer in matrix.ledger.day.offers)
    rows = tight.matrix.toarray()[added][:, [up, down]]
    assert rows.tolist() == [[1.0, 1.0]] and tight.row_upper[added].tolist() == [2.0]


def test_without_time_nothing_is_found() -> None:
    matrix = matrix_of(problem_of("days/sunny-sunday"))
    assert rows_on_sums(matrix, Clock(-1.0)) == ()

"""Single large machines: paths are worth what the solver says, rows hold for whole machines, bounds are true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy import fast
from scheduler.model.strategy.blocks import owner_of_rows
from scheduler.model.strategy.covers import Covers
from scheduler.model.strategy.lone import Ways, lone
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.rows import matrix_of as matrix_of_rows
from scheduler.model.strategy.rows import with_rows
from scheduler.problem import Floats, Problem
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tests.model.days import another_day
from tests.model.tiny_fixtures import problem_of
from tools.fixtures.scale import lumpy_request

SEVERAL = [
    "both-directions-binding",
    "both-directions-feasible",
    "both-of-binding",
    "double-sale-binding",
    "start-budget-binding",
]
OPTIONS = SolveOptions()


def matrix_of(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger).without_shortfall()


def lumpy(count: int, seed: int) -> Problem:
    return schedule_request_from_pb(lumpy_request(count, seed))[1]


def most(matrix: Matrix, costs: Floats) -> float:
    """Of these costs; minus infinity where nothing fits."""
    solver = Solver(matrix)
    solver.set_costs(costs, matrix.constant, maximise=True)
    objective = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    return -np.inf if objective is None else objective


def by_variable(matrix: Matrix, values: Floats) -> Floats:
    return np.append(values, 0.0)[matrix.column_of]


@pytest.mark.parametrize("seed", range(4))
def test_a_path_is_worth_what_its_block_is(seed: int) -> None:
    matrix = matrix_of(another_day(lumpy(3, seed), seed) if seed % 2 else lumpy(3, seed))
    owner, random = owner_of_rows(matrix), np.random.default_rng(seed)
    for number, machine in enumerate(matrix.ledger.lone_machines):
        block = replace(
            matrix.part(np.flatnonzero(matrix.asset == number), np.flatnonzero(owner == number)), constant=0.0
        )
        costs = np.where(matrix.asset == number, matrix.money + random.normal(0, 15, len(matrix.money)), 0.0)
        own = costs[matrix.asset == number]
        through = machine.through(*(by_variable(matrix, v) for v in (costs, matrix.lower, matrix.upper)))
        assert through.max(axis=0) == pytest.approx(np.full(through.shape[1], most(block, own)))
        columns = np.cumsum(matrix.asset == number) - 1  # of the block
        for mode, t in [(m, t) for m in range(2) for t in random.integers(0, through.shape[1], 3)]:
            lower = block.lower.copy()
            lower[columns[matrix.column_of[machine.count[mode, t]]]] = 1.0
            assert through[mode, t] == pytest.approx(most(replace(block, lower=lower), own))


@pytest.mark.parametrize("name", SEVERAL)
def test_a_path_is_never_worth_less_than_its_block(name: str) -> None:
    """With modes between, rivals, budgets and limits it may be generous."""
    matrix = matrix_of(problem_of(f"pairs/{name}"))
    assert matrix.ledger.lone_machines
    owner, random = owner_of_rows(matrix), np.random.default_rng(1)
    for machine in matrix.ledger.lone_machines:
        number = matrix.asset[matrix.columns(machine.count)[0]]
        mine = matrix.asset == number
        costs = np.where(mine, matrix.money + random.normal(0, 15, len(matrix.money)), 0.0)
        through = machine.through(*(by_variable(matrix, v) for v in (costs, matrix.lower, matrix.upper)))
        block = matrix.part(np.flatnonzero(mine), np.flatnonzero(owner == number))
        assert through.max() >= most(replace(block, constant=0.0), costs[mine]) - 1e-6


@pytest.mark.parametrize(("count", "seed"), [(3, 1), (4, 2), (5, 3)])
def test_rows_hold_for_whole_machines_at_any_prices(count: int, seed: int) -> None:
    matrix = matrix_of(lumpy(count, seed))
    covers, random, rows = Covers(matrix), np.random.default_rng(seed), []
    relaxed = Solver(matrix, relaxed=True)
    for factor in (1.0, *random.uniform(0.5, 1.5, 2)):
        relaxed.set_costs(matrix.money * factor, maximise=True)
        x = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).x
        assert x is not None
        for _ in range(3):
            found = covers.violated(x)
            rows += found
            beyond = matrix_of_rows(found, len(x)) @ x - [row.upper for row in found] if found else np.ones(1)
            assert (beyond > 0).all()  # or they would cut nothing
            x = Solver(with_rows(matrix, rows), relaxed=True).solve(rel_gap=0.0, abs_gap=0.0, seconds=60).x
            assert x is not None
    assert rows, "no row was found: the test would prove nothing"
    for factor in random.uniform(0.3, 2.0, 2):
        costs = matrix.money * factor + random.normal(0, 2, len(matrix.money)) * (matrix.money != 0)
        assert most(with_rows(matrix, rows), costs) == pytest.approx(most(matrix, costs), rel=1e-7)


def test_rows_cut_off_what_the_relaxation_sells_of_parts_of_machines() -> None:
    matrix = matrix_of(lumpy(8, 3))
    relaxed = Solver(matrix, relaxed=True)
    relaxed.set_costs(matrix.money, matrix.constant, maximise=True)
    before = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    whole = plain(matrix, OPTIONS, Clock(60))
    ways = Ways(matrix, OPTIONS, Clock(60))
    assert before is not None and whole.objective is not None
    assert whole.objective <= ways.bound < before - 0.5 * (before - whole.objective)


@pytest.mark.parametrize(("count", "seed"), [(6, 1), (8, 2), (8, 3), (12, 1)])
def test_plans_and_bounds_agree_with_plain(count: int, seed: int) -> None:
    matrix = matrix_of(lumpy(count, seed))
    ours, theirs = lone(matrix, OPTIONS, Clock(60)), plain(matrix, OPTIONS, Clock(60))
    assert ours is not None and ours.outcome is theirs.outcome is Outcome.OPTIMAL
    assert ours.objective is not None and ours.bound is not None
    assert theirs.objective is not None and theirs.bound is not None
    assert ours.objective <= theirs.bound + 1e-3 and theirs.objective <= ours.bound + 1e-3
    rows = matrix.matrix @ ours.x
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()


def test_a_search_that_is_too_narrow_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left out counts with what it loses, so a narrow search alone does not end it."""
    matrix = matrix_of(lumpy(8, 2))
    widths = []
    among = Ways.among

    def noted(self: Ways, width: float) -> object:
        widths.append(width)
        return among(self, width)

    monkeypatch.setattr(Ways, "among", noted)
    monkeypatch.setattr("scheduler.model.strategy.lone.FIRST_WIDTH", 1e-3)
    found = lone(matrix, OPTIONS, Clock(60))
    best = plain(matrix, OPTIONS, Clock(60))
    assert len(widths) > 1 and widths[-1] > 100 * widths[0]
    assert found is not None and found.outcome is Outcome.OPTIMAL
    assert found.bound is not None and best.objective is not None and found.bound >= best.objective - 1e-3


def test_a_plan_is_kept_where_the_solver_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Ways.search

    def fails(self: Ways, *how: object, above: float | None = None) -> object:
        if above is not None:
            raise SolverError("no answer")
        return search(self, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(Ways, "search", fails)
    found = lone(matrix_of(lumpy(8, 2)), OPTIONS, Clock(60))
    assert found is not None and found.outcome is Outcome.LIMIT and found.x is not None
    assert found.objective is not None and found.bound is not None and found.objective < found.bound


def test_what_is_left_open_goes_to_the_whole_search(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(lumpy(6, 1))
    poor = lone(matrix, OPTIONS, Clock(60))
    assert poor is not None and poor.bound is not None
    left = replace(poor, outcome=Outcome.LIMIT, bound=poor.bound + 1000.0)
    monkeypatch.setattr(fast, "lone", lambda *_: left)
    found = fast.fast(matrix, OPTIONS, Clock(60))
    assert found.outcome is Outcome.OPTIMAL and found.bound is not None and found.bound <= poor.bound + 10.0


def test_without_single_machines_or_time_others_answer() -> None:
    assert lone(matrix_of(problem_of("days/sunny-sunday")), OPTIONS, Clock(60)) is None
    assert lone(matrix_of(lumpy(4, 1)), OPTIONS, Clock(-1.0)) is None

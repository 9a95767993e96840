"""The relaxation by blocks against the relaxation in one piece, and what a plan by blocks is worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Result, Solver
from scheduler.model.strategy import fast
from scheduler.model.strategy.blocks import Blocks, Bound
from scheduler.model.strategy.by_blocks import by_blocks
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.rows import with_rows
from scheduler.model.strategy.tightening import tightening_of
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.scale import SIZES, scale_request

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = [
    "days/spike-day",
    "days/clock-spring",
    "days/chances",
    "days/day-after-result",
    "days/nordic-hourly",
    "days/twelve-containers",
    "days/texas-day",
    "days/absorber",
]


def problem_of(name: str) -> Problem:
    path = FIXTURES / name / "request.json"
    return schedule_request_from_pb(schedule_request_from_json(path.read_text(), str(path)))[1]


def matrix_of(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger).without_shortfall()


def in_one_piece(matrix: Matrix) -> float:
    solver = Solver(matrix, relaxed=True)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    objective = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    assert objective is not None
    return objective


@pytest.fixture(params=NAMES)
def matrix(request: pytest.FixtureRequest) -> Matrix:
    return matrix_of(problem_of(request.param))


def test_bound_and_money_enclose_the_relaxation_in_one_piece(matrix: Matrix) -> None:
    exact = in_one_piece(matrix)
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-5)
    within = 2e-5 * abs(exact) + 1e-6
    assert exact - 1e-6 * max(1, abs(exact)) <= found.bound <= exact + within
    assert exact - within <= found.money <= exact + 1e-6 * max(1, abs(exact))


def test_the_point_fits_the_rows_and_stays_among_the_columns_in_use(matrix: Matrix) -> None:
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-4)
    rows = matrix.matrix @ found.x
    assert (rows <= matrix.row_upper + 1e-4).all() and (rows >= matrix.row_lower - 1e-4).all()
    assert not found.x[~found.used].any()


@pytest.mark.parametrize("keeps_solvers", [False, True])
def test_what_is_known_is_where_it_begins(matrix: Matrix, keeps_solvers: bool) -> None:
    """With columns, prices and bases of another relaxation: the bound is there at once, and its money soon."""
    first = Relaxation(matrix, Clock(60), keeps_solvers=keeps_solvers)
    first.solve(1e-7)
    again = Relaxation(matrix, Clock(60), first.prices, keeps_solvers=keeps_solvers, known=first.known)
    least, _ = again.cuts.least(matrix.lower[again.columns], matrix.upper[again.columns])
    assert least == pytest.approx(first.bound, rel=1e-6) and (again.used >= first.used).all()
    assert again.known.bases.keys() == first.known.bases.keys()
    again.solve(1e-7)
    assert again.money == pytest.approx(first.money, rel=1e-6) and again.bound == pytest.approx(first.bound, rel=1e-6)


def test_any_prices_say_no_less_than_the_relaxation_earns(matrix: Matrix) -> None:
    exact, bound = in_one_piece(matrix), Bound(matrix)
    random = np.random.default_rng(1)
    for scale in (0.0, 0.01, 1.0, 30.0):
        duals = scale * random.standard_normal(matrix.matrix.shape[0])
        assert bound.of(duals) >= exact - 1e-6 * max(1, abs(exact))
        assert bound.of(Blocks(matrix).answer(duals, Clock(60)).duals) >= exact - 1e-6 * max(1, abs(exact))


def test_offers_that_are_fixed_earn_what_they_earn_in_one_piece() -> None:
    matrix = matrix_of(problem_of("days/spike-day"))
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-5)
    coarse = np.flatnonzero(matrix.coarse)
    nothing = np.zeros(len(coarse))
    found.limit(nothing, nothing)
    found.solve(1e-5)
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    lower[coarse] = upper[coarse] = 0.0
    assert found.money == pytest.approx(in_one_piece(replace(matrix, lower=lower, upper=upper)), rel=3e-5)


@pytest.mark.parametrize("name", NAMES)
def test_plans_by_blocks_are_proven_or_stay_near_the_bound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "BLOCKS_COLUMNS_COUNT", 0)
    matrix, options = matrix_of(problem_of(name)), SolveOptions()
    if not (matrix.integer & ~matrix.coarse).any():
        pytest.skip("only large machines: nothing to round")
    exact = fast.fast(matrix, options, Clock(60))
    assert exact.x is not None and exact.objective is not None and exact.bound is not None
    found = by_blocks(matrix, matrix, options, Clock(60), None)
    assert found.objective is not None and found.x is not None and found.bound is not None
    assert found.objective <= exact.bound + 1e-6 and exact.objective <= found.bound + 1e-6
    assert found.objective >= exact.objective - 0.1 * abs(exact.objective) - 1.0
    rows = matrix.matrix @ found.x
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()
    assert (found.x[matrix.integer] == np.rint(found.x[matrix.integer])).all()


def test_what_cannot_be_taken_apart_is_solved_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise SolverError("too hard")

    monkeypatch.setattr(fast, "BLOCKS_COLUMNS_COUNT", 0)
    monkeypatch.setattr(Relaxation, "solve", refuses)
    schedule = make_schedule(problem_of("days/chances"), SolveOptions(counterfactuals=False))
    assert schedule.solve.stop_reason.value == "proven"


def test_a_plan_without_offers_is_kept_where_the_clock_left_nothing_better(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(problem_of("days/spike-day"))
    monkeypatch.setattr(fast, "LARGE_COLUMNS_COUNT", 0)
    poor = Result(Outcome.LIMIT, np.zeros(len(matrix.money)), -1e6, 1e6)
    monkeypatch.setattr(fast, "_with_offers", lambda *_: poor)
    told: list[float] = []
    found = fast.fast(matrix, SolveOptions(), Clock(60), lambda x, money, bound: told.append(money))
    assert found.objective == told[0] > poor.objective and found.bound == 1e6 and found.outcome is Outcome.LIMIT


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """Two sites of three groups, 48 quarters in three blocks, five products."""
    monkeypatch.setitem(SIZES, "S", (2, 3, 48))
    return matrix_of(schedule_request_from_pb(scale_request("S", 1))[1])


def test_rows_that_whole_offers_keep_lead_to_the_relaxation_with_them(fleet: Matrix) -> None:
    tightening = tightening_of(fleet, Clock(60))
    assert tightening is not None
    found = Relaxation(fleet, Clock(60))
    found.solve(1e-3, roughly=True)
    before = found.bound
    rows = tightening.violated(found.x)
    assert len(rows) > 20
    found.tighten(rows)
    found.solve(1e-5)
    exact = in_one_piece(with_rows(fleet, rows))
    assert exact < 0.999 * before
    assert exact - 1e-6 * exact <= found.bound <= exact + 2e-5 * exact
    assert found.money == pytest.approx(exact, rel=2e-5)
    upper = np.zeros(int(fleet.coarse.sum()))
    found.limit(upper, upper)
    found.solve(1e-5)
    bare = replace(fleet, upper=np.where(fleet.coarse, 0.0, fleet.upper))
    assert found.money == pytest.approx(in_one_piece(bare), rel=3e-5)


def test_columns_in_use_have_a_solution_for_any_offers(fleet: Matrix) -> None:
    found = Relaxation(fleet, Clock(60))
    found.solve(1e-4)
    columns = np.flatnonzero(fleet.coarse)
    solver, at = found.restricted()
    most = solver.point()[1]
    assert most == pytest.approx(found.money, rel=1e-3)
    solver.set_bounds(at, fleet.upper[columns], fleet.upper[columns])  # more than all machines hold
    dear = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    assert dear is not None and dear < 0.5 * most
    solver.set_bounds(at, fleet.lower[columns], fleet.upper[columns])
    found._center[:] = 1e4 * found._width  # prices far beyond the width: what lacks must not earn even then
    solver, _ = found.restricted()
    assert solver.point()[1] == pytest.approx(most, rel=1e-6)
    found.limit(fleet.lower[columns], fleet.upper[columns])
    found.solve(1e-5)
    assert found.money == pytest.approx(in_one_piece(fleet), rel=2e-5)


@pytest.mark.parametrize("from_sample", [False, True])
def test_what_lacks_costs_more_than_the_offers_that_lack_it_earn(fleet: Matrix, from_sample: bool) -> None:
    found = Relaxation(fleet, Clock(60))
    found.solve(1e-5)
    if from_sample:
        found = Relaxation(fleet, Clock(60), found.prices)
        found.solve(1e-5)
    values = np.floor(found.x[found.columns] + 1e-6)
    found.limit(values, values)
    held = found.among_used()
    assert held.money > 0
    solver, at = found.restricted()
    lacking_count = 0
    for offer in range(len(values)):
        more = values + np.where(np.arange(len(values)) == offer, 1.0, 0.0)
        if more[offer] > fleet.upper[found.columns[offer]]:
            continue
        solver.set_bounds(at, more, more)
        money = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
        off = found._master._less, found._master._more
        lacks = sum(solver.point()[0][columns].sum() for columns in off) > 1e-4
        assert money is not None and (not lacks or money < held.money)
        lacking_count += lacks
    assert lacking_count > 3

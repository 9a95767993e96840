"""Whole machines around a relaxed solution: feasible, below the bound, and soon good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.rounding import Rounding
from scheduler.problem import Floats
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

SPIKE_DAY = Path(__file__).parents[2] / "fixtures" / "days" / "spike-day" / "request.json"


@pytest.fixture(scope="module")
def relaxed() -> tuple[Matrix, Floats, float]:
    request = schedule_request_from_json(SPIKE_DAY.read_text(), str(SPIKE_DAY))
    _, problem, _ = schedule_request_from_pb(request)
    matrix = compile_matrix(build(problem).ledger).without_shortfall()
    solver = Solver(replace(matrix, integer=matrix.coarse))
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=1e-3, abs_gap=0.01, seconds=60)
    assert result.x is not None and result.bound is not None
    return matrix, result.x, result.bound


@pytest.mark.parametrize(("margin", "radius"), [(0.5, 0), (0.3, 1)])
def test_rounded_machines_fit_every_row_and_earn_nearly_as_much(
    relaxed: tuple[Matrix, Floats, float], margin: float, radius: int
) -> None:
    matrix, x, bound = relaxed
    found = Rounding(matrix, x, seed=0).whole(margin, radius, np.inf, Clock(60), gap=1.0)
    assert found is not None
    whole, money = found
    rows = matrix.matrix @ whole
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()
    assert (whole >= matrix.lower - 1e-6).all() and (whole <= matrix.upper + 1e-6).all()
    assert (whole[matrix.integer] == np.rint(whole[matrix.integer])).all()
    assert (whole[matrix.coarse] == np.rint(x[matrix.coarse])).all()  # the offers stay as they are
    assert bound - 5e-3 * abs(bound) <= money <= bound + 1e-6


def behind_a_limit(matrix: Matrix) -> tuple[Matrix, Floats, Indices]:
    """The same with a connection that is too small for all machines, as column generation would see it: the columns of
    its relaxation alone. With what it takes, and the columns of the connection."""
    solver = Solver(matrix, relaxed=True)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    most = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).x
    assert most is not None
    connection = np.unique(Rounding(matrix, most, seed=0)._tight._column_beside)
    limits_mw = np.full(len(connection), 0.6 * float(most[connection].max()) + 0.00123)
    solver.set_bounds(connection, matrix.lower[connection], limits_mw)
    x = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).x
    assert x is not None
    upper = matrix.upper.copy()
    upper[connection] = limits_mw
    used = np.flatnonzero((np.abs(x) > 1e-9) | (matrix.lower > 0) | np.isin(np.arange(len(x)), connection))
    small = replace(matrix, upper=upper, coarse=np.zeros_like(matrix.coarse))
    small = small.part(used, np.unique(matrix.matrix[:, used].indices).astype(np.int64))
    return small, x[used], np.searchsorted(used, connection)


def test_behind_a_limit_that_is_reached_there_is_room_for_the_rest_of_a_machine(
    relaxed: tuple[Matrix, Floats, float],
) -> None:
    """Or of 1396.4 machines in one mode and 178.6 in another no rounding fits, where no other mode is in use."""
    matrix, x, connection = behind_a_limit(relaxed[0])
    rounding = Rounding(matrix, x, seed=0)
    tight = rounding._tight
    loads = np.flatnonzero(rounding._mw_per_machine[tight.rows] == 0)
    reached = loads[tight.used(x)[loads]]
    assert len(reached) > 10
    near = rounding._with_margin(0.5, Clock(60))
    assert near is not None
    drawn_mw = (matrix.matrix @ np.where(matrix.integer, near, 0.0))[tight.rows[reached]]
    room_mw = matrix.upper[connection].max() - drawn_mw
    assert (room_mw >= 0.5 * tight.mw_per_machine[reached] - 1e-6).mean() > 0.9  # some may have none to spare
    found = rounding.whole(0.5, 0, np.inf, Clock(60), gap=1.0)
    assert found is not None
    rows = matrix.matrix @ found[0]
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()


def test_what_cannot_be_spared_is_not_asked_for(relaxed: tuple[Matrix, Floats, float]) -> None:
    """With every machine sold there is no margin of 400 machines on each hold; there is still a plan."""
    matrix, x, bound = relaxed
    rounding = Rounding(matrix, x, seed=0)
    near = rounding._with_margin(400.0, Clock(60))
    assert near is not None and float(matrix.money @ near) + matrix.constant < bound
    rows = matrix.matrix @ near
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()
    upper = matrix.row_upper.copy()
    tight = rounding._tight
    holds = np.flatnonzero(tight.used(near) & (rounding._mw_per_machine[tight.rows] > 0))
    upper[tight.rows[holds]] -= 400.0 * tight.mw_per_machine[holds]
    strict = Solver(replace(rounding._matrix, row_upper=upper), relaxed=True)
    strict.set_costs(matrix.money, matrix.constant, maximise=True)
    assert strict.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).outcome is Outcome.INFEASIBLE


def test_a_search_ends_when_the_money_is_enough(relaxed: tuple[Matrix, Floats, float]) -> None:
    matrix, x, bound = relaxed
    found = Rounding(matrix, x, seed=0).whole(0.3, 1, 0.9 * bound, Clock(60), gap=0.0)
    assert found is not None and found[1] >= 0.9 * bound


def test_what_does_not_fit_is_widened_where_it_lacks_something() -> None:
    """With little to spare, counts of this day cannot be rounded where they stand."""
    path = SPIKE_DAY.parents[1] / "winter-weekday" / "request.json"
    problem = schedule_request_from_pb(schedule_request_from_json(path.read_text(), str(path)))[1]
    matrix = with_counts(compile_matrix(build(problem).ledger).without_shortfall())
    solver = Solver(replace(matrix, integer=matrix.coarse))
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=1e-4, abs_gap=0.01, seconds=60)
    assert result.x is not None and result.bound is not None
    rounding = Rounding(matrix, result.x, seed=0)
    assert rounding.whole(0.08, 0, np.inf, Clock(60), gap=0.1) is None
    found = rounding.whole(0.08, 0, np.inf, Clock(60), gap=0.1, repairs_count=2)
    assert found is not None and result.bound - 1e-3 * abs(result.bound) <= found[1] <= result.bound + 1e-6
    rows = matrix.matrix @ found[0]
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()


def test_a_plan_is_made_better_some_intervals_at_a_time(relaxed: tuple[Matrix, Floats, float]) -> None:
    matrix, x, bound = relaxed
    rounding = Rounding(matrix, x, seed=0)
    first = rounding.whole(0.5, 0, np.inf, Clock(60), gap=1.0)
    assert first is not None
    whole, money = rounding.improved(first, np.inf, Clock(60), gap=0.0)
    assert first[1] < money <= bound + 1e-6  # or the test would prove nothing
    rows = matrix.matrix @ whole
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()
    assert (whole >= matrix.lower - 1e-6).all() and (whole <= matrix.upper + 1e-6).all()
    assert (whole[matrix.integer] == np.rint(whole[matrix.integer])).all()
    assert money == pytest.approx(float(matrix.money @ whole) + matrix.constant)


def test_a_plan_that_is_good_enough_is_left_as_it_is(relaxed: tuple[Matrix, Floats, float]) -> None:
    matrix, x, _ = relaxed
    rounding = Rounding(matrix, x, seed=0)
    first = rounding.whole(0.5, 0, np.inf, Clock(60), gap=1.0)
    assert first is not None
    assert rounding.improved(first, np.inf, Clock(-1.0), gap=0.0)[1] == pytest.approx(first[1])

"""The day by windows: the sum of the bounds is a bound, and what windows propose can be made a plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Solver
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.offers import Offers
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.windows import Windows, borders, even
from scheduler.wire.request import schedule_request_from_pb
from tests.model.test_relaxation import matrix_of, problem_of
from tools.fixtures.scale import SIZES, scale_request

NAMES = ["days/spike-day", "days/clock-spring", "days/chances", "days/absorber", "days/twelve-containers"]


@pytest.fixture(params=NAMES)
def matrix(request: pytest.FixtureRequest) -> Matrix:
    return with_counts(matrix_of(problem_of(request.param)))


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """Two sites of three groups, 48 quarters in three blocks, five products."""
    monkeypatch.setitem(SIZES, "S", (2, 3, 48))
    return with_counts(matrix_of(schedule_request_from_pb(scale_request("S", 1))[1]))


def best(matrix: Matrix) -> tuple[float, float]:
    """Money and bound of offers whole, machines not."""
    solver = Solver(replace(matrix, integer=matrix.coarse))
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=1e-6, abs_gap=1e-3, seconds=60)
    assert result.objective is not None and result.bound is not None
    return result.objective, result.bound


def relaxed(matrix: Matrix) -> Relaxation:
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-6)
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_the_sum_of_the_bounds_is_a_bound_at_any_prices(matrix: Matrix, count: int) -> None:
    money, bound = best(matrix)
    starts = even(borders(matrix), matrix.ledger.intervals, count)
    random = np.random.default_rng(count)
    near = relaxed(matrix).prices_of_all_rows
    for prices in (near, np.zeros(len(near)), near * random.uniform(0, 2, len(near))):
        said = Windows(matrix, starts, prices).solve(1e-3, Clock(60), 0)
        assert said.bound >= money - 1e-6 * max(1, abs(money))
    if len(starts) == 1:
        assert said.bound <= bound + 1e-3 + 1e-6 * abs(bound)


def test_windows_say_less_than_the_relaxation_where_offers_are_not_whole(fleet: Matrix) -> None:
    money, _ = best(fleet)
    relaxation = relaxed(fleet)
    assert relaxation.bound > money * (1 + 1e-3)  # else there is nothing to say
    starts = even(borders(fleet), 48, 3)
    assert list(starts) == [0, 16, 32]
    said = Windows(fleet, starts, relaxation.prices_of_all_rows).solve(1e-3, Clock(60), 0)
    assert money <= said.bound < relaxation.bound - 0.3 * (relaxation.bound - money)


def test_an_offer_stands_on_one_side_of_a_border(matrix: Matrix) -> None:
    starts = borders(matrix)
    rows = matrix.matrix.tocsr()
    for column in np.flatnonzero(matrix.coarse & (matrix.interval < 0)):
        named = rows[matrix.matrix.tocsc().indices[slice(*matrix.matrix.indptr[column : column + 2])]].indices
        intervals = matrix.interval[named][matrix.interval[named] >= 0]
        assert len(set(np.searchsorted(starts, intervals, side="right").tolist())) <= 1


def test_offers_are_within_limits_and_earn_what_they_say(fleet: Matrix) -> None:
    money, bound = best(fleet)
    offers = Offers(relaxed(fleet), fleet, 0, Clock(60))
    found = []
    while offers.improve(1e-4 * abs(money)):
        assert offers.values is not None
        found.append((offers.money, offers.bound))
        assert (offers.values == np.rint(offers.values)).all()
        assert money - 1e-6 * abs(money) <= offers.bound and offers.money <= bound * (1 + 1e-6)
    assert found == sorted(found, key=lambda one: (one[0], -one[1])) and len(found) > 2
    at = offers.columns
    lower, upper = fleet.lower.copy(), fleet.upper.copy()
    lower[at] = upper[at] = offers.values
    solver = Solver(replace(fleet, lower=lower, upper=upper), relaxed=True)
    solver.set_costs(fleet.money, fleet.constant, maximise=True)
    alone = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    assert offers.money == pytest.approx(alone, rel=2e-5)
    assert offers.money >= money * (1 - 1e-3)

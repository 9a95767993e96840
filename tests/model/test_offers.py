"""Whole offers by branch and price: true bounds, offers that earn what they say, and an end within the gap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Solver
from scheduler.model.strategy import by_blocks
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.offers import Offers
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.tightening import tightening_of
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tests.model.test_relaxation import matrix_of, problem_of
from tests.model.test_sample import fleet_of as six_sites_of
from tests.model.test_sample import sampled
from tools.fixtures.scale import SIZES, scale_request

NAMES = ["days/spike-day", "days/clock-spring", "days/chances", "days/absorber", "days/twelve-containers"]


@pytest.fixture(params=NAMES)
def matrix(request: pytest.FixtureRequest) -> Matrix:
    return with_counts(matrix_of(problem_of(request.param)))


def fleet_of(monkeypatch: pytest.MonkeyPatch, seed: int) -> Matrix:
    """Two sites of three groups, 48 quarters in three blocks, five products."""
    monkeypatch.setitem(SIZES, "S", (2, 3, 48))
    return matrix_of(schedule_request_from_pb(scale_request("S", seed))[1])


def best(matrix: Matrix) -> tuple[float, float]:
    """Money and bound of offers whole, machines not."""
    solver = Solver(replace(matrix, integer=matrix.coarse))
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=1e-6, abs_gap=1e-3, seconds=60)
    assert result.objective is not None and result.bound is not None
    return result.objective, result.bound


def relaxed(matrix: Matrix, *, tight: bool) -> Relaxation:
    found = Relaxation(with_counts(matrix), Clock(60))
    found.solve(1e-6)
    tightening = tightening_of(matrix, Clock(60)) if tight else None
    rows = [] if tightening is None else tightening.violated(found.x)
    if rows:
        found.tighten(rows)
        found.solve(1e-6)
    return found


def money_of(matrix: Matrix, offers: Offers) -> float | None:
    """Of its offers, all else relaxed, in one piece."""
    assert offers.values is not None
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    lower[offers.columns] = upper[offers.columns] = offers.values
    solver = Solver(replace(matrix, lower=lower, upper=upper), relaxed=True)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    return solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective


@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_ends_within_the_gap_and_its_bound_is_true(seed: int, tight: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(monkeypatch, seed)
    money, bound = best(fleet)
    offers, gap = Offers(relaxed(fleet, tight=tight)), 2e-4 * abs(money)
    found = []
    while offers.improve(gap):
        assert offers.values is not None
        found.append((offers.money, offers.bound))
        assert (offers.values == np.rint(offers.values)).all()
        assert money - 1e-6 * abs(money) <= offers.bound and offers.money <= bound * (1 + 1e-6)
    assert found == sorted(found, key=lambda one: (one[0], -one[1])) and found
    assert offers.bound - offers.money <= gap
    assert offers.money == pytest.approx(money_of(fleet, offers), rel=2e-5)


def test_small_days_too(matrix: Matrix) -> None:
    """With large machines, which are whole too, it may not end, but what it says is true."""
    money, bound = best(matrix)
    offers = Offers(relaxed(matrix, tight=False))
    gap = max(1e-3, 1e-4 * abs(money))
    while offers.improve(gap):
        assert offers.bound >= money - 1e-6 * max(1.0, abs(money))
    assert offers.bound - offers.money <= gap or len(offers.columns) > 20
    assert offers.money <= bound + 1e-6 * max(1.0, abs(bound))
    assert offers.values is None or offers.money == pytest.approx(money_of(matrix, offers), rel=3e-5, abs=1e-3)


def test_a_gap_that_becomes_less_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(monkeypatch, 1)
    money, _ = best(fleet)
    offers, bounds = Offers(relaxed(fleet, tight=True)), []
    for gap in (1e-3, 3e-4, 1e-4):
        while offers.improve(gap * money):
            pass
        assert offers.bound - offers.money <= gap * money and offers.bound >= money * (1 - 1e-6)
        bounds.append(offers.bound)
    assert bounds[0] > bounds[-1]


def test_without_time_it_says_so_and_keeps_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(monkeypatch, 2)
    relaxation = relaxed(fleet, tight=False)
    offers, bound = Offers(relaxation), relaxation.bound
    relaxation.clock = Clock(-1.0)
    with pytest.raises(SolverError):
        offers.improve(1.0)
    assert offers.bound == bound and offers.values is None


def test_without_time_for_the_relaxation_the_nearest_to_its_last_point_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _plan_of_the_nearest(six_sites_of(monkeypatch, 1), "SHARE_OF_TIME_TO_RELAX", 0.6, monkeypatch)


def test_without_time_for_the_search_the_nearest_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    _plan_of_the_nearest(six_sites_of(monkeypatch, 1), "SHARE_OF_TIME_FOR_OFFERS", 0.95, monkeypatch)


def _plan_of_the_nearest(matrix: Matrix, share: str, least_frac: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that fits and offers something, and a true bound, where the clock of a phase is over at once."""
    sampled(monkeypatch)
    monkeypatch.setattr(by_blocks, share, 0.0)
    monkeypatch.setattr(Offers, "_search", lambda *_: pytest.fail("there was no time"))
    nearest, taken = Offers.take_nearest, []
    monkeypatch.setattr(Offers, "take_nearest", lambda self, **how: taken.append(how) or nearest(self, **how))
    found = by_blocks.by_blocks(matrix, matrix, SolveOptions(), Clock(60), None)
    exact, _ = best(matrix)
    assert taken and found.x is not None and found.objective is not None and found.bound is not None
    assert least_frac * exact < found.objective <= found.bound and found.bound >= exact * (1 - 1e-6)
    assert found.x[matrix.offers].any()
    rows = matrix.matrix @ found.x
    assert (rows <= matrix.row_upper + 1e-5).all() and (rows >= matrix.row_lower - 1e-5).all()


def test_the_nearest_at_once_are_those_just_below(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Relaxation(six_sites_of(monkeypatch, 1), Clock(60))
    found.solve(1e-5)
    offers = Offers(found)
    offers.settle()
    first = offers._first
    assert offers.take_nearest(at_once=True)
    assert offers.values is not None and (offers.values == np.floor(first + 1e-6)).all()
    assert 0.5 * offers.bound < offers.money <= offers.bound
    below = offers.money
    assert offers.take_nearest(at_once=False)
    assert (offers.values > np.floor(first + 1e-6)).any() and below < offers.money <= offers.bound
    offers._first, before = offers._upper, offers.values
    assert not offers.take_nearest(at_once=True)  # more than can be held
    assert offers.values is before


def test_where_the_nearest_cannot_be_rounded_less_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, tried = six_sites_of(monkeypatch, 1), []
    whole = by_blocks._ByBlocks._round

    def fails_first(self: by_blocks._ByBlocks, *tries: Any) -> None:
        assert self._offers.values is not None
        tried.append(self._offers.values)
        if len(tried) > 1:
            whole(self, *tries)

    monkeypatch.setattr(by_blocks._ByBlocks, "_round", fails_first)
    monkeypatch.setattr(by_blocks, "SHARE_OF_TIME_FOR_OFFERS", 0.0)
    found = by_blocks.by_blocks(matrix, matrix, SolveOptions(), Clock(60), None)
    assert len(tried) == 2 and tried[1].sum() < tried[0].sum()
    assert found.x is not None and (found.x[np.flatnonzero(matrix.coarse)] == tried[1]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_more_than_can_be_held_is_made_less_some_at_a_time(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Relaxation(six_sites_of(monkeypatch, seed), Clock(60))
    found.solve(1e-5)
    relaxed, offers = found.money, Offers(found)
    more = np.minimum(np.floor(offers._first + 1e-6) + 0.99, offers._upper)
    offers._take(np.rint(more))
    assert offers.money == -np.inf  # of all at once a step more is too much
    values = offers._nearest(more)
    offers._take(values)
    assert offers.values is not None and (values == np.rint(values)).all() and (values <= np.rint(more)).all()
    assert 0.9 * relaxed < offers.money <= relaxed * (1 + 1e-6)

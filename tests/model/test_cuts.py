"""Cuts of the offers: true for any offers, tight where they were asked, and less for whole ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Solver
from scheduler.model.strategy import cuts
from scheduler.model.strategy.cuts import Cuts
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.problem import Floats
from tests.model.test_offers import best, fleet_of
from tests.model.test_relaxation import in_one_piece


def within(matrix: Matrix, lower: Floats, upper: Floats) -> Matrix:
    """The same with other bounds of the offers."""
    columns = np.flatnonzero(matrix.coarse)
    return matrix.limited(columns, lower, upper)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_offers_have_more_money_than_any_cut_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(monkeypatch, seed)
    found = Relaxation(fleet, Clock(60))
    found.solve(1e-5)
    at, most = np.floor(found.x[found.columns] + 1e-6), fleet.upper[found.columns]
    random = np.random.default_rng(seed)
    bounds = [(at, at), (at, np.minimum(at + 1, most)), (np.zeros(len(at)), at)]
    for _ in range(3):
        lower = np.maximum(0.0, at - random.integers(0, 3, len(at)))
        bounds.append((lower, np.minimum(lower + random.integers(0, 3, len(at)), most)))
    for lower, upper in bounds:
        part = within(fleet, lower, upper)
        solver = Solver(part, relaxed=True)
        solver.set_costs(part.money, part.constant, maximise=True)
        exact = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
        if exact is None:  # more than can be held
            continue
        assert (found.cuts.each(lower, upper) >= exact - 1e-6 * abs(exact)).all()
        money, _ = best(part)
        assert (
            money - 1e-6 * abs(money)
            <= found.cuts.of_whole(lower, upper, Clock(60))
            <= found.cuts.least(lower, upper)[0]
        )
        found.limit(lower, upper)
        found.solve(1e-6)
        assert found.bound == pytest.approx(exact, rel=1e-5)


def test_that_offers_are_whole_makes_it_less() -> None:
    kept = Cuts()
    kept.add(10.0, np.array([1.0, 0.0]), np.zeros(3))
    kept.add(14.0, np.array([-1.0, 0.0]), np.ones(4))
    lower, upper = np.zeros(2), np.array([5.0, 3.0])
    assert kept.each(lower, upper).tolist() == [15.0, 14.0]
    money, prices = kept.least(lower, upper)
    assert money == 14.0 and prices.tolist() == [1.0] * 4
    assert kept.of_whole(lower, upper, Clock(60)) == pytest.approx(12.0)  # both cuts at two
    kept.add(13.5, np.array([-1.0, 1e-3]), np.zeros(4))
    assert kept.of_whole(lower, upper, Clock(60)) == pytest.approx(11.503)  # two again: 1.75 would have had 11.7515
    assert kept.of_whole(np.full(2, 3.0), upper, Clock(60)) == pytest.approx(10.503)


def test_what_says_nothing_and_too_many_offers_leave_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Cuts()
    kept.add(np.inf, np.ones(1), np.zeros(0))
    assert kept.of_whole(np.zeros(1), np.ones(1), Clock(60)) == np.inf
    kept.add(10.0, np.ones(1), np.zeros(0))
    kept.add(11.5, -np.ones(1), np.zeros(0))
    assert kept.of_whole(np.zeros(1), np.full(1, 5.0), Clock(60)) == pytest.approx(10.5)
    monkeypatch.setattr(cuts, "MOST_COLUMNS_COUNT", 0)
    assert kept.of_whole(np.zeros(1), np.full(1, 5.0), Clock(60)) == 11.5


def test_a_relaxation_that_begins_at_a_basis_of_before_ends_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(monkeypatch, 2)
    found = Relaxation(fleet, Clock(60))
    found.solve(1e-4)
    solver, at = found.restricted()
    nothing = np.zeros(len(at))
    solver.set_bounds(at, nothing, nothing)
    solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
    basis = solver.basis()
    found.limit(fleet.lower[found.columns], fleet.upper[found.columns])
    found.among_used()  # somewhere else
    found.used[np.flatnonzero(~found.used)[::3]] = True
    found.among_used()  # limits come first
    found.among_used()  # now with more columns than the basis knows
    assert solver.columns_count > basis.columns_count
    steps = []
    for solver_of_basis in (solver, Solver(fleet, relaxed=True)):  # of another solver it says nothing
        found.limit(nothing, nothing)
        found.begin_from(basis, solver_of_basis)
        found.among_used()
        steps.append(solver._highs.getInfo().simplex_iteration_count)
        found.solve(1e-5)
        bare = replace(fleet, upper=np.where(fleet.coarse, 0.0, fleet.upper))
        assert found.money == pytest.approx(in_one_piece(bare), rel=3e-5)
        found.limit(fleet.lower[found.columns], fleet.upper[found.columns])
        found.solve(1e-5)
        assert found.money == pytest.approx(in_one_piece(fleet), rel=2e-5)
    assert steps[0] < steps[1]

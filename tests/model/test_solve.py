"""HiGHS asked for nothing but solutions above some money: none is lost, and none is made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csc_array

from scheduler.model.compile import Matrix
from scheduler.model.solve import Outcome, Result, Solver
from tests.model.test_lone import lumpy, matrix_of

CONSTANT = 4321.0


def knapsacks(seed: int) -> Matrix:
    """Three of them over 14 things, on what is left of a real matrix."""
    random, count = np.random.default_rng(seed), 14
    whole = matrix_of(lumpy(1, 1))
    weights = random.integers(10, 60, (3, count)).astype(float)
    return replace(
        whole.part(np.arange(count), np.arange(3)),
        matrix=csc_array(weights),
        row_lower=np.full(3, -np.inf),
        row_upper=np.floor(weights.sum(axis=1) / 2),
        lower=np.zeros(count),
        upper=np.ones(count),
        integer=np.ones(count, dtype=bool),
        money=weights.sum(axis=0) + random.normal(0, 9, count),
        constant=CONSTANT,
    )


def best_of_all(matrix: Matrix) -> float:
    """By looking at every one."""
    count = len(matrix.money)
    every = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    fits = (every @ matrix.matrix.T <= matrix.row_upper).all(axis=1)
    return float((every[fits] @ matrix.money).max()) + matrix.constant


def asked(matrix: Matrix, above: float, gap: float = 0.0) -> Result:
    solver = Solver(matrix)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    solver.search_the_tree_only()
    return solver.solve(rel_gap=0.0, abs_gap=gap, seconds=60, above=above)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_above_is_found_and_nothing_else(seed: int) -> None:
    matrix = knapsacks(seed)
    best = best_of_all(matrix)
    for below in (0.01, 5.0, 50.0, CONSTANT, 2 * CONSTANT):  # on either side of nothing, with and without the constant
        found = asked(matrix, best - below)
        assert found.outcome is Outcome.OPTIMAL
        assert found.objective == pytest.approx(best) and found.bound == pytest.approx(best)
    for beyond in (0.01, 5.0, 50.0):
        assert asked(matrix, best + beyond).outcome is Outcome.INFEASIBLE


@pytest.mark.parametrize("seed", [2, 3])
def test_a_bound_is_never_less_than_what_was_cut_off(seed: int) -> None:
    matrix = matrix_of(lumpy(8, seed))
    solver = Solver(matrix)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    best = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    assert best is not None
    found = asked(matrix, best - 3.0, gap=20.0)
    assert found.outcome is Outcome.OPTIMAL and found.objective is not None and found.bound is not None
    assert best - 3.0 < found.objective <= best + 1e-6 and found.bound >= best - 1e-6
    assert asked(matrix, best + 1.0).outcome is Outcome.INFEASIBLE


def test_what_one_solve_was_asked_for_is_not_asked_of_the_next() -> None:
    matrix = knapsacks(1)
    best = best_of_all(matrix)
    solver = Solver(matrix)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    for limits in ({"above": best + 5.0}, {"most_nodes_count": 0}, {"enough": best - 60.0}):
        solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60, **limits)
        after = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
        assert after.outcome is Outcome.OPTIMAL and after.objective == pytest.approx(best)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_the_bound_of_a_search_that_was_stopped_is_true(seconds: float) -> None:
    matrix = matrix_of(lumpy(12, 1))
    solver = Solver(matrix)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    best = solver.solve(rel_gap=0.0, abs_gap=1.0, seconds=60).objective
    assert best is not None
    for above in (best - 50.0, best + 500.0):
        solver = Solver(matrix)
        solver.set_costs(matrix.money, matrix.constant, maximise=True)
        found = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=seconds, above=above)
        if found.outcome is Outcome.INFEASIBLE:
            assert above > best - 1e-6
        else:
            assert found.bound is None or found.bound >= max(above, best) - 1e-6


def test_what_lies_just_below_is_no_proof_that_there_is_nothing_above() -> None:
    for seed in range(8):
        matrix = knapsacks(seed)
        best = best_of_all(matrix)
        found = asked(matrix, best + 5e-7, gap=30.0)  # nearer than the solver can tell
        assert found.outcome is Outcome.INFEASIBLE or (found.bound is not None and found.bound >= best)

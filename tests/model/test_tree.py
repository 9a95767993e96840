"""The tree of our own: the same whole offers as the solver's search, at any prices, and true bounds when it is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.tree import WHOLE, Branch, Tree, tree_of
from scheduler.problem import Floats
from tests.model.tiny_fixtures import NAMES, problem_of

DAYS = ["days/sunny-sunday", "days/winter-weekday", "days/spike-day", "days/chances"]
MOST = 2000


def matrix_of(name: str) -> Matrix:
    return compile_matrix(build(problem_of(name)).ledger).without_shortfall()


def relaxed(matrix: Matrix, costs: Floats) -> Solver:
    solver = Solver(matrix, relaxed=True)
    solver.set_costs(costs, matrix.constant, maximise=True)
    return solver


def most(matrix: Matrix, costs: Floats) -> float | None:
    """Of whole offers by the solver's own search; None where nothing fits."""
    solver = Solver(replace(matrix, integer=matrix.coarse))
    solver.set_costs(costs, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
    assert result.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
    return result.objective


@pytest.mark.parametrize("name", [*NAMES, *DAYS])
def test_whole_offers_are_the_best(name: str) -> None:
    matrix = matrix_of(name)
    solver = relaxed(matrix, matrix.money)
    tree = tree_of(solver, matrix)
    random = np.random.default_rng(0)
    for factor in (1.0, *random.uniform(0.3, 2.0, 2)):  # what it learned at other prices must not mislead it
        costs = factor * matrix.money
        solver.set_costs(costs, matrix.constant, maximise=True)
        found = tree.search(MOST, Clock(60), gap=1e-6)
        best = most(matrix, costs)
        if best is None:
            assert found.outcome is Outcome.INFEASIBLE
            continue
        if found.outcome is Outcome.LIMIT:  # large units: it may not end, but its bound holds
            assert found.bound is None or found.bound >= best - 1e-6 * max(1.0, abs(best))
            continue
        assert found.x is not None and found.objective == pytest.approx(best, rel=1e-6, abs=2e-6)
        whole = found.x[matrix.coarse]
        assert np.abs(whole - np.rint(whole)).max(initial=0.0) <= WHOLE


def test_most_trees_end() -> None:
    """Or the test above would prove little."""
    ends = 0
    for name in [*NAMES, *DAYS]:
        matrix = matrix_of(name)
        found = tree_of(relaxed(matrix, matrix.money), matrix).search(MOST, Clock(60), gap=1e-6)
        ends += found.outcome is not Outcome.LIMIT
    assert ends >= 0.9 * len([*NAMES, *DAYS])


@pytest.mark.parametrize("most_relaxations", [1, 5, 15])
def test_a_tree_that_is_cut_has_a_true_bound(most_relaxations: int) -> None:
    matrix = matrix_of("days/sunny-sunday")
    found = tree_of(relaxed(matrix, matrix.money), matrix).search(most_relaxations, Clock(60), gap=1e-6)
    best = most(matrix, matrix.money)
    assert found.outcome is Outcome.LIMIT
    assert best is not None and found.bound is not None and found.bound >= best - 1e-6 * abs(best)


@pytest.mark.parametrize("most_relaxations", [1, 7, 30, MOST])
def test_its_leaves_hold_the_best_and_their_money_is_a_bound(most_relaxations: int) -> None:
    matrix = matrix_of("days/sunny-sunday")
    solver = relaxed(matrix, matrix.money)
    tree = tree_of(solver, matrix)
    best = tree_of(relaxed(matrix, matrix.money), matrix).search(MOST, Clock(60), gap=1e-6)
    assert best.x is not None and best.objective is not None
    tree.search(most_relaxations, Clock(60), gap=1e-6)
    values = np.rint(best.x[matrix.coarse])
    holding = [leaf for leaf in tree.leaves if (leaf.lower <= values).all() and (values <= leaf.upper).all()]
    assert holding and all(leaf.x is None or leaf.money >= best.objective - 1e-5 for leaf in holding)
    assert most_relaxations < 30 or len(tree.leaves) > 1


def test_a_search_that_begins_in_leaves_goes_on_from_there() -> None:
    matrix = matrix_of("days/sunny-sunday")
    solver = relaxed(matrix, matrix.money)
    best = most(matrix, matrix.money)
    tree = tree_of(solver, matrix)
    tree.search(7, Clock(60), gap=1e-6)
    found = tree.search(MOST, Clock(60), gap=1e-6, begin=tree.leaves)
    assert found.objective == pytest.approx(best, rel=1e-6)
    nothing = np.zeros(int(matrix.coarse.sum()))
    alone = tree.search(MOST, Clock(60), gap=1e-6, begin=[Branch(nothing, nothing)])
    assert alone.x is not None and not alone.x[matrix.coarse].any() and len(tree.leaves) == 1


def test_without_time_what_it_was_asked_for_is_left() -> None:
    matrix = matrix_of("days/sunny-sunday")
    tree = tree_of(relaxed(matrix, matrix.money), matrix)
    tree.search(MOST, Clock(-1.0), gap=1e-6)
    assert len(tree.leaves) == 1 and tree.leaves[0].x is None


def test_it_ends_where_no_more_than_enough_is_left() -> None:
    matrix = matrix_of("days/sunny-sunday")
    solver = relaxed(matrix, matrix.money)
    best = most(matrix, matrix.money)
    assert best is not None
    tree = tree_of(solver, matrix)
    found = tree.search(MOST, Clock(60), gap=0.0, enough=best + 20.0)
    assert found.outcome is Outcome.OPTIMAL and found.bound is not None and best <= found.bound <= best + 20.0
    taken = tree.relaxations_count
    tree.search(MOST, Clock(60), gap=0.0)
    assert taken < tree.relaxations_count


def test_bounds_are_as_before_when_it_has_ended() -> None:
    matrix = matrix_of("days/winter-weekday")
    solver = relaxed(matrix, matrix.money)
    before = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    assert tree_of(solver, matrix).search(MOST, Clock(60), gap=1e-6).objective != pytest.approx(before)
    assert solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective == pytest.approx(before)


def test_without_time_nothing_is_found() -> None:
    matrix = matrix_of("days/sunny-sunday")
    found = tree_of(relaxed(matrix, matrix.money), matrix).search(MOST, Clock(-1.0), gap=1e-6)
    assert found.outcome is Outcome.LIMIT and found.x is None and found.bound is None


def test_a_twin_is_solved_beside_the_first() -> None:
    matrix = matrix_of("days/winter-weekday")
    first = relaxed(matrix, matrix.money)
    most_of_first = first.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    twin = first.twin()
    assert twin.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective == pytest.approx(most_of_first)
    columns = np.flatnonzero(matrix.coarse)
    twin.set_bounds(columns, np.zeros(len(columns)), np.zeros(len(columns)))
    assert twin.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective != pytest.approx(most_of_first)
    assert first.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective == pytest.approx(most_of_first)


def test_both_sides_at_once_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of("days/winter-weekday")
    alone = tree_of(relaxed(matrix, matrix.money), matrix).search(MOST, Clock(60), gap=1e-6)
    monkeypatch.setattr("scheduler.model.strategy.tree.TWIN_COLUMNS_COUNT", 0)
    at_once = tree_of(relaxed(matrix, matrix.money), matrix).search(MOST, Clock(60), gap=1e-6)
    assert at_once.outcome is Outcome.OPTIMAL and at_once.objective == pytest.approx(alone.objective)


@pytest.mark.parametrize("name", DAYS)
def test_what_presolve_leaves_has_the_same_best_under_any_bounds_of_the_offers(name: str) -> None:
    matrix = matrix_of(name)
    free = np.flatnonzero(matrix.coarse & (matrix.lower < matrix.upper))
    presolved = relaxed(matrix, matrix.money).presolved(free)
    if presolved is None:
        pytest.skip("presolve takes an offer away")
    reduced, at = presolved
    assert reduced.columns_count < len(matrix.money) and len(at) == len(free)
    random = np.random.default_rng(1)
    for _ in range(5):
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        ends = np.sort(random.integers(lower[free], np.minimum(upper[free], 20) + 1, (2, len(free))), axis=0)
        lower[free], upper[free] = ends
        best = most(replace(matrix, lower=lower, upper=upper), matrix.money)
        found = Tree(reduced, at, *ends.astype(float)).search(MOST, Clock(60), gap=1e-6)
        assert found.objective == (None if best is None else pytest.approx(best, rel=1e-6, abs=1e-5))


def test_presolve_that_takes_an_offer_away_is_of_no_use() -> None:
    matrix = matrix_of("days/sunny-sunday")
    columns = np.flatnonzero(matrix.coarse)
    fixed = replace(matrix, upper=np.where(np.arange(len(matrix.upper)) == columns[0], matrix.lower, matrix.upper))
    assert relaxed(fixed, matrix.money).presolved(columns) is None


def test_another_solver_of_the_same_takes_its_place() -> None:
    matrix = matrix_of("days/sunny-sunday")
    tree = tree_of(relaxed(matrix, matrix.money), matrix)
    first = tree.search(MOST, Clock(60), gap=1e-6)
    turned = np.arange(len(matrix.money))[::-1].copy()
    other = relaxed(matrix.part(turned, np.arange(matrix.matrix.shape[0])), matrix.money[turned])
    tree.move(other, len(turned) - 1 - tree.columns)
    found = tree.search(MOST, Clock(60), gap=1e-6)
    assert found.objective == pytest.approx(first.objective, rel=1e-7) and tree.relaxed is other

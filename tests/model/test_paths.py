"""Ways of single machines: what they are worth and relax, whole ones against the plain model, bounds that are true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model import bid_prices
from scheduler.model.bid_prices import lowest_prices
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy import by_paths as module
from scheduler.model.strategy import fast
from scheduler.model.strategy.blocks import owner_of_rows
from scheduler.model.strategy.by_paths import MOST_WHOLE_COUNT, by_paths
from scheduler.model.strategy.covers import Covers
from scheduler.model.strategy.paths import Demanded, Paths
from scheduler.model.strategy.paths_program import PathsProgram, Point
from scheduler.model.strategy.paths_tree import PathsTree
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import with_whole_counts
from scheduler.problem import Floats, Problem
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tests.model.tiny_fixtures import problem_of
from tools.fixtures.build import Grid
from tools.fixtures.scale import lumpy_request

OPTIONS = SolveOptions()


def matrix_of(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger).without_shortfall()


def lumpy(count: int, seed: int) -> Problem:
    return schedule_request_from_pb(lumpy_request(count, seed))[1]


def paths_of(matrix: Matrix) -> Paths:
    return Paths(matrix, matrix.ledger.lone_machines)


def some_worth(matrix: Matrix, paths: Paths, seed: int) -> Floats:
    """Of what a machine may hold never negative: it holds all that it may."""
    worth = matrix.money + np.random.default_rng(seed).normal(0, 15, len(matrix.money))
    worth[paths.back[paths.back >= 0]] = 0.0
    held = paths.held[paths.held >= 0]
    worth[held] = np.abs(worth[held])
    return worth


@pytest.mark.parametrize("seed", range(4))
def test_the_best_way_is_worth_what_each_machine_says_and_what_its_columns_are(seed: int) -> None:
    matrix = matrix_of(lumpy(5, seed))
    paths = paths_of(matrix)
    worth = some_worth(matrix, paths, seed)
    best = paths.best(worth)
    by_variable = [np.append(values, 0.0)[matrix.column_of] for values in (worth, matrix.lower, matrix.upper)]
    each = [machine.through(*by_variable).max() for machine in paths.machines]
    assert best.most == pytest.approx(np.array(each))
    columns, features = paths.columns([best.way(u) for u in range(5)])
    assert columns.T @ worth == pytest.approx(best.most)
    whole = columns.toarray().sum(axis=1)
    assert features[:, : paths.intervals * paths.modes].sum() == 5 * paths.intervals  # in one mode at a time
    own = owner_of_rows(matrix) >= 0
    kept = (matrix.matrix @ whole)[own]
    assert (kept <= matrix.row_upper[own] + 1e-9).all() and (kept >= matrix.row_lower[own] - 1e-9).all()


@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize("wanted", [False, True])
def test_what_is_demanded_of_a_machine_is_done(holds: bool, wanted: bool) -> None:
    matrix = matrix_of(lumpy(4, 2))
    paths, program = paths_of(matrix), PathsProgram(matrix)
    worth, random = some_worth(matrix, paths, 3), np.random.default_rng(4)
    free, done = paths.best(worth), 0
    for _ in range(40):
        demanded = Demanded(int(random.integers(4)), int(random.integers(2)), int(random.integers(96)), holds, wanted)
        if holds and paths.back[demanded.interval, demanded.mode, demanded.machine] < 0:
            continue
        best = paths.best(worth, [demanded])
        u = demanded.machine
        others = np.arange(4) != u
        assert (best.most[others] == free.most[others]).all() and best.most[u] <= free.most[u] + 1e-9
        if not np.isfinite(best.most[u]):
            continue
        columns, features = paths.columns([best.way(u)])
        assert features[0, program.feature_of(demanded)] == wanted
        assert (columns.T @ worth)[0] == pytest.approx(best.most[u])
        done += 1
    assert done > 10, "hardly anything could be done: the test proves little"


@pytest.mark.parametrize(("count", "seed"), [(4, 1), (8, 2), (12, 3)])
def test_the_relaxation_is_that_of_the_model(count: int, seed: int) -> None:
    matrix = matrix_of(lumpy(count, seed))
    relaxed = Solver(matrix, relaxed=True)
    relaxed.set_costs(matrix.money, matrix.constant, maximise=True)
    model = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).objective
    program = PathsProgram(matrix)
    bound = program.relaxed(Clock(60)).bound
    assert model is not None and bound >= model - 1e-6
    if program.is_exact:
        assert bound == pytest.approx(model, abs=1e-5)
    assert bound == pytest.approx(model, rel=1e-5)


@pytest.mark.parametrize("seed", range(7))
def test_plans_and_bounds_agree_with_plain(seed: int) -> None:
    """Few machines: what each holds is a large part of an offer, so not all is proven by ways alone."""
    matrix = matrix_of(lumpy(5 + 2 * seed, seed))
    ours, theirs = by_paths(matrix, OPTIONS, Clock(60), None), plain(matrix, OPTIONS, Clock(60))
    assert ours is not None and theirs.outcome is Outcome.OPTIMAL
    assert ours.x is not None and ours.objective is not None and ours.bound is not None
    assert theirs.objective is not None and theirs.bound is not None
    assert ours.objective <= theirs.bound + 1e-3 and theirs.objective <= ours.bound + 1e-3
    assert (ours.outcome is Outcome.OPTIMAL) == (ours.bound - ours.objective <= OPTIONS.rel_gap * ours.objective)
    rows = matrix.matrix @ ours.x
    assert (rows <= matrix.row_upper + 1e-6).all() and (rows >= matrix.row_lower - 1e-6).all()
    whole = ours.x[matrix.integer]
    assert (whole == np.rint(whole)).all()
    assert fast.fast(matrix, OPTIONS, Clock(60)).outcome is Outcome.OPTIMAL


def test_many_machines_are_proven_by_their_ways() -> None:
    found = by_paths(matrix_of(lumpy(30, 3)), OPTIONS, Clock(100), None)
    assert found is not None and found.outcome is Outcome.OPTIMAL


GENEROUS = ["start-budget", "start-budget-calls", "heat-calls", "heat-floor-electric", "heat-store-capacity", "parent"]
KNOWN = ["export-limit", "call-dwell", "symmetric", "dwell-bars-backing", "resting-moves", "way-back-signal"]


@pytest.mark.parametrize("pair", GENEROUS + KNOWN)
def test_what_ways_know_nothing_of_is_never_proven_wrong(pair: str) -> None:
    """Budgets of starts, heat: ways are generous, so a plan of them may not fit, and the bound is what it is."""
    for name in (f"pairs/{pair}-binding", f"pairs/{pair}-feasible"):
        try:
            matrix = matrix_of(problem_of(name))
        except FileNotFoundError:
            continue
        found, right = by_paths(matrix, OPTIONS, Clock(30), None), plain(matrix, OPTIONS, Clock(30))
        if found is None or found.bound is None or right.objective is None:
            continue
        assert found.objective is not None and right.bound is not None
        assert found.bound >= right.objective - 1e-6 and found.objective <= right.bound + 1e-6
        assert fast.fast(matrix, OPTIONS, Clock(30)).objective == pytest.approx(right.objective, abs=0.011)


def test_a_tree_proves_what_a_poor_plan_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a first plan of nothing all must be found by branches."""
    matrix = matrix_of(lumpy(8, 2))
    best = plain(matrix, OPTIONS, Clock(60))
    monkeypatch.setattr(PathsProgram, "best_of_ways", lambda *_: None)
    found = by_paths(matrix, OPTIONS, Clock(60), None)
    assert found is not None and found.outcome is Outcome.OPTIMAL
    assert found.bound is not None and best.objective is not None and found.bound >= best.objective - 1e-3


def test_without_an_answer_the_bound_is_that_of_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(lumpy(12, 3))
    root = PathsProgram(matrix).relaxed(Clock(60)).bound
    relax, calls = PathsProgram.relax, []

    def fails(self: PathsProgram, demanded: tuple[Demanded, ...], *how: object) -> Point | None:
        calls.append(demanded)
        if len([each for each in calls if each]) > 3:
            raise SolverError("no answer")
        return relax(self, demanded, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(PathsProgram, "relax", fails)
    monkeypatch.setattr(module, "SPARE", 1e-6)  # or the first plan may be proven at once
    found = by_paths(matrix, OPTIONS, Clock(60), None)
    monkeypatch.undo()
    best = plain(matrix, OPTIONS, Clock(60))
    assert found is not None and found.objective is not None and found.bound is not None
    assert best.objective is not None and best.objective - 1e-6 <= found.bound <= root + 1e-6
    assert any(calls), "no branch was asked: the test proves nothing"


def test_rows_that_do_not_bind_are_dropped_and_the_relaxation_stays() -> None:
    matrix, clock = matrix_of(lumpy(12, 1)), Clock(60)
    program, covers = PathsProgram(matrix), Covers(matrix)
    point = program.relaxed(clock)
    program.add_rows(covers.violated(program.columns_of(point)))
    before, count = program.relaxed(clock), program.covers_count
    program.drop_rows(0)
    assert 0 < program.covers_count < count
    assert program.relaxed(clock).bound == pytest.approx(before.bound)
    program.trim(1000.0)
    assert program.relaxed(clock).bound == pytest.approx(before.bound, abs=1e-3)


def test_what_is_told_on_the_way_is_a_plan_and_its_bound() -> None:
    matrix, told = matrix_of(lumpy(10, 4)), []
    found = by_paths(matrix, OPTIONS, Clock(60), lambda x, money, bound: told.append((x, money, bound)))
    assert found is not None and found.objective is not None and told
    for x, money, bound in told:
        whole = with_whole_counts(matrix, x)
        assert whole is not None and whole[1] == pytest.approx(money) and bound is not None and bound >= money - 1e-6
    assert max(money for _, money, _ in told) == found.objective


def test_lowest_prices_by_ways_are_those_by_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, seed in ((6, 1), (8, 2), (12, 3)):
        matrix = matrix_of(lumpy(count, seed))
        found = by_paths(matrix, OPTIONS, Clock(60), None)
        assert found is not None and found.x is not None
        ours = lowest_prices(matrix, found.x, 60)
        with monkeypatch.context() as patched:
            patched.setattr(bid_prices.Paths, "fits", staticmethod(lambda *_: False))
            theirs = lowest_prices(matrix, found.x, 60)
        assert ours.complete and theirs.complete and ours.per_mw_h
        assert ours.per_mw_h == pytest.approx(theirs.per_mw_h, abs=1e-6)


def test_others_answer_where_machines_are_many_or_hold_several_things_or_no_gap_is_left() -> None:
    assert by_paths(matrix_of(problem_of("days/sunny-sunday")), OPTIONS, Clock(60), None) is None
    several = matrix_of(problem_of("pairs/both-directions-feasible"))
    assert several.ledger.lone_machines and not Paths.fits(several, MOST_WHOLE_COUNT)
    few = matrix_of(lumpy(4, 1))
    assert Paths.fits(few, MOST_WHOLE_COUNT) and not Paths.fits(few, 1)
    assert by_paths(few, replace(OPTIONS, rel_gap=0.0), Clock(60), None) is None
    assert by_paths(few, OPTIONS, Clock(-1.0), None) is None


def test_the_same_request_has_the_same_answer() -> None:
    answers = [by_paths(matrix_of(lumpy(16, 2)), OPTIONS, Clock(60), None) for _ in range(2)]
    assert answers[0] is not None and answers[1] is not None
    assert (answers[0].x == answers[1].x).all() and answers[0].bound == answers[1].bound


@pytest.mark.parametrize(("count", "seed", "limit_mw"), [(8, 1, 30), (10, 2, 25)])
def test_limits_that_what_is_held_counts_against_are_left_to_others(count: int, seed: int, limit_mw: float) -> None:
    """The relaxation is too generous then, and knows it: neither plan nor lowest price comes of it."""
    request = lumpy_request(count, seed)
    limit = Grid("2026-03-09T23:00", 15, 96).series(limit_mw)
    request.problem.sites[0].connection.import_limit_mw.CopyFrom(limit)
    matrix = matrix_of(schedule_request_from_pb(request)[1])
    program, best = PathsProgram(matrix), plain(matrix, OPTIONS, Clock(60))
    point = program.relaxed(Clock(60))
    assert best.objective is not None and point.bound >= best.objective
    assert not program.is_exact and not program.allows(point)
    assert by_paths(matrix, OPTIONS, Clock(60), None) is None
    found = fast.fast(matrix, OPTIONS, Clock(60))
    assert found.objective is not None and found.objective == pytest.approx(best.objective, rel=2e-4)


def test_a_tree_takes_nothing_for_proven_that_is_no_plan() -> None:
    """Whole ways that make no plan keep their bound."""
    matrix, clock = matrix_of(lumpy(6, 1)), Clock(60)
    program = PathsProgram(matrix)
    tree = PathsTree(program, Covers(matrix), root := program.relaxed(clock))
    best = plain(matrix, OPTIONS, clock)
    tree.ask(-np.inf if best.objective is None else best.objective - 50.0, lambda *_: -np.inf, clock)
    assert best.objective is not None and best.objective - 1e-3 <= tree.bound <= root.bound + 1e-6

"""Moves that say nothing, left out: the same money as the whole model, or another way where they do say something."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Result
from scheduler.model.strategy import by_interval as module
from scheduler.model.strategy.by_interval import by_interval
from scheduler.model.strategy.fast import fast
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.transfers import fits, transfers_of
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.v1 import problem_pb2 as pb
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.build import (
    Grid,
    battery,
    cohort,
    eco,
    energy,
    firm_load,
    full,
    group,
    island,
    move,
    off,
    renewable,
    request,
    site,
    standby,
)

EXACT = SolveOptions(rel_gap=1e-9, abs_gap=1e-4)
BOTH = [move("off>full"), move("full>off")]


def units(name: str, *mw: float, count: int = 1) -> list[pb.Asset]:
    """Groups of machines that are on or off, of 28 TH/s per kW."""
    return [group(f"{name}{n}", count, [off(), full(one * 1e6, one * 28e3)], BOTH, "off") for n, one in enumerate(mw)]


def problem_of(grid: Grid, sites: list[pb.Site], prices: list[float] | None) -> Problem:
    markets = [] if prices is None else [energy(grid, prices)]
    return schedule_request_from_pb(request("case", grid, sites, markets, hashprice=40))[1]


def matrix_of(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger).without_shortfall()


def without_moves(matrix: Matrix, options: SolveOptions = EXACT) -> Result | None:
    return by_interval(matrix, options, Clock(60), None)


def some_asset(draw: random.Random, number: int, count: int, plain_modes: bool) -> pb.Asset:
    """Machines that move at once for nothing: one or a few alike, two or three modes, some locked at the start."""
    machines = draw.choice([1, 1, 2, 5])
    mw = draw.choice([0.3, 0.5, 1.1, 2.0])
    rest = off() if draw.random() < 0.6 else off(0.1e6)
    modes = [rest, full(mw * 1e6, mw * draw.uniform(15e3, 40e3))]
    if not plain_modes and draw.random() < 0.5:
        modes.append(eco(mw * 0.6e6, mw * draw.uniform(10e3, 26e3)))
    names = [one.id for one in modes]
    moves = [move(f"{a}>{b}") for a in names for b in names if a != b]
    draw.shuffle(moves)
    start = draw.choice(names)
    fresh = draw.random() < 0.3  # on its way for the first half hour: it must stay
    cohorts = [cohort(start, machines, 0.0 if fresh else 600.0, unsettled=1800.0 if fresh and start != "off" else 0.0)]
    available = ()
    if draw.random() < 0.3 and not (fresh and start != "off"):
        available = [draw.randint(0, machines) for _ in range(count)]
    return group(f"g{number}", machines, modes, moves, cohorts, available=available)


def some_problem(seed: int, *, plain_modes: bool) -> Problem:
    draw = random.Random(seed)
    grid = Grid("2026-01-15T07:00", 15, 6)
    assets = [some_asset(draw, number, 6, plain_modes) for number in range(draw.randint(1, 5))]
    prices = [round(draw.uniform(-30, 160), 2) for _ in range(6)]
    limit = [round(draw.uniform(1.2, 6.0), 1) for _ in range(6)]
    return problem_of(grid, [site(grid, assets, import_mw=limit, fee=draw.choice([0, 12]))], prices)


def demand_same_money(problem: Problem, *, is_found: bool) -> None:
    matrix = matrix_of(problem)
    whole = plain(matrix, EXACT, Clock(60))
    found = without_moves(matrix)
    if whole.outcome is Outcome.INFEASIBLE:
        assert found is None
        assert fast(matrix, EXACT, Clock(60)).outcome is Outcome.INFEASIBLE
        return
    assert whole.objective is not None and whole.bound is not None
    assert (found is not None) == is_found
    if found is not None:
        assert found.outcome is Outcome.OPTIMAL
        assert found.x is not None and found.objective is not None and found.bound is not None
        assert fits(matrix, found.x)
        assert found.bound >= whole.objective - 1e-6
        assert found.objective == pytest.approx(whole.objective, abs=2e-4)
    both = fast(matrix, EXACT, Clock(60))
    assert both.outcome is Outcome.OPTIMAL and both.objective == pytest.approx(whole.objective, abs=2e-4)


def test_by_hand() -> None:
    """2 MW for machines of 1.0 and 1.5 MW, of which one fits. An hour at 10, then at 70, 40 EUR/PH/day.

    30,000 TH/s at 1.0 MW earn 50 an hour, 40,000 at 1.5 MW 66.67. At 10: 50 - 10 = 40 or 66.67 - 15 = 51.67. At 70
    neither: 50 - 70, 66.67 - 105.
    """
    grid = Grid("2026-01-15T07:00", 60, 2)
    assets = [
        group("a", 1, [off(), full(1e6, 30e3)], BOTH, "off"),
        group("b", 1, [off(), full(1.5e6, 40e3)], BOTH, "off"),
    ]
    problem = problem_of(grid, [site(grid, assets, import_mw=2)], [10, 70])
    found = without_moves(matrix_of(problem))
    assert found is not None and found.objective == pytest.approx(51.6667, abs=1e-3)
    schedule = make_schedule(problem, EXACT)
    assert schedule.plan is not None and schedule.plan.objective == pytest.approx(51.6667, abs=1e-3)
    a, b = schedule.plan.sites[0].assets
    assert a.mode_count.tolist() == [[1, 1], [0, 0]] and b.mode_count.tolist() == [[0, 1], [1, 0]]
    assert b.move_count.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("seed", range(40))
def test_knapsacks_earn_what_the_whole_earns(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_in_parts", lambda *given: pytest.fail("knapsacks were expected"))
    problem = some_problem(seed, plain_modes=True)
    if plain(matrix_of(problem), EXACT, Clock(60)).outcome is Outcome.OPTIMAL:
        demand_same_money(problem, is_found=True)


@pytest.mark.parametrize("seed", range(100, 125))
def test_three_modes_earn_what_the_whole_earns(seed: int) -> None:
    demand_same_money(some_problem(seed, plain_modes=False), is_found=True)


def test_what_is_infeasible_is_said_by_the_whole() -> None:
    """1 MW is always on, 0.5 MW come in."""
    grid = Grid("2026-01-15T07:00", 15, 4)
    moves = [move("eco>full"), move("full>eco")]
    assets = [group("a", 1, [eco(1e6, 20e3), full(2e6, 50e3)], moves, "eco")]
    demand_same_money(problem_of(grid, [site(grid, assets, import_mw=0.5)], [10, 20, 30, 40]), is_found=False)


def test_others_may_share_the_site() -> None:
    """A battery, the sun and a hall: intervals hang together, machines still need no moves."""
    grid = Grid("2026-01-15T07:00", 15, 6)
    machines = units("g", 0.4, 0.7, count=2)
    others = [battery(0.5, 0.4, both_frac=(0.9, 0.9)), renewable(grid, [0, 1, 2, 2, 1, 0]), firm_load(grid, 0.3)]
    for place in (
        site(grid, [*machines, *others], import_mw=1.5),
        site(grid, [*machines, *others], import_mw=1.5, export_mw=0.5, fee=3),
        site(grid, machines, import_mw=1.5, peak=pb.PeakCharge(price_per_mw=4, reached_mw=0.5)),
    ):
        demand_same_money(problem_of(grid, [place], [20, 90, 40, -5, 60, 55]), is_found=True)
    demand_same_money(problem_of(grid, [island(grid, [*machines, *others])], None), is_found=True)


def test_sites_are_problems_of_their_own() -> None:
    grid = Grid("2026-01-15T07:00", 15, 4)
    sites = [site(grid, units(name, 1.0, 2.0), id=name, import_mw=2) for name in ("north", "south")]
    demand_same_money(problem_of(grid, sites, [20, 90, 40, 30]), is_found=True)


@pytest.mark.parametrize(
    "asset",
    [
        group("a", 2, [off(), full(1e6, 30e3, dwell=30)], BOTH, "off"),
        group("a", 2, [off(), full(1e6, 30e3)], [move("off>full", 60), move("full>off", 60)], "off"),
        group("a", 2, [off(), full(1e6, 30e3)], [move("off>full", wear=5), move("full>off")], "off"),
        group("a", 2, [off(), full(1e6, 30e3)], BOTH, "off", budget=2),
        group("a", 2, [off(), full(1e6, 30e3)], [move("off>full")], "off"),
        group("a", 2, [off(), standby(1e5), full(1e6, 30e3)], [*BOTH, move("full>standby")], "off"),
    ],
    ids=["dwell", "seconds", "wear", "starts", "one way", "no way back"],
)
def test_moves_that_say_something_stay(asset: pb.Asset) -> None:
    grid = Grid("2026-01-15T07:00", 15, 8)
    problem = problem_of(grid, [site(grid, [asset], import_mw=1.5)], [20, 90, 20, 90, 20, 20, 90, 20])
    assert transfers_of(matrix_of(problem)) is None
    demand_same_money(problem, is_found=False)


def test_moves_of_some_may_say_nothing() -> None:
    """One group is slow to come back, the other is not."""
    grid = Grid("2026-01-15T07:00", 15, 8)
    slow = group("slow", 2, [off(dwell=45), full(1e6, 30e3)], BOTH, "full")
    quick = group("quick", 2, [off(), full(0.8e6, 25e3)], BOTH, "full")
    problem = problem_of(grid, [site(grid, [slow, quick], import_mw=2.5)], [20, 90, 20, 90, 20, 20, 90, 20])
    found = transfers_of(matrix_of(problem))
    assert found is not None and len(found.columns) == 2 * 8
    demand_same_money(problem, is_found=True)


def test_another_way_answers_where_moves_do_not_lead_there() -> None:
    """Moves of one interval are barred, which only the whole matrix knows: the machines would have left then."""
    grid = Grid("2026-01-15T07:00", 15, 4)
    problem = problem_of(grid, [site(grid, [group("a", 1, [off(), full(1e6, 30e3)], BOTH, "full")])], [10, 200, 10, 10])
    matrix = matrix_of(problem)
    transfers = transfers_of(matrix)
    assert transfers is not None
    upper = matrix.upper.copy()
    upper[transfers.columns[matrix.interval[transfers.columns] == 1]] = 0.0
    barred = replace(matrix, upper=upper)
    assert without_moves(matrix) is not None and without_moves(barred) is None
    answer = fast(barred, EXACT, Clock(60))
    assert answer.outcome is Outcome.OPTIMAL and answer.objective is not None
    assert answer.objective == pytest.approx(plain(barred, EXACT, Clock(60)).objective)
    assert answer.objective < (fast(matrix, EXACT, Clock(60)).objective or 0.0) - 1


def test_what_is_not_proven_goes_on_from_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that is far too high is no proof: the whole matrix is asked, with the plan to begin with."""
    matrix = matrix_of(some_problem(3, plain_modes=True))
    as_knapsacks = module._as_knapsacks

    def vague(*given: object) -> object:
        x, bound = as_knapsacks(*given)
        return x, bound + 1000.0

    monkeypatch.setattr(module, "_as_knapsacks", vague)
    found = without_moves(matrix)
    assert found is not None and found.outcome is Outcome.LIMIT
    answer = fast(matrix, EXACT, Clock(60))
    assert answer.outcome is Outcome.OPTIMAL
    assert answer.objective == pytest.approx(plain(matrix, EXACT, Clock(60)).objective, abs=2e-4)


def test_news_are_solutions_of_the_whole() -> None:
    """Where the solver searches, what it finds on the way is told with its moves."""
    grid = Grid("2026-01-15T07:00", 15, 12)
    machines = units("g", 0.4, 0.7, 0.9)
    place = site(grid, [*machines, battery(0.5, 0.4, both_frac=(0.9, 0.9))], import_mw=1.3)
    matrix = matrix_of(problem_of(grid, [place], [20, 90, 40, -5, 60, 55] * 2))
    told: list[tuple[np.ndarray, float]] = []
    found = by_interval(matrix, EXACT, Clock(60), lambda x, objective, bound: told.append((x, objective)))
    assert found is not None and told
    for x, objective in told:
        assert fits(matrix, x) and matrix.money @ x + matrix.constant == pytest.approx(objective, abs=1e-4)


def test_the_clock_leaves_a_plan_and_a_bound() -> None:
    """Parts that have no time to be proven: what was found counts, under a bound that holds."""
    matrix = matrix_of(some_problem(104, plain_modes=False))
    best = plain(matrix, EXACT, Clock(60)).objective
    answer = fast(matrix, EXACT, Clock(0.05))
    assert best is not None
    assert answer.bound is None or answer.bound >= best - 1e-6
    assert answer.objective is None or answer.objective <= best + 1e-3

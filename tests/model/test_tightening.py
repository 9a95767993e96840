"""Rows of mixed-integer rounding: whole solutions keep them at any prices, relaxations do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy import tightening
from scheduler.model.strategy.rows import Row, with_rows
from scheduler.model.strategy.tightening import tightening_of
from scheduler.problem import Floats, Problem
from scheduler.wire.request import schedule_request_from_pb
from tests.model.tiny_fixtures import NAMES, problem_of
from tools.fixtures.build import (
    DOWN,
    SYMMETRIC,
    UP,
    Grid,
    award,
    block,
    eco,
    energy,
    full,
    group,
    moves,
    off,
    product,
    request,
    reserve,
    site,
)

DAYS = ["days/sunny-sunday", "days/winter-weekday", "days/spike-day", "days/chances", "days/nordic-hourly"]
GRID = Grid("2026-03-10T00:00", 60, 2)


def matrix_of(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger).without_shortfall()


def most(matrix: Matrix, costs: Floats, *, relaxed: bool = False) -> float | None:
    """Of these costs, all integers whole or none; None where nothing fits."""
    solver = Solver(matrix, relaxed=relaxed)
    solver.set_costs(costs, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
    assert result.outcome in (Outcome.OPTIMAL, Outcome.INFEASIBLE)
    return result.objective


def rows_at(matrix: Matrix, costs: Floats) -> list[Row]:
    """What the relaxation breaks at some prices, and then breaks no more."""
    tightening = tightening_of(matrix, Clock(60))
    solver = Solver(matrix, relaxed=True)
    solver.set_costs(costs, matrix.constant, maximise=True)
    if tightening is None or solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60).x is None:
        return []
    return tightening.add_violated(solver, Clock(60))


def prices(matrix: Matrix, seed: int) -> Floats:
    """The money of a matrix with other prices for its offers."""
    random = np.random.default_rng(seed)
    columns = np.unique([column for offer in matrix.ledger.day.offers for column in matrix.columns(offer.submitted)])
    costs = matrix.money.copy()
    if len(columns):
        costs[columns] += random.uniform(-1, 3, len(columns)) * max(1.0, np.abs(matrix.money).max())
    return costs


def assert_same(one: float | None, other: float | None) -> None:
    """The same money, or none of both."""
    assert (one is None) == (other is None)
    assert one is None or one == pytest.approx(other, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_whole_solutions_are_the_same_at_any_prices(name: str) -> None:
    matrix = matrix_of(problem_of(name))
    found = [row for seed in range(4) for row in rows_at(matrix, prices(matrix, seed))]
    if not found:
        return
    tight = with_rows(matrix, found)
    for seed in range(8):  # those that they were found at, and others
        costs = prices(matrix, seed)
        assert_same(most(tight, costs), most(matrix, costs))


@st.composite
def fleets(draw: st.DrawFn) -> Matrix:
    """Two groups of 61 to 90 machines with three modes, up to three products with whole steps, awards, absences."""
    grid = Grid("2026-03-10T00:00", 60, 4)
    groups = []
    for name in ("a", "b"):
        count, watts = draw(st.integers(61, 90)), draw(st.integers(10, 60)) * 1000.0
        modes = [off(), eco(watts * draw(st.sampled_from([0.5, 0.7])), 100), full(watts, draw(st.integers(120, 300)))]
        between = moves("off>full", "full>off", "eco>full", "full>eco", "eco>off", "off>eco")
        start = draw(st.sampled_from(["off", "full", "eco"]))
        available = [count - draw(st.integers(0, 20)) for _ in range(4)] if draw(st.booleans()) else []
        groups.append(group(name, count, modes, between, start, available=available))
    awarded = st.sampled_from([False, False, True])
    reserves = []
    for i in range(draw(st.integers(1, 3))):
        spec = product(draw(st.sampled_from([UP, DOWN, SYMMETRIC])), draw(st.sampled_from([30, 300])), max_step_mw=1.0)
        blocks = []
        for k in range(2):
            awards = [award(1000, 5.0)] if draw(awarded) else []
            blocks.append(block(grid, str(k), 2 * k, 2 * k + 2, draw(st.integers(1, 60)), awards=awards))
        reserves.append(reserve(f"r{i}", spec, blocks))
    markets = [energy(grid, draw(st.integers(5, 80))), *reserves]
    return matrix_of(schedule_request_from_pb(request("any", grid, [site(grid, groups)], markets, hashprice=40))[1])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(fleets(), st.integers(0, 3))
def test_whole_solutions_of_any_fleet_are_the_same(matrix: Matrix, seed: int) -> None:
    found = rows_at(matrix, matrix.money) + rows_at(matrix, prices(matrix, seed))
    event("rows" if found else "no rows")
    tight = with_rows(matrix, found)
    for costs in (matrix.money, prices(matrix, seed), prices(matrix, seed + 7)):
        assert_same(most(tight, costs), most(matrix, costs))


@pytest.mark.parametrize("name", DAYS)
def test_whole_offers_earn_the_same_and_parts_of_offers_much_less(name: str) -> None:
    matrix = matrix_of(problem_of(name))
    tight = with_rows(matrix, rows_at(matrix, matrix.money))
    offers_only = [replace(each, integer=matrix.coarse) for each in (matrix, tight)]
    whole, tight_whole = (most(each, matrix.money) for each in offers_only)
    parts, tight_parts = (most(each, matrix.money, relaxed=True) for each in (matrix, tight))
    assert whole is not None and tight_whole is not None and parts is not None and tight_parts is not None
    assert tight_whole == pytest.approx(whole, rel=1e-6)
    assert whole <= tight_parts + 1e-6 * abs(whole) and tight_parts <= parts + 1e-6 * abs(parts)
    assert parts - tight_parts > 0.5 * (parts - whole) - 1e-6 * abs(whole)


def matrix_of_machines(*groups: object, directions: tuple[object, ...] = (UP,)) -> Matrix:
    """Machines beside one market of whole MW each way that is asked for."""
    reserves = [
        reserve(f"r{i}", product(direction, 300, max_step_mw=1.0), [block(GRID, "all", 0, 2, 30.0)])
        for i, direction in enumerate(directions)
    ]
    message = request("sums", GRID, [site(GRID, list(groups))], [energy(GRID, 50), *reserves], hashprice=40)
    return matrix_of(schedule_request_from_pb(message)[1])


def test_what_is_on_is_not_off() -> None:
    """Ten machines of 0.26 MW: up and down together hold 2.6 MW, so 2 MW in whole steps; each alone as much."""
    machines = group("m", 10, [off(), full(0.26e6, 1000)], moves("off>full", "full>off"), "full")
    matrix = matrix_of_machines(machines, directions=(UP, DOWN))
    offers = [int(matrix.columns(offer.submitted)[0]) for offer in matrix.ledger.day.offers]
    x = np.zeros(len(matrix.money))
    x[offers] = 1.3
    for claim in matrix.ledger.claims:
        x[matrix.columns(claim.mw)] = 1.3
    tightening = tightening_of(matrix, Clock(60))
    assert tightening is not None
    both = [row for row in tightening.violated(x) if set(offers) <= set(row.columns.tolist())]
    assert both and all(row.factors.tolist() == [1.0, 1.0] and row.upper == 2.0 for row in both)


def test_the_rest_of_a_step_takes_all_that_it_costs() -> None:
    """Three machines of 0.5 MW are sure, others are the rest: offers <= 1 + rest / 0.5, worked by hand.

    At 1.5 MW offered and no rest the row is broken by a half; at 2 MW and 0.5 MW of rest it is just kept.
    """
    sure = group("sure", 3, [off(), full(0.5e6, 3000)], moves("off>full", "full>off"), "full")
    rest = group("rest", 9, [off(), full(0.9e6, 100)], moves("off>full", "full>off"), "off")
    matrix = matrix_of_machines(sure, rest)
    (offer,) = (int(matrix.columns(offer.submitted)[0]) for offer in matrix.ledger.day.offers)
    held = {claim.asset_id: matrix.columns(claim.mw) for claim in matrix.ledger.claims}
    x = np.zeros(len(matrix.money))
    x[offer], x[held["sure"]] = 1.5, 1.5
    tightening = tightening_of(matrix, Clock(60))
    assert tightening is not None
    rows = tightening.violated(x)
    for row, column in zip(rows, held["rest"].tolist(), strict=True):
        named = dict(zip(row.columns.tolist(), row.factors.tolist(), strict=True))
        assert named == pytest.approx({offer: 1.0, column: -2.0}) and row.upper == 1.0
    x[offer], x[held["rest"]] = 2.0, 0.5
    assert tightening.violated(x) == []


def test_what_was_found_is_kept_for_the_same_bounds() -> None:
    matrix = matrix_of(problem_of("days/spike-day"))
    known = tightening_of(matrix, Clock(60))
    assert known is not None
    assert tightening_of(replace(matrix, money=2.0 * matrix.money), Clock(60)) is known
    assert tightening_of(replace(matrix, upper=matrix.upper + 1.0), Clock(60)) is not known


def test_without_time_nothing_is_found() -> None:
    assert tightening_of(matrix_of(problem_of("days/sunny-sunday")), Clock(-1.0)) is None


def test_what_is_kept_of_a_fleet_has_a_size_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(problem_of("days/sunny-sunday"))
    structure = matrix.ledger.structure
    before = structure.size_bytes
    known = tightening_of(matrix, Clock(60))
    assert known is not None and structure.size_bytes == before + known.size_bytes > before
    monkeypatch.setattr(tightening, "MOST_FINDINGS_BYTES", int(2.5 * known.size_bytes))
    for more in (1.0, 2.0):
        assert tightening_of(replace(matrix, upper=matrix.upper + more), Clock(60)) is not None
    assert len(structure.findings) == 2 and known not in structure.findings.values()
    assert tightening_of(matrix, Clock(60)) is not known

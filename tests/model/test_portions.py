"""Portions of the sites lead to the relaxation of all of them; what the largest fleets do with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Solver
from scheduler.model.strategy import fast, master, portions, relaxation
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.offers import Offers
from scheduler.model.strategy.portions import relaxation_of
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tests.model.test_relaxation import in_one_piece, matrix_of
from tools.fixtures.scale import SIZES, scale_request


def fleet_of(monkeypatch: pytest.MonkeyPatch, seed: int, *, some_deliver: bool = False) -> Matrix:
    """Six sites of two groups, 32 quarters in two blocks, five products, one of them perhaps from two sites only."""
    monkeypatch.setitem(SIZES, "S", (6, 2, 32))
    request = scale_request("S", seed)
    if some_deliver:
        request.problem.markets[2].site_ids.extend(site.id for site in request.problem.sites[:2])
    return with_counts(matrix_of(schedule_request_from_pb(request)[1]))


def small(monkeypatch: pytest.MonkeyPatch, sites_count: int = 2) -> None:
    monkeypatch.setattr(portions, "FEW_SITES_COUNT", 3)
    monkeypatch.setattr(portions, "SOME_SITES_COUNT", 3)
    monkeypatch.setattr(portions, "SITES_PER_PORTION", sites_count)


@pytest.mark.parametrize("some_deliver", [False, True])
@pytest.mark.parametrize("sites_count", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_they_lead_to_the_same_relaxation(
    seed: int, sites_count: int, some_deliver: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = fleet_of(monkeypatch, seed, some_deliver=some_deliver)
    exact = in_one_piece(matrix)
    small(monkeypatch, sites_count)
    found = relaxation_of(matrix, Clock(60))
    found.solve(1e-5)
    assert found.money == pytest.approx(exact, rel=2e-5) and found.bound == pytest.approx(exact, rel=2e-5)
    assert found.bound >= exact - 1e-6 * abs(exact)


def test_prices_of_a_single_portion_lead_to_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 3)
    exact, without = in_one_piece(matrix), Relaxation(matrix, Clock(60)).prices
    monkeypatch.setattr(portions, "FEW_SITES_COUNT", 3)
    found = relaxation_of(matrix, Clock(60))
    assert (found.prices != without).any()
    found.solve(1e-5)
    assert found.money == pytest.approx(exact, rel=2e-5) and found.bound == pytest.approx(exact, rel=2e-5)


def test_where_a_portion_has_no_solution_all_begin_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    small(monkeypatch)

    def refuses(*_: object) -> None:
        raise SolverError("its share is too much")

    monkeypatch.setattr(portions._Portion, "trade", refuses)
    found = relaxation_of(matrix, Clock(60))
    found.solve(1e-5)
    assert found.money == pytest.approx(in_one_piece(matrix), rel=2e-5)


def test_trade_comes_nearer_and_what_is_given_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    exact, found = in_one_piece(matrix), []
    small(monkeypatch, 1)
    seen: list[portions._Portion] = []
    traded = portions._traded

    def looked_at(those: list[portions._Portion], count: int) -> tuple[np.ndarray, np.ndarray]:
        seen[:] = those
        return traded(those, count)

    monkeypatch.setattr(portions, "_traded", looked_at)
    for rounds_count in (0, 8):
        monkeypatch.setattr(portions, "ROUNDS_COUNT", rounds_count)
        start = relaxation_of(matrix, Clock(60))
        start.solve(1.0, enough=np.inf)  # its bound to begin with
        found.append(start.bound)
        given = np.sum([portion.spread(portion.given, len(start.markets_rows)) for portion in seen], axis=0)
        assert np.abs(given).max() < 1e-6
    assert exact - 1e-6 * abs(exact) <= found[1] < exact + 0.5 * (found[0] - exact)


def test_a_master_that_begins_anew_ends_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 2)
    begun = []
    begin_anew = master.Master.begin_anew
    monkeypatch.setattr(master.Master, "begin_anew", lambda self: (begun.append(1), begin_anew(self))[1])
    monkeypatch.setattr(relaxation, "MOST_COLUMNS_COUNT_TO_GO_ON", 0)
    monkeypatch.setattr(relaxation, "MANY_NEW_COUNT", 50)
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-5)
    assert len(begun) > 1
    assert found.money == pytest.approx(in_one_piece(matrix), rel=2e-5)
    assert not found.x[~found.used].any()


def test_when_time_is_over_it_settles_for_what_the_columns_in_use_make(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 2)
    exact, found = in_one_piece(matrix), Relaxation(matrix, Clock(60))
    found.solve(1e-9, until=Clock(-1.0))
    assert found.money == -np.inf
    found.settle()
    assert 0.5 * exact < found.money <= exact * (1 + 1e-6) and found.bound >= exact * (1 - 1e-6)
    rows = matrix.matrix @ found.x
    assert (rows <= matrix.row_upper + 1e-5).all() and (rows >= matrix.row_lower - 1e-5).all()
    assert float(matrix.money @ found.x) + matrix.constant == pytest.approx(found.money, rel=1e-9)


def test_the_largest_fleets_take_the_nearest_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    small(monkeypatch)
    for name in ("BLOCKS_COLUMNS_COUNT", "MOST_COLUMNS_COUNT_TO_SEARCH"):
        monkeypatch.setattr(fast, name, 0)
    found = fast._by_blocks(matrix, matrix, SolveOptions(), Clock(60), None)
    solver = Solver(replace(matrix, integer=matrix.coarse))
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    exact = solver.solve(rel_gap=1e-6, abs_gap=0.0, seconds=60).objective
    assert found.x is not None and found.objective is not None and found.bound is not None and exact is not None
    assert 0.97 * exact < found.objective <= found.bound and found.bound >= exact * (1 - 1e-6)
    rows = matrix.matrix @ found.x
    assert (rows <= matrix.row_upper + 1e-5).all() and (rows >= matrix.row_lower - 1e-5).all()


def test_less_is_offered_where_the_nearest_cannot_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-5)
    offers = Offers(found, Clock(60))
    assert offers._first is not None
    offers._first = np.floor(found.x[offers.columns]) + 0.75  # of all at once a step more is too much
    settle, settled = found.settle, []

    def fails_first() -> None:
        settle()
        settled.append(found.money)
        found.money = found.money if len(settled) > 1 else -np.inf

    monkeypatch.setattr(found, "settle", fails_first)
    offers.take_nearest()
    assert offers.values is not None and (offers.values == np.floor(found.x[offers.columns] + 1e-6)).all()
    assert offers.bound >= offers.money > 0

"""Some of the sites lead to the relaxation of all of them, and to what its columns in use make of it."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.strategy import master, relaxation, sample
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.sample import relaxation_of
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


def sampled(monkeypatch: pytest.MonkeyPatch, most_count: int = 20) -> None:
    monkeypatch.setattr(sample, "FEW_SITES_COUNT", 3)
    monkeypatch.setattr(sample, "SITES_PER_SAMPLED", 2)
    monkeypatch.setattr(sample, "MOST_SAMPLED_COUNT", most_count)


@pytest.mark.parametrize("some_deliver", [False, True])
@pytest.mark.parametrize("most_count", [1, 2, 20])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_they_lead_to_the_same_relaxation(
    seed: int, most_count: int, some_deliver: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = fleet_of(monkeypatch, seed, some_deliver=some_deliver)
    exact, without = in_one_piece(matrix), Relaxation(matrix, Clock(60)).prices
    sampled(monkeypatch, most_count)
    found = relaxation_of(matrix, Clock(60))
    assert (found.prices != without).any()
    found.solve(1e-5)
    assert found.money == pytest.approx(exact, rel=2e-5) and found.bound == pytest.approx(exact, rel=2e-5)
    assert found.bound >= exact - 1e-6 * abs(exact)


def test_where_some_have_no_solution_all_begin_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    sampled(monkeypatch)

    def refuses(*_: object) -> None:
        raise SolverError("their share is too much")

    with monkeypatch.context() as patched:
        patched.setattr(Relaxation, "solve", refuses)  # only the sample's is solved there
        found = relaxation_of(matrix, Clock(60))
    assert (found.prices == Relaxation(matrix, Clock(60)).prices).all()
    found.solve(1e-5)
    assert found.money == pytest.approx(in_one_piece(matrix), rel=2e-5)


def test_a_master_that_begins_anew_ends_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 2)
    begun = []
    begin_anew = master.Master.begin_anew
    monkeypatch.setattr(master.Master, "begin_anew", lambda self: (begun.append(1), begin_anew(self))[1])
    monkeypatch.setattr(relaxation, "MOST_COLUMNS_COUNT_TO_GO_ON", 0)
    monkeypatch.setattr(relaxation, "MANY_NEW_FRAC", 0.02)
    found = Relaxation(matrix, Clock(60))
    found.solve(1e-5)
    assert len(begun) > 1
    assert found.money == pytest.approx(in_one_piece(matrix), rel=2e-5)
    assert not found.x[~found.used].any()


def test_columns_that_the_first_prices_brought_leave_once(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, left = fleet_of(monkeypatch, 2), []
    begin_anew = Relaxation._begin_anew

    def counted(self: Relaxation, answered: np.ndarray) -> None:
        before = self.used.copy()
        begin_anew(self, answered)
        assert self.used[answered].all() and not self._master.x()[~self.used].any()
        left.append(np.count_nonzero(before & ~self.used))

    monkeypatch.setattr(Relaxation, "_begin_anew", counted)
    monkeypatch.setattr(relaxation, "MOST_COLUMNS_COUNT_TO_GO_ON", 0)
    monkeypatch.setattr(relaxation, "MANY_NEW_FRAC", 0.0)
    Relaxation(matrix, Clock(60)).solve(1e-5)
    assert len(left) > 1 and left[0] > 0 and not any(left[1:])


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

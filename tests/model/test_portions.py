"""Portions of the sites: a plan of all, and a bound that is that of all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Outcome, Result
from scheduler.model.strategy import fast as fast_module
from scheduler.model.strategy import portions
from scheduler.model.strategy.fast import fast
from scheduler.model.strategy.portions import by_portions
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.rounding import with_columns
from scheduler.model.strategy.rows import Row, with_rows
from scheduler.model.strategy.shares import Shares
from scheduler.model.strategy.trade import Portion, Trade
from scheduler.plan import StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Floats
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tests.model.test_relaxation import in_one_piece
from tests.model.test_sample import fleet_of
from tools.fixtures.scale import SIZES, scale_request

OPTIONS = SolveOptions(time_limit_seconds=60)


@pytest.fixture(autouse=True)
def of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "SITES_PER_PORTION", 2)
    monkeypatch.setattr(portions, "MOST_DRAWS_COUNT", 2)
    monkeypatch.setattr(fast_module, "BLOCKS_COLUMNS_COUNT", 0)


def holds(matrix: Matrix, x: Floats) -> bool:
    """Whether a solution is one of the whole, integers and all."""
    rows, precision = matrix.matrix @ x, 1e-5
    return bool(
        (rows >= matrix.row_lower - precision).all()
        and (rows <= matrix.row_upper + precision).all()
        and (x >= matrix.lower - precision).all()
        and (x <= matrix.upper + precision).all()
        and (np.abs(x - np.rint(x))[matrix.integer] < 1e-6).all()
    )


@pytest.mark.parametrize("some_deliver", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_plan_of_all_under_a_bound_of_all(seed: int, some_deliver: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, seed, some_deliver=some_deliver)
    relaxed = in_one_piece(matrix)
    found = by_portions(matrix, OPTIONS, Clock(60))
    assert found.x is not None and found.objective is not None and found.bound is not None
    assert holds(matrix, found.x) and found.x[matrix.offers].any()
    assert found.objective == pytest.approx(float(matrix.money @ found.x) + matrix.constant)
    assert found.bound >= relaxed - 1e-6 * abs(relaxed)  # a Lagrangian bound is never below the relaxation
    assert found.bound == pytest.approx(relaxed, rel=0.2)
    assert 0.9 * relaxed < found.objective <= relaxed + 1e-6


def test_what_meets_no_site_is_shared_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that earns and that no row names: counted once, not in every portion."""
    matrix = fleet_of(monkeypatch, 1)
    entries = csc_array((matrix.matrix.shape[0], 1))
    alone = replace(with_columns(matrix, entries, upper=6.0), money=np.append(matrix.money, 1.0))
    found = by_portions(alone, OPTIONS, Clock(60))
    assert found.x is not None and found.bound is not None
    assert found.x[-1] == pytest.approx(6.0) and holds(alone, found.x)
    assert found.bound >= in_one_piece(matrix) + 6.0 - 1e-3


@pytest.mark.parametrize("is_held", [False, True])
def test_a_market_of_some_sites_is_shared_by_these_alone(is_held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1, some_deliver=True)
    held = np.random.default_rng(0).random(len(matrix.money)) * is_held
    parts = Shares(matrix, held)
    counts = set(parts.meets.sum(axis=1).tolist())
    assert {2, 6} <= counts
    total = np.zeros(len(matrix.money))
    sides = np.zeros(matrix.matrix.shape[0])
    upper = np.where(np.isfinite(matrix.row_upper), matrix.row_upper, 0.0)
    for chosen in np.array_split(np.arange(6), 3):
        columns, rows, part = parts.part(chosen)
        total[columns] += np.where(np.isfinite(part.upper), part.upper, 0.0)
        sides[rows] += np.where(np.isfinite(part.row_upper), part.row_upper, 0.0)
    assert total == pytest.approx(np.where(np.isfinite(matrix.upper), matrix.upper, 0.0))
    assert sides == pytest.approx(upper)


def test_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 2)
    one, other = (by_portions(matrix, OPTIONS, Clock(60)) for _ in range(2))
    assert one.x is not None and other.x is not None
    assert (one.x == other.x).all() and one.bound == other.bound


def test_awards_are_held_by_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fleet that sold before; the planner audits the plan."""
    monkeypatch.setitem(SIZES, "S", (6, 2, 32))
    monkeypatch.setattr(fast_module, "PORTIONS_COLUMNS_COUNT", 0)
    request = scale_request("S", 1)
    for market in request.problem.markets:
        for block in list(market.reserve.blocks)[:1]:
            block.awards.add(id="won", kw=2000, price_per_mw_h=5.0, penalty_per_mw_h=50.0)
    schedule = make_schedule(schedule_request_from_pb(request)[1], OPTIONS)
    assert schedule.plan is not None and schedule.solve.stop_reason is not StopReason.CONFLICT
    offered_kw = sum(block.offered_kw for market in schedule.plan.markets for block in market.blocks)
    assert offered_kw > 10_000


def test_no_bound_where_portions_share_what_has_no_common_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions within limits: what one portion deviates another may not, and nobody is asked what that is worth."""
    matrix = fleet_of(monkeypatch, 1)
    free = np.flatnonzero(np.isinf(matrix.lower) & np.isinf(matrix.upper) & (matrix.site < 0))
    assert len(free) == 32  # what is bought of each interval
    limited = matrix.limited(free, np.full(32, -1e3), np.full(32, 1e3))
    found = by_portions(limited, OPTIONS, Clock(60))
    assert found.x is not None and holds(limited, found.x) and found.bound is None


def test_no_bound_where_a_portion_meets_a_row_by_its_share_of_offers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers of a market of two sites hang together with those of all: who has none of the two has a share of them."""
    matrix = fleet_of(monkeypatch, 1, some_deliver=True)
    shares = Shares(matrix, np.zeros(len(matrix.money)))
    of_few, of_all = (
        next(offer for offer in shares.offers if shares.meets[kind_of(shares, offer)].sum() == count)
        for count in (2, 6)
    )
    linked = with_rows(matrix, [Row(np.array([of_few, of_all]), np.ones(2), 1e3)])
    found = by_portions(linked, OPTIONS, Clock(60))
    assert found.x is not None and holds(linked, found.x) and found.bound is None


def kind_of(shares: Shares, offer: int) -> int:
    """What an offer hangs together with."""
    return int(shares._kind_of_shared[np.searchsorted(np.flatnonzero(shares.is_shared), offer)])


def test_large_machines_are_decided_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    matrix.coarse[np.flatnonzero(matrix.integer & (matrix.site >= 0))[:1]] = True
    with pytest.raises(SolverError, match="large machines"):
        by_portions(matrix, OPTIONS, Clock(60))


def test_one_portion_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = fleet_of(monkeypatch, 1)
    monkeypatch.setattr(portions, "SITES_PER_PORTION", 6)
    with pytest.raises(SolverError, match="one portion"):
        by_portions(matrix, OPTIONS, Clock(60))


@pytest.mark.parametrize(("per_million", "is_asked"), [(0.0, False), (1e6, True)])
def test_in_haste_portions_come_first(per_million: float, is_asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, asked = fleet_of(monkeypatch, 1), []

    def by(*given: object) -> Result:
        asked.append(given)
        return Result(Outcome.LIMIT, np.zeros(len(matrix.money)), -1.0, 1.0)

    monkeypatch.setattr(fast_module, "by_portions", by)
    monkeypatch.setattr(fast_module, "SECONDS_PER_MILLION_COLUMNS", per_million)
    found = fast(matrix, OPTIONS, Clock(60))
    assert bool(asked) == is_asked and (found.outcome is Outcome.OPTIMAL) != is_asked


@pytest.mark.parametrize("failures_count", [1, 9])
def test_what_was_not_rounded_is_tried_again(failures_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, rounded, calls = fleet_of(monkeypatch, 1), portions._rounded, []

    def fails_first(*given: Any) -> Floats:
        calls.append(given)
        if len(calls) <= failures_count:
            raise SolverError("no")
        return rounded(*given)

    monkeypatch.setattr(portions, "_rounded", fails_first)
    if failures_count == 1:
        assert by_portions(matrix, OPTIONS, Clock(60)).x is not None
    else:
        with pytest.raises(SolverError, match="no"):
            by_portions(matrix, OPTIONS, Clock(60))


def test_out_of_time_in_the_middle_they_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each relaxation ends after its first turn; what there is of it is balanced."""
    matrix = fleet_of(monkeypatch, 1)
    monkeypatch.setattr(portions, "SHARE_OF_TIME_TO_BEGIN", 0.0)
    monkeypatch.setattr(portions, "SHARE_OF_FIRST", 1e9)
    found = by_portions(matrix, OPTIONS, Clock(60))
    assert found.x is not None and found.bound is not None and holds(matrix, found.x)
    assert found.bound >= in_one_piece(matrix) * (1 - 1e-6)


def test_where_portions_have_no_plan_all_sites_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_module, "PORTIONS_COLUMNS_COUNT", 0)
    matrix = fleet_of(monkeypatch, 1)

    def fails(*_: Any) -> None:
        raise SolverError("no")

    with monkeypatch.context() as patched:
        patched.setattr(portions, "_rounded", fails)
        found = fast(matrix, OPTIONS, Clock(60))
    assert found.outcome is Outcome.OPTIMAL


def traded(matrix: Matrix, draws_count: int) -> tuple[Shares, Trade, list[np.ndarray]]:
    """Portions of two sites, drawn so often; and the money after each draw is no less than before."""
    shares = Shares(matrix, np.zeros(len(matrix.money)))
    trade, random = Trade(shares), np.random.default_rng(3)
    drawn = portions._drawn(shares, random)
    trade.begin(drawn, drawn[0], Clock(60), Clock(60))
    for _ in range(draws_count):
        before, drawn = trade.money, portions._drawn(shares, random)
        trade.go_on(drawn, Clock(60), Clock(60))
        assert trade.money >= before - 1e-6 * abs(before)
    return shares, trade, drawn


@pytest.mark.parametrize("some_deliver", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_draw_brings_what_portions_can_trade(
    seed: int, some_deliver: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = fleet_of(monkeypatch, seed, some_deliver=some_deliver)
    relaxed = in_one_piece(matrix)
    first, last = traded(matrix, 0)[1].money, traded(matrix, 4)[1].money
    assert first < last <= relaxed * (1 + 1e-6)
    assert relaxed - last < 0.6 * (relaxed - first)


def test_what_all_hold_is_what_all_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each draw, and when other offers are given: each portion is asked for its part of these."""
    matrix = fleet_of(monkeypatch, 1, some_deliver=True)
    shares, _, drawn = traded(matrix, 1)
    rows = matrix.matrix @ shares.x
    assert (rows >= matrix.row_lower - 1e-5).all() and (rows <= matrix.row_upper + 1e-5).all()
    shares.offer(portions._most_offers(shares, Clock(60)))
    assert (shares.x[shares.offers] == np.rint(shares.x[shares.offers])).all() and shares.x[shares.offers].any()
    asked = np.zeros(len(rows))
    for chosen in drawn:
        columns, own_rows, part = shares.part(chosen)
        offered = np.zeros(len(columns))
        offered[shares.is_shared[columns]] = shares.offered_by(chosen)
        asked[own_rows] += np.where(shares.is_common[own_rows], part.row_lower - part.matrix @ offered, 0.0)
    sold = matrix.row_lower - matrix.matrix @ np.where(shares.is_shared, shares.x, 0.0)
    assert asked[shares.is_common] == pytest.approx(sold[shares.is_common], abs=1e-6)


def test_a_portion_that_fails_keeps_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    shares, trade, _ = traded(fleet_of(monkeypatch, 2), 0)
    before, random = shares.x.copy(), np.random.default_rng(5)

    def fails(*_: Any, **__: Any) -> None:
        raise SolverError("no")

    monkeypatch.setattr(Relaxation, "solve", fails)
    trade.go_on(portions._drawn(shares, random), Clock(60), Clock(60))
    assert shares.x == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("some_deliver", [False, True])
@pytest.mark.parametrize("site", [0, 5])
def test_what_a_portion_lacks_others_hold(site: int, some_deliver: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them holds a little less of all that it was asked for, the first time; also if it is the last of all."""
    matrix, rounded, lacked_mw = fleet_of(monkeypatch, 1, some_deliver=some_deliver), portions._rounded, []
    plain = by_portions(matrix, OPTIONS, Clock(60))

    def lacks(portion: Portion, *given: Any) -> Floats:
        own = portion.relaxation.matrix
        rows = np.flatnonzero(portion.is_common & (own.row_lower == own.row_upper) & (own.row_lower > 0.02))
        if site not in portion.chosen or lacked_mw or not len(rows):
            return rounded(portion, *given)
        lacked_mw.append(0.01 * len(rows))
        less = np.zeros(own.matrix.shape[0])
        less[rows] = 0.01
        fewer = replace(own, row_lower=own.row_lower - less, row_upper=own.row_upper - less)
        return rounded(replace(portion, relaxation=Relaxation(fewer, portion.relaxation.clock)), *given)

    monkeypatch.setattr(portions, "_rounded", lacks)
    found = by_portions(matrix, OPTIONS, Clock(60))
    assert lacked_mw and found.x is not None and holds(matrix, found.x)
    assert plain.objective is not None and found.objective == pytest.approx(plain.objective, rel=0.05)
    assert found.bound is not None and found.bound >= in_one_piece(matrix) * (1 - 1e-6)
    assert found.bound == pytest.approx(plain.bound, rel=0.05)


def test_where_whole_machines_do_not_fit_each_site_goes_back_to_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, ended, calls = fleet_of(monkeypatch, 1), portions._End.plan, []

    def fails_first(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise SolverError("no room")
        return ended(*given)

    monkeypatch.setattr(portions._End, "plan", fails_first)
    found = by_portions(matrix, OPTIONS, Clock(60))
    assert len(calls) == 2 and found.x is not None and holds(matrix, found.x) and found.x[matrix.offers].any()
    assert found.bound is not None and found.bound >= in_one_piece(matrix) * (1 - 1e-6)

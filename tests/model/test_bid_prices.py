"""The lowest price to ask: what holding an offer costs (facts E5, formulation 7)."""

from pathlib import Path

import pytest

from scheduler.model import bid_prices
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import compile_matrix
from scheduler.model.strategy.fast import fast
from scheduler.model.strategy.lone import lone
from scheduler.plan import StopReason
from scheduler.planner import make_schedule
from scheduler.settings import SolveOptions, Strategy
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.scale import lumpy_request

TOY = Path(__file__).resolve().parents[2] / "fixtures" / "toy" / "capacity-or-margin" / "request.json"
UP, DOWN = "afrr-up", "afrr-down"


def toy_pb():
    """Three hours at 50, 70 and 120, each a block: aFRR up pays 12, down 2; B_net is 80.8081, the fee 20."""
    return schedule_request_from_json(TOY.read_bytes(), str(TOY))


def blocks_of(request, market_id):
    (market,) = (market for market in request.problem.markets if market.id == market_id)
    return market.reserve.blocks


def lowest(request):
    """Lowest prices of the blocks with offers, by market and block."""
    _, problem, options = schedule_request_from_pb(request)
    schedule = make_schedule(problem, options)
    assert schedule.solve.stop_reason is StopReason.PROVEN and schedule.solve.reproducible
    for market in schedule.plan.markets:
        assert all(block.lowest_price_per_mw_h is None for block in market.blocks if not block.offered_kw)
    return {
        (market.market_id, block.block_id): block.lowest_price_per_mw_h
        for market in schedule.plan.markets
        for block in market.blocks
        if block.offered_kw
    }


def test_it_is_what_holding_costs():
    assert lowest(toy_pb()) == {
        (UP, "00"): pytest.approx(0.0, abs=1e-6),  # mines anyway
        (UP, "01"): pytest.approx(70 + 20 - 80.8081, abs=1e-3),  # runs at a loss
        (DOWN, "02"): pytest.approx(0.0, abs=1e-6),  # rests anyway
    }


def test_where_the_search_ended_does_not_matter(monkeypatch):
    """Begun there or anew, and two at a time: the same prices."""
    problem = schedule_request_from_pb(lumpy_request(6, 1))[1]
    matrix = compile_matrix(build(problem).ledger).without_shortfall()
    x = fast(matrix, SolveOptions(), Clock(60)).x
    monkeypatch.setattr(bid_prices.Paths, "fits", staticmethod(lambda *_: False))  # by counts, not by ways
    assert x is not None and lone(matrix, SolveOptions(), Clock(60)) is not None
    assert matrix.ledger.day.relaxed_basis is not None
    begun_there = bid_prices.lowest_prices(matrix, x, 60.0)
    matrix.ledger.day.relaxed_basis = None
    anew = bid_prices.lowest_prices(matrix, x, 60.0)
    assert begun_there.complete and len(begun_there.per_mw_h) > 2
    assert begun_there.per_mw_h == pytest.approx(anew.per_mw_h, abs=1e-6)
    assert list(begun_there.per_mw_h) == list(anew.per_mw_h)


@pytest.mark.parametrize("strategy", Strategy)
def test_up_above_the_break_even_and_down_below_it(strategy):
    request = toy_pb()
    request.options.strategy = f"STRATEGY_{strategy.name}"
    for block in blocks_of(request, UP):
        block.capacity_price_per_mw_h = 100.0 if block.id == "02" else -1.0
    for block in blocks_of(request, DOWN):
        block.capacity_price_per_mw_h = 15.0 if block.id == "00" else -1.0
    assert lowest(request) == {
        (DOWN, "00"): pytest.approx(80.8081 - 50 - 20, abs=1e-3),
        (UP, "02"): pytest.approx(120 + 20 - 80.8081, abs=1e-3),
    }


def test_bids_count_by_their_chance():
    """Two bids with half a chance each back 7 MW as one sure bid does: what is likely to be paid costs twice."""
    request = toy_pb()
    for market_id in (UP, DOWN):
        for block in blocks_of(request, market_id):
            block.capacity_price_per_mw_h = -1.0
    block = blocks_of(request, UP)[1]
    for id, kw in (("a", 3000), ("b", 4000)):
        block.bids.add(id=id, max_kw=kw, price_per_mw_h=40.0, acceptance_prob=0.5)
    block.capacity_price_per_mw_h = 40.0
    assert lowest(request) == {(UP, "01"): pytest.approx(2 * 9.1919, abs=1e-3)}


def test_awards_stay_where_they_are():
    """Of 7 MW in the second hour 5 are awarded: the two offered need machines that would rest without them."""
    request = toy_pb()
    blocks_of(request, UP)[1].awards.add(id="won", kw=5000, price_per_mw_h=1.0, penalty_per_mw_h=0.5)
    assert lowest(request)[UP, "01"] == pytest.approx(9.1919, abs=1e-3)


def test_large_problems_are_not_asked(monkeypatch):
    monkeypatch.setattr(bid_prices, "MOST_COLUMNS_COUNT", 10)
    assert set(lowest(toy_pb()).values()) == {None}


def test_without_time_there_are_none_and_the_answer_says_so(monkeypatch):
    monkeypatch.setattr("scheduler.planner.SHARE_FOR_BID_PRICES", 0.0)
    _, problem, options = schedule_request_from_pb(toy_pb())
    schedule = make_schedule(problem, options)
    assert schedule.solve.stop_reason is StopReason.PROVEN
    assert not schedule.solve.reproducible
    asked = [block.lowest_price_per_mw_h for market in schedule.plan.markets for block in market.blocks]
    assert set(asked) == {None}

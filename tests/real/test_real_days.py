"""Real market days with machines of ours, where the data is: planned, audited, proven (tools/real_days.py).

Proven here to 1e-3, so that a day takes seconds; tools/real_days.py plans every day to the gap that users get.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from scheduler.check import audit
from scheduler.errors import InvalidFileError
from scheduler.markets.block import Block
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import BlockPlan, CashKind, Plan, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tools import real_days

pytestmark = pytest.mark.skipif(
    not real_days.DATA.is_dir(), reason=f"no {real_days.DATA}: market data is not part of the project"
)
OPTIONS = SolveOptions(rel_gap=1e-3, time_limit_seconds=300.0)


def planned(message) -> tuple[Problem, Plan]:
    """The plan of a day, audited and proven."""
    _, problem, _ = schedule_request_from_pb(message)
    schedule = make_schedule(problem, OPTIONS)
    plan, solve = schedule.plan, schedule.solve
    assert plan is not None, schedule.no_plan_reason
    assert solve.stop_reason is StopReason.PROVEN
    assert solve.bound is not None
    assert solve.bound - plan.objective <= max(OPTIONS.abs_gap, OPTIONS.rel_gap * abs(plan.objective)) + 1e-6
    assert audit(problem, plan, solve, OPTIONS).violations == ()
    return problem, plan


def blocks(problem: Problem, plan: Plan, market_id: str) -> list[tuple[Block, BlockPlan]]:
    """Blocks of a reserve market with what is offered of them."""
    pairs = zip(problem.markets, plan.markets, strict=True)
    market, own = next(pair for pair in pairs if pair[0].id == market_id)
    assert isinstance(market, ReserveMarket)
    return list(zip(market.blocks, own.blocks, strict=True))


def capacity(plan: Plan, market_id: str) -> float:
    """Money of a market's capacity."""
    return sum(
        cash.total for cash in plan.cash if cash.stream.kind is CashKind.CAPACITY and cash.stream.market_id == market_id
    )


CLOCK_CHANGES = [(date(2022, 3, 27), 92, 3), (date(2022, 10, 30), 100, 5)]
SAMPLE = [date(2022, 1, 17), date(2022, 3, 6), date(2022, 6, 5), date(2022, 8, 26)]


@pytest.mark.parametrize(("day", "count", "first_block_hours"), CLOCK_CHANGES)
def test_german_clock_changes(day, count, first_block_hours):
    problem, plan = planned(real_days.german_2022(day))
    assert problem.horizon.count == count
    for market in problem.markets:
        if isinstance(market, ReserveMarket):
            hours = [(block.end_utc - block.start_utc) / timedelta(hours=1) for block in market.blocks]
            assert hours == [first_block_hours, 4, 4, 4, 4, 4]
    compare_capacity(problem, plan)


@pytest.mark.parametrize("day", SAMPLE)
def test_german_days_of_2022(day):
    problem, plan = planned(real_days.german_2022(day))
    assert problem.horizon.count == 96
    compare_capacity(problem, plan)


def compare_capacity(problem: Problem, plan: Plan) -> None:
    """FCR pays what was published per MW and block, whatever its hours; the others pay per MW and real hour."""
    products = {
        "fcr": ("FCR", "symmetric"),
        "afrr-up": ("aFRR", "up"),
        "afrr-down": ("aFRR", "down"),
        "mfrr-up": ("mFRR", "up"),
        "mfrr-down": ("mFRR", "down"),
    }
    for market_id, name in products.items():
        results = {found.start_utc: found for found in real_days.german_results()[name]}
        planned_blocks = blocks(problem, plan, market_id)
        assert len(planned_blocks) == 6
        wanted = 0.0
        for block, own in planned_blocks:
            found = results[block.start_utc]
            hours = (found.end_utc - found.start_utc) / timedelta(hours=1)
            price = found.price_as_published if market_id == "fcr" else found.price_per_mw_h * hours
            assert found.price_per_mw_h * hours == pytest.approx(price, abs=0.02)
            wanted += price * own.offered_kw / 1000
        assert capacity(plan, market_id) == pytest.approx(wanted, abs=0.01)


def test_hourly_prices_are_held_on_quarter_hours():
    _, problem, _ = schedule_request_from_pb(real_days.german_2022(date(2022, 10, 30)))
    price = problem.markets[0].price_per_mwh
    assert price.shape == (100,)
    assert np.array_equal(price, np.repeat(price[::4], 4))


def test_a_second_tender_that_bought_nothing_is_no_result():
    day = datetime(2022, 3, 5, 23, tzinfo=UTC)
    found = [s for s in real_days.german_results()["FCR", "symmetric"] if day <= s.start_utc < day + timedelta(days=1)]
    assert len(found) == 6
    assert all(slice.price_as_published > 0 for slice in found)


@pytest.mark.parametrize(
    ("day", "count"),
    [(date(2025, 10, 26), 100), pytest.param(date(2025, 12, 24), 96, marks=pytest.mark.slow)],
)
def test_german_quarter_hours(day, count):
    problem, _ = planned(real_days.german_2025(day))
    assert problem.horizon.count == count
    assert len(np.unique(problem.markets[0].price_per_mwh)) > 25


def test_swedish_quarter_hours_on_the_long_day():
    problem, _ = planned(real_days.swedish_2025(date(2025, 10, 26)))
    assert problem.horizon.count == 100


def test_swedish_frequency_reserves():
    """Waking takes longer than FCR-D down allows; going to sleep does not."""
    problem, plan = planned(real_days.swedish_2025(date(2025, 12, 7)))
    assert [len(blocks(problem, plan, id)) for id in ("fcr-n", "fcr-d-up", "fcr-d-down")] == [24, 24, 24]
    assert any(own.offered_kw for _, own in blocks(problem, plan, "fcr-d-up"))
    assert not any(own.offered_kw for _, own in blocks(problem, plan, "fcr-d-down"))


def test_british_auction():
    """Half-hours and windows of four hours; those that the day cuts take no offers, and a second is too fast for us."""
    problem, plan = planned(real_days.british_2026(date(2026, 7, 2)))
    assert problem.horizon.count == 48
    assert len(blocks(problem, plan, "BR-up")) == 48
    assert any(own.offered_kw for _, own in blocks(problem, plan, "BR-up"))
    for id in ("DC-low", "DC-high", "DM-low", "DM-high"):
        windows = blocks(problem, plan, id)
        assert [block.is_cut(problem.horizon) for block, _ in windows] == [True, *[False] * 5, True]
        assert not any(own.offered_kw for _, own in windows)


def test_a_day_that_misses_its_last_quarter_is_refused():
    with pytest.raises(InvalidFileError, match="2025-10-03T21:30Z"):
        real_days.swedish_2025(date(2025, 10, 3))


@pytest.mark.slow
@pytest.mark.parametrize("market", real_days.MARKETS, ids=lambda market: market.name)
def test_every_seventh_day(market):
    for day in market.days()[::7]:
        planned(market.make(day))

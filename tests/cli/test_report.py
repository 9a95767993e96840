"""What the report says, and that it fits: on answers made by hand."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from builders import tiny_request_pb

from scheduler.report import Clock, _news_words, lines_of, megawatts, money, print_report, text
from scheduler.server.workers import Progress
from scheduler.v1 import problem_pb2
from scheduler.v1 import scheduler_pb2 as pb


def request_with_blocks(ids=("site", "group", "fcr", "00-04"), start=None, count=4):
    """The tiny request with a reserve market: an hour sold by the block, and one with two bids."""
    request = tiny_request_pb()
    site, group, market, block = ids
    problem = request.problem
    problem.horizon.count = count
    if start:
        problem.horizon.start.FromDatetime(start)
    begin = problem.horizon.start.ToDatetime(UTC)
    problem.sites[0].id, problem.sites[0].assets[0].id = site, group
    reserve = problem.markets.add(id=market, open={}).reserve
    by_block = reserve.blocks.add(id=block, capacity_price_per_mw_block=60.0)
    by_block.start.FromDatetime(begin)
    by_block.end.FromDatetime(begin + timedelta(hours=4))
    by_bid = reserve.blocks.add(
        id=f"{block}-bids", bids=[{"id": "low", "price_per_mw_h": 5}, {"id": "high", "price_per_mw_h": 12}]
    )
    by_bid.start.FromDatetime(begin + timedelta(hours=4))
    by_bid.end.FromDatetime(begin + timedelta(hours=8))
    return request


def answer_to(request):
    problem = request.problem
    count = problem.horizon.count
    site, market = problem.sites[0], problem.markets[1]
    answer = pb.ScheduleResponse(
        solve={"objective": -0.001, "bound": 0.001, "gap": 1e-5, "stop_reason": 1, "wall_seconds": 2}
    )
    plan = answer.plan
    plan.sites.add(site_id=site.id, grid_mw=[0.5] * count).assets.add(
        asset_id=site.assets[0].id,
        miner_group={"modes": [{"mode_id": "off", "count": [50] * count}, {"mode_id": "mine", "count": [50] * count}]},
    )
    plan.markets.add(market_id="da", position_mw=[0.5] * count)
    blocks = plan.markets.add(market_id=market.id).blocks
    blocks.add(block_id=market.reserve.blocks[0].id, offered_kw=1500, awarded_kw=1000, lowest_price_per_mw_h=3.25)
    blocks[0].shortfalls.add(award_id="a", missing_mw=[0, 0.25, 0.5, 0])
    blocks[0].shortfalls.add(award_id="b", missing_mw=[0, 0.25, 0.25, 0])
    blocks.add(
        block_id=market.reserve.blocks[1].id,
        offered_kw=2000,
        bids=[{"bid_id": "low", "kw": 2000}, {"bid_id": "high"}],
    )
    plan.cash.add(kind="CASH_KIND_ENERGY", market_id="da", total=-40.0 * count / 2)
    plan.cash.add(kind="CASH_KIND_ACTIVATION_MINING", market_id=market.id, direction="DIRECTION_UP", total=7.0)
    plan.cash.add(kind="CASH_KIND_ACTIVATION_MINING", market_id=market.id, direction="DIRECTION_DOWN", total=-2.0)
    way = plan.counterfactuals.add(name="threshold", total=-1234567.891)
    way.shortfalls.add(award_id="a")
    return answer


def printed(request, answer):
    out = io.StringIO()
    print_report(request, answer, out)
    return out.getvalue()


def row(report, *words):
    """Cells of the row that starts with these words."""
    found = [line.split() for line in report.splitlines() if line.split()[: len(words)] == list(words)]
    assert len(found) == 1, report
    return found[0][len(words) :]


def test_figures():
    request = request_with_blocks()
    report = printed(request, answer_to(request))
    assert "Thu 2026-01-15 08:00 to Thu 2026-01-15 12:00 Europe/Berlin, 4 x 60 min\n" in report
    assert "objective 0.00 EUR   bound 0.00   gap 0.0010%   proven in 2.0 s\n" in report
    assert row(report, "activation", "mining", "fcr") == ["5.00"], "both directions together"
    assert row(report, "fcr", "00-04") == ["08:00-12:00", "1.5", "15.00", "3.25", "1", "0.750"]
    assert row(report, "fcr", "00-04-bids") == ["12:00-16:00", "2"]
    assert row(report, "-", "low") == ["2", "5.00"]
    assert " high " not in report
    assert row(report, "site", "group", "mine") == ["200.0", "2.00", "50.0%"]
    assert row(report, "market", "da") == ["2.000", "40.00"]
    assert row(report, "threshold") == ["-1,234,567.89", "1,234,567.89", "1,234,567.89", "1"]
    assert "\x1b" not in report, "no colours in a file"


@pytest.mark.parametrize("length", [30, 200])
def test_long_ids_fit(length):
    request = request_with_blocks(ids=["x" * length] * 4)
    report = printed(request, answer_to(request))
    assert max(map(len, report.splitlines())) <= 100
    assert "machine-hours" in report and "1,234,567.89" in report


def test_what_a_terminal_would_obey_is_not_printed():
    request = request_with_blocks(ids=("[red]site[/]", "gr\x1b[31moup", "f\ncr", "b"))
    report = printed(request, answer_to(request))
    assert "[red]site[/]" in report
    assert "\x1b" not in report and "gr?[31moup" in report and "f?cr" in report
    assert lines_of(["a\nb", "c\x1b"], "file") == "file: a b\nfile: c?\n"
    assert text("€ ok") == "€ ok"


def test_a_repeated_hour_has_its_letters():
    horizon = problem_pb2.Horizon(step_minutes=60, count=25, time_zone="Europe/Berlin")
    start = datetime(2025, 10, 25, 22, tzinfo=UTC)
    horizon.start.FromDatetime(start)
    clock = Clock(horizon)
    assert clock.span(start + timedelta(hours=2), start + timedelta(hours=3)) == "02:00 CEST-02:00 CET"
    horizon.count = 48
    assert Clock(horizon).span(start, start + timedelta(hours=4)) == "10-26 00:00 CEST-03:00 CET"


def test_an_answer_without_a_plan():
    request = request_with_blocks()
    assert "NO PLAN: none in time" in printed(request, pb.ScheduleResponse(no_plan={"reason": "none in time"}))


def test_news_in_words():
    assert list(_news_words(Progress("solve", 1234.5, 1240.0, 2.0))) == [
        "solve",
        "objective 1,234.50",
        "bound 1,240.00",
        "gap 0.4455%",
    ]
    assert list(_news_words(Progress("solve", 0.0, 5.0, 2.0))) == ["solve", "objective 0.00", "bound 5.00"]


def test_long_reasons_are_wrapped():
    request = request_with_blocks()
    answer = pb.ScheduleResponse()
    answer.conflict.shortfalls.add(market_id="fcr", reason="because of this and that " * 20)
    answer.conflict.shortfalls[0].start.CopyFrom(request.problem.horizon.start)
    answer.conflict.shortfalls[0].end.CopyFrom(request.problem.horizon.start)
    lines = printed(request, answer).splitlines()
    assert max(map(len, lines)) <= 100
    assert "".join(lines).count("because") == 20


def test_small_figures():
    assert [money(value) for value in (-0.004, 0.005001, 1234.5)] == ["0.00", "0.01", "1,234.50"]
    assert [megawatts(kw) for kw in (0, 1, 1500, 1_000_000)] == ["", "0.001", "1.5", "1,000"]

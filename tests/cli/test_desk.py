"""scheduler bid, scheduler award: what is written, what is not, and with which exit code."""

import csv
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import tiny_request_pb

from scheduler import cli, make_plan
from scheduler.cli import desk as desk_module
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.json import message_from_json, response_to_json
from tools import desk_day


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """The folder of the page, to work in."""
    shutil.copytree(desk_day.PAGE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def plan_of_the_day(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    path.write_text(response_to_json(make_plan(desk_day.request_of()).response))
    return path


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def request_in(path: str) -> pb.ScheduleRequest:
    return message_from_json(pb.ScheduleRequest, Path(path).read_bytes(), path)


def test_bids_by_a_plan_that_is_there(desk, plan_of_the_day, capsys):
    assert cli.main(["bid", "request.json", "afrr-up", "afrr-down", "--plan", str(plan_of_the_day), "-o", "b.csv"]) == 0
    rows = rows_of("b.csv")
    assert [row["PRODUCT"] for row in rows] == [*(f"POS_{h:02}_{h + 4:02}" for h in range(0, 24, 4)), "NEG_04_08"]
    assert capsys.readouterr().out == "b.csv: afrr-up, 6 bids written\nb.csv: afrr-down, 1 bids written\n"
    words = ["bid", "request.json", "day-ahead", "--plan", str(plan_of_the_day), "-o", "c.csv", "--layout", "book"]
    assert cli.main(words) == 0
    assert len({row["utc_start"] for row in rows_of("c.csv")}) == 96


def test_bids_without_a_lowest_price_are_told_of(desk, plan_of_the_day, capsys):
    """FCR is paid the clearing price: the bid is what it costs, and where that is not known what is expected."""
    answer = message_from_json(pb.ScheduleResponse, plan_of_the_day.read_bytes(), "plan")
    words = ["bid", "request.json", "fcr", "--plan", "plan.json", "-o", "b.csv"]
    Path("plan.json").write_text(response_to_json(answer))
    assert cli.main(words) == 0 and capsys.readouterr().err == ""
    (market,) = (market for market in answer.plan.markets if market.market_id == "fcr")
    offered = [block for block in market.blocks if block.offered_kw]
    for block in offered:
        block.ClearField("lowest_price_per_mw_h")
    Path("plan.json").write_text(response_to_json(answer))
    assert cli.main(words) == 0 and offered
    assert f"fcr, {len(offered)} of them at the price that is expected" in capsys.readouterr().err


def test_what_cannot_be_written_is_said_before_the_solve(desk, monkeypatch, capsys):
    monkeypatch.setattr(desk_module, "_planned", lambda request, args: pytest.fail("planned"))
    for words, message in ((["--date", "2031-01-01"], "2031-01-01 is not in"), (["--without", "none"], "no group")):
        assert cli.main(["bid", "request.json", "day-ahead", "-o", "c.csv", *words]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["capacity-bids", "energy-bids"])
def test_orders_of_another_type_than_the_market_s_are_refused(desk, plan_of_the_day, kind, capsys):
    words = ["write", kind, "request.json", str(plan_of_the_day), "--market", "afrr-up", "-o", "x.csv"]
    assert cli.main([*words, "--type", "mFRR"]) == 1
    assert "market 'afrr-up' is aFRR by its product (de/afrr-up): it is not mFRR" in capsys.readouterr().err
    assert not Path("x.csv").exists()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Helsinki", "America/Chicago"])
def test_bids_are_by_the_clock_of_the_market_wherever_the_request_is(desk, plan_of_the_day, zone):
    """The same instants make the same bids: products, periods and the day of delivery are CET/CEST."""
    shutil.copy(plan_of_the_day, "plan.json")
    for name, far in (("request.json", "far.json"), ("plan.json", "far-plan.json")):
        Path(far).write_text(Path(name).read_text().replace("Europe/Berlin", zone))
    kinds = [
        ["demand-curve"],
        ["capacity-bids", "--market", "afrr-down", "--type", "aFRR"],
        ["energy-bids", "--market", "afrr-up", "--type", "aFRR"],
        ["block-bids", "--group", request_in("request.json").problem.sites[0].assets[0].id],
    ]
    for kind in kinds:
        for request, plan, out in (("request.json", "plan.json", "near.csv"), ("far.json", "far-plan.json", "far.csv")):
            assert cli.main(["write", kind[0], request, plan, "-o", out, *kind[1:]]) == 0
        near, far = (Path(f"{name}.csv").read_text().splitlines() for name in ("near", "far"))
        assert [row for row in near if "Exported" not in row] == [row for row in far if "Exported" not in row]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Helsinki"])
def test_results_are_by_the_clock_of_the_market_wherever_the_request_is(desk, zone):
    Path("far.json").write_text(Path("request.json").read_text().replace("Europe/Berlin", zone))
    for request, new in (("request.json", "near2.json"), ("far.json", "far2.json")):
        assert cli.main(["award", request, "fcr-result.csv", "-o", new]) == 0
    near, far = request_in("near2.json"), request_in("far2.json")
    far.problem.horizon.time_zone = near.problem.horizon.time_zone
    assert near == far


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["bid", "request.json", "none", "-o", "x"], 1, "there is no market 'none': the request has day-ahead, fcr"),
        (["bid", "request.json", "fcr", "mfrr-up", "-o", "x"], 1, "name the one type of these bids with --type"),
        (["bid", "request.json", "fcr", "fcr", "-o", "x"], 1, "a market is named twice"),
        (["bid", "request.json", "day-ahead", "fcr", "-o", "x"], 1, "a demand curve is a file of its own"),
        (["bid", "request.json", "fcr", "--plan", "p", "--save-plan", "q", "-o", "x"], 1, "--save-plan is for a plan"),
        (["award", "request.json", "-o", "x"], 1, "name a result, or markets in which nothing was won"),
        (["award", "request.json", "--nothing", "fcr", "--bids", "b", "-o", "x"], 1, "--bids goes with a result"),
        (
            ["award", "request.json", "fcr-result.csv", "-o", "request.json"],
            1,
            "is read by this command, and stays as it is",
        ),
        (
            ["award", "request.json", "fcr-result.csv", "-o", "./request.json"],
            1,
            "is read by this command, and stays as it is",
        ),
        (
            ["award", "request.json", "afrr-result.csv", "--market", "fcr", "-o", "x"],
            2,
            "afrr-result.csv:2: the request",
        ),
        (["award", "request.json", "fcr-result.csv", "--penalty", "-1", "-o", "x"], 2, "penalty_per_mw_h: must be at"),
        (["award", "request.json", "day-ahead-result.csv", "-o", "x"], 2, "must carry the long and short prices, 0 do"),
        (["award", "request.json", "missing.csv", "-o", "x"], 1, "missing.csv: No such file"),
    ],
)
def test_what_is_not_done_leaves_nothing_behind(desk, words, code, message, capsys):
    before = {path.name: path.read_bytes() for path in desk.iterdir()}
    assert cli.main(words) == code
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in desk.iterdir()} == before


def test_no_bids_where_obligations_clash(desk, capsys):
    request = request_in("request.json")
    block = request.problem.markets[2].reserve.blocks[1]
    block.ClearField("max_kw")
    block.awards.add(id="too-much", kw=9000, price_per_mw_h=1)
    Path("clash.json").write_text(response_to_json(request))
    assert cli.main(["bid", "clash.json", "fcr", "-o", "x.csv", "--quiet", "--no-counterfactuals"]) == 3
    assert "no bids are written: obligations clash" in capsys.readouterr().err
    assert not Path("x.csv").exists()


def test_published_prices_of_deviations(desk, capsys):
    """The clearing price is of the result, the prices of deviations of a file of netztransparenz.de."""
    rows = ["Datum;Zeitzone;von;bis;Einheit;reBAP unterdeckt;reBAP überdeckt"]
    grid = desk_day.grid_of(desk_day.DAY)
    for t in range(grid.count):
        start, end = (grid.instant(i).ToDatetime() for i in (t, t + 1))
        rows.append(f"{start:%d.%m.%Y};UTC;{start:%H:%M};{end:%H:%M};EUR/MWh;{100 - t},5;{t},25")
    Path("rebap.csv").write_text("\n".join([*rows, ""]), "utf-8")
    words = ["award", "request.json", "day-ahead-result.csv", "--max-deviation", "2"]
    assert cli.main([*words, "--deviation-prices", "rebap.csv", "-o", "new.json"]) == 0
    assert "problem.markets[0].energy.short_price_per_mwh: 96 prices of DE" in capsys.readouterr().out
    energy = request_in("new.json").problem.markets[0].energy
    assert energy.price_per_mwh.source.startswith("day-ahead price of day-ahead-result.csv")
    assert "rebap.csv" in energy.long_price_per_mwh.source and energy.max_deviation_mw == 2


def test_prices_of_the_command_line_are_in_the_new_request(desk, capsys):
    grid = desk_day.grid_of(desk_day.DAY)
    lines = [f"{grid.instant(t).ToDatetime():%Y-%m-%dT%H:%M:%SZ},DE-LU,{t}" for t in range(grid.count)]
    Path("prices.csv").write_text("\n".join(["utc_start,zone,price_eur_per_mwh", *lines]) + "\n")
    words = ["award", "request.json", "fcr-result.csv", "--prices", "prices.csv", "-o", "new.json"]
    assert cli.main(words) == 0
    assert list(request_in("new.json").problem.markets[0].energy.price_per_mwh.values) == list(range(96))


def test_no_plan_no_bids(desk, capsys):
    none = pb.ScheduleResponse(no_plan={"reason": "none"}, solve={"stop_reason": "STOP_REASON_TIME"})
    Path("none.json").write_text(response_to_json(none))
    assert cli.main(["bid", "request.json", "fcr", "--plan", "none.json", "-o", "x.csv"]) == 2
    assert "none.json: holds no plan" in capsys.readouterr().err


def swedish() -> pb.ScheduleRequest:
    """1.75 MW and a market of FCR-D up, an hour each, that is paid the clearing price."""
    request = tiny_request_pb()
    group = request.problem.sites[0].assets[0].miner_group
    group.machine_count = group.initial_cohorts[0].count = 500
    market = request.problem.markets.add(id="fcr-d", open={})
    market.reserve.ref.name, market.reserve.ref.delivery_date = "se/fcr-d-up", "2026-01-15"
    start = request.problem.horizon.start.ToDatetime(UTC)
    for hour in range(4):
        block = market.reserve.blocks.add(id=f"h{hour}", capacity_price_per_mw_h=50.0)
        block.start.FromDatetime(start + timedelta(hours=hour))
        block.end.FromDatetime(start + timedelta(hours=hour + 1))
    return request


def test_a_gate_of_another_platform(tmp_path, monkeypatch, capsys):
    """Bids in our own layout, their result, a request in which they are awards, and a sound plan of it."""
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text(response_to_json(swedish()))
    assert cli.main(["bid", "request.json", "fcr-d", "-o", "bids.csv", "--quiet"]) == 0
    assert capsys.readouterr().out == "bids.csv: fcr-d, 4 bids written\n"
    rows = rows_of("bids.csv")
    assert list(rows[0]) == [
        *("market", "utc_start", "utc_end", "bid", "offered_mw", "price_eur_per_mw_h"),
        *("indivisible", "parent_bid", "exclusive_group"),
    ]
    problem = request_in("request.json").problem
    starts = [block.start.ToDatetime(UTC) for block in problem.markets[1].reserve.blocks]
    assert [datetime.fromisoformat(row["utc_start"]) for row in rows] == starts
    assert {row["market"] for row in rows} == {"fcr-d"} and {float(row["offered_mw"]) for row in rows} == {1.7}

    def result(*accepted_mw: float, price: float) -> None:
        lines = ["market,utc_start,utc_end,bid,offered_mw,accepted_mw,price_eur_per_mw_h"]
        for row, mw in zip(rows, accepted_mw, strict=True):
            lines.append(f"fcr-d,{row['utc_start']},{row['utc_end']},,{row['offered_mw']},{mw},{price}")
        Path("result.csv").write_text("\n".join(lines) + "\n")

    words = ["award", "request.json", "result.csv", "--bids", "bids.csv", "-o", "new.json"]
    result(1.7, 0.5, 0, 1.7, price=-5.0)
    assert cli.main(words) == 2
    assert "result.csv:2: is paid -5 per MW and hour, row 2 of bids.csv asks" in capsys.readouterr().err
    result(1.7, 0.5, 0, 1.7, price=61.5)
    assert cli.main(words) == 0
    assert "fcr-d: 3.9 MW won in 3 of 4 blocks" in capsys.readouterr().out
    assert cli.main(["plan", "new.json", "-o", "plan.json", "--quiet"]) == 0
    assert cli.main(["audit", "new.json", "plan.json"]) == 0
    capacity = 61.5 * (1.7 + 0.5 + 1.7)
    plan = message_from_json(pb.ScheduleResponse, Path("plan.json").read_bytes(), "plan").plan
    earned = sum(sum(cash.amount) for cash in plan.cash if cash.market_id == "fcr-d" and "CAPACITY" in str(cash))
    assert earned == pytest.approx(capacity)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fcr-d", "-o", "x.xlsx"], "x.xlsx: bids in our own layout are a .csv file"),
        (["fcr-d", "--type", "FCR", "-o", "x.csv"], "--type is for the layout of regelleistung.net"),
    ],
)
def test_our_own_layout_is_a_csv_that_names_the_market(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text(response_to_json(swedish()))
    assert cli.main(["bid", "request.json", *words]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["request.json"]


def test_any_bids_as_our_own(desk, plan_of_the_day, capsys):
    """The same MW and prices per hour as in the layout of regelleistung.net, whatever the product."""
    for words in (["-o", "theirs.csv"], ["--own", "-o", "ours.csv"]):
        assert cli.main(["bid", "request.json", "fcr", "--plan", str(plan_of_the_day), *words]) == 0
    theirs, ours = rows_of("theirs.csv"), rows_of("ours.csv")
    assert [row["offered_mw"] for row in ours] == [row["OFFERED_CAPACITY_[MW]"] for row in theirs] != []
    for own, other in zip(ours, theirs, strict=True):
        per_block = float(other["OFFERED_CAPACITY_PRICE_[EUR/MW]"])
        assert 0 <= 4 * float(own["price_eur_per_mw_h"]) - per_block < 0.04 + 1e-9, "each rounded up to the cent"

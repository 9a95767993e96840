"""scheduler write: files from a plan that was audited, and from no other."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import pytest
from builders import tiny_request_pb
from openpyxl import load_workbook

from scheduler import cli, make_plan
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.json import message_from_json, response_to_json

DAYS = Path(__file__).resolve().parents[2] / "fixtures" / "days"


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> list[str]:
    """A request with its plan: paths of both."""
    request = DAYS / "spike-day" / "request.json"
    plan = tmp_path_factory.mktemp("day") / "plan.json"
    plan.write_text(response_to_json(make_plan(request).response))
    return [str(request), str(plan)]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        (["demand-curve"], "Type"),
        (["demand-curve", "--layout", "book", "--step-curve", "--most-points", "50"], "utc_start"),
        (["block-bids", "--group", "GROUP"], "Name"),
        (["capacity-bids", "--market", "RESERVE", "--type", "mFRR"], "DATE_FROM"),
        (["energy-bids", "--market", "RESERVE", "--type", "mFRR"], "DELIVERY_DATE"),
        (["schedule"], "utc_start"),
    ],
)
def test_every_kind(day, words, heading, tmp_path, capsys):
    problem = json.loads(Path(day[0]).read_text())["problem"]
    named = {
        "GROUP": problem["sites"][0]["assets"][0]["id"],
        "RESERVE": next(market["id"] for market in problem["markets"] if "reserve" in market),
    }
    words = [named.get(word, word) for word in words]
    out = tmp_path / "out.csv"
    assert cli.main(["write", words[0], *day, "-o", str(out), *words[1:]]) == 0
    assert capsys.readouterr().out == f"{out}: written\n"
    rows = rows_of(out)
    assert rows[0][0] == heading
    assert len(rows) > 1 or heading == "Name", "the machines of the day are behind reserve, none is free to start"
    book = tmp_path / "out.xlsx"
    assert cli.main(["write", words[0], *day, "-o", str(book), *words[1:]]) == 0
    assert load_workbook(book).worksheets[0]["A1"].value == heading


@pytest.mark.parametrize("tick", ["0.01", "0.1", "0.05"])
def test_prices_are_multiples_of_the_tick(day, tick, tmp_path, capsys):
    """Of a step, the points of a linear curve lie a tick apart."""
    out = tmp_path / "out.csv"
    words = ["demand-curve", *day, "-o", str(out), "--layout", "book", "--tick", tick]
    assert cli.main(["write", *words]) == 0
    prices = [float(row[4]) for row in rows_of(out)[1:]]
    assert all(abs(price / float(tick) - round(price / float(tick))) < 1e-6 for price in prices)
    steps = {round(high - low, 6) for low, high in pairwise(prices) if high > low}
    assert min(steps) == pytest.approx(float(tick))
    with pytest.raises(SystemExit):
        cli.main(["write", "demand-curve", *day, "-o", str(out), "--tick", "0.03"])
    assert "must be a part of 1" in capsys.readouterr().err


def test_tables(day, tmp_path, capsys):
    book, folder, parquet = tmp_path / "plan.xlsx", tmp_path / "csv", tmp_path / "parquet"
    assert cli.main(["write", "tables", *day, "-o", str(book)]) == 0
    assert "dispatch" in load_workbook(book).sheetnames
    assert cli.main(["write", "tables", *day, "-o", str(folder)]) == 0
    assert cli.main(["write", "tables", *day, "-o", str(parquet), "--as", "parquet"]) == 0
    assert (
        {path.stem for path in folder.iterdir()}
        == {path.stem for path in parquet.iterdir()}
        == set(load_workbook(book).sheetnames)
    )
    assert cli.main(["write", "tables", *day, "-o", str(folder)]) == 1
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demand-curve", "-o", "x.pdf"], "must end in .csv or .xlsx"),
        (["demand-curve", "-o", "x.csv", "--market", "none"], "name one energy market with --market, of"),
        (["demand-curve", "-o", "x.csv", "--date", "2031-01-01"], "which 2031-01-01 is not in"),
        (["demand-curve", "-o", "x.csv", "--most-price", "-600"], "the price limits must rise"),
        (["demand-curve", "-o", "x.csv", "--most-points", "3"], "at least 4 points"),
        (["capacity-bids", "-o", "x.csv", "--type", "FCR"], "name one reserve market with --market, of"),
        (["block-bids", "-o", "x.csv", "--group", "none"], "there is no group of mining machines 'none'"),
        (["block-bids", "-o", "x.csv", "--group", "GROUP", "--group", "GROUP"], "is named twice"),
        (["block-bids", "-o", "x.csv", "--group", "GROUP", "--date", "2031-01-01"], "which 2031-01-01 is not in"),
        (["demand-curve", "-o", "x.csv", "--without", "none"], "there is no group of mining machines 'none'"),
        (["demand-curve", "-o", "x.csv", "--most-price", "inf"], "the price limits of an exchange are finite"),
    ],
)
def test_what_cannot_be_written_is_said(day, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    group = json.loads(Path(day[0]).read_text())["problem"]["sites"][0]["assets"][0]["id"]
    words = [group if word == "GROUP" else word for word in words]
    assert cli.main(["write", words[0], *day, *words[1:]]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_blocks_of_one_day_of_several(tmp_path, capsys):
    """A run over midnight is asked for day by day: in the first it starts, in the second it has."""
    request = tiny_request_pb([200.0] * 10 + [20.0] * 12 + [200.0] * 8)  # from 08:00 local: the day has 16 hours of it
    request.problem.sites[0].assets[0].miner_group.moves[0].wear_cost = 2.0
    paths = [tmp_path / "request.json", tmp_path / "plan.json"]
    paths[0].write_text(response_to_json(request))
    paths[1].write_text(response_to_json(make_plan(paths[0]).response))
    words = ["write", "block-bids", *map(str, paths), "--group", "group", "-o", str(tmp_path / "b.csv")]
    assert cli.main(words) == 1
    assert "name the day of delivery" in capsys.readouterr().err
    days = []
    for day in ("2026-01-15", "2026-01-16"):
        assert cli.main([*words, "--date", day]) == 0
        header, *rows = rows_of(tmp_path / "b.csv")
        assert len(header) == len(set(header))
        days.append(rows)
    ((first,), (second,)) = days
    assert (first[1:3], second[1:3]) == (["18:00-19:00", "23:00-00:00"], ["00:00-01:00", "05:00-06:00"])
    assert float(first[4]) < float(second[4]), "it starts in the first"


def test_orders_of_a_conflict_are_refused_and_what_it_takes_is_told(tmp_path, capsys):
    (request,) = DAYS.parent.glob("*/awards-clash/request.json")
    plan, out = tmp_path / "plan.json", tmp_path / "x.csv"
    plan.write_text(response_to_json(make_plan(request).response))
    market = next(
        m.id
        for m in message_from_json(pb.ScheduleRequest, request.read_bytes(), "r").problem.markets
        if m.HasField("reserve")
    )
    for words in (["demand-curve"], ["capacity-bids", "--market", market, "--type", "aFRR"]):
        assert cli.main(["write", words[0], str(request), str(plan), "-o", str(out), *words[1:]]) == 3
        assert "obligations clash" in capsys.readouterr().err and not out.exists()
    assert cli.main(["write", "schedule", str(request), str(plan), "-o", str(out)]) == 0


def test_a_plan_that_is_not_sound_is_never_handed_on(day, tmp_path, capsys):
    answer = message_from_json(pb.ScheduleResponse, Path(day[1]).read_text(), "plan")
    answer.plan.sites[0].grid_mw[0] += 1.0
    changed = tmp_path / "changed.json"
    changed.write_text(response_to_json(answer))
    assert cli.main(["write", "schedule", day[0], str(changed), "-o", str(tmp_path / "x.csv")]) == 5
    said = capsys.readouterr()
    assert said.out == "" and all(line.startswith(f"{changed}: plan.") for line in said.err.splitlines()) and said.err
    assert not (tmp_path / "x.csv").exists()


def test_no_plan_and_another_plan(day, tmp_path, capsys):
    none = tmp_path / "none.json"
    none.write_text(
        response_to_json(pb.ScheduleResponse(no_plan={"reason": "none"}, solve={"stop_reason": "STOP_REASON_TIME"}))
    )
    assert cli.main(["write", "schedule", day[0], str(none), "-o", str(tmp_path / "x.csv")]) == 2
    assert "holds no plan" in capsys.readouterr().err
    tiny = tmp_path / "tiny.json"
    tiny.write_text(response_to_json(tiny_request_pb()))
    assert cli.main(["write", "schedule", str(tiny), day[1], "-o", str(tmp_path / "x.csv")]) == 2
    assert capsys.readouterr().err.startswith(f"{day[1]}: plan.")


def test_plot(day, tmp_path, capsys):
    out = tmp_path / "plan.svg"
    assert cli.main(["plot", *day, "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: written\n"
    assert "<svg" in out.read_text("utf-8")
    assert cli.main(["plot", *day, "-o", str(tmp_path / "plan.gif")]) == 1
    assert "must end in .svg" in capsys.readouterr().err

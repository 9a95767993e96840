"""CSV files of a plan: what is written reads back equal, and nothing is overwritten unasked."""

import csv
import json
import re
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from builders import tiny_request_pb

from scheduler import Result, cli, make_plan
from scheduler.cli import work
from scheduler.plan import Schedule, Solve, StopReason
from scheduler.tables import Tables
from scheduler.wire.json import response_to_json

DAYS = Path(__file__).resolve().parents[2] / "fixtures" / "days"
COLUMNS = {
    "dispatch.csv": "utc_start,site_id,asset_id,mode_id,grid_mw,power_mw,hashrate_ths,machine_count",
    "energy.csv": "utc_start,market_id,position_mw",
    "reserve.csv": "utc_start,market_id,direction,offered_mw,awarded_mw,missing_mw,backed_mw",
    "blocks.csv": "market_id,block_id,utc_start,utc_end,offered_mw,awarded_mw,"
    "price_eur_per_mw_h,lowest_price_eur_per_mw_h",
    "bids.csv": "market_id,block_id,bid_id,offered_mw,price_eur_per_mw_h,acceptance_prob",
    "ladder.csv": "utc_start,market_id,direction,rung,asset_id,from_mode_id,to_mode_id,"
    "machine_count,mw,cumulated_mw,seconds,cost_eur_per_mwh",
    "cash.csv": "utc_start,kind,market_id,site_id,asset_id,direction,amount_eur",
}


@pytest.fixture
def answered(monkeypatch):
    """Sets the answer of the worker, and counts how often it is asked."""
    asked = []

    def set_answer(result):
        payload = result.response.SerializeToString()
        monkeypatch.setattr(work, "answered", lambda verb, request, progress: asked.append(verb) or payload)
        return asked

    return set_answer


@pytest.fixture(scope="module")
def tiny():
    return make_plan(tiny_request_pb())


@pytest.fixture
def request_path(tmp_path):
    path = tmp_path / "request.json"
    path.write_text(response_to_json(tiny_request_pb()))
    return str(path)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def written(cell):
    """A cell as its text must be."""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%dT%H:%M:%SZ}"
    return "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)


@pytest.mark.parametrize(("day", "count"), [("clock-spring", 92), ("clock-autumn", 100)])
def test_files_read_back_equal(day, count, answered, tmp_path, capsys):
    request = DAYS / day / "request.json"
    result = make_plan(request)
    answered(result)
    out = tmp_path / "new" / "out"
    assert cli.main(["plan", str(request), "--csv", str(out)]) == 0
    said = capsys.readouterr().err
    tables = Tables(result.schedule).by_file()
    assert {path.name for path in out.iterdir()} == set(tables) == set(COLUMNS)
    for name, table in tables.items():
        header, *rows = read(out / name)
        assert ",".join(header) == COLUMNS[name]
        assert rows == [[written(cell) for cell in row] for row in table.rows]
        assert f"{out / name}: written" in said
    text = (out / "reserve.csv").read_bytes()
    assert text.endswith(b"\n") and b"\r" not in text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z", read(out / "reserve.csv")[1][0])

    compare_with_frames(result, out, count)


def compare_with_frames(result, out, count):
    dispatch = pd.read_csv(out / "dispatch.csv", parse_dates=["utc_start"], keep_default_na=False, na_values={})
    sites = dispatch[dispatch["grid_mw"] != ""]
    assert len(sites) == count and sites["utc_start"].is_unique and sites["utc_start"].is_monotonic_increasing
    frame = result.dispatch()
    assert list(sites["utc_start"]) == list(frame.index)
    assert list(sites["grid_mw"].astype(float)) == list(frame["site", "", "", "grid_mw"])
    mining = dispatch[dispatch["mode_id"] == "full"]
    assert list(mining["machine_count"].astype(int)) == list(frame["site", "s21", "full", "machine_count"])
    cash = pd.read_csv(out / "cash.csv")
    assert cash["amount_eur"].sum() == pytest.approx(result.objective)
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "blocks.csv", parse_dates=["utc_start", "utc_end"]), result.blocks(), rtol=1e-12
    )


def test_nothing_is_overwritten_unless_forced(request_path, tiny, answered, tmp_path, capsys):
    asked = answered(tiny)
    out = tmp_path / "out"
    words = ["plan", request_path, "--quiet", "--csv", str(out)]
    out.mkdir()
    (out / "cash.csv").write_text("mine")
    (out / "notes.txt").write_text("mine")
    assert cli.main(words) == 1
    assert asked == [], "it is said before the solve"
    assert "not empty" in capsys.readouterr().err
    assert (out / "cash.csv").read_text() == "mine"
    assert cli.main([*words, "--force"]) == 0
    assert (out / "cash.csv").read_text().startswith(COLUMNS["cash.csv"])
    assert {path.name for path in out.iterdir()} == {*COLUMNS, "notes.txt"}
    assert (out / "notes.txt").read_text() == "mine"


def test_beside_the_plan_itself(request_path, tiny, answered, tmp_path, capsys):
    answered(tiny)
    out = tmp_path / "out"
    assert cli.main(["plan", request_path, "--quiet", "--json", "--csv", str(out), "-o", str(out / "plan.json")]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]
    assert {path.name for path in out.iterdir()} == {*COLUMNS, "plan.json"}


def test_without_a_plan_nothing_is_written(request_path, tiny, answered, tmp_path, capsys):
    problem = tiny.schedule.problem
    answered(Result(schedule=Schedule(problem, Solve(StopReason.TIME), no_plan_reason="no time")))
    assert cli.main(["plan", request_path, "--quiet", "--csv", str(tmp_path / "out")]) == 4
    assert "nothing is written" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_is_no_directory(request_path, tiny, answered, tmp_path, capsys):
    asked = answered(tiny)
    assert cli.main(["plan", request_path, "--csv", request_path]) == 1
    assert capsys.readouterr().err.startswith(f"scheduler: {request_path}: ")
    assert cli.main(["plan", request_path, "--force"]) == 1
    assert "--csv" in capsys.readouterr().err
    assert asked == []


def test_ids_of_all_sorts_and_another_currency(tmp_path):
    request = tiny_request_pb()
    request.problem.currency_code = "USD"
    site_id = request.problem.sites[0].id = 'Nörd, "A"; =1'
    paths = make_plan(request).to_csv(tmp_path / "out")
    header, *rows = read(paths[0])
    assert {row[header.index("site_id")] for row in rows} == {site_id}
    assert read(paths[-1])[0][-1] == "amount_usd"

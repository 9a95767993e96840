"""What people see of a site with more than machines: tables, files, a report, the command line, a conflict's lines."""

import csv
import json
from pathlib import Path

import pytest

from scheduler import make_plan
from scheduler.cli import main

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
INTEGRATED = FIXTURES / "days" / "grid-integrated" / "request.json"


@pytest.fixture(scope="module")
def result():
    return make_plan(INTEGRATED)


def test_frames_tell_what_each_asset_does(result):
    dispatch = result.dispatch()
    assert dispatch["site", "battery", "", "stored_mwh"].iloc[-1] == pytest.approx(1.0)
    assert dispatch["site", "engine", "", "running_count"].tolist() == [0] * 16 + [1] * 4 + [0] * 4
    assert dispatch["site", "hall", "", "unserved_mw"].sum() == 0
    assert (dispatch["site", "hall", "", "power_mw"] == 2).all()


def test_files_tell_the_same(result, tmp_path):
    result.to_csv(tmp_path)
    with (tmp_path / "dispatch.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["asset_id"] == "battery"]
    assert len(rows) == 24
    assert float(rows[-1]["stored_mwh"]) == pytest.approx(1.0)
    assert rows[0]["running_count"] == ""
    with (tmp_path / "cash.csv").open() as file:
        assert {"fuel", "wear"} <= {row["kind"] for row in csv.DictReader(file)}


def test_report_and_audit_on_the_command_line(tmp_path, capsys):
    plan = tmp_path / "plan.json"
    assert main(["plan", str(INTEGRATED), "-o", str(plan)]) == 0
    shown = capsys.readouterr().out
    assert "Beside the machines" in shown
    (battery,) = [line.split() for line in shown.splitlines() if " battery " in line]
    assert battery == ["site", "battery", "battery", "4.000", "4.000"]
    assert main(["audit", str(INTEGRATED), str(plan)]) == 0
    answer = json.loads(plan.read_text())
    engine = next(a for a in answer["plan"]["sites"][0]["assets"] if a["asset_id"] == "engine")
    engine["generator"]["running_count"][3] = 1
    plan.write_text(json.dumps(answer))
    assert main(["audit", str(INTEGRATED), str(plan)]) == 5


def test_conflict_names_the_load_on_the_command_line(capsys):
    request = FIXTURES / "pairs" / "firm-load-short-binding" / "request.json"
    assert main(["plan", str(request)]) == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "CONFLICT: firm load cannot be served in full" in shown and "way out costs" not in shown
    assert "site hall, 01:00-02:00: 0.500 MW missing" in shown
    assert "0.5 MW of 1.5 MW not served, 0.5 MWh: to serve more of it, raise" in shown

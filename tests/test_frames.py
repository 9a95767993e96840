"""What a notebook meets: make_plan, its result, and frames whose figures add up."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from builders import START, tiny_request_pb

from scheduler import InvalidRequestError, Problem, Result, SchedulerError, SolveOptions, Strategy, make_plan
from scheduler.plan import Schedule, Solve, StopReason
from scheduler.wire.json import response_to_json
from scheduler.wire.request import schedule_request_from_pb

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
INTERVALS = {"clock-spring": 92, "clock-autumn": 100}
HOURS = 0.25


def planned(name: str) -> Result:
    return make_plan(FIXTURES / name / "request.json")


@pytest.fixture(scope="module")
def days() -> dict[str, Result]:
    return {name: planned(f"days/{name}") for name in INTERVALS}


@pytest.fixture(scope="module")
def clash() -> Result:
    return planned("days/awards-clash")


@pytest.fixture(scope="module")
def tiny() -> Result:
    return make_plan(tiny_request_pb())


def every(frame: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return frame.xs(quantity, axis="columns", level="quantity")


@pytest.mark.parametrize("day", INTERVALS)
@pytest.mark.parametrize("name", ["dispatch", "energy", "reserve", "cash"])
def test_index_is_utc_on_days_when_clocks_change(days, day, name):
    index = getattr(days[day], name)().index
    assert len(index) == INTERVALS[day]
    assert index.name == "utc_start"
    assert index.dtype == "datetime64[us, UTC]"
    assert index.is_unique and index.is_monotonic_increasing
    local = index.tz_convert(ZoneInfo("Europe/Berlin"))
    end = local[-1] + timedelta(minutes=15)
    assert (local[0].hour, local[0].minute, end.hour, end.minute) == (0, 0, 0, 0)


@pytest.mark.parametrize("day", INTERVALS)
def test_dispatch_adds_up(days, day):
    result = days[day]
    frame = result.dispatch()
    assert frame.columns.names == ["site_id", "asset_id", "mode_id", "quantity"]
    group = frame["site", "s21"]
    machines = every(frame, "machine_count")
    assert (machines.dtypes == np.int64).all()
    assert (machines.sum(axis="columns") == 1000).all()
    np.testing.assert_allclose(frame["site", "", "", "grid_mw"], group["", "power_mw"])
    np.testing.assert_allclose(frame["site", "", "", "grid_mw"], result.energy()["day-ahead", "position_mw"])
    settled = group["full", "machine_count"] * 200 - group["", "hashrate_ths"]
    most_lost = 1000 * 200 * 10 / 900  # all wake at once, in 10 s
    assert (settled >= -1e-6).all() and (settled <= most_lost).all(), "all that mine hash, but for those on their way"


@pytest.mark.parametrize("day", INTERVALS)
def test_cash_is_the_objective_and_what_energy_costs(days, day):
    result = days[day]
    cash, totals = result.cash(), result.cash_totals()
    assert cash.to_numpy().sum() == pytest.approx(result.objective)
    assert totals["total_eur"].sum() == pytest.approx(result.objective)
    by_kind = totals.groupby("kind")["total_eur"].sum()
    request = json.loads((FIXTURES / "days" / day / "request.json").read_text())
    (market,) = [market for market in request["problem"]["markets"] if "energy" in market]
    bought = result.energy()["day-ahead", "position_mw"].to_numpy()
    prices = np.array(market["energy"]["price_per_mwh"]["values"])
    assert by_kind["energy"] == pytest.approx(-(bought * prices).sum() * HOURS)
    assert cash["energy"].to_numpy().sum() == pytest.approx(by_kind["energy"])
    assert set(cash.columns.get_level_values("quantity")) == {"amount_eur"}


@pytest.mark.parametrize(("day", "hours"), [("clock-spring", 3), ("clock-autumn", 5)])
def test_reserve_is_what_the_blocks_say(days, day, hours):
    result = days[day]
    reserve, blocks = result.reserve(), result.blocks()
    assert set(reserve.columns) == {
        ("fcr", direction, quantity)
        for direction in ("up", "down")
        for quantity in ("offered_mw", "awarded_mw", "missing_mw", "backed_mw")
    }
    spans = (blocks["utc_end"] - blocks["utc_start"]) / pd.Timedelta(hours=1)
    assert list(spans) == [hours, 4, 4, 4, 4, 4]
    sold_mw_h = blocks["offered_mw"] * spans
    assert every(reserve, "offered_mw").to_numpy().sum() * HOURS == pytest.approx(2 * sold_mw_h.sum()) != 0
    assert (every(reserve, "backed_mw") >= every(reserve, "offered_mw") - 1e-6).all(axis=None)
    capacity = result.cash()["capacity"].to_numpy().sum()
    assert capacity == pytest.approx((sold_mw_h * blocks["price_eur_per_mw_h"]).sum())


def test_what_is_missing_of_awards(clash):
    assert clash.outcome == "conflict" and clash.shortfalls
    reserve = clash.reserve()
    missing, awarded, backed = (every(reserve, f"{name}_mw") for name in ("missing", "awarded", "backed"))
    assert missing.to_numpy().sum() * HOURS == pytest.approx(3.71, abs=1e-4)
    assert (backed + missing >= awarded - 1e-6).all(axis=None)
    assert awarded["afrr-up", "up"].max() == 5
    assert clash.blocks().set_index("market_id").loc["afrr-down", "awarded_mw"] == 2
    assert "conflict" in repr(clash)


def test_bids():
    result = planned("pairs/ladder-feasible")
    bids, blocks = result.bids(), result.blocks()
    assert bids.groupby("block_id")["offered_mw"].sum().to_dict() == dict(
        zip(blocks["block_id"], blocks["offered_mw"], strict=True)
    )
    assert bids["offered_mw"].sum() > 0


def test_result_of_a_server_reads_the_same(clash, days):
    for local in (clash, *days.values()):
        request = local._request
        remote = Result(request, response=type(local.response).FromString(local.response.SerializeToString()))
        assert (remote.outcome, remote.objective, remote.solve) == (local.outcome, local.objective, local.solve)
        assert [item.missing_mw for item in remote.shortfalls] == [item.missing_mw for item in local.shortfalls]
        for name in ("dispatch", "energy", "reserve", "blocks", "bids", "cash", "cash_totals"):
            pd.testing.assert_frame_equal(getattr(remote, name)(), getattr(local, name)(), check_exact=True)


def test_make_plan_takes_what_people_have(tiny, tmp_path):
    message = tiny_request_pb()
    text = response_to_json(message)
    path = tmp_path / "request.json"
    path.write_text(text)
    _, problem, options = schedule_request_from_pb(message)
    assert isinstance(problem, Problem)
    as_dict = json.loads(text)
    for given in (path, str(path), text, f"\n {text}", text.encode(), as_dict):
        assert make_plan(given).objective == tiny.objective
    assert make_plan(problem, options).objective == tiny.objective
    energy = as_dict["problem"]["markets"][0]["energy"]["price_per_mwh"]
    as_dict["problem"]["horizon"]["start"] = START
    energy["values"] = pd.Series(energy["values"])
    energy["step_minutes"] = np.int64(60)
    assert make_plan(as_dict).objective == tiny.objective
    energy["values"] = np.array([1.0, np.nan, 2.0, 3.0])
    with pytest.raises(InvalidRequestError, match=r"values\[1\]"):
        make_plan(as_dict)


def test_options_instead_of_those_of_the_request(monkeypatch):
    seen = []

    def make_schedule(problem, options, progress):
        seen.append(options)
        return Schedule(problem, Solve(StopReason.TIME), no_plan_reason="no time")

    monkeypatch.setattr("scheduler.result.make_schedule", make_schedule)
    request = tiny_request_pb()
    request.options.seed = 3
    make_plan(request)
    make_plan(request, SolveOptions(strategy=Strategy.PLAIN))
    assert seen == [SolveOptions(seed=3), SolveOptions(strategy=Strategy.PLAIN)]


def test_result_keeps_to_the_request_that_was_planned():
    request = tiny_request_pb()
    result = make_plan(request)
    request.problem.currency_code = "USD"
    request.request_id = "changed"
    assert result.response.request_id == "tiny"
    assert "total_eur" in result.cash_totals()
    assert repr(result).startswith("<Result: plan, proven, objective ")
    assert result.plan.sites[0].grid_mw.shape == (4,)


def test_without_a_plan(tiny):
    result = Result(schedule=Schedule(tiny.schedule.problem, Solve(StopReason.TIME), no_plan_reason="no time"))
    assert (result.outcome, result.objective, result.plan) == ("no_plan", None, None)
    assert result.response.no_plan.reason == "no time"
    assert "no_plan" in repr(result)
    with pytest.raises(SchedulerError, match="no time"):
        result.dispatch()


def test_frames_of_nothing(tiny):
    assert tiny.reserve().shape == (4, 0)
    assert tiny.reserve().columns.names == ["market_id", "direction", "quantity"]
    assert tiny.blocks().empty and tiny.bids().empty
    assert tiny.reserve().index[0] == datetime(2026, 1, 15, 7, tzinfo=UTC)


def test_without_pandas_frames_say_what_to_install(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'gridflex-scheduler\[frames\]'") as caught:
        tiny.cash()
    assert caught.value.name == "pandas"
    assert tiny.objective > 0


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import scheduler", {"numpy", "pandas", "pyomo", "grpc", "google.protobuf"}),
        ("from scheduler import make_plan", {"pandas", "pyomo", "grpc", "google.protobuf"}),
        ("from scheduler import Client", {"pandas", "pyomo"}),
    ],
)
def test_imports_are_late(code, absent):
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert not absent & set(result.stdout.split())

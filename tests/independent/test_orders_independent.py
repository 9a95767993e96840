"""Order files before another judge: nexa-bidkit, in an environment of its own, which `make orders` builds.

The judge reads the files by itself (`judge_orders.py`): it must find them sound, and its volumes must be ours.
"""

import json
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from scheduler import Result, make_plan
from scheduler.formats.block_bids import block_bids_of, nord_pool_block_rows
from scheduler.formats.demand_curve import LINEAR, STEPS, book_rows, curves_of, nord_pool_sheet
from scheduler.formats.local_day import day_of
from scheduler.formats.plan_files import write_rows
from scheduler.worth import Demand, Use, demand_of

ROOT = Path(__file__).resolve().parents[2]
JUDGE = ROOT / ".venv-orders"
DAYS = ROOT / "fixtures" / "days"
pytestmark = pytest.mark.skipif(
    not (JUDGE / ".ready").exists(), reason="no environment of the other judge: `make orders` builds it"
)

NAMES = {"clock-autumn": 100, "clock-spring": 92, "spike-day": 96, "solar-curtailment": 24}


@cache
def planned(day: str) -> Result:
    return make_plan(DAYS / day / "request.json")


def judged(kind: str, path: Path, horizon, prices=()) -> dict:
    """What the other judge says of a file."""
    job = {"kind": kind, "path": str(path), "day": str(day_of(horizon, 0)), "time_zone": horizon.time_zone}
    job |= {"step_minutes": horizon.step_minutes, "area": "DE-LU", "prices": [f"{price:.2f}" for price in prices]}
    done = subprocess.run(
        [JUDGE / "bin" / "python", ROOT / "tests" / "independent" / "judge_orders.py"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        env={},  # nothing of ours is in reach
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked_prices(demand: Demand) -> list[float]:
    """Around every price at which demand changes in some period, and far away; at most a hundred."""
    exact = {float(np.floor(price * 100 + 1e-6)) / 100 for use in demand.uses for price in use.price_per_mwh}
    around = sorted({p + d / 100 for p in exact for d in (0, 2)} | {-500.0, -0.02, 0.0, 55.5, 3999.0})
    return [p for p in around[:: max(1, len(around) // 80)] if -500 <= p < 4000]


def written(folder: Path, kind: str, demand: Demand, horizon, rules) -> Path:
    path = folder / f"{kind}.csv"
    if kind == "book":
        curves = {t: curves_of(demand, [t], rules)[t] for t in range(horizon.count)}
        write_rows(path, book_rows(curves, horizon, "EUR", rules, "DE-LU"))
    else:
        curves = curves_of(demand, range(horizon.count), rules)
        exported = horizon.start_utc
        write_rows(path, nord_pool_sheet(curves, horizon, "EUR", rules, exported_at=exported))
    return path


@pytest.mark.parametrize("day", NAMES)
@pytest.mark.parametrize(("kind", "rules"), [("book", LINEAR), ("book", STEPS), ("sheet", LINEAR)])
def test_curves_of_the_days(day, kind, rules, tmp_path):
    """Sound, of every quarter-hour of the day, and at every price the MW that the assets would take."""
    problem, plan = planned(day).schedule.problem, planned(day).plan
    market = next(m for m in problem.markets if m.kind == "energy")
    demand = demand_of(problem, plan, market)
    prices = asked_prices(demand)
    found = judged(kind, written(tmp_path, kind, demand, problem.horizon, rules), problem.horizon, prices)
    assert "refused" not in found, found
    volumes = np.array(found["mw"])
    assert volumes.shape == (NAMES[day], len(prices))
    for k, price in enumerate(prices):
        assert volumes[:, k] == pytest.approx(demand.mw_at(price), abs=0.05 + 1e-9), price


def test_blocks_of_a_day(tmp_path):
    result = planned("twelve-containers")
    problem, plan = result.schedule.problem, result.plan
    groups = [asset.id for site in problem.sites for asset in site.assets]
    bids = [bid for group in groups for bid in block_bids_of(problem, plan, group, LINEAR)]
    path = tmp_path / "blocks.csv"
    write_rows(path, nord_pool_block_rows(bids, problem, range(problem.horizon.count)))
    found = judged("blocks", path, problem.horizon)
    assert "refused" not in found, found
    assert [(block["name"], block["mtus"], block["mwh"]) for block in found["blocks"]] == [
        (bid.name, bid.end - bid.start, pytest.approx(bid.kw / 1000 * (bid.end - bid.start) / 4)) for bid in bids
    ]


# ---- the judge refuses what is wrong ----


def spoilt(text: str, before: str, after: str) -> str:
    assert before in text
    return text.replace(before, after, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "\n".join(text.splitlines()[:1] + text.splitlines()[5:]) + "\n", "periods"),
        (lambda text: spoilt(text, ",-500.0,3.0", ",-500.0,1.0"), "greater than or equal to 0"),  # rises with the price
        (lambda text: spoilt(text, ",40.0,3.0", ",40.005,3.0"), "no multiple of 0.01"),
        (lambda text: spoilt(text, ",40.0,3.0", ",-600.0,3.0"), "do not rise"),
        (lambda text: spoilt(text, ",40.0,3.0", ",40.0,1.05"), "below minimum 0.1 MW"),
    ],
)
def test_the_judge_finds_what_is_spoilt(change, words, tmp_path):
    horizon = planned("spike-day").schedule.problem.horizon
    use = Use("s", "g", "a", "b", np.full(96, 2.0), np.full(96, 40.0))
    path = written(tmp_path, "book", Demand(np.full(96, 1.0), (use,)), horizon, LINEAR)
    assert "refused" not in judged("book", path, horizon)
    path.write_text(change(path.read_text()))
    assert words in judged("book", path, horizon)["refused"]


def test_the_judge_counts_steps(tmp_path):
    """201 of them are too many: so our 200 points are not waved through."""
    horizon = planned("spike-day").schedule.problem.horizon
    lines = ["utc_start,utc_end,area,period,price_eur_per_mwh,volume_mw_buy_positive"]
    for t in range(horizon.count):
        start, end = (f"{horizon.boundary_utc(i):%Y-%m-%dT%H:%M:%SZ}" for i in (t, t + 1))
        lines += [f"{start},{end},DE-LU,p,{price}.0,{(201 - price) / 10}" for price in range(201)]
    path = tmp_path / "book.csv"
    path.write_text("\n".join(lines) + "\n")
    assert "201 steps, exceeds EUPHEMIA maximum of 200" in judged("book", path, horizon)["refused"]

"""Order files: every one is read back, by rules of its own, and must say what the plan and its worth say."""

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from openpyxl import load_workbook

from scheduler import Result, make_plan
from scheduler.errors import SchedulerError
from scheduler.formats.block_bids import _layers, block_bids_of, nord_pool_block_rows
from scheduler.formats.capacity_bids import capacity_bids
from scheduler.formats.demand_curve import LINEAR, STEPS, CurveRules, book_rows, curves_of, nord_pool_sheet
from scheduler.formats.energy_bids import _bids, energy_bids
from scheduler.formats.local_day import block_hours, intervals_of_day, number_in_day, period_name
from scheduler.formats.plan_files import write_rows
from scheduler.formats.schedule import schedule_rows
from scheduler.horizon import Horizon
from scheduler.markets.reserve import ReserveMarket
from scheduler.worth import Demand, Use, call_cost_per_mwh, demand_of

DAYS = Path(__file__).resolve().parents[2] / "fixtures" / "days"
EXPORTED = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
BERLIN = "Europe/Berlin"
AUTUMN = Horizon(datetime(2026, 10, 24, 22, tzinfo=UTC), 15, 100, BERLIN)
SPRING = Horizon(datetime(2026, 3, 28, 23, tzinfo=UTC), 15, 92, BERLIN)


@pytest.fixture(scope="module")
def days() -> dict[str, Result]:
    return {day: make_plan(DAYS / day / "request.json") for day in ("clock-autumn", "clock-spring", "spike-day")}


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def read_xlsx(path: Path) -> list[list[object]]:
    (sheet,) = load_workbook(path, read_only=True).worksheets
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def on_line(points: list[tuple[float, float]], price: float) -> float:
    """A curve read as Nord Pool reads it."""
    for (low, before), (high, after) in pairwise(points):
        assert low < high, "no two points share a price"
        if low <= price <= high:
            return before + (after - before) * (price - low) / (high - low)
    raise AssertionError(f"the curve does not reach {price}")


def on_steps(points: list[tuple[float, float]], price: float) -> float:
    """A curve read as steps: the volume of the first price that is not below."""
    return next(volume for at, volume in points if at >= price)


def prices_around(demand: Demand, t: int) -> list[float]:
    """Every price at which demand changes, a tick below and above it, and some far away."""
    exact = {np.floor(use.price_per_mwh[t] * 100 + 1e-6) / 100 for use in demand.uses}
    prices = {-500.0, -0.01, 0.0, 55.5, 4000.0} | {p + d / 100 for p in exact for d in (-1, 0, 1)}
    return sorted(p for p in prices if -500 <= p <= 4000)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("day", ["clock-autumn", "clock-spring", "spike-day"])
def test_the_sheet_of_nord_pool_reads_back(days, day, suffix, tmp_path):
    problem, plan = days[day].schedule.problem, days[day].plan
    demand = demand_of(problem, plan, next(m for m in problem.markets if m.kind == "energy"))
    curves = curves_of(demand, range(problem.horizon.count), LINEAR)
    path = tmp_path / f"curve.{suffix}"
    heading = {"exported_at": EXPORTED, "area": "GER", "member": "M", "portfolio": "P"}
    write_rows(path, nord_pool_sheet(curves, problem.horizon, "EUR", LINEAR, **heading))
    rows = read_csv(path) if suffix == "csv" else read_xlsx(path)
    head = {str(row[0]): str(row[1]) for row in rows[:8]}
    local = problem.horizon.start_utc.astimezone(ZoneInfo(problem.horizon.time_zone))
    assert list(head) == [
        "Type", "Exported At", "Date (DD/MM/YYYY)", "Time Zone", "Member", "Portfolio", "Area", "Currency",
    ]  # fmt: skip
    assert (head["Date (DD/MM/YYYY)"], head["Exported At"]) == (f"{local:%d/%m/%Y}", "01/11/2026 09:30:00")
    assert (head["Member"], head["Portfolio"], head["Area"], head["Currency"]) == ("M", "P", "GER", "EUR")
    assert not any(rows[8])
    prices = [float(cell) for cell in rows[9][1:]]
    assert (prices[0], prices[-1]) == (-500.0, 4000.0) and len(prices) <= 200
    periods = rows[10:]
    assert len(periods) == problem.horizon.count == len({row[0] for row in periods})
    for t, row in enumerate(periods):
        points = list(zip(prices, map(float, row[1:]), strict=True))
        assert all(volume * 10 == pytest.approx(round(volume * 10)) for _, volume in points), "lots of 0.1 MW"
        for price in prices_around(demand, t):
            assert on_line(points, price) == pytest.approx(demand.mw_at(price)[t], abs=0.05 + 1e-9), (t, price)


@pytest.mark.parametrize(("rules", "read"), [(LINEAR, on_line), (STEPS, on_steps)])
def test_books_read_back(days, rules, read, tmp_path):
    problem, plan = days["clock-autumn"].schedule.problem, days["clock-autumn"].plan
    demand = demand_of(problem, plan, problem.markets[0])
    path = tmp_path / "book.csv"
    curves = {t: curves_of(demand, [t], rules)[t] for t in range(problem.horizon.count)}
    write_rows(path, book_rows(curves, problem.horizon, "EUR", rules, "DE"))
    header, *rows = read_csv(path)
    assert header == ["utc_start", "utc_end", "area", "period", "price_eur_per_mwh", "volume_mw_buy_positive"]
    by_start: dict[str, list[tuple[float, float]]] = {}
    for start, end, area, _, price, volume in rows:
        assert datetime.fromisoformat(end) - datetime.fromisoformat(start) == timedelta(minutes=15)
        assert area == "DE"
        by_start.setdefault(start, []).append((float(price), float(volume)))
    assert [datetime.fromisoformat(start) for start in by_start] == [
        problem.horizon.boundary_utc(t) for t in range(100)
    ]
    for t, points in enumerate(by_start.values()):
        assert len(points) <= rules.most_points_count
        for price in prices_around(demand, t):
            assert read(points, price) == pytest.approx(demand.mw_at(price)[t], abs=0.05 + 1e-9)


def one_use_a_step(count: int, periods: int = 3) -> Demand:
    """Uses of many prices and sizes, other ones in each period."""
    draw = np.random.default_rng(7)
    uses = [
        Use("s", "g", "a", "b", draw.uniform(0.2, 3.0, periods), np.round(draw.uniform(-40, 140, periods), 3))
        for _ in range(count)
    ]
    return Demand(draw.uniform(0, 4, periods), tuple(uses))


@pytest.mark.parametrize("rules", [LINEAR, STEPS, CurveRules(most_points_count=4), CurveRules(most_points_count=5)])
def test_too_many_steps_are_put_together_below_their_worth(rules):
    demand = one_use_a_step(150)
    curves = curves_of(demand, range(3), rules)
    for t, curve in curves.items():
        points = [(ticks / 100, lots / 10) for ticks, lots in curve.items()]
        assert len(points) <= rules.most_points_count
        volumes = [volume for _, volume in points]
        assert volumes == sorted(volumes, reverse=True)
        read = on_line if rules.linear else on_steps
        for price in np.arange(-50, 150, 0.37):
            assert read(points, price) <= demand.mw_at(price - 0.02)[t] + 0.05 + 1e-9, "nothing above its worth"
        everything = demand.fixed_mw[t] + sum(use.mw[t] for use in demand.uses)
        assert read(points, -500.0) == pytest.approx(everything, abs=0.05 + 1e-9), "nothing is lost"


def test_what_loses_least_is_put_together_first():
    prices, mw = [10.0, 20.0, 21.0, 50.0], [1.0, 1.0, 5.0, 0.1]
    uses = tuple(Use("s", "g", "a", "b", np.array([m]), np.array([p])) for m, p in zip(mw, prices, strict=True))
    demand = Demand(np.zeros(1), uses)  # to move: 20 -> 10 loses 10, 21 -> 20 loses 5, 50 -> 21 loses 2.9
    kept = [curves_of(demand, [0], CurveRules(most_points_count=2 + 2 * n))[0] for n in (4, 3, 2, 1)]
    assert [sorted(set(curve) & {1000, 2000, 2100, 5000}) for curve in kept] == [
        [1000, 2000, 2100, 5000],
        [1000, 2000, 2100],
        [1000, 2000],
        [1000],
    ]


def test_worth_beyond_the_limits_and_rules_that_allow_nothing():
    uses = [Use("s", "g", "a", "b", np.ones(1), np.array([price])) for price in (9e9, 4000.0, 3999.994, -500.0, -501.0)]
    (curve,) = curves_of(Demand(np.array([0.5]), tuple(uses)), [0], LINEAR).values()
    assert curve == {-50000: 45, -49999: 35, 399999: 35, 400000: 25}
    for wrong in ({"least_price_per_mwh": 4000.0}, {"lot_kw": 0}, {"most_points_count": 3}):
        with pytest.raises(SchedulerError):
            CurveRules(**wrong)


def test_periods_of_five_minutes_are_none_of_an_auction():
    horizon = replace(AUTUMN, step_minutes=5)
    with pytest.raises(SchedulerError, match="15, 30 or 60"):
        book_rows({0: {}}, horizon, "EUR", LINEAR)
    with pytest.raises(SchedulerError, match="15, 30 or 60"):
        nord_pool_sheet({0: {}}, horizon, "EUR", LINEAR, exported_at=EXPORTED)


# ---- names of local days ----


@pytest.mark.parametrize("horizon", [AUTUMN, SPRING, replace(AUTUMN, step_minutes=60, count=25)])
def test_periods_have_names_of_their_own(horizon):
    names = [period_name(horizon, t) for t in range(horizon.count)]
    assert len(set(names)) == horizon.count
    assert [number_in_day(horizon, t) for t in range(horizon.count)] == list(range(1, horizon.count + 1))


def test_the_hour_that_the_clock_shows_twice():
    assert [period_name(AUTUMN, t) for t in (7, 8, 11, 12, 15, 16)] == [
        "01:45-02:00", "02:00A-02:15", "02:45A-02:00", "02:00B-02:15", "02:45B-03:00", "03:00-03:15",
    ]  # fmt: skip
    assert [period_name(SPRING, t) for t in (7, 8)] == ["01:45-03:00", "03:00-03:15"]


def test_the_day_of_delivery_is_named_where_there_are_several():
    two = replace(AUTUMN, count=196)
    assert intervals_of_day(two, date(2026, 10, 25)) == range(100)
    assert intervals_of_day(two, date(2026, 10, 26)) == range(100, 196)
    assert intervals_of_day(AUTUMN, None) == range(100)
    for day in (None, date(2026, 10, 27)):
        with pytest.raises(SchedulerError, match="2026-10-25 to 2026-10-26"):
            intervals_of_day(two, day)
    assert number_in_day(two, 100) == 1


@pytest.mark.parametrize(
    ("start", "hours", "name"),
    [
        ("2026-10-24T22", 5, "00_04"),
        ("2026-03-28T23", 3, "00_04"),
        ("2026-10-25T19", 4, "20_24"),
        ("2026-06-01T22", 24, "00_24"),
    ],
)
def test_blocks_by_their_hours(start, hours, name):
    start_utc = datetime.fromisoformat(f"{start}:00Z")
    assert block_hours(AUTUMN, start_utc, start_utc + timedelta(hours=hours))[1] == name


@pytest.mark.parametrize(
    ("start", "hours"), [("2026-06-01T22:15", 1), ("2026-06-01T20:00", 4), ("2026-06-01T22:00", 28)]
)
def test_blocks_that_have_no_name(start, hours):
    start_utc = datetime.fromisoformat(f"{start}Z")
    with pytest.raises(SchedulerError, match="local time"):
        block_hours(AUTUMN, start_utc, start_utc + timedelta(hours=hours))


# ---- reserve ----


@pytest.mark.parametrize(("day", "hours"), [("clock-autumn", 5), ("clock-spring", 3)])
def test_capacity_of_fcr_is_per_block_of_real_hours(days, day, hours, tmp_path):
    problem, plan = days[day].schedule.problem, days[day].plan
    market = next(m for m in problem.markets if m.id == "fcr")
    path = tmp_path / "fcr.csv"
    write_rows(path, capacity_bids(problem, plan, market, "FCR"))
    header, *rows = read_csv(path)
    at = {name: header.index(name) for name in header}
    found = {row[at["PRODUCT"]]: row for row in rows}
    blocks = next(m for m in plan.markets if m.market_id == "fcr").blocks
    offered = dict(zip(("00_04", "04_08", "08_12", "12_16", "16_20", "20_24"), blocks, strict=True))
    assert set(found) == {f"NEGPOS_{name}" for name, block in offered.items() if block.offered_kw}
    assert found
    for name, block in offered.items():
        if not block.offered_kw:
            continue
        row = found[f"NEGPOS_{name}"]
        assert float(row[at["OFFERED_CAPACITY_[MW]"]]) * 1000 == block.offered_kw
        expected = next(b for b in market.blocks if b.id == block.block_id).price_per_mw_h
        asked = max(0.0, min(expected, block.lowest_price_per_mw_h))
        real = hours if name == "00_04" else 4
        price = float(row[at["OFFERED_CAPACITY_PRICE_[EUR/MW]"]])
        assert asked * real - 1e-6 <= price < asked * real + 0.01
        assert row[at["DATE_FROM"]] == str(
            AUTUMN.start_utc.date() + timedelta(days=1) if hours == 5 else date(2026, 3, 29)
        )


def test_capacity_bids_by_bid(tmp_path):
    result = make_plan(DAYS.parent / "pairs" / "ladder-feasible" / "request.json")
    problem, plan = result.schedule.problem, result.plan
    market = next(m for m in problem.markets if m.kind == "reserve")
    rows = capacity_bids(problem, plan, market, "aFRR")
    header, *rows = rows
    assert "CAPACITY_PRICE_[(EUR/MW)/h]" in header
    block = market.blocks[0]
    planned = next(m for m in plan.markets if m.market_id == market.id).blocks[0]
    wanted = {
        (bid.id, bid.price_per_mw_h, planned.bid_kw[bid.id] / 1000) for bid in block.bids if planned.bid_kw[bid.id]
    }
    assert {(row[header.index("BID")], row[4], row[5]) for row in rows} == wanted != set()


def test_types_that_do_not_fit_are_refused(days):
    problem, plan = days["clock-autumn"].schedule.problem, days["clock-autumn"].plan
    fcr = next(m for m in problem.markets if m.id == "fcr")
    for wrong in ("aFRR", "RR"):
        with pytest.raises(SchedulerError):
            capacity_bids(problem, plan, fcr, wrong)
    for wrong in ("aFRR", "FCR"):
        with pytest.raises(SchedulerError):
            energy_bids(problem, plan, fcr, wrong)


def reserve_plans(days):
    result = days["spike-day"]
    problem, plan = result.schedule.problem, result.plan
    for market, market_plan in zip(problem.markets, plan.markets, strict=True):
        if isinstance(market, ReserveMarket) and market.product.direction.value != "symmetric" and market_plan.backing:
            yield problem, plan, market, market_plan


def test_energy_bids_read_back_and_never_lose_on_a_call(days, tmp_path):
    checked = 0
    for problem, plan, market, market_plan in reserve_plans(days):
        path = tmp_path / "energy.xlsx"
        write_rows(path, energy_bids(problem, plan, market, "mFRR"))
        header, *rows = read_xlsx(path)
        at = {name: header.index(name) for name in header}
        sign = {"GRID_TO_PROVIDER": 1, "PROVIDER_TO_GRID": -1}
        (site,) = problem.sites
        costs = [call_cost_per_mwh(problem, site, market, backing) for backing in market_plan.backing]
        for t in range(problem.horizon.count):
            start = problem.horizon.boundary_utc(t).replace(tzinfo=None)
            mine = [row for row in rows if row[at["UTC_START"]] == start]
            held_mw = sum(backing.mw[t] for backing in market_plan.backing)
            assert sum(row[at["OFFERED_CAPACITY_[MW]"]] for row in mine) == pytest.approx(held_mw, abs=1e-3)
            received, spent, filled = 0.0, 0.0, 0.0
            merit = sorted((cost[t], backing.mw[t]) for cost, backing in zip(costs, market_plan.backing, strict=True))
            for row in mine:  # called one by one, the cheapest machines first
                assert row[at["ENERGY_PRICE_[EUR/MWh]"]] >= 0
                price = sign[row[at["ENERGY_PRICE_PAYMENT_DIRECTION"]]] * row[at["ENERGY_PRICE_[EUR/MWh]"]]
                inverted = -1 if market.product.direction.value == "down" else 1
                assert row[at["MERIT_ORDER_PRICE_[EUR/MWh]"]] == inverted * price
                received += price * row[at["OFFERED_CAPACITY_[MW]"]]
                filled += row[at["OFFERED_CAPACITY_[MW]"]]
                left, spent = filled, 0.0
                for cost, mw in merit:
                    spent += cost * min(mw, left)
                    left -= min(mw, left)
                assert received >= spent - 1e-2 * abs(spent) * 1e-3 - 1e-6
                side = {"up": "POS", "down": "NEG"}[market.product.direction.value]
                assert row[at["PRODUCT"]] == f"{side}_{t + 1:03d}"
                checked += 1
    assert checked > 96


class Held:
    def __init__(self, *mw):
        self.mw = np.array(mw)


@pytest.mark.parametrize(
    ("held", "bids"),
    [
        ([(1.0, 5.0), (2.0, 9.0)], [(1000, 500), (2000, 900)]),
        ([(1.5, 5.0), (1.5, 9.0)], [(1000, 500), (2000, 900)]),  # the second step has dear MW in it
        ([(1.0, -7.004), (1.0, -7.004)], [(2000, -700)]),
        ([(0.4, 5.0), (0.1, 9.0)], [(500, 900)]),  # below the smallest: an award of such a size
        ([(2.3, 5.0)], [(2300, 500)]),
        ([(2.0, 5.0), (0.3, 6.0)], [(1000, 500), (1300, 600)]),
        ([(0.0, 5.0)], []),
    ],
)
def test_bids_are_cut_in_steps_at_the_price_of_their_dearest(held, bids):
    assert list(_bids([(Held(mw), np.array([cost])) for mw, cost in held], 0, 1000, 1000)) == bids


def test_a_bid_is_never_below_the_smallest():
    held = [(Held(mw), np.array([cost])) for mw, cost in ((0.7, 1.0), (0.3, 2.0), (0.2, 3.0), (0.4, 4.0))]
    # 300 at 2 joins what is below 500 of the next; the last 400 are no bid of their own
    assert list(_bids(held, 0, 500, 100)) == [(700, 100), (900, 400)]
    assert list(_bids(held, 0, 300, 100)) == [(700, 100), (300, 200), (600, 400)]


def test_energy_of_a_battery_is_bid_where_its_worth_is_stated():
    result = make_plan(DAYS.parent / "pairs" / "battery-energy-up-feasible" / "request.json")
    problem, plan = result.schedule.problem, result.plan
    market = next(market for market in problem.markets if market.kind == "reserve")
    (site,) = problem.sites
    keeps = replace(next(a for a in site.assets if a.kind == "battery"), end_mwh=0.0)
    valued = replace(keeps, end_mwh=None, end_value_per_mwh=60.0)
    for battery, wanted in ((keeps, None), (valued, 60.0 / valued.discharge_frac + valued.wear_per_mwh)):
        assets = tuple(battery if a.kind == "battery" else a for a in site.assets)
        asked = replace(problem, sites=(replace(site, assets=assets),))
        if wanted is None:
            with pytest.raises(SchedulerError, match="end_value_per_mwh"):
                energy_bids(asked, plan, market, "aFRR")
        else:
            bids = energy_bids(asked, plan, market, "aFRR")[1:]
            assert bids and [row[4] for row in bids] == pytest.approx([wanted] * len(bids), abs=0.01)


# ---- schedule and blocks ----


def test_schedules_read_back(days, tmp_path):
    result = days["clock-autumn"]
    path = tmp_path / "schedule.csv"
    write_rows(path, schedule_rows(result.schedule.problem, result.plan))
    header, *rows = read_csv(path)
    at = {name: header.index(name) for name in header}
    assert len(rows) == 100
    reserve = result.reserve()["fcr"]
    grid = [float(row[at["grid_mw"]]) for row in rows]
    assert grid == list(result.plan.sites[0].grid_mw)
    assert [datetime.fromisoformat(row[at["utc_start"]]) for row in rows] == list(result.dispatch().index)
    least = np.array(grid) - [float(row[at["least_mw_when_called_up"]]) for row in rows]
    most = [float(row[at["most_mw_when_called_down"]]) for row in rows] - np.array(grid)
    assert least == pytest.approx(reserve["up", "backed_mw"].to_numpy())
    assert most == pytest.approx(reserve["down", "backed_mw"].to_numpy())
    assert least.max() > 0
    assert sum(float(row[at["energy_mwh"]]) for row in rows) == pytest.approx(sum(grid) / 4)
    assert {row[at["local_date"]] for row in rows} == {"2026-10-25"}


@pytest.mark.parametrize(
    ("running", "layers"),
    [
        ([0, 0], []),
        ([5, 5, 5], [(0, 3, 5)]),
        ([1, 3, 2, 0, 4], [(0, 3, 1), (1, 3, 1), (1, 2, 1), (4, 5, 4)]),
        ([3, 1, 3], [(0, 3, 1), (0, 1, 2), (2, 3, 2)]),
        ([5, 3, 4], [(0, 3, 3), (0, 1, 2), (2, 3, 1)]),
    ],
)
def test_runs_in_layers(running, layers):
    assert _layers(np.array(running)) == layers


def test_layers_add_up_to_what_runs():
    draw = np.random.default_rng(3)
    for _ in range(200):
        running = draw.integers(0, 9, draw.integers(1, 30))
        total = np.zeros(len(running), dtype=int)
        for start, end, machines in _layers(running):
            assert machines > 0
            total[start:end] += machines
        assert total.tolist() == running.tolist()


def test_block_bids_read_back(tmp_path):
    """twelve-containers: few large machines whose starts cost money."""
    result = make_plan(DAYS / "twelve-containers" / "request.json")
    problem, plan = result.schedule.problem, result.plan
    groups = [asset for site in problem.sites for asset in site.assets]
    bids = [bid for group in groups for bid in block_bids_of(problem, plan, group.id, LINEAR)]
    path = tmp_path / "blocks.csv"
    write_rows(path, nord_pool_block_rows(bids, problem, range(problem.horizon.count)))
    header, *rows = read_csv(path)
    assert header[:7] == ["Name", "From", "To", "Volume", "Price", "Min.%", "Link"]
    assert len(header) == 7 + problem.horizon.count
    assert len(rows) == len(bids) > 0 and len({row[0] for row in rows}) == len(rows)
    for row, bid in zip(rows, bids, strict=True):
        inside = [t for t, cell in enumerate(row[7:]) if cell]
        assert inside == list(range(bid.start, bid.end))
        assert {float(row[7 + t]) for t in inside} == {float(row[3])} == {bid.kw / 1000}
        assert row[1] == header[7 + inside[0]] and row[2] == header[7 + inside[-1]]
        assert 0 < int(row[5]) <= 100
        assert float(row[3]) * 10 == pytest.approx(round(float(row[3]) * 10))


def test_a_block_pays_for_its_starts(days):
    """Two hours of a machine of 3.5 kW and 200 TH: the moves' wear and the wake come off the mean price."""
    from test_worth import FULL, OFF, group, plan_of, problem

    asset = group(OFF, FULL, seconds=180, wear=0.5)
    asked = problem(asset, fee=6.0)
    planned = plan_of(asset, {"off": [1000, 0, 0, 1000], "full": [0, 1000, 1000, 0]})
    (bid,) = block_bids_of(asked, planned, "g", LINEAR)
    income = 40 / 1000 / 24
    mwh = 0.0035 * 0.5
    worth = (200 * income * (0.5 - 180 / 3600) - 1.0) / mwh - 6.0
    assert (bid.start, bid.end, bid.kw, bid.least_percent) == (1, 3, 3500, 3)
    assert bid.price_per_mwh == pytest.approx(np.floor(worth * 100) / 100)
    whole = plan_of(asset, {"full": [1000] * 4})
    (bid,) = block_bids_of(asked, whole, "g", LINEAR)
    assert bid.price_per_mwh == pytest.approx(np.floor((200 * income / 0.0035 - 6.0) * 100) / 100), "nothing starts"
    fed_in = replace(planned, sites=(replace(planned.sites[0], grid_mw=planned.sites[0].grid_mw - 1.75),))
    (bid,) = block_bids_of(asked, fed_in, "g", LINEAR)
    assert bid.price_per_mwh == pytest.approx(np.floor((worth + 3.0) * 100) / 100), "half is made behind the meter"
    with pytest.raises(SchedulerError, match="no group"):
        block_bids_of(asked, planned, "x", LINEAR)
    never = group(FULL)
    with pytest.raises(SchedulerError, match="never rests"):
        block_bids_of(problem(never), plan_of(never, {"full": [1000] * 4}), "g", LINEAR)

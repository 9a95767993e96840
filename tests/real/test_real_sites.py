"""A day of real load, sun, heat and prices on sites with more than machines, where the data is: planned and proven."""

import csv
from datetime import date

import numpy as np
import pytest

from scheduler.check import audit
from scheduler.plan import CashKind, Plan, StopReason
from scheduler.planner import make_schedule
from scheduler.settings import SolveOptions
from scheduler.v1 import problem_pb2 as pb
from scheduler.wire.request import schedule_request_from_pb
from tools import real_days
from tools.fixtures.build import (
    Grid,
    battery,
    boiler,
    dry_cooler,
    energy,
    firm_load,
    full,
    generator,
    group,
    heat_demand,
    heat_store,
    island,
    moves,
    off,
    renewable,
    request,
    site,
)

pytestmark = pytest.mark.skipif(
    not real_days.DATA.is_dir(), reason=f"no {real_days.DATA}: market data is not part of the project"
)
OPTIONS = SolveOptions(rel_gap=1e-3, time_limit_seconds=120.0)
MW_PER_KW = 0.5  # an island of some kW, grown to a village


def machines(count: int, heat: float = 0.0) -> pb.Asset:
    """S21 with overhead, hashprice 40: a break-even of 90 a MWh."""
    modes = [off(), full(3675, 200)]
    return group("s21", count, modes, moves("off>full", "full>off", seconds=20), "off", heat=heat)


def planned(message) -> tuple[Plan, float]:
    """The plan and its bound."""
    _, problem, _ = schedule_request_from_pb(message)
    schedule = make_schedule(problem, OPTIONS)
    assert schedule.plan is not None, schedule.no_plan_reason
    assert schedule.solve.stop_reason is StopReason.PROVEN and schedule.solve.bound is not None
    assert audit(problem, schedule.plan, schedule.solve, OPTIONS).violations == ()
    for way in schedule.plan.counterfactuals:
        assert way.shortfalls or way.total <= schedule.solve.bound + 0.01
    return schedule.plan, schedule.solve.bound


def table(name: str) -> list[dict[str, str]]:
    with (real_days.DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def total(plan: Plan, kind: CashKind) -> float:
    return sum(cash.total for cash in plan.cash if cash.stream.kind is kind)


@pytest.mark.parametrize("first", [0, 24 * 90, 24 * 180])
def test_island_days(first):
    """Sun, a battery and an engine serve the village; machines take sun alone, for fuel is dearer than they earn."""
    grid = Grid("2026-01-01T00:00", 60, 24, "UTC")
    day = table("island_load_solar_hourly_kw.csv")[first : first + 24]
    load = [MW_PER_KW * float(row["Demand"]) for row in day]
    sun = [5 * MW_PER_KW * float(row["SolarGen"]) for row in day]
    assets = [
        machines(800),
        firm_load(grid, load, "village"),
        renewable(grid, sun),
        battery(10, 4, initial_mwh=3, both_frac=(0.95, 0.95), end_mwh=3, wear=3),
        generator(grid, 2 * max(load), 180, min_mw=0.2, start_cost=30, run=60),
    ]
    plan, _ = planned(request("island", grid, [island(grid, assets)], [], hashprice=40))
    by_id = {own.asset_id: own for own in plan.sites[0].assets}
    assert by_id["village"].power_mw == pytest.approx(load, abs=1e-5)
    mined_mwh, made_mwh = by_id["s21"].power_mw.sum(), -by_id["solar"].power_mw.sum()
    assert mined_mwh <= made_mwh + 1e-6
    if sum(sun) > 2 * sum(load):
        assert mined_mwh > 0


@pytest.mark.parametrize("day", [date(2019, 1, 15), date(2019, 4, 3), date(2019, 7, 10)])
def test_heat_days(day):
    """Machines heat a network beside a gas boiler: with heat they mine more hours, and the gas bill falls."""
    grid = Grid(f"{day}T00:00", 60, 24, "UTC")
    hours = [row for row in table("heat_demand_2019_hourly.csv") if row["local_naive_time"].startswith(f"{day}")]
    assert len(hours) == 24
    wanted = [float(row["heat_demand_MW"]) for row in hours]
    gas = [float(row["gas_price_EUR_per_MWh"]) / 0.9 for row in hours]
    price = [2.5 * float(row["el_spot_price_EUR_per_MWh"]) for row in hours]
    network = heat_demand(grid, wanted, 0, least_mw=wanted)

    def of(heat: float) -> tuple[Plan, float]:
        loop = [network, boiler(grid, 15, gas), dry_cooler(grid, 10)]
        tank = heat_store(20, 5, initial_mwh=10, loss=0.005, end_mwh=10)
        around = site(grid, [machines(1500, heat), *loop, tank], fee=10)
        return planned(request("heat", grid, [around], [energy(grid, price)], hashprice=40))

    (cold, _), (warm, bound) = of(0.0), of(0.9)
    hashed = [np.sum(plan.sites[0].assets[0].hashrate_ths) for plan in (cold, warm)]
    assert hashed[1] >= hashed[0] * (1 - 1e-3)
    assert total(warm, CashKind.FUEL) > total(cold, CashKind.FUEL)
    assert cold.objective < warm.objective <= bound + 0.01


@pytest.mark.parametrize("first", [24 * 14, 24 * 105, 24 * 196])
def test_wind_and_sun_behind_a_narrow_line(first):
    """What the line cannot take is mined rather than left, and never more than it is worth: machines earn 90 a MWh."""
    grid = Grid("2026-01-01T00:00", 60, 24, "UTC")
    day = table("wind_pv_capacity_factor_8760.csv")[first : first + 24]
    wind, sun = ([mw * float(row[name]) for row in day] for name, mw in (("wind", 20), ("pv", 12)))
    price = [25.0 if 9 <= hour < 16 else 120.0 for hour in range(24)]

    def of(count: int) -> Plan:
        assets = [machines(count), renewable(grid, wind, "wind"), renewable(grid, sun, "sun")]
        around = site(grid, assets, import_mw=2, export_mw=5)
        return planned(request("narrow", grid, [around], [energy(grid, price)], hashprice=40))[0]

    bare, mined = of(1), of(2000)
    left = [sum(own.curtailed_mw.sum() for own in plan.sites[0].assets[1:]) for plan in (bare, mined)]
    assert left[1] <= left[0] + 1e-6
    if left[0] > 5:
        assert left[1] < left[0] - 1 and mined.objective > bare.objective
    at_peak = [hour for hour in range(24) if price[hour] > 100 and wind[hour] + sun[hour] < 5]
    assert all(mined.sites[0].assets[0].power_mw[hour] <= 0.1 for hour in at_peak)
    assert (mined.sites[0].grid_mw >= -5 - 1e-6).all()

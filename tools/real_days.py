"""Plans real market days with machines of ours, audits and proves each plan, and writes docs/real-days.md.

The days are those of ../shared/data, which is never committed: the table holds only results.

python tools/real_days.py                        every day
python tools/real_days.py --only "DE-LU 2022"    days whose name begins so
python tools/real_days.py --minutes 25           none more after so many minutes

Days come in an order that spreads them over each market from the start, so that a run that is cut short is a sample.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scheduler.formats.registry import read_series  # noqa: E402
from scheduler.formats.series import Column, Quantity  # noqa: E402
from scheduler.horizon import Horizon  # noqa: E402
from scheduler.plan import Schedule, StopReason  # noqa: E402
from scheduler.settings import SolveOptions  # noqa: E402
from scheduler.v1 import problem_pb2 as pb  # noqa: E402
from scheduler.v1 import scheduler_pb2  # noqa: E402
from tools.fixtures.build import (  # noqa: E402
    DOWN,
    SYMMETRIC,
    UP,
    Grid,
    activation,
    block,
    energy,
    product,
    request,
    reserve,
    site,
)
from tools.fixtures.shapes import (  # noqa: E402
    AFRR_DOWN,
    AFRR_UP,
    FCR,
    MFRR_DOWN,
    MFRR_UP,
    PUE,
    curve,
    day_blocks,
    mirrored,
    plain,
    quick,
)

DATA = ROOT.parent / "shared" / "data"
TABLE = ROOT / "docs" / "real-days.md"
TIME_LIMIT_SECONDS = 120.0
DE_LU, SE3, GB = "10Y1001A1001A82H", "10Y1001A1001A46L", "10YGB----------A"

Request = scheduler_pb2.ScheduleRequest


class Slice(NamedTuple):
    """What a block of a product cleared at."""

    start_utc: datetime
    end_utc: datetime
    price_per_mw_h: float
    price_as_published: float


Results = dict[tuple[str, str], list[Slice]]
"""By product and direction, in the order of time."""


# ---- reading --------------------------------------------------------------------------------------------------------


@cache
def prices(name: str, zone: str) -> Column:
    """Day-ahead prices of a zone in a file."""
    return read_series(DATA / name).column(Quantity.DAY_AHEAD_PRICE, zone)


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a file of reserve results."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, strict=True)


def instant(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


@cache
def german_results() -> Results:
    """Capacity results of 2022. On 2022-03-06 a second FCR tender bought nothing, at 0: FCR rows without volume go."""
    found: Results = defaultdict(list)
    for row in rows("reserve_capacity_de_2022.csv"):
        if row["area"] == "GERMANY" and not (row["product"] == "FCR" and float(row["volume_mw"]) == 0):
            per_hour, published = float(row["price_eur_per_mw_per_h_normalised"]), float(row["price_as_published"])
            cleared = Slice(instant(row["utc_start"]), instant(row["utc_end"]), per_hour, published)
            found[row["product"], row["direction"]].append(cleared)
    return found


@cache
def swedish_results() -> Results:
    """FCR by the hour, winter of 2024-25."""
    directions = {"FCR-N": "symmetric", "FCR-D-up": "up", "FCR-D-down": "down"}
    found: Results = defaultdict(list)
    for row in rows("reserve_capacity_se_fcr_2024_12_to_2025_03.csv"):
        start, price = instant(row["utc_start"]), float(row["price_eur_per_mw_per_h"])
        found[row["product"], directions[row["product"]]].append(Slice(start, start + timedelta(hours=1), price, price))
    return found


@cache
def british_results() -> Results:
    """The auction of a week of July 2026. A row without a price is one in which nothing cleared."""
    found: Results = defaultdict(list)
    for row in rows("reserve_capacity_gb_eac_2026_07_first_week.csv"):
        if row["price_gbp_per_mw_per_h"]:
            price = float(row["price_gbp_per_mw_per_h"])
            cleared = Slice(instant(row["utc_start"]), instant(row["utc_end"]), price, price)
            found[row["product"], row["direction"]].append(cleared)
    return found


# ---- days -----------------------------------------------------------------------------------------------------------


def grid_of(day: date, zone: str, step_minutes: int) -> Grid:
    """A civil day: 23, 24 or 25 hours."""
    midnights = [datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)) for d in (day, day + timedelta(days=1))]
    start, end = (midnight.astimezone(UTC) for midnight in midnights)
    return Grid(f"{start:%Y-%m-%dT%H:%M}", step_minutes, (end - start) // timedelta(minutes=step_minutes), zone)


def horizon_of(grid: Grid) -> Horizon:
    """The same as the horizon of a problem."""
    return Horizon(grid.instant(0).ToDatetime(tzinfo=UTC), grid.step_minutes, grid.count, grid.zone)


def day_ahead(grid: Grid, file: str, zone: str) -> tuple[pb.Market, list[float]]:
    """The open market for energy at the prices of a file, in their own step, and the price of every interval."""
    horizon = horizon_of(grid)
    given = prices(file, zone).between(horizon.start_utc, horizon.end_utc)
    market = energy(grid, 0)
    market.energy.price_per_mwh.CopyFrom(grid.series(given.values, given.step_minutes))
    return market, list(prices(file, zone).over(horizon).values)


def cleared_blocks(
    grid: Grid, results: list[Slice], *, as_published: bool = False, later: timedelta = timedelta(0)
) -> list[pb.Block]:
    """A block for each result that touches the day; prices per MW and hour, or as published, per MW and block.

    ``later``: takes results of an earlier time as if they were so much later.
    """
    horizon = horizon_of(grid)
    step = timedelta(minutes=grid.step_minutes)
    blocks = []
    for found in results:
        start, end = found.start_utc + later, found.end_utc + later
        if start >= horizon.end_utc or end <= horizon.start_utc:
            continue
        first, last = (start - horizon.start_utc) // step, (end - horizon.start_utc) // step
        name = f"{start.astimezone(ZoneInfo(grid.zone)):%m-%dT%H:%M%z}"
        if as_published:
            blocks.append(block(grid, name, first, last, price_per_block=found.price_as_published))
        else:
            blocks.append(block(grid, name, first, last, found.price_per_mw_h))
    return blocks


def fleet() -> list[pb.Asset]:
    """3,000 machines of three kinds, 10.5 MW."""
    return [
        quick("s21", 1500, PUE * 3500, 200, "full"),
        plain("s19j-pro", 1000, PUE * 3050, 100, "full", wake=120),
        plain("m30s", 500, PUE * 3472, 112, "off", wake=600, run=30, rest=15),
    ]


def ours(grid: Grid, zone_eic: str, *, fee: float = 15.0) -> list[pb.Site]:
    """One site; its connection is a little smaller than its machines."""
    return [site(grid, fleet(), import_mw=10, fee=fee, zone=zone_eic)]


def german_reserve(grid: Grid, price: list[float], blocks: Callable[[str, str], list[pb.Block]]) -> list[pb.Market]:
    """FCR, aFRR and mFRR with what we expect of their calls: assumptions of ours, shaped by the day's prices."""
    return [
        reserve("fcr", FCR, blocks("FCR", "symmetric"), up=activation(grid, 0.06), down=activation(grid, 0.06)),
        reserve("afrr-up", AFRR_UP, blocks("aFRR", "up"), up=activation(grid, 0.05, price=mirrored(price, 1.2, 60))),
        reserve(
            "afrr-down", AFRR_DOWN, blocks("aFRR", "down"), down=activation(grid, 0.06, price=mirrored(price, -0.6, 0))
        ),
        reserve(
            "mfrr-up",
            MFRR_UP,
            blocks("mFRR", "up"),
            up=activation(grid, 0.01, calls=0.05, price=mirrored(price, 1.5, 120)),
        ),
        reserve(
            "mfrr-down",
            MFRR_DOWN,
            blocks("mFRR", "down"),
            down=activation(grid, 0.01, calls=0.05, price=mirrored(price, -0.5, 20)),
        ),
    ]


def german_2022(day: date) -> Request:
    """Hourly prices held on quarter-hours, with the reserve results of the day; FCR as published, per MW and block."""
    grid = grid_of(day, "Europe/Berlin", 15)
    market, price = day_ahead(grid, "day_ahead_de_lu_60min_2021_2023.csv", "DE-LU")

    def blocks(name: str, direction: str) -> list[pb.Block]:
        return cleared_blocks(grid, german_results()[name, direction], as_published=name == "FCR")

    markets = [market, *german_reserve(grid, price, blocks)]
    return request(f"DE-LU {day}", grid, ours(grid, DE_LU), markets, hashprice=90, pool_fee=0.02)


def german_2025(day: date) -> Request:
    """Quarter-hour prices. No capacity results of that time are at hand: prices of facts B5, one for all blocks."""
    grid = grid_of(day, "Europe/Berlin", 15)
    market, price = day_ahead(grid, "day_ahead_de_lu_15min_2025q4.csv", "DE-LU")
    flat = {"FCR": 15.6, "aFRR up": 23.2, "aFRR down": 10.8, "mFRR up": 8.8, "mFRR down": 9.9}

    def blocks(name: str, direction: str) -> list[pb.Block]:
        return day_blocks(grid, [flat[name if name == "FCR" else f"{name} {direction}"]] * 6)

    markets = [market, *german_reserve(grid, price, blocks)]
    return request(f"DE-LU {day}", grid, ours(grid, DE_LU), markets, hashprice=40, pool_fee=0.02)


FCR_N = product(SYMMETRIC, 180, hold=60, smallest=100, step=100, as_bid=False)
FCR_D_UP = product(UP, 7.5, hold=20, call=15, rest=15, smallest=100, step=100, as_bid=False)
FCR_D_DOWN = product(DOWN, 7.5, hold=20, call=15, rest=15, smallest=100, step=100, as_bid=False)


def swedish_2025(day: date) -> Request:
    """Quarter-hour prices; in December with the FCR results of the same date a year before, the nearest at hand."""
    grid = grid_of(day, "Europe/Stockholm", 15)
    market, _ = day_ahead(grid, "day_ahead_se3_15min_2025q4.csv", "SE3")
    results, later = swedish_results(), datetime(2025, 12, 1) - datetime(2024, 12, 1)
    often = activation(grid, 0.12)
    reserves = [
        reserve("fcr-n", FCR_N, cleared_blocks(grid, results["FCR-N", "symmetric"], later=later), up=often, down=often),
        reserve(
            "fcr-d-up",
            FCR_D_UP,
            cleared_blocks(grid, results["FCR-D-up", "up"], later=later),
            up=activation(grid, 0.001, calls=0.05),
        ),
        reserve(
            "fcr-d-down",
            FCR_D_DOWN,
            cleared_blocks(grid, results["FCR-D-down", "down"], later=later),
            down=activation(grid, 0.001, calls=0.05),
        ),
    ]
    markets = [market, *(entry for entry in reserves if entry.reserve.blocks)]
    return request(f"SE3 {day}", grid, ours(grid, SE3, fee=5), markets, hashprice=40, pool_fee=0.02)


# facts B3; those follow a signal, these wait for an instruction of five minutes or more
BRITISH: dict[tuple[str, str], pb.ProductSpec] = {
    ("BR-up", "up"): product(UP, 600, hold=30, call=5, as_bid=False),
    ("BR-down", "down"): product(DOWN, 600, hold=30, call=5, as_bid=False),
    ("QR-up", "up"): product(UP, 60, hold=15, call=5, as_bid=False),
    ("QR-down", "down"): product(DOWN, 60, hold=15, call=5, as_bid=False),
    ("DC-low", "up"): product(UP, 1, hold=15, as_bid=False),
    ("DC-high", "down"): product(DOWN, 1, hold=15, as_bid=False),
    ("DM-low", "up"): product(UP, 1, hold=30, as_bid=False),
    ("DM-high", "down"): product(DOWN, 1, hold=30, as_bid=False),
    ("DR-low", "up"): product(UP, 10, hold=60, as_bid=False),
    ("DR-high", "down"): product(DOWN, 10, hold=60, as_bid=False),
}


def british_2026(day: date) -> Request:
    """Capacity results of the day, in half-hours and in windows of four hours, which the day cuts.

    No energy prices are at hand: a curve of ours.
    """
    grid = grid_of(day, "Europe/London", 30)
    price = curve(grid, 70, (8, 1.6, 30), (13.5, 3.1, -45), (19.5, 1.8, 65))
    markets = [energy(grid, price)]
    for (name, direction), spec in BRITISH.items():
        if spec.response == pb.RESPONSE_CALLED:
            sign = 1 if direction == "up" else -1
            expected = activation(grid, 0.03, calls=0.1, price=mirrored(price, sign, 40))
        else:
            expected = activation(grid, 0.05)
        up, down = (expected, None) if direction == "up" else (None, expected)
        blocks = cleared_blocks(grid, british_results()[name, direction])
        if blocks:
            markets.append(reserve(name, spec, blocks, up=up, down=down))
    return request(f"GB {day}", grid, ours(grid, GB), markets, hashprice=32, pool_fee=0.02, currency="GBP")


@dataclass(frozen=True)
class Market:
    """Days of one kind."""

    name: str
    make: Callable[[date], Request]
    first: date
    last: date
    without: tuple[date, ...] = ()  # days that the files do not hold whole
    zone: str = "Europe/Berlin"

    def days(self) -> list[date]:
        """All days that can be planned."""
        count = (self.last - self.first).days + 1
        return [day for day in (self.first + timedelta(days=i) for i in range(count)) if day not in self.without]

    def is_clock_change(self, day: date) -> bool:
        """Whether it has 23 or 25 hours."""
        return grid_of(day, self.zone, 60).count != 24


MARKETS = (
    Market("DE-LU 2022", german_2022, date(2022, 1, 1), date(2022, 12, 31)),
    Market("DE-LU 2025 Q4", german_2025, date(2025, 10, 23), date(2025, 12, 31)),
    Market(
        "SE3 2025 Q4", swedish_2025, date(2025, 10, 1), date(2025, 12, 31), (date(2025, 10, 3),), "Europe/Stockholm"
    ),
    Market("GB 2026 July", british_2026, date(2026, 7, 1), date(2026, 7, 7), zone="Europe/London"),
)


# ---- planning -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """What came of a day."""

    market: str
    day: date
    intervals: int
    objective: float
    gap: float
    seconds: float
    proven: bool


def plan(message: Request) -> Schedule:
    """The audited schedule of a request, the way that users get it."""
    from scheduler.planner import make_schedule
    from scheduler.wire.request import schedule_request_from_pb

    _, problem, _ = schedule_request_from_pb(message)
    return make_schedule(problem, SolveOptions(time_limit_seconds=TIME_LIMIT_SECONDS))


def row_of(market: Market, day: date) -> Row:
    """Plans a day."""
    message = market.make(day)
    started = time.monotonic()
    schedule = plan(message)
    seconds = time.monotonic() - started
    assert schedule.plan is not None, schedule.no_plan_reason
    gap = schedule.solve.gap
    return Row(
        market.name,
        day,
        schedule.problem.horizon.count,
        schedule.plan.objective,
        float("nan") if gap is None else gap,
        seconds,
        schedule.solve.stop_reason is StopReason.PROVEN,
    )


PAGE = """\
# Real days

Market days of files that are not part of this project, planned by `python tools/real_days.py` for one site of 3,000
machines of three kinds (10.5 MW behind a connection of 10 MW). Every plan passed the checker; *proven* is the gap of
formulation 1 (0.01 or 1e-4 of the objective). What each market is made of, and what of it is an assumption of ours,
stands in the tool: hashprice and expected calls are, so the money says nothing of what a site would have earned. It
is in EUR, in GB in GBP. Seconds are from request to audited plan, on two cores that had as much other work or twice
that; a day gets 120 s of them, and is not proven where they did not suffice."""


def in_order(only: str) -> list[tuple[Market, date]]:
    """Days whose name begins so: of each market the same share by any time, clock changes first."""
    ranked = []
    for market in MARKETS:
        days = [day for day in market.days() if f"{market.name.split()[0]} {day}".startswith(only)]
        spread = sorted(range(len(days)), key=lambda i: (not market.is_clock_change(days[i]), f"{i:010b}"[::-1]))
        ranked += [((rank + 0.5) / len(days), market.name, market, days[i]) for rank, i in enumerate(spread)]
    return [(market, day) for _, _, market, day in sorted(ranked, key=lambda item: item[:2])]


def report(found: list[Row]) -> str:
    """The page: a summary for each market, then the days."""
    found = sorted(found, key=lambda row: ([market.name for market in MARKETS].index(row.market), row.day))
    lines = [
        *PAGE.splitlines(),
        "",
        "| market | days planned | proven | largest gap | median s | 90 % within s | slowest s |",
        "|---|---|---|---|---|---|---|",
    ]
    for market in MARKETS:
        mine = [row for row in found if row.market == market.name]
        if mine:
            seconds = sorted(row.seconds for row in mine)
            within = seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))]
            largest = max(row.gap for row in mine)
            lines.append(
                f"| {market.name} | {len(mine)} of {len(market.days())} | {sum(row.proven for row in mine)} "
                f"| {largest:.1e} | {statistics.median(seconds):.1f} | {within:.1f} | {seconds[-1]:.1f} |"
            )
    lines += ["", "| day | intervals | objective | gap | seconds |", "|---|---|---|---|---|"]
    for row in found:
        gap = f"{row.gap:.1e}" + ("" if row.proven else " (not proven)")
        name = f"{row.market.split()[0]} {row.day}"
        lines.append(f"| {name} | {row.intervals} | {row.objective:.2f} | {gap} | {row.seconds:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="days whose name begins so, such as 'SE3 2025-10-26'")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more days after so long")
    parser.add_argument("--output", type=Path, default=TABLE, help="where the table goes")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"{DATA} is not there: the data is not part of the project", file=sys.stderr)
        return 2
    end = time.monotonic() + 60 * options.minutes
    found: list[Row] = []
    for market, day in in_order(options.only):
        if time.monotonic() > end:
            break
        found.append(row_of(market, day))
        print(found[-1], file=sys.stderr, flush=True)
        options.output.write_text(report(found), "utf-8")
    return 0 if all(row.proven for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A day of our own for the desk: a request in which every gate is still to come, and auctions that clear its bids.

python tools/desk_day.py          writes docs/a-day-at-the-desk/: the request, and the results of each gate

The results follow from the bids that `scheduler bid` writes: run it anew where plans change. All synthetic.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scheduler.v1 import problem_pb2 as pb  # noqa: E402
from scheduler.v1 import scheduler_pb2  # noqa: E402
from tools.fixtures.build import Grid, activation, energy, request, site  # noqa: E402
from tools.fixtures.shapes import PUE, curve, day_blocks, mirrored, plain  # noqa: E402

ZONE = "Europe/Berlin"
DAY = date(2026, 6, 17)
PAGE = ROOT / "docs" / "a-day-at-the-desk"
MAX_KW = {"fcr": 1000, "afrr-up": 2000, "afrr-down": 2000, "mfrr-up": 2000}  # what the desk would hold of each
CAPACITY = {  # forecasts, per MW and hour, of each block
    "fcr": [30.0, 32.0, 26.0, 55.0, 24.0, 28.0],
    "afrr-up": [6.0, 9.0, 14.0, 11.0, 30.0, 22.0],
    "afrr-down": [16.0, 9.0, 7.0, 21.0, 6.0, 5.0],
    "mfrr-up": [2.0, 3.0, 6.0, 4.0, 15.0, 9.0],
}


def grid_of(day: date) -> Grid:
    """A civil day in quarter-hours: 92, 96 or 100."""
    start, end = (
        datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(ZONE)).astimezone(UTC) for d in (day, day + timedelta(days=1))
    )
    return Grid(f"{start:%Y-%m-%dT%H:%M}", 15, (end - start) // timedelta(minutes=15), ZONE)


def request_of(day: date = DAY) -> scheduler_pb2.ScheduleRequest:
    """5.5 MW of machines; day-ahead, FCR, aFRR both ways and mFRR up are open."""
    grid = grid_of(day)
    price = curve(grid, 70, (8, 1.6, 35), (13.5, 3.0, -62), (19.5, 1.8, 70), ripple=6)
    fleet = [plain("s21", 1500, PUE * 3500, 200, "full", wake=20)]
    up = {
        "fcr": activation(grid, 0.06),
        "afrr-up": activation(grid, 0.05, price=mirrored(price, 1.2, 60)),
        "mfrr-up": activation(grid, 0.01, calls=0.05, price=mirrored(price, 1.5, 120)),
    }
    down = {"fcr": activation(grid, 0.06), "afrr-down": activation(grid, 0.06, price=mirrored(price, -0.6, 0))}
    markets = [energy(grid, price)]
    for name, prices in CAPACITY.items():
        ref = pb.ProductRef(name=f"de/{name}", delivery_date=str(day))
        blocks = day_blocks(grid, prices, max_kw=MAX_KW[name])
        reserve = pb.ReserveMarket(ref=ref, blocks=blocks, up=up.get(name), down=down.get(name))
        markets.append(pb.Market(id=name, reserve=reserve, open=pb.Open()))
    sites = [site(grid, fleet, import_mw=5.6, fee=12, zone="10Y1001A1001A82H")]
    made = request(f"desk {day}", grid, sites, markets, hashprice=45, pool_fee=0.02)
    made.options.rel_gap = 1e-3  # gates close: a plan within a thousandth in time beats a better one after it
    return made

"""A day of our own for the desk: a request in which every gate is still to come, and auctions that clear its bids.

python tools/desk_day.py          writes docs/a-day-at-the-desk/: the request, and the result of each gate

The results follow from the bids that `scheduler bid` writes: run it anew where plans change. All of it is synthetic.
"""

from __future__ import annotations

import csv
import io
import math
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scheduler.formats.local_time import hour_utc  # noqa: E402
from scheduler.v1 import problem_pb2 as pb  # noqa: E402
from scheduler.v1 import scheduler_pb2  # noqa: E402
from tools.fixtures.build import Grid, activation, energy, request, site, to_json  # noqa: E402
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
    return request(f"desk {day}", grid, sites, markets, hashprice=45, pool_fee=0.02)


# ---- auctions ---------------------------------------------------------------------------------------------------


def capacity_result(bids: str, clears_per_mw_h: Mapping[str, float], most_mw: Mapping[str, float]) -> str:
    """What becomes of a file of bids, as CSV: a block clears at a price, by its name such as POS_00_04.

    Bids at or below it are accepted, of ``most_mw`` at most so much. FCR is paid the clearing price, per MW and block.
    """
    lines = list(csv.reader(io.StringIO(bids)))
    header = lines[0]
    is_fcr = "OFFERED_CAPACITY_PRICE_[EUR/MW]" in header
    rows = [[*header, "ALLOCATED_CAPACITY_[MW]", *(["SETTLEMENTCAPACITY_PRICE_[EUR/MW]"] if is_fcr else [])]]
    for line in lines[1:]:
        day, product, asked, offered_mw = date.fromisoformat(line[0]), line[3], float(line[4]), float(line[5])
        first, last = (hour_utc(day, int(hour), ZONE) for hour in product.split("_")[1:])
        price = clears_per_mw_h[product] * ((last - first) / timedelta(hours=1) if is_fcr else 1)
        won_mw = min(offered_mw, most_mw.get(product, offered_mw)) if asked <= price else 0
        rows.append([*line, f"{won_mw:g}", *([f"{price:.2f}"] if is_fcr else [])])
    return _csv(rows)


def day_ahead_result(curve_book: str, price_of: Callable[[str], float]) -> str:
    """What a demand curve buys at the price of each period, by its start: as CSV."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in csv.DictReader(io.StringIO(curve_book)):
        point = float(row["price_eur_per_mwh"]), float(row["volume_mw_buy_positive"])
        points.setdefault(row["utc_start"], []).append(point)
    rows = [["utc_start", "position_mw", "price_eur_per_mwh"]]
    for start, pairs in points.items():
        price = round(price_of(start), 2)
        rows.append([start, f"{_volume(pairs, price):.3f}", f"{price:.2f}"])
    return _csv(rows)


def _volume(points: list[tuple[float, float]], price: float) -> float:
    """The curve at a price: linear between its points."""
    above = min(max(1, bisect_left(points, (price, -1e9))), len(points) - 1)
    (low, before), (high, after) = points[above - 1 : above + 1]
    return before + (after - before) * (price - low) / (high - low)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


# ---- what the markets of our day do, and the page that tells of it ------------------------------------------------

STARTS = ("00", "04", "08", "12", "16", "20")
PARTLY_MW = {"POS_08_12": 1.0}  # and of these no more is bought


def clears_per_mw_h(market_id: str, product: str) -> float:
    """FCR clears above what was expected, aFRR up in the evening below it, all else as expected."""
    expected = CAPACITY[market_id][STARTS.index(product.split("_")[1])]
    if market_id == "fcr":
        return 1.25 * expected
    return expected - 1 if (market_id, product) == ("afrr-up", "POS_16_20") else expected


def clearing_price(day: date = DAY) -> Callable[[str], float]:
    """The day-ahead price by the start of a period: it swings around the forecast."""
    grid = grid_of(day)
    forecast = request_of(day).problem.markets[0].energy.price_per_mwh.values
    prices = {
        f"{grid.instant(t).ToDatetime():%Y-%m-%dT%H:%M:%SZ}": forecast[t] + 12 * math.sin(t / 7)
        for t in range(grid.count)
    }
    return prices.__getitem__


GATES = (
    ("fcr", ("fcr",), {"NEGPOS": "fcr"}),
    ("afrr", ("afrr-up", "afrr-down"), {"POS": "afrr-up", "NEG": "afrr-down"}),
    ("mfrr", ("mfrr-up",), {"POS": "mfrr-up"}),
)


def write_page(folder: Path) -> None:
    """The request and the result of each gate, from the bids of the command line."""
    folder.mkdir(exist_ok=True)
    (folder / "request.json").write_text(to_json(request_of()), "utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        bids, now, then = (Path(scratch) / name for name in ("bids.csv", "now.json", "then.json"))
        now.write_bytes((folder / "request.json").read_bytes())
        for name, market_ids, sides in GATES:
            run("bid", now, *market_ids, "-o", bids, "--quiet")
            products = [row["PRODUCT"] for row in csv.DictReader(io.StringIO(bids.read_text("utf-8")))]
            clears = {one: clears_per_mw_h(sides[one.split("_")[0]], one) for one in products}
            result = folder / f"{name}-result.csv"
            result.write_text(capacity_result(bids.read_text("utf-8"), clears, PARTLY_MW), "utf-8")
            silent = [sides[side] for side in sides if not any(one.startswith(f"{side}_") for one in products)]
            run("award", now, result, "-o", then, *(word for id in silent for word in ("--nothing", id)))
            then.replace(now)
        run("bid", now, "day-ahead", "-o", bids, "--layout", "book", "--quiet")
        result = folder / "day-ahead-result.csv"
        result.write_text(day_ahead_result(bids.read_text("utf-8"), clearing_price()), "utf-8")


def run(*words: object) -> None:
    """A command of ours that must succeed."""
    from scheduler import cli

    code = cli.main([str(word) for word in words])
    assert code == 0, f"{words} ended with {code}"


if __name__ == "__main__":
    write_page(PAGE)

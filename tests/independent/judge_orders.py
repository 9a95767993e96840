"""Judges order files by nexa-bidkit, whose rules are those of EUPHEMIA as that package's authors read them.

Runs in an environment of its own (`make orders` builds it) and imports nothing of ours: it reads the files by itself,
builds the package's curves and bids from them, has it validate them, and asks it for the volumes at given prices.

A job comes in on standard input as JSON: kind (book, sheet, blocks), path, day, time_zone, step_minutes, area, prices.
Out goes JSON: mw, for each period of the day in real time a volume for each price (bought less sold); or blocks; or
refused.
"""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from nexa_bidkit import bids, curves, orders, types, validation

TICK = Decimal("0.01")
ZERO = Decimal(0)
DURATIONS = {15: types.MTUDuration.QUARTER_HOURLY, 60: types.MTUDuration.HOURLY}

Points = list[tuple[Decimal, Decimal]]


def main() -> None:
    """One job."""
    job = json.load(sys.stdin)
    zone = ZoneInfo(job["time_zone"])
    day = date.fromisoformat(job["day"])
    midnights = (datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    start, end = midnights
    whole = types.DeliveryPeriod(start=start, end=end, duration=DURATIONS[job["step_minutes"]])
    with open(job["path"], encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    area = types.BiddingZone(job["area"])
    try:
        if job["kind"] == "blocks":
            answer = {"blocks": judged_blocks(rows, whole, zone, area)}
        else:
            points = book_points(rows, whole) if job["kind"] == "book" else sheet_points(rows, whole, zone)
            answer = {"mw": judged_curves(points, whole, zone, area, [Decimal(price) for price in job["prices"]])}
    except (ValueError, validation.ValidationError) as error:  # pydantic's errors are ValueErrors
        answer = {"refused": str(error)}
    json.dump(answer, sys.stdout)


def book_points(rows: list[list[str]], whole: types.DeliveryPeriod) -> list[Points]:
    """Price and volume of each period of the day."""
    found: dict[datetime, Points] = {}
    for row in rows[1:]:
        line = dict(zip(rows[0], row, strict=True))
        start = datetime.fromisoformat(line["utc_start"])
        price = next(value for name, value in line.items() if name.startswith("price_"))
        found.setdefault(start, []).append((Decimal(price), Decimal(line["volume_mw_buy_positive"])))
    starts = [mtu.start for mtu in whole.mtu_intervals()]
    if list(found) != starts:
        raise ValueError(f"has {len(found)} periods that are not the {len(starts)} of the day")
    return list(found.values())


def sheet_points(rows: list[list[str]], whole: types.DeliveryPeriod, zone: ZoneInfo) -> list[Points]:
    """The same, of the sheet whose prices stand across."""
    first = next(i for i, row in enumerate(rows) if row and row[0] == "Period")
    prices = [Decimal(cell) for cell in rows[first][1:]]
    named = [(row[0], [Decimal(cell) for cell in row[1:]]) for row in rows[first + 1 :]]
    mtus = whole.mtu_intervals()
    if len(named) != len(mtus):
        raise ValueError(f"has {len(named)} periods, the day {len(mtus)}")
    for (name, _), mtu in zip(named, mtus, strict=True):
        if not name.startswith(f"{mtu.start.astimezone(zone):%H:%M}"):
            raise ValueError(f"{name} is not the period of {mtu.start}")
    return [list(zip(prices, volumes, strict=True)) for _, volumes in named]


def judged_curves(
    points: list[Points], whole: types.DeliveryPeriod, zone: ZoneInfo, area: types.BiddingZone, prices: list[Decimal]
) -> list[list[float]]:
    """The whole order book, validated as for submission; volumes by period and price."""
    book: list[bids.SimpleBid] = []
    volumes = []
    day = whole.start.astimezone(zone)
    for number, (mtu, mine) in enumerate(zip(whole.mtu_intervals(), points, strict=True)):
        if any(low >= high for (low, _), (high, _) in pairwise(mine)):
            raise ValueError(f"prices of {mtu.start} do not rise")
        if any((price / TICK) % 1 for price, _ in mine):
            raise ValueError(f"a price of {mtu.start} is no multiple of {TICK}")
        bought, sold = (curve_of(mine, mtu, kind) for kind in (types.CurveType.DEMAND, types.CurveType.SUPPLY))
        for curve, direction in ((bought, types.Direction.BUY), (sold, types.Direction.SELL)):
            if curve.steps:
                validation.validate_mtu_within_day(mtu, day)
                name = f"{direction.value}-{number}"
                book.append(bids.SimpleBid(bid_id=name, bidding_zone=area, direction=direction, curve=curve))
        volumes.append([float(volume_at(bought, sold, price)) for price in prices])
    noon = day.replace(hour=12) - timedelta(days=1)
    whole_book = orders.create_order_book(list(book), order_book_id="book")
    validation.validate_order_book_for_submission(whole_book, noon, noon - timedelta(hours=1))
    return volumes


def curve_of(points: Points, mtu: types.MTUInterval, kind: types.CurveType) -> types.PriceQuantityCurve:
    """Steps of the package are what is taken, or given, more at a price: what a volume falls by beyond it."""
    is_demand = kind is types.CurveType.DEMAND
    part = [(price, max(mw if is_demand else -mw, ZERO)) for price, mw in points]
    if is_demand:
        falls = [(price, mw - after) for (price, mw), (_, after) in pairwise(part)] + part[-1:]
    else:
        falls = part[:1] + [(price, after - mw) for (price, mw), (_, after) in pairwise(part)]
    steps = [{"price": price, "volume": volume} for price, volume in falls]  # a rise is a volume below 0: refused
    curve = curves.filter_zero_volume(curves.from_dict_list(steps, kind, mtu))
    return curves.aggregate_by_price(curve)


def volume_at(bought: types.PriceQuantityCurve, sold: types.PriceQuantityCurve, price: Decimal) -> Decimal:
    """MW bought by those who pay at least a price, less MW sold by those who ask for less."""
    taken = curves.clip_curve(bought, min_price=price).total_volume
    return taken - curves.clip_curve(sold, max_price=price - TICK).total_volume


def judged_blocks(
    rows: list[list[str]], whole: types.DeliveryPeriod, zone: ZoneInfo, area: types.BiddingZone
) -> list[dict[str, object]]:
    """Each block with the MWh of its run."""
    mtus = whole.mtu_intervals()
    hours = whole.duration.timedelta / timedelta(hours=1)
    found = []
    for row in rows[1:]:
        name, _, _, volume, price, least_percent, _, *cells = row
        if len(cells) != len(mtus):
            raise ValueError(f"has {len(cells)} periods, the day {len(mtus)}")
        inside = [i for i, cell in enumerate(cells) if cell]
        if inside != list(range(inside[0], inside[-1] + 1)):
            raise ValueError(f"{name} is no single run")
        run = types.DeliveryPeriod(start=mtus[inside[0]].start, end=mtus[inside[-1]].end, duration=whole.duration)
        bid = bids.BlockBid(
            bid_id=name,
            bidding_zone=area,
            direction=types.Direction.BUY,
            delivery_period=run,
            price=Decimal(price),
            volume=Decimal(volume),
            min_acceptance_ratio=Decimal(least_percent) / 100,
        )
        validation.validate_bid(bid)
        validation.validate_delivery_within_day(run, whole.start.astimezone(zone))
        found.append({"name": name, "mtus": run.mtu_count, "mwh": float(bid.total_volume) * hours})
    return found


if __name__ == "__main__":
    main()

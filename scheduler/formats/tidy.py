"""Reads day-ahead prices from tidy CSV: ``utc_start,zone,price_eur_per_mwh``, every 15 or 60 minutes.

Strict: nothing is filled in, sorted or guessed. What is wrong is said with file and row; the header is row 1.
"""

from __future__ import annotations

import csv
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from scheduler.errors import InvalidFileError
from scheduler.horizon import Horizon

STEPS = (timedelta(minutes=15), timedelta(minutes=60))
MINUTE = "%Y-%m-%dT%H:%MZ"
HEADER = re.compile(r"price_([a-z]{3})_per_mwh")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

ZONES = {
    "10Y1001A1001A82H": "DE-LU",
    "10YAT-APG------L": "AT",
    "10YFR-RTE------C": "FR",
    "10YNL----------L": "NL",
    "10YBE----------2": "BE",
    "10YCH-SWISSGRIDZ": "CH",
    "10YES-REE------0": "ES",
    "10YPL-AREA-----S": "PL",
    "10YCZ-CEPS-----N": "CZ",
    "10YHU-MAVIR----U": "HU",
    "10YFI-1--------U": "FI",
    "10Y1001A1001A46L": "SE3",
    "10Y1001A1001A47J": "SE4",
    "10YNO-1--------2": "NO1",
    "10YNO-2--------T": "NO2",
    "10YDK-1--------W": "DK1",
    "10YDK-2--------M": "DK2",
    "10Y1001A1001A73I": "IT-North",
    "10YGB----------A": "GB",
}
"""Names of zones in these files by their EIC (facts A5)."""


class Row(NamedTuple):
    """A price, and the row of the file that it stands in."""

    start_utc: datetime
    price_per_mwh: float
    number: int


@dataclass(frozen=True)
class PriceSeries:
    """Prices of a zone from ``start_utc`` on, without a gap."""

    zone: str
    start_utc: datetime
    step_minutes: int
    price_per_mwh: tuple[float, ...]

    def held_over(self, horizon: Horizon) -> PriceSeries:
        """The same prices in the intervals of a horizon whose step divides this one."""
        ratio = self.step_minutes // horizon.step_minutes
        first = (horizon.start_utc - self.start_utc) // timedelta(minutes=horizon.step_minutes)
        held = [price for price in self.price_per_mwh for _ in range(ratio)]
        prices = tuple(held[first : first + horizon.count])
        return PriceSeries(self.zone, horizon.start_utc, horizon.step_minutes, prices)


@dataclass(frozen=True)
class PriceFile:
    """A whole file: rows by zone, in the order of time."""

    name: str
    currency_code: str
    rows: dict[str, tuple[Row, ...]]

    def over(self, horizon: Horizon, zone: str, mean_of_finer: bool = False) -> PriceSeries:
        """The prices of a zone for a horizon: coarser ones held, finer ones as they are, if permitted."""
        found = self.between(zone, horizon.start_utc, horizon.end_utc)
        if found.step_minutes >= horizon.step_minutes:
            return found.held_over(horizon)
        if not mean_of_finer:
            raise InvalidFileError(
                f"{self.name}: has a price for every {found.step_minutes} minutes, the horizon has steps of "
                f"{horizon.step_minutes}: set mean_of_finer in the request's price series to take their mean"
            )
        return found

    def zone(self, wanted: str = "", eics: Collection[str] = ()) -> str:
        """The zone that is wanted by name, else the one that the EICs agree on, else the only one."""
        eic = next(iter(eics)) if len(eics) == 1 else ""
        name = wanted or ZONES.get(eic, "")
        if name in self.rows:
            return name
        if not name and len(self.rows) == 1:
            return next(iter(self.rows))
        wish = f"no zone {name}" if name else "several zones, and the request does not tell which"
        raise InvalidFileError(f"{self.name}: holds {wish}: name one of {', '.join(self.rows)}")

    def between(self, zone: str, start_utc: datetime, end_utc: datetime) -> PriceSeries:
        """The prices of a zone that cover the time from start to end. Refuses gaps and steps that change."""
        rows = self.rows[zone]
        starts = [row.start_utc for row in rows]
        first = bisect_right(starts, start_utc) - 1  # its interval may have begun before
        if first < 0:
            raise self._wrong(rows[0], zone, f"is its first price, and the horizon starts at {start_utc:{MINUTE}}")
        last = bisect_left(starts, end_utc) - 1
        step = self._step(rows, first, last)
        if starts[first].timestamp() % step.total_seconds():
            raise self._wrong(rows[first], zone, f"is no multiple of the step, {step}")
        for before, row in pairwise(rows[first : last + 1]):
            if row.start_utc - before.start_utc != step:
                what = f"comes {row.start_utc - before.start_utc} after the price before it, others {step}"
                raise self._wrong(row, zone, f"{what}: a gap, or a change of step")
        if rows[last].start_utc + step < end_utc:
            what = f"is its last price, for {step}, and the horizon ends at {end_utc:{MINUTE}}"
            raise self._wrong(rows[last], zone, what)
        prices = tuple(row.price_per_mwh for row in rows[first : last + 1])
        return PriceSeries(zone, starts[first], step // timedelta(minutes=1), prices)

    def _step(self, rows: tuple[Row, ...], first: int, last: int) -> timedelta:
        """The shortest distance between the rows from first to last; of a single row, to one beside it."""
        near = rows[first : last + 1] if last > first else rows[first : first + 2]
        near = near if len(near) > 1 else rows[-2:]
        step = min((row.start_utc - before.start_utc for before, row in pairwise(near)), default=timedelta(0))
        if step not in STEPS:
            known = step or "not known from one row"
            raise InvalidFileError(f"{self.name}:{rows[first].number}: the step must be 15 or 60 minutes, is {known}")
        return step

    def _wrong(self, row: Row, zone: str, message: str) -> InvalidFileError:
        return InvalidFileError(f"{self.name}:{row.number}: zone {zone}, {row.start_utc:{MINUTE}} {message}")


def read_prices(path: Path) -> PriceFile:
    """All prices of a file. Raises InvalidFileError, or OSError where the file cannot be opened."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_prices(file, str(path))
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from None


def parse_prices(lines: Iterable[str], name: str) -> PriceFile:
    """All prices of the lines of a file."""
    reader = csv.reader(lines, strict=True)
    rows: dict[str, list[Row]] = {}
    try:
        currency_code = _currency_of(next(reader, []), name)
        for fields in reader:
            number = reader.line_num
            if fields:
                zone, row = _row(fields, f"{name}:{number}", number)
                before = rows.setdefault(zone, [])
                if before and row.start_utc <= before[-1].start_utc:
                    what = (
                        "is given twice"
                        if row.start_utc in {other.start_utc for other in before}
                        else "is out of order"
                    )
                    raise InvalidFileError(f"{name}:{number}: zone {zone}, {fields[0]} {what}")
                before.append(row)
    except csv.Error as error:
        raise InvalidFileError(f"{name}:{reader.line_num}: {error}") from None
    if not rows:
        raise InvalidFileError(f"{name}: has no prices")
    return PriceFile(name, currency_code, {zone: tuple(found) for zone, found in rows.items()})


def _currency_of(header: list[str], name: str) -> str:
    price = HEADER.fullmatch(header[2]) if len(header) == 3 else None
    if price is None or header[:2] != ["utc_start", "zone"]:
        raise InvalidFileError(
            f"{name}:1: the header must be utc_start,zone,price_eur_per_mwh (or another currency), "
            f"is {','.join(header)[:200]!r}"
        )
    return price[1].upper()


def _row(fields: list[str], at: str, number: int) -> tuple[str, Row]:
    if len(fields) != 3:
        raise InvalidFileError(f"{at}: has {len(fields)} fields, not 3")
    instant, zone, price = fields
    if not INSTANT.fullmatch(instant):
        raise InvalidFileError(f"{at}: utc_start must be as 2025-10-26T00:15:00Z, is {instant[:60]!r}")
    try:
        start_utc = datetime.fromisoformat(instant).astimezone(UTC)
    except ValueError as error:
        raise InvalidFileError(f"{at}: utc_start: {error}, in {instant!r}") from None
    if not zone or zone != zone.strip():
        raise InvalidFileError(
            f"{at}: names no zone" if not zone else f"{at}: has spaces around the zone {zone[:60]!r}"
        )
    value = float(price) if NUMBER.fullmatch(price) else math.nan
    if not math.isfinite(value):
        raise InvalidFileError(f"{at}: the price must be a finite number, is {price[:60]!r}")
    return zone, Row(start_utc, value, number)

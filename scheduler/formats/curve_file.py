"""A demand curve as it was handed in: the files of `demand_curve`, read to hold an auction's result against them.

Both layouts, CSV or workbook: the rows of a book (a price and a volume each), and the sheet of Nord Pool (prices
across, a row for each period of a day, by its local name).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from scheduler.errors import InvalidFileError, SchedulerError
from scheduler.formats.content import Content, Line
from scheduler.formats.local_day import intervals_of_day, on_market_clock, period_name
from scheduler.formats.series import MINUTE_FORMAT, Source
from scheduler.formats.sheet import POINT, Sheet, csv_lines, sheet_of, shown
from scheduler.formats.tidy import instant_at
from scheduler.horizon import Horizon

NAME = "demand curve"
BOOK_PRICE = re.compile(r"price_([a-z]{3})_per_mwh")
BOOK_START, BOOK_END, BOOK_VOLUME = "utc_start", "utc_end", "volume_mw_buy_positive"
DATE, CURRENCY, PERIOD = "Date (DD/MM/YYYY)", "Currency", "Period"
FINE_TICK, COARSE_TICK = 0.01, 0.1  # of prices (facts A2)
ROUNDING = 1e-6


@dataclass(frozen=True)
class PeriodCurve:
    """What is bought at which price, by rising price, and the row in which it begins."""

    number: int
    points: tuple[tuple[float, float], ...]  # price per MWh, MW bought

    def range_mw(self, price_per_mwh: float) -> tuple[float, float] | None:
        """Least and most MW that a result at a price may hold; None beyond the limits of the curve.

        A volume holds from the price below up to its own: so it is of a step curve, and of a linear one of ours, which
        falls within a tick each time. At the price of a step, part of it may be taken.
        """
        if not self.points[0][0] - self._tick <= price_per_mwh <= self.points[-1][0] + ROUNDING:
            return None
        least, most = (self._mw_at(price_per_mwh + sign * (self._tick + ROUNDING)) for sign in (1, -1))
        return min(least, most), max(least, most)

    @property
    def _tick(self) -> float:
        """The coarse one where all prices are multiples of it: a linear curve falls within a tick."""
        tenths = (price / COARSE_TICK for price, _ in self.points)
        return COARSE_TICK if all(abs(tenth - round(tenth)) < ROUNDING for tenth in tenths) else FINE_TICK

    def _mw_at(self, price_per_mwh: float) -> float:
        return next((mw for price, mw in self.points if price >= price_per_mwh), self.points[-1][1])


@dataclass(frozen=True)
class CurveFile:
    """A curve for each interval that the file has one for."""

    source: Source
    currency_code: str
    curves: dict[datetime, PeriodCurve]  # by start, UTC


def read(content: Content, horizon: Horizon) -> CurveFile:
    """The whole file; its periods are intervals of the horizon."""
    lines = _lines(content)
    first = [str(cell or "").strip() for cell in lines[0].cells] if lines else []
    if first[:2] == [BOOK_START, BOOK_END]:
        return _read_book(sheet_of(content.source(NAME), lines), horizon)
    if first[:1] == ["Type"]:
        return _read_sheet(content, lines, horizon)
    words = "is no demand curve in the layout of `scheduler write demand-curve`"
    raise InvalidFileError(f"{content.name}: {words}: it begins with {shown(', '.join(first))}")


def _lines(content: Content) -> list[Line]:
    if not content.is_zip:
        return csv_lines(content, ",")
    sheets = list(content.workbook.values())
    if len(sheets) != 1:
        raise InvalidFileError(f"{content.name}: has {len(sheets)} sheets: a demand curve has one")
    return list(sheets[0])


def _read_book(sheet: Sheet, horizon: Horizon) -> CurveFile:
    found = [(place, match[1]) for place, name in enumerate(sheet.header) if (match := BOOK_PRICE.fullmatch(name))]
    if len(found) != 1:
        raise sheet.wrong(1, "the header must name one price, such as price_eur_per_mwh")
    start, end, volume = map(sheet.place, (BOOK_START, BOOK_END, BOOK_VOLUME))
    starts = {horizon.boundary_utc(t) for t in range(horizon.count)}
    step = timedelta(minutes=horizon.step_minutes)
    points: dict[datetime, list[tuple[float, float]]] = {}
    numbers: dict[datetime, int] = {}
    for line in sheet.lines:
        at = instant_at(sheet, line, start)
        if at not in starts or instant_at(sheet, line, end) != at + step:
            raise sheet.wrong(line.number, f"{at:{MINUTE_FORMAT}} to its end is no interval of the request's horizon")
        price, mw = sheet.number(line, found[0][0]), sheet.number(line, volume)
        assert price is not None and mw is not None, "nothing says that they are absent"
        mine = points.setdefault(at, [])
        if mine and price <= mine[-1][0]:
            raise sheet.wrong(line.number, f"the prices of {at:{MINUTE_FORMAT}} must rise")
        numbers.setdefault(at, line.number)
        mine.append((price, mw))
    curves = {at: PeriodCurve(numbers[at], tuple(mine)) for at, mine in points.items()}
    return CurveFile(sheet.source, found[0][1].upper(), curves)


def _read_sheet(content: Content, lines: list[Line], horizon: Horizon) -> CurveFile:
    heads: dict[str, str] = {}
    for place, line in enumerate(lines):
        name = str(line.cells[0] or "").strip()
        if name == PERIOD:
            return _read_periods(content, heads, lines[place:], horizon)
        heads[name] = str(line.cells[1] or "").strip() if len(line.cells) > 1 else ""
    raise InvalidFileError(f"{content.name}: has no row that begins with {PERIOD}")


def _read_periods(content: Content, heads: dict[str, str], lines: list[Line], horizon: Horizon) -> CurveFile:
    for name in (DATE, CURRENCY):
        if name not in heads:
            raise InvalidFileError(f"{content.name}: the heading lacks {name!r}")
    horizon = on_market_clock(horizon)
    try:
        day, month, year = heads[DATE].split("/")
        periods = intervals_of_day(horizon, date(int(year), int(month), int(day)))
    except (ValueError, SchedulerError) as error:
        raise InvalidFileError(f"{content.name}: {DATE} is {shown(heads[DATE])}: {error}") from None
    prices = list(_numbers(content, lines[0]))
    if len(prices) < 2 or any(high <= low for low, high in pairwise(prices)):
        raise InvalidFileError(f"{content.name}:{lines[0].number}: the steps of price must rise")
    by_name = {period_name(horizon, t): horizon.boundary_utc(t) for t in periods}
    curves: dict[datetime, PeriodCurve] = {}
    for line in lines[1:]:
        name = str(line.cells[0] or "").strip()
        if name not in by_name or by_name[name] in curves:
            words = "is given twice" if name in by_name else f"is no period of {heads[DATE]}"
            raise InvalidFileError(f"{content.name}:{line.number}: {shown(name)} {words}")
        volumes = list(_numbers(content, line))
        if len(volumes) != len(prices):
            raise InvalidFileError(f"{content.name}:{line.number}: has {len(volumes)} volumes, not {len(prices)}")
        curves[by_name[name]] = PeriodCurve(line.number, tuple(zip(prices, volumes, strict=True)))
    return CurveFile(content.source(NAME), heads[CURRENCY], curves)


def _numbers(content: Content, line: Line) -> Iterator[float]:
    """All cells but the first. An empty one is 0 in this template (facts A3)."""
    for cell in line.cells[1:]:
        text = "0" if cell in (None, "") else str(cell).strip()
        if not POINT.fullmatch(text):
            raise InvalidFileError(f"{content.name}:{line.number}: {shown(text)} is no number")
        yield float(text)

"""What a day-ahead auction gave us: ``utc_start,position_mw,price_eur_per_mwh``, every 15 or 60 minutes, as CSV.

A layout of our own: no exchange publishes that of its confirmations. The position is positive when bought, negative
when sold, of all sites of the market together; the price is the clearing price. Strict: nothing is filled in, sorted
or guessed, and a period of another day than the horizon's is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.series import MINUTE_FORMAT, Column, Label, Points, Quantity, Row, Series, Source
from scheduler.formats.sheet import csv_lines, sheet_of, shown
from scheduler.formats.tidy import instant_at
from scheduler.horizon import Horizon

NAME = "own CSV of a day-ahead result"
HEADER = re.compile(r"utc_start,position_mw,price_([a-z]{3})_per_mwh")
POSITION, PRICE = Label(Quantity.POSITION, ""), Label(Quantity.DAY_AHEAD_PRICE, "")


@dataclass(frozen=True)
class PositionFile:
    """Position and price of the same periods."""

    source: Source
    currency_code: str
    position: Column  # MW
    price: Column  # per MWh

    def over(self, horizon: Horizon) -> tuple[Series, Series]:
        """Position and price for a horizon. Refuses a period that is missing, and one outside it."""
        rows = self.price.rows
        first = max(0, bisect_right(self.price.starts_utc, horizon.start_utc) - 1)  # it may have begun before
        for i, row in enumerate(rows):
            if i < first or row.start_utc >= horizon.end_utc:
                span = f"{horizon.start_utc:{MINUTE_FORMAT}} to {horizon.end_utc:{MINUTE_FORMAT}}"
                words = f"{row.start_utc:{MINUTE_FORMAT}} lies outside the horizon, {span}: is it another day's?"
                raise InvalidFileError(f"{self.source.file}:{row.number}: {words}")
        price = self.price.over(horizon)
        return self.position.over(horizon), price


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.first_line.startswith("utc_start,position_mw")


def read(content: Content) -> PositionFile:
    """The whole file."""
    header = HEADER.fullmatch(content.first_line)
    if header is None:
        words = "the header must be utc_start,position_mw,price_eur_per_mwh (or another currency)"
        raise InvalidFileError(f"{content.name}:1: {words}, is {shown(content.first_line)}")
    sheet = sheet_of(content.source(NAME), csv_lines(content, ","))
    points, currency_code = Points(sheet.source), header[1].upper()
    for line in sheet.lines:
        start = instant_at(sheet, line, 0)
        for label, place in ((POSITION, 1), (PRICE, 2)):
            value = sheet.number(line, place)
            assert value is not None, "nothing says that it is absent"
            points.add(label, currency_code, Row(start, 0, value, line.number))
    position, price = points.file(in_order=True).columns
    return PositionFile(sheet.source, currency_code, position, price)

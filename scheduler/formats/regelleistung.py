"""Capacity results of regelleistung.net, as workbook or CSV: FCR, aFRR and mFRR by country (facts C1).

Two labels, two units: ``[EUR/MW]`` is money per MW and block and is divided by the real hours of the block (3 or 5 of
them where the clock changes), ``[(EUR/MW)/h]`` is per MW and hour already. The change of one to the other in 2021 is
a factor of 4 for those who read the figures alone. Days are those of Europe/Berlin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import hour_utc
from scheduler.formats.series import ONE_MINUTE, Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, decimal_mark, sheet_of, shown
from scheduler.problem import Direction

NAME = "regelleistung.net capacity results"
ZONE = "Europe/Berlin"
PRICE = re.compile(
    r"(?P<area>[A-Z][A-Z_]*?)_(?:(?P<kind>MIN|AVERAGE|MARGINAL)_|SETTLEMENT)CAPACITY_PRICE_\[(?P<unit>.+)\]"
)
PER_BLOCK, PER_HOUR = "EUR/MW", "(EUR/MW)/h"
KINDS = {None: "", "MIN": "minimum", "AVERAGE": "average", "MARGINAL": "marginal"}
PRODUCT = re.compile(r"(NEGPOS|NEG|POS)_(\d\d)_(\d\d)", re.ASCII)
DIRECTIONS = {"NEGPOS": Direction.SYMMETRIC, "NEG": Direction.DOWN, "POS": Direction.UP}
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?: 00:00:00)?|(\d\d)\.(\d\d)\.(\d{4})", re.ASCII)
PRODUCTS = ("FCR", "aFRR", "mFRR")
ABSENT = ("", "-")
AREAS = {
    "GERMANY": "DE",
    "AUSTRIA": "AT",
    "BELGIUM": "BE",
    "FRANCE": "FR",
    "NETHERLANDS": "NL",
    "SWITZERLAND": "CH",
    "DENMARK": "DK1",
    "DK": "DK1",
    "SLOVENIA": "SI",
    "CZECH_REPUBLIC": "CZ",
    "CROSSBORDER": "crossborder",
    "TOTAL": "total",
}


@dataclass(frozen=True)
class PriceColumn:
    """A column of prices: where it stands, whose and which price it is, and whether it is per block."""

    place: int
    area: str
    detail: str
    per_block: bool


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    if content.is_zip:
        return bool(_sheets(content))
    return "DATE_FROM" in content.first_line


def _sheets(content: Content) -> list[str]:
    return [name for name, lines in content.workbook.items() if lines and "DATE_FROM" in lines[0].cells]


def read(content: Content) -> SeriesFile:
    """All prices of capacity."""
    sheet = sheet_in(content, NAME)
    columns = list(_columns(sheet))
    if not columns:
        raise sheet.wrong(1, "has no column of capacity prices such as GERMANY_AVERAGE_CAPACITY_PRICE_[(EUR/MW)/h]")
    mark = decimal_mark(sheet.lines, (column.place for column in columns))
    return _read(Sheet(sheet.source, sheet.header, sheet.lines, mark), columns)


def sheet_in(content: Content, format_name: str) -> Sheet:
    """The table of a CSV file, or of the one sheet of a workbook that begins as theirs do."""
    lines: Sequence[Line]
    if content.is_zip:
        names = _sheets(content)
        if len(names) != 1:
            raise InvalidFileError(f"{content.name}: has several sheets of results: {', '.join(names)}")
        lines = content.workbook[names[0]]
    else:
        delimiter = next((mark for mark in ";\t" if mark in content.first_line), ",")
        lines = csv_lines(content, delimiter)
    return sheet_of(content.source(format_name), lines)


def _columns(sheet: Sheet) -> Iterator[PriceColumn]:
    for place, name in enumerate(sheet.header):
        if "CAPACITY_PRICE" not in name:
            continue
        found = PRICE.fullmatch(name)
        if found is None or found["unit"] not in (PER_BLOCK, PER_HOUR):
            words = f"is no price of an area by {PER_BLOCK} or {PER_HOUR}: an overview of results is expected"
            raise sheet.wrong(1, f"{shown(name)} {words}")
        area = AREAS.get(found["area"], found["area"])
        yield PriceColumn(place, area, KINDS[found["kind"]], found["unit"] == PER_BLOCK)


def _read(sheet: Sheet, columns: Iterable[PriceColumn]) -> SeriesFile:
    columns = tuple(columns)
    first, last = sheet.place("DATE_FROM"), sheet.place("DATE_TO")
    kind = sheet.place("PRODUCT_TYPE" if "PRODUCT_TYPE" in sheet.header else "TYPE_OF_RESERVES")
    product = sheet.place("PRODUCTNAME" if "PRODUCTNAME" in sheet.header else "PRODUCT")
    tender = sheet.header.index("TENDER_NUMBER") if "TENDER_NUMBER" in sheet.header else None
    points = Points(sheet.source)
    for line in sheet.lines:
        day = day_at(sheet, line, first)
        if day_at(sheet, line, last) != day:
            raise sheet.wrong(line.number, "DATE_TO is another day than DATE_FROM: blocks of one day are expected")
        reserve = sheet.text(line, kind)
        if reserve not in PRODUCTS:
            raise sheet.wrong(
                line.number, f"{sheet.header[kind]} must be one of {', '.join(PRODUCTS)}, is {shown(reserve)}"
            )
        direction, start, minutes = block_at(sheet, line, product, day)
        number = 1.0 if tender is None else sheet.number(line, tender)
        assert number is not None
        if number < 1 or number % 1:
            raise sheet.wrong(line.number, f"TENDER_NUMBER must be a whole number from 1, is {number:g}")
        for column in columns:
            price = sheet.number(line, column.place, ABSENT)
            if price is None:
                continue
            if column.per_block:
                price /= minutes / 60
            # on 2022-03-06 a second tender for FCR bought nothing, at 0
            detail = " ".join(filter(None, (column.detail, "" if number == 1 else f"tender {number:g}")))
            label = Label(Quantity.CAPACITY_PRICE, column.area, reserve, direction, detail)
            points.add(label, "EUR", Row(start, minutes, price, line.number))
    return points.file(in_order=False)


def day_at(sheet: Sheet, line: Line, place: int) -> date:
    """The day in a cell: a date, 2026-01-31 or 31.01.2026."""
    cell = line.cells[place]
    if isinstance(cell, datetime):
        if cell == datetime(cell.year, cell.month, cell.day):
            return cell.date()
    elif found := DAY.fullmatch(sheet.text(line, place)):
        parts = found.groups()
        try:
            return date(*map(int, parts[:3])) if parts[0] else date(*map(int, parts[:2:-1]))
        except ValueError:
            pass
    raise sheet.wrong(line.number, f"{sheet.header[place]} must be a day as 2026-01-31, is {shown(str(cell or ''))}")


def block_at(sheet: Sheet, line: Line, place: int, day: date, zone_name: str = ZONE) -> tuple[Direction, datetime, int]:
    """Direction, start and real minutes of a block such as POS_00_04."""
    text = sheet.text(line, place)
    found = PRODUCT.fullmatch(text)
    if found is None or not int(found[2]) < int(found[3]) <= 24:
        raise sheet.wrong(line.number, f"{sheet.header[place]} must be a block as POS_00_04, is {shown(text)}")
    try:
        start, end = (hour_utc(day, int(hour), zone_name) for hour in found.groups()[1:])
    except OverflowError:  # the first or the last day of all
        raise sheet.wrong(line.number, f"{day} is no day of ours") from None
    if (end - start) // timedelta(hours=1) < 1:
        raise sheet.wrong(line.number, f"{text} has no hour on {day}")
    return DIRECTIONS[found[1]], start, (end - start) // ONE_MINUTE

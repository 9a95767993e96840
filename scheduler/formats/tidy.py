"""Our own tables of prices: ``utc_start,zone,price_eur_per_mwh``, every 15 or 60 minutes, as CSV, XLSX or Parquet.

Strict: nothing is filled in, sorted or guessed. What is wrong is said with file and row; the header is row 1.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content, Line
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown

NAME = "tidy CSV"
HEADER = re.compile(r"price_([a-z]{3})_per_mwh")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
FIELDS_COUNT = 3


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.first_line.startswith("utc_start")


def read(content: Content) -> SeriesFile:
    """All prices of a CSV file."""
    lines = csv_lines(content, ",")
    _currency_of([] if not lines else [str(cell) for cell in lines[0].cells], content.name)
    return prices_of(sheet_of(content.source(NAME), lines))


def prices_of(sheet: Sheet) -> SeriesFile:
    """All prices of a table."""
    currency_code = _currency_of(list(sheet.header), sheet.source.file)
    points = Points(sheet.source)
    for line in sheet.lines:
        zone = line.cells[1]
        if not isinstance(zone, str) or not zone.strip():
            raise sheet.wrong(line.number, "names no zone")
        if zone != zone.strip():
            raise sheet.wrong(line.number, f"has spaces around the zone {shown(zone)}")
        value = sheet.number(line, 2)
        assert value is not None
        row = Row(instant_at(sheet, line, 0), 0, value, line.number)
        points.add(Label(Quantity.DAY_AHEAD_PRICE, zone), currency_code, row)
    return points.file(in_order=True)


def is_header(header: list[str]) -> bool:
    """Whether a table begins with the names of our own."""
    return (
        len(header) == FIELDS_COUNT and header[:2] == ["utc_start", "zone"] and HEADER.fullmatch(header[2]) is not None
    )


def _currency_of(header: list[str], name: str) -> str:
    if not is_header(header):
        raise InvalidFileError(
            f"{name}:1: the header must be utc_start,zone,price_eur_per_mwh (or another currency), "
            f"is {','.join(header)[:200]!r}"
        )
    return header[2].split("_")[1].upper()


def instant_at(sheet: Sheet, line: Line, place: int) -> datetime:
    """An instant in UTC; a workbook holds dates without a zone, and the column says that they are UTC."""
    cell, name = line.cells[place], sheet.header[place]
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=UTC) if cell.tzinfo is None else cell.astimezone(UTC)
    text = str(cell)
    if not INSTANT.fullmatch(text):
        raise sheet.wrong(line.number, f"{name} must be as 2025-10-26T00:15:00Z, is {shown(text)}")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise sheet.wrong(line.number, f"{name}: {error}, in {text!r}") from None

"""Day-ahead prices of the Nord Pool portal, a column for each area, with times of Central Europe (facts C2).

CSV or workbook, with a header of one row (``SE3 Price (EUR)``) or of two (``SE3`` above ``Price (EUR)``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import Stamp, instants, minutes_until
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, decimal_mark, sheet_of, shown

NAME = "Nord Pool portal, CSV or XLSX"
ZONE = "Europe/Oslo"
BEGIN, END = "Delivery Start (CET)", "Delivery End (CET)"
COLUMN = re.compile(r"(?P<area>[A-Z][A-Z0-9-]*) Price \((?P<currency>[A-Z]{3})\)")
TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)(?::00)?", re.ASCII)
AREAS = {"GER": "DE-LU"}
ABSENT = ("", "-")


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return bool(_sheets(content)) if content.is_zip else content.first_line.replace('"', "").startswith(BEGIN)


def _sheets(content: Content) -> list[str]:
    return [name for name, lines in content.workbook.items() if lines and lines[0].cells[0] == BEGIN]


def read(content: Content) -> SeriesFile:
    """All prices."""
    sheet = sheet_of(content.source(NAME), _one_header(_lines(content)))
    columns = list(_columns(sheet))
    if not columns:
        raise sheet.wrong(1, f"has no column of prices such as SE3 Price (EUR), is {shown(', '.join(sheet.header))}")
    mark = decimal_mark(sheet.lines, (place for place, _, _ in columns))
    sheet = Sheet(sheet.source, sheet.header, sheet.lines, mark)
    begin_place, end_place = sheet.place(BEGIN), sheet.place(END)
    locals_ = [_time(sheet, line, begin_place) for line in sheet.lines]
    stamps = [Stamp(line.number, local) for line, local in zip(sheet.lines, locals_, strict=True)]
    points = Points(sheet.source)
    for line, local, begin_utc in zip(sheet.lines, locals_, instants(stamps, ZONE, sheet.wrong), strict=True):
        minutes = minutes_until(begin_utc, local, _time(sheet, line, end_place), ZONE)
        if minutes is None:
            raise sheet.wrong(line.number, "from start to end is no interval of 15, 30 or 60 minutes")
        for place, label, currency_code in columns:
            price = sheet.number(line, place, ABSENT)
            if price is not None:
                points.add(label, currency_code, Row(begin_utc, minutes, price, line.number))
    return points.file(in_order=True)


def _lines(content: Content) -> Sequence[Line]:
    if not content.is_zip:
        return csv_lines(content, ";" if ";" in content.first_line else ",")
    names = _sheets(content)
    if len(names) != 1:
        raise InvalidFileError(f"{content.name}: has several sheets of prices: {', '.join(names)}")
    return content.workbook[names[0]]


def _one_header(lines: Sequence[Line]) -> Sequence[Line]:
    """The lines with the two rows of a header made one; others as they are."""
    if len(lines) < 2 or any(cell not in (None, "") for cell in lines[1].cells[:2]):
        return lines
    above, below = (tuple(str(cell or "").strip() for cell in line.cells) for line in lines[:2])
    names = tuple(f"{upper} {lower}".strip() for upper, lower in zip_longest(above, below, fillvalue=""))
    return [Line(lines[0].number, names), *lines[2:]]


def _columns(sheet: Sheet) -> Iterator[tuple[int, Label, str]]:
    for place, name in enumerate(sheet.header):
        if name in (BEGIN, END):
            continue
        found = COLUMN.fullmatch(name)
        if found is None:
            raise sheet.wrong(1, f"a column such as SE3 Price (EUR) is expected, not {shown(name)}")
        area = AREAS.get(found["area"], found["area"])
        yield place, Label(Quantity.DAY_AHEAD_PRICE, area), found["currency"]


def _time(sheet: Sheet, line: Line, place: int) -> datetime:
    cell = line.cells[place]
    if isinstance(cell, datetime) and not cell.second:
        return cell
    text = sheet.text(line, place)
    try:
        if found := TIME.fullmatch(text):
            day, month, year, hour, minute = map(int, found.groups())
            return datetime(year, month, day, hour, minute)
    except ValueError:
        pass
    raise sheet.wrong(line.number, f"{sheet.header[place]} must be as 01.10.2025 00:15:00, is {shown(text)}")

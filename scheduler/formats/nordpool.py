"""Day-ahead prices of the Nord Pool portal as CSV, a column for each area, with times of Central Europe (facts C2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import Stamp, instants, minutes_until
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, decimal_mark, sheet_of, shown

NAME = "Nord Pool portal, CSV"
ZONE = "Europe/Oslo"
BEGIN, END = "Delivery Start (CET)", "Delivery End (CET)"
COLUMN = re.compile(r"(?P<area>[A-Z][A-Z0-9-]*) Price \((?P<currency>[A-Z]{3})\)")
TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)(?::00)?", re.ASCII)
AREAS = {"GER": "DE-LU"}
ABSENT = ("", "-")


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.first_line.replace('"', "").startswith(BEGIN)


def read(content: Content) -> SeriesFile:
    """All prices."""
    lines = csv_lines(content, ";" if ";" in content.first_line else ",")
    sheet = sheet_of(content.source(NAME), lines)
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
    text = sheet.text(line, place)
    try:
        if found := TIME.fullmatch(text):
            day, month, year, hour, minute = map(int, found.groups())
            return datetime(year, month, day, hour, minute)
    except ValueError:
        pass
    raise sheet.wrong(line.number, f"{sheet.header[place]} must be as 01.10.2025 00:15:00, is {shown(text)}")

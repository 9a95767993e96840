"""German imbalance prices of netztransparenz.de as CSV: the modules of the price, or the price itself (reBAP).

``N.E.`` and ``N.A.`` are values that are missing. Times name their zone in each row.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from scheduler.formats.content import Content, Line
from scheduler.formats.series import ONE_MINUTE, Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown
from scheduler.horizon import STEPS_MINUTES

NAME = "netztransparenz.de imbalance prices, CSV"
AREA, CURRENCY_CODE, UNIT = "DE", "EUR", "EUR/MWh"
PRICE = re.compile(r"(AEP|reBAP)\b.*")
ZONES = {"UTC": UTC, "CET": timezone(timedelta(hours=1)), "CEST": timezone(timedelta(hours=2))}
DAY = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})|(\d{4})-(\d\d)-(\d\d)", re.ASCII)
TIME = re.compile(r"(\d\d):(\d\d)", re.ASCII)
ABSENT = ("N.E.", "N.A.")


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    names = content.first_line.split(";")
    return names[0] == "Datum" and "von" in names and any(PRICE.fullmatch(name) for name in names)


def read(content: Content) -> SeriesFile:
    """All prices; each module is a column."""
    sheet = sheet_of(content.source(NAME), csv_lines(content, ";"), ",")
    columns = [
        (place, Label(Quantity.IMBALANCE_PRICE, AREA, detail=name))
        for place, name in enumerate(sheet.header)
        if PRICE.fullmatch(name)
    ]
    unit_place = sheet.place("Einheit")
    points = Points(sheet.source)
    for line in sheet.lines:
        if (unit := sheet.text(line, unit_place)) != UNIT:
            raise sheet.wrong(line.number, f"Einheit must be {UNIT}, is {shown(unit)}")
        start, minutes = _span(sheet, line)
        for place, label in columns:
            price = sheet.number(line, place, ABSENT)
            if price is not None:
                points.add(label, CURRENCY_CODE, Row(start, minutes, price, line.number))
    return points.file(in_order=True)


def _span(sheet: Sheet, line: Line) -> tuple[datetime, int]:
    """Start and minutes of a row. A row that ends at midnight, or at an earlier hour, ends on the next day."""
    begins, ends = ("Zeitzone von", "Zeitzone bis") if "Zeitzone von" in sheet.header else ("Zeitzone", "Zeitzone")
    start = _instant(sheet, line, "von", begins)
    end = _instant(sheet, line, "bis", ends)
    if end <= start:
        end += timedelta(days=1)
    minutes, rest = divmod(end - start, ONE_MINUTE)
    if minutes not in STEPS_MINUTES or rest:
        raise sheet.wrong(line.number, "from von to bis is no interval of 15, 30 or 60 minutes")
    return start, minutes


def _instant(sheet: Sheet, line: Line, name: str, zone_name: str) -> datetime:
    day, time, zone = (sheet.text(line, sheet.place(column)) for column in ("Datum", name, zone_name))
    if zone not in ZONES:
        raise sheet.wrong(line.number, f"{zone_name} must be one of {', '.join(ZONES)}, is {shown(zone)}")
    on, at = DAY.fullmatch(day), TIME.fullmatch(time)
    try:
        if on and at:
            year, month, date = (on[3], on[2], on[1]) if on[1] else (on[4], on[5], on[6])
            found = datetime(int(year), int(month), int(date), int(at[1]), int(at[2]), tzinfo=ZONES[zone])
            return found.astimezone(UTC)
    except ValueError:
        pass
    raise sheet.wrong(
        line.number, f"Datum and {name} must be as 31.01.2026 and 13:15, are {shown(day)} and {shown(time)}"
    )

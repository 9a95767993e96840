"""Day-ahead prices as the ENTSO-E web page exports them: CSV with local times (facts C2).

Two layouts are about: one of a zone, named in the last column of the header alone; and one with a column each for area
and sequence. Rows of a clock change carry ``(CET)`` or ``(CEST)`` in some; in others the hour just comes twice.
Prices of intraday auctions that stand beside are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime

from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import Stamp, instants, minutes_until
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown, unwrapped

NAME = "ENTSO-E web export, CSV"
TIME = re.compile(r"MTU \((?P<zone>[A-Z]+(?:/[A-Z]+)?)\)")
ZONES = {
    "UTC": "UTC",
    "CET/CEST": "Europe/Brussels",
    "WET/WEST": "Europe/Lisbon",
    "EET/EEST": "Europe/Helsinki",
}
PRICE = re.compile(r"Day-ahead Price [(\[](?P<currency>[A-Z]{3})/MWh[)\]]")
STAMP = r"(\d\d)[./](\d\d)[./](\d{4}) (\d\d):(\d\d)(?::00)?(?: \(([A-Z]+)\))?"
SPAN = re.compile(rf"{STAMP} - {STAMP}", re.ASCII)
SEQUENCES = re.compile(r"Without Sequence|Sequence (\d)")
ABSENT = ("", "-", "n/e", "N/A")


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.first_line.replace('"', "").startswith("MTU (")


def read(content: Content) -> SeriesFile:
    """All day-ahead prices."""
    lines = unwrapped(content, csv_lines(content, ","))
    last = str(lines[0].cells[-1]) if lines else ""
    sheet = sheet_of(content.source(NAME), lines, spare=1 if last.startswith("BZN|") else 0)
    time = TIME.fullmatch(sheet.header[0])
    if time is None or time["zone"] not in ZONES:
        raise sheet.wrong(1, f"must begin with a column such as MTU (CET/CEST), is {shown(sheet.header[0])}")
    prices = [(place, found) for place, name in enumerate(sheet.header) if (found := PRICE.fullmatch(name))]
    if len(prices) != 1:
        raise sheet.wrong(1, f"must have one column of day-ahead prices per MWh, is {shown(', '.join(sheet.header))}")
    place, found = prices[0]
    groups: dict[Label, list[tuple[Line, float | None]]] = defaultdict(list)
    for line in sheet.lines:
        label = _label(sheet, line)
        _check_currency(sheet, line, found["currency"])
        groups[label].append((line, sheet.number(line, place, ABSENT)))
    points = Points(sheet.source)
    for label, rows in groups.items():
        spans = [_span(sheet, line) for line, _ in rows]
        zone = ZONES[time["zone"]]
        begins = instants([begin for begin, _ in spans], zone, sheet.wrong)
        for (line, price), begin_utc, (begin, end) in zip(rows, begins, spans, strict=True):
            minutes = minutes_until(begin_utc, begin.local, end.local, zone)
            if minutes is None:
                raise sheet.wrong(line.number, f"{shown(sheet.text(line, 0))} is no interval of 15, 30 or 60 minutes")
            if price is not None:
                points.add(label, found["currency"], Row(begin_utc, minutes, price, line.number))
    return points.file(in_order=True)


def _label(sheet: Sheet, line: Line) -> Label:
    """Zone and auction of a row; a first sequence and none are the usual one."""
    named = [name for name in sheet.header if name.startswith("BZN|")]
    area = sheet.text(line, sheet.place("Area")) if "Area" in sheet.header else "".join(named)
    if not area.startswith("BZN|") or len(area) < 5:
        raise sheet.wrong(line.number, f"the area must be a bidding zone such as BZN|DE-LU, is {shown(area)}")
    sequence = sheet.text(line, sheet.place("Sequence")) if "Sequence" in sheet.header else "Without Sequence"
    found = SEQUENCES.fullmatch(sequence)
    if found is None:
        raise sheet.wrong(line.number, f"Sequence must be as Sequence 1 or Without Sequence, is {shown(sequence)}")
    detail = f"sequence {found[1]}" if found[1] not in (None, "1") else ""
    return Label(Quantity.DAY_AHEAD_PRICE, area.removeprefix("BZN|"), detail=detail)


def _check_currency(sheet: Sheet, line: Line, currency_code: str) -> None:
    if "Currency" in sheet.header:
        stated = sheet.text(line, sheet.place("Currency"))
        if stated != currency_code:
            raise sheet.wrong(line.number, f"the currency is {shown(stated)}, that of the header {currency_code}")


def _span(sheet: Sheet, line: Line) -> tuple[Stamp, Stamp]:
    """Start and end of a row, as local times."""
    text = sheet.text(line, 0)
    found = SPAN.fullmatch(text)
    try:
        if found:
            begin, end = (
                Stamp(line.number, datetime(int(y), int(m), int(d), int(hour), int(minute)), mark=mark)
                for d, m, y, hour, minute, mark in (found.groups()[:6], found.groups()[6:])
            )
            return begin, end
    except ValueError:
        pass
    raise sheet.wrong(line.number, f"must be as 29.10.2023 00:00 - 29.10.2023 00:15, is {shown(text)}")

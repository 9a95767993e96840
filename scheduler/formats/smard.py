"""Day-ahead prices of SMARD.de as CSV, German or English, with local times of Germany (facts C2).

Original and computed resolutions both are prices in the step that is shown. A dash is a value that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import Stamp, instants, minutes_until
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown

NAME = "SMARD, CSV"
ZONE = "Europe/Berlin"
COLUMN = re.compile(
    r"(?P<area>.+) \[€/MWh\](?: (?:Originalauflösungen|Berechnete Auflösungen|Original resolutions"
    r"|Calculated resolutions))?"
)
GERMAN_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)", re.ASCII)
ENGLISH_TIME = "%b %d, %Y %I:%M %p"
ABSENT = ("-",)
AREAS = {
    "Deutschland/Luxemburg": "DE-LU",
    "Germany/Luxembourg": "DE-LU",
    "Deutschland/Österreich/Luxemburg": "DE-AT-LU",
    "Germany/Austria/Luxembourg": "DE-AT-LU",
    "Österreich": "AT",
    "Austria": "AT",
    "Belgien": "BE",
    "Belgium": "BE",
    "Dänemark 1": "DK1",
    "Denmark 1": "DK1",
    "Dänemark 2": "DK2",
    "Denmark 2": "DK2",
    "Frankreich": "FR",
    "France": "FR",
    "Italien (Nord)": "IT-North",
    "Northern Italy": "IT-North",
    "Niederlande": "NL",
    "Netherlands": "NL",
    "Norwegen 2": "NO2",
    "Norway 2": "NO2",
    "Polen": "PL",
    "Poland": "PL",
    "Schweden 4": "SE4",
    "Sweden 4": "SE4",
    "Schweiz": "CH",
    "Switzerland": "CH",
    "Slowenien": "SI",
    "Slovenia": "SI",
    "Tschechien": "CZ",
    "Czech Republic": "CZ",
    "Ungarn": "HU",
    "Hungary": "HU",
}


@dataclass(frozen=True)
class Layout:
    """Columns of start and end, and how times and numbers are written."""

    begins: tuple[str, ...]
    german: bool = True


LAYOUTS = (
    Layout(("Datum von", "Datum bis")),
    Layout(("Datum", "Anfang", "Ende")),
    Layout(("Start date", "End date"), german=False),
)


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return _layout(content) is not None


def _layout(content: Content) -> Layout | None:
    names = tuple(name.strip('"') for name in content.first_line.split(";"))
    return next((layout for layout in LAYOUTS if names[: len(layout.begins)] == layout.begins), None)


def read(content: Content) -> SeriesFile:
    """All prices."""
    layout = _layout(content)
    assert layout is not None, "only files that are recognised are read"
    decimal = "," if layout.german else "."
    sheet = sheet_of(content.source(NAME), csv_lines(content, ";"), decimal, grouped=True)
    spans = [_span(sheet, line, layout) for line in sheet.lines]
    begins = instants([begin for begin, _ in spans], ZONE, sheet.wrong)
    points = Points(sheet.source)
    columns = list(_columns(sheet, len(layout.begins)))
    for line, begin_utc, (begin, end) in zip(sheet.lines, begins, spans, strict=True):
        minutes = minutes_until(begin_utc, begin.local, end, ZONE)
        if minutes is None:
            raise sheet.wrong(line.number, f"from {begin.local} to {end} is no interval of 15, 30 or 60 minutes")
        for place, label in columns:
            price = sheet.number(line, place, ABSENT)
            if price is not None:
                points.add(label, "EUR", Row(begin_utc, minutes, price, line.number))
    return points.file(in_order=True)


def _columns(sheet: Sheet, first: int) -> Iterator[tuple[int, Label]]:
    seen: dict[str, str] = {}
    for place, name in enumerate(sheet.header[first:], first):
        found = COLUMN.fullmatch(name)
        if found is None:
            raise sheet.wrong(1, f"a column of prices in €/MWh is expected, not {shown(name)}")
        area = AREAS.get(found["area"], found["area"])
        if area in seen:
            raise sheet.wrong(1, f"{shown(name)} and {shown(seen[area])} are both prices of {area}: keep one")
        seen[area] = name
        yield place, Label(Quantity.DAY_AHEAD_PRICE, area)


def _span(sheet: Sheet, line: Line, layout: Layout) -> tuple[Stamp, datetime]:
    texts = [sheet.text(line, place) for place in range(len(layout.begins))]
    if len(texts) == 3:  # a day, and the hours of start and end on it
        day, begin, end = texts
        texts = [f"{day} {begin}", f"{day} {end}"]
    begin_local, end_local = (_time(sheet, line, text, layout.german) for text in texts)
    if len(layout.begins) == 3 and texts[1].endswith(" 00:00"):
        end_local += timedelta(days=1)  # the midnight that ends the day
    return Stamp(line.number, begin_local), end_local


def _time(sheet: Sheet, line: Line, text: str, german: bool) -> datetime:
    try:
        if not german:
            return datetime.strptime(text, ENGLISH_TIME)
        if found := GERMAN_TIME.fullmatch(text):
            day, month, year, hour, minute = map(int, found.groups())
            return datetime(year, month, day, hour, minute)
    except ValueError:
        pass
    example = "01.10.2025 00:15" if german else "Oct 1, 2025 12:15 AM"
    raise sheet.wrong(line.number, f"a time must be as {example}, is {shown(text)}")

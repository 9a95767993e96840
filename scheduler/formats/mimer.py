"""FCR results of Svenska kraftnät's Mimer: CSV of hours in local time of Sweden.

An hour that has neither price nor volume is published as zeros: it is a value that is missing, never a price of 0.
"""

from __future__ import annotations

import re
from datetime import datetime

from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import Stamp, instants
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown
from scheduler.problem import Direction

NAME = "Svenska kraftnät Mimer FCR, CSV"
ZONE, AREA = "Europe/Stockholm", "SE"
TIME_COLUMN = "Datum"
PRICE = re.compile(r"(?P<product>FCR-\S+(?: upp| ned)?) Pris \((?P<currency>[A-Z]{3})/MW\)")
# the name of the price, product, direction, and the column of the volume that was bought in all
PRODUCTS = {
    "FCR-N": ("FCR-N", Direction.SYMMETRIC, "Total"),
    "FCR-D upp": ("FCR-D", Direction.UP, "Total FCRD upp"),
    "FCR-D ned": ("FCR-D", Direction.DOWN, "Total FCRD ned"),
}
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):00:00", re.ASCII)
ABSENT = ("", "-")


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    names = content.first_line.split(";")
    return names[0] == TIME_COLUMN and any(PRICE.fullmatch(name) for name in names)


def read(content: Content) -> SeriesFile:
    """All prices; products are of an hour, so a price per MW is one per MW and hour."""
    sheet = sheet_of(content.source(NAME), csv_lines(content, ";"), ",")
    columns = []
    for place, name in enumerate(sheet.header):
        if (found := PRICE.fullmatch(name)) is None:
            continue
        if found["product"] not in PRODUCTS:
            raise sheet.wrong(1, f"the product of {shown(name)} is not known: {', '.join(PRODUCTS)} are")
        product, direction, volume = PRODUCTS[found["product"]]
        label = Label(Quantity.CAPACITY_PRICE, AREA, product, direction)
        columns.append((place, label, found["currency"], sheet.place(volume)))
    stamps = [Stamp(line.number, _time(sheet, line)) for line in sheet.lines]
    points = Points(sheet.source)
    for line, start in zip(sheet.lines, instants(stamps, ZONE, sheet.wrong), strict=True):
        for place, label, currency_code, volume_place in columns:
            price = sheet.number(line, place, ABSENT)
            volume_mw = sheet.number(line, volume_place, ABSENT)
            if price is None or (price == 0 and not volume_mw):
                continue
            points.add(label, currency_code, Row(start, 60, price, line.number))
    return points.file(in_order=True)


def _time(sheet: Sheet, line: Line) -> datetime:
    text = sheet.text(line, 0)
    try:
        if found := TIME.fullmatch(text):
            year, month, day, hour = map(int, found.groups())
            return datetime(year, month, day, hour)
    except ValueError:
        pass
    raise sheet.wrong(line.number, f"{TIME_COLUMN} must be as 2026-01-31 13:00:00, is {shown(text)}")

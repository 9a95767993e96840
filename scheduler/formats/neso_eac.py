"""Results of GB's auctions for response and reserve (EAC): the summary that NESO publishes as CSV, in UTC.

Windows are of four hours or half an hour, prices pounds per MW and hour. A window in which nothing was bought is
published with volume 0 and price 0: it is a value that is missing, never a price of 0.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from scheduler.formats.content import Content, Line
from scheduler.formats.series import ONE_MINUTE, Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown
from scheduler.problem import Direction

NAME = "NESO EAC results summary, CSV"
AREA, CURRENCY_CODE = "GB", "GBP"
PRODUCT, START, END, PRICE, VOLUME = "auctionProduct", "deliveryStart", "deliveryEnd", "clearingPrice", "clearedVolume"
# low frequency and positive reserve call for less demand, that is up
PRODUCTS = {
    "DCL": ("DC", Direction.UP),
    "DCH": ("DC", Direction.DOWN),
    "DML": ("DM", Direction.UP),
    "DMH": ("DM", Direction.DOWN),
    "DRL": ("DR", Direction.UP),
    "DRH": ("DR", Direction.DOWN),
    "PQR": ("QR", Direction.UP),
    "NQR": ("QR", Direction.DOWN),
    "PSR": ("SR", Direction.UP),
    "NSR": ("SR", Direction.DOWN),
    "PBR": ("BR", Direction.UP),
    "NBR": ("BR", Direction.DOWN),
}
INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::00)?(?:\.0+)?Z?", re.ASCII)
LONGEST_MINUTES = 24 * 60


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    names = {name.strip('"') for name in content.first_line.split(",")}
    return {PRODUCT, START, END, PRICE, VOLUME} <= names


def read(content: Content) -> SeriesFile:
    """All prices."""
    sheet = sheet_of(content.source(NAME), csv_lines(content, ","))
    product_place, price_place, volume_place = (sheet.place(name) for name in (PRODUCT, PRICE, VOLUME))
    start_place, end_place = sheet.place(START), sheet.place(END)
    points = Points(sheet.source)
    for line in sheet.lines:
        name = sheet.text(line, product_place)
        if name not in PRODUCTS:
            raise sheet.wrong(line.number, f"{PRODUCT} must be one of {', '.join(PRODUCTS)}, is {shown(name)}")
        start, end = _instant(sheet, line, start_place), _instant(sheet, line, end_place)
        minutes = (end - start) // ONE_MINUTE
        if not 0 < minutes <= LONGEST_MINUTES:
            raise sheet.wrong(line.number, f"{END} must come after {START}, within a day")
        price, volume_mw = sheet.number(line, price_place), sheet.number(line, volume_place)
        if price is None or (price == 0 and not volume_mw):
            continue
        product, direction = PRODUCTS[name]
        label = Label(Quantity.CAPACITY_PRICE, AREA, product, direction)
        points.add(label, CURRENCY_CODE, Row(start, minutes, price, line.number))
    return points.file(in_order=False)


def _instant(sheet: Sheet, line: Line, place: int) -> datetime:
    text = sheet.text(line, place)
    try:
        if found := INSTANT.fullmatch(text):
            year, month, day, hour, minute = map(int, found.groups())
            return datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        pass
    raise sheet.wrong(line.number, f"{sheet.header[place]} must be as 2026-07-01T23:00:00, is {shown(text)}")

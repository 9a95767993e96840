"""ERCOT's day-ahead settlement point prices and clearing prices of ancillary services (MCPC): CSV of hours that end.

Hours are those of US Central time and are named by their end, 01:00 to 24:00. DSTFlag is Y for the second of two
hours of one name alone, the hour that is repeated in autumn; in spring the hour that ends at 03:00 is missing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from functools import lru_cache

from scheduler.formats.content import Content, Line
from scheduler.formats.local_time import Stamp, instants
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import Sheet, csv_lines, sheet_of, shown
from scheduler.problem import Direction

NAME = "ERCOT day-ahead prices and MCPC, CSV"
ZONE, AREA, CURRENCY_CODE = "America/Chicago", "ERCOT", "USD"
DAY, HOUR, FLAG = "DeliveryDate", "HourEnding", "DSTFlag"
POINT, POINT_PRICE = "SettlementPoint", "SettlementPointPrice"
SERVICE, SERVICE_PRICE = "AncillaryType", "MCPC"
SERVICES = {
    "REGUP": ("Reg", Direction.UP),
    "REGDN": ("Reg", Direction.DOWN),
    "RRS": ("RRS", Direction.UP),
    "ECRS": ("ECRS", Direction.UP),
    "NSPIN": ("NSPIN", Direction.UP),
}
DAYS = re.compile(r"(\d\d)/(\d\d)/(\d{4})", re.ASCII)
HOURS = re.compile(r"(\d\d?)(?::00)?", re.ASCII)
FLAGS = {"N": 0, "Y": 1}


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    names = {name.strip('"') for name in content.first_line.split(",")}
    return {DAY, HOUR} <= names and ({POINT, POINT_PRICE} <= names or {SERVICE, SERVICE_PRICE} <= names)


def read(content: Content) -> SeriesFile:
    """All prices: a column for each settlement point or each service."""
    sheet = sheet_of(content.source(NAME), csv_lines(content, ","))
    price_place = sheet.place(POINT_PRICE if POINT_PRICE in sheet.header else SERVICE_PRICE)
    groups: dict[Label, list[tuple[Stamp, float]]] = defaultdict(list)
    for line in sheet.lines:
        price = sheet.number(line, price_place)
        assert price is not None
        groups[_label(sheet, line)].append((_stamp(sheet, line), price))
    points = Points(sheet.source)
    for label, rows in groups.items():
        begins = instants([stamp for stamp, _ in rows], ZONE, sheet.wrong)
        for start, (stamp, price) in zip(begins, rows, strict=True):
            points.add(label, CURRENCY_CODE, Row(start, 60, price, stamp.number))
    return points.file(in_order=False)


def _label(sheet: Sheet, line: Line) -> Label:
    if POINT in sheet.header:
        point = sheet.text(line, sheet.place(POINT))
        if not point:
            raise sheet.wrong(line.number, f"{POINT} is empty")
        return Label(Quantity.DAY_AHEAD_PRICE, point)
    service = sheet.text(line, sheet.place(SERVICE))
    if service not in SERVICES:
        raise sheet.wrong(line.number, f"{SERVICE} must be one of {', '.join(SERVICES)}, is {shown(service)}")
    product, direction = SERVICES[service]
    return Label(Quantity.CAPACITY_PRICE, AREA, product, direction)


def _stamp(sheet: Sheet, line: Line) -> Stamp:
    """The local start of the hour. Without DSTFlag, the order of the rows tells the hours of one name apart."""
    day, hour = (sheet.text(line, sheet.place(name)) for name in (DAY, HOUR))
    fold = None
    if FLAG in sheet.header:
        flag = sheet.text(line, sheet.place(FLAG))
        if flag not in FLAGS:
            raise sheet.wrong(line.number, f"{FLAG} must be Y or N, is {shown(flag)}")
        fold = FLAGS[flag]
    local = _local_start(day, hour)
    if local is None:
        words = f"{DAY} and {HOUR} must be as 03/29/2026 and 01:00, are {shown(day)} and {shown(hour)}"
        raise sheet.wrong(line.number, words)
    return Stamp(line.number, local, fold)


@lru_cache(maxsize=10_000)
def _local_start(day: str, hour: str) -> datetime | None:
    """When the hour begins, or None where they are no day and hour. Each comes once for every point or service."""
    on, ending = DAYS.fullmatch(day), HOURS.fullmatch(hour)
    if not (on and ending and 1 <= int(ending[1]) <= 24):
        return None
    try:
        return datetime(int(on[3]), int(on[1]), int(on[2])) + timedelta(hours=int(ending[1]) - 1)
    except (ValueError, OverflowError):
        return None

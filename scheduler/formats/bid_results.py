"""What became of our bids for reserve capacity: results with our own bid ids, and the bids themselves to compare with.

Two layouts, told apart by their header:

- that of regelleistung.net's lists of bids (facts C1), with a column BID for our own id: DATE_FROM, DATE_TO,
  TYPE_OF_RESERVES, PRODUCT, CAPACITY_PRICE_[(EUR/MW)/h] or, for FCR, OFFERED_CAPACITY_PRICE_[EUR/MW] (per block),
  OFFERED_CAPACITY_[MW], BID, and of a result ALLOCATED_CAPACITY_[MW]; SETTLEMENTCAPACITY_PRICE_[...] where all are paid
  the clearing price. CSV or workbook. The file that `scheduler bid` writes is such a file of bids.
- our own, for markets whose confirmations have no published layout:
  ``market,utc_start,utc_end,bid,offered_mw,accepted_mw,price_eur_per_mw_h``, CSV; the price is what is paid. The bids
  that `scheduler bid` writes for them have ``offered_mw,price_eur_per_mw_h`` and the bid's conditions: what is asked.

A bid that was not accepted has a row with 0. Days and blocks are local, prices become money per MW and real hour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.regelleistung import PRODUCTS, ZONE, block_at, day_at, sheet_in
from scheduler.formats.series import Source
from scheduler.formats.sheet import Sheet, csv_lines, decimal_mark, sheet_of, shown
from scheduler.formats.tidy import instant_at
from scheduler.problem import Direction

LIST_NAME, OWN_NAME = "capacity bids with their results", "own CSV of capacity results"
KW_PER_MW = 1000
ROUNDING_KW = 1e-6
MOST_MW = 1_000_000  # more than any grid holds: a slip of the decimal mark
OWN_HEADER = re.compile(r"market,utc_start,utc_end,bid,offered_mw,accepted_mw,price_([a-z]{3})_per_mw_h")
OWN_BIDS_HEADER = re.compile(
    r"market,utc_start,utc_end,bid,offered_mw,price_([a-z]{3})_per_mw_h,indivisible,parent_bid,exclusive_group"
)
PER_BLOCK, PER_HOUR = re.compile(r"\[([A-Z]{3})/MW\]"), re.compile(r"\[\(([A-Z]{3})/MW\)/h\]")
ASKED = ("CAPACITY_PRICE_", "OFFERED_CAPACITY_PRICE_")
SETTLED = ("SETTLEMENTCAPACITY_PRICE_",)
OFFERED, ALLOCATED, BID = "OFFERED_CAPACITY_[MW]", "ALLOCATED_CAPACITY_[MW]", "BID"


@dataclass(frozen=True)
class BidRow:
    """A bid, and of a result what became of it. A file names a market by its id, or by type and direction."""

    number: int
    market_id: str
    reserve_type: str
    direction: Direction | None
    start_utc: datetime
    end_utc: datetime
    bid_id: str  # empty: the one divisible offer of a block without bids
    offered_kw: int
    accepted_kw: int | None  # None: of a file of bids
    asked_per_mw_h: float | None  # None: the file tells only what is paid
    paid_per_mw_h: float | None  # the clearing price, or what the file says is paid; None: it does not say


@dataclass(frozen=True)
class BidFile:
    """All rows of a file, in its order."""

    source: Source
    currency_code: str
    rows: tuple[BidRow, ...]

    def wrong(self, row: BidRow, message: str) -> InvalidFileError:
        """An error of a row."""
        return InvalidFileError(f"{self.source.file}:{row.number}: {message}")


@dataclass(frozen=True)
class PriceColumn:
    """Where a price stands, its currency, and whether it is per block."""

    place: int
    currency_code: str
    per_block: bool


def recognises(content: Content) -> bool:
    """Whether it looks like bids or their results, in either layout."""
    if content.first_line.startswith("market,"):
        return True
    if content.is_zip:
        return any(lines and "DATE_FROM" in lines[0].cells for lines in content.workbook.values())
    return "DATE_FROM" in content.first_line


def read(content: Content) -> BidFile:
    """All rows. Days and blocks of the first layout are those of the market's clock."""
    if content.first_line.startswith("market,"):
        return _read_own(content)
    return _read_list(sheet_in(content, LIST_NAME))


# ---- the layout of regelleistung.net ----------------------------------------------------------------------------


def _read_list(sheet: Sheet) -> BidFile:
    if BID not in sheet.header:
        words = f"has no column {BID} with ids of our own: a list of everybody's bids cannot tell which are ours"
        raise sheet.wrong(1, words)
    asked, settled = _price(sheet, ASKED), _price(sheet, SETTLED)
    if asked is None:
        raise sheet.wrong(1, "has no price such as CAPACITY_PRICE_[(EUR/MW)/h] or OFFERED_CAPACITY_PRICE_[EUR/MW]")
    if settled is not None and settled.currency_code != asked.currency_code:
        raise sheet.wrong(1, f"has prices in {asked.currency_code} and in {settled.currency_code}")
    allocated = sheet.place(ALLOCATED) if ALLOCATED in sheet.header else None
    places = [sheet.place(OFFERED), *(column.place for column in (asked, settled) if column is not None)]
    mark = decimal_mark(sheet.lines, places if allocated is None else [*places, allocated])
    sheet = Sheet(sheet.source, sheet.header, sheet.lines, mark)
    first, last, kind, product = map(sheet.place, ("DATE_FROM", "DATE_TO", "TYPE_OF_RESERVES", "PRODUCT"))
    rows = []
    for line in sheet.lines:
        day = day_at(sheet, line, first)
        if day_at(sheet, line, last) != day:
            raise sheet.wrong(line.number, "DATE_TO is another day than DATE_FROM: blocks of one day are expected")
        reserve_type = sheet.text(line, kind)
        if reserve_type not in PRODUCTS:
            words = f"TYPE_OF_RESERVES must be one of {', '.join(PRODUCTS)}, is {shown(reserve_type)}"
            raise sheet.wrong(line.number, words)
        direction, start, minutes = block_at(sheet, line, product, day, ZONE)
        price = sheet.number(line, asked.place)
        paid = None if settled is None else sheet.number(line, settled.place, ("", "-"))
        assert price is not None, "nothing says that it is absent"
        rows.append(
            BidRow(
                line.number,
                "",
                reserve_type,
                direction,
                start,
                start + timedelta(minutes=minutes),
                sheet.text(line, sheet.place(BID)),
                _kw(sheet, line.number, OFFERED, sheet.number(line, sheet.place(OFFERED))),
                None if allocated is None else _kw(sheet, line.number, ALLOCATED, sheet.number(line, allocated)),
                price / (minutes / 60) if asked.per_block else price,
                None if settled is None or paid is None else paid / (minutes / 60) if settled.per_block else paid,
            )
        )
    return _file(sheet, asked.currency_code, rows)


def _price(sheet: Sheet, beginnings: Sequence[str]) -> PriceColumn | None:
    """The column of a price; None where there is none. Refuses two."""
    found = []
    for place, name in enumerate(sheet.header):
        for beginning in beginnings:
            unit = name.removeprefix(beginning)
            per_block, per_hour = PER_BLOCK.fullmatch(unit), PER_HOUR.fullmatch(unit)
            if name.startswith(beginning) and (match := per_block or per_hour):
                found.append(PriceColumn(place, match[1], per_block is not None))
    if len(found) > 1:
        raise sheet.wrong(1, f"has several prices: {', '.join(sheet.header[column.place] for column in found)}")
    return found[0] if found else None


# ---- our own layout ---------------------------------------------------------------------------------------------


def _read_own(content: Content) -> BidFile:
    header = OWN_HEADER.fullmatch(content.first_line)
    bids_header = OWN_BIDS_HEADER.fullmatch(content.first_line)
    if header is None and bids_header is None:
        words = "the header must be market,utc_start,utc_end,bid,offered_mw,accepted_mw,price_eur_per_mw_h"
        raise InvalidFileError(f"{content.name}:1: {words} (or another currency), is {shown(content.first_line)}")
    sheet = sheet_of(content.source(OWN_NAME), csv_lines(content, ","))
    rows = []
    for line in sheet.lines:
        market_id = sheet.text(line, 0)
        if not market_id:
            raise sheet.wrong(line.number, "names no market")
        start, end = instant_at(sheet, line, 1), instant_at(sheet, line, 2)
        if end <= start:
            raise sheet.wrong(line.number, "utc_end must lie after utc_start")
        offered = _kw(sheet, line.number, "offered_mw", sheet.number(line, 4))
        accepted, asked, paid = None, None, None
        if header is None:
            asked = sheet.number(line, 5)
        else:
            accepted = _kw(sheet, line.number, "accepted_mw", sheet.number(line, 5))
            paid = sheet.number(line, 6, () if accepted else ("",))
        bid_id = sheet.text(line, 3)
        rows.append(BidRow(line.number, market_id, "", None, start, end, bid_id, offered, accepted, asked, paid))
    found = header or bids_header
    assert found is not None, "one of them was there"
    return _file(sheet, found[1].upper(), rows)


def _kw(sheet: Sheet, number: int, name: str, mw: float | None) -> int:
    assert mw is not None, "nothing says that it is absent"
    if not 0 <= mw <= MOST_MW or abs(mw * KW_PER_MW - round(mw * KW_PER_MW)) > ROUNDING_KW:
        raise sheet.wrong(number, f"{name} must be whole kW from 0 to {MOST_MW} MW, is {mw} MW")
    return round(mw * KW_PER_MW)


def _file(sheet: Sheet, currency_code: str, rows: Sequence[BidRow]) -> BidFile:
    """Refuses a bid that is given twice."""
    if not rows:
        raise InvalidFileError(f"{sheet.source.file}: has no bids")
    seen: dict[tuple[object, ...], int] = {}
    for row in rows:
        key = (row.market_id, row.reserve_type, row.direction, row.start_utc, row.end_utc, row.bid_id)
        if key in seen:
            name = f"bid {row.bid_id!r}" if row.bid_id else "the block's bid without an id"
            raise sheet.wrong(row.number, f"{name} is given twice, in row {seen[key]} too")
        seen[key] = row.number
    return BidFile(sheet.source, currency_code, tuple(rows))

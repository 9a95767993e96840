"""Capacity results: both units, real hours, workbook and CSV."""

import io
import zipfile
from datetime import datetime, timedelta

import pytest
from samples import DAYS, MARCH, OCTOBER, ORDINARY, file_of, first_utc, named, starts, steps, utc, values

from scheduler.errors import InvalidFileError
from scheduler.formats.content import MAX_UNPACKED_BYTES
from scheduler.formats.series import Quantity
from scheduler.problem import Direction

BLOCKS = ["00_04", "04_08", "08_12", "12_16", "16_20", "20_24"]
FCR_HEADER = [
    "DATE_FROM",
    "DATE_TO",
    "TENDER_NUMBER",
    "PRODUCT_TYPE",
    "PRODUCTNAME",
    "GERMANY_DEMAND_[MW]",
    "GERMANY_SETTLEMENTCAPACITY_PRICE_[EUR/MW]",
    "AUSTRIA_SETTLEMENTCAPACITY_PRICE_[EUR/MW]",
    "CROSSBORDER_SETTLEMENTCAPACITY_PRICE_[EUR/MW]",
]
AFRR_HEADER = [
    "DATE_FROM",
    "DATE_TO",
    "TYPE_OF_RESERVES",
    "PRODUCT",
    "GERMANY_MIN_CAPACITY_PRICE_[(EUR/MW)/h]",
    "GERMANY_AVERAGE_CAPACITY_PRICE_[(EUR/MW)/h]",
    "GERMANY_MARGINAL_CAPACITY_PRICE_[(EUR/MW)/h]",
    "GERMANY_ALLOCATED_VOLUME_[MW]",
]


def fcr_rows(day, price=60.0, tender=1):
    return [[day, day, tender, "FCR", f"NEGPOS_{block}", 555, price + i, "-", price] for i, block in enumerate(BLOCKS)]


def afrr_rows(day, price=8.0):
    return [
        [day, day, "aFRR", f"{direction}_{block}", price - 1, price, price + 1, 1900]
        for direction in ("POS", "NEG")
        for block in BLOCKS
    ]


def csv_of(header, rows, delimiter=";", mark=","):
    def cell(value):
        return str(value).replace(".", mark) if isinstance(value, float) else str(value)

    return "".join(delimiter.join(map(cell, row)) + "\n" for row in [header, *rows])


def workbook_of(header, rows, sheet="001"):
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = sheet
    for row in [header, *rows]:
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize(("day", "hours"), [(MARCH, 3), (ORDINARY, 4), (OCTOBER, 5)])
def test_fcr_is_per_block_and_divided_by_its_real_hours(day, hours):
    file = file_of(csv_of(FCR_HEADER, fcr_rows(day)))
    column = named(file, "DE FCR symmetric")
    assert column.label.quantity is Quantity.CAPACITY_PRICE and column.label.direction is Direction.SYMMETRIC
    assert values(column) == pytest.approx([60 / hours, *(price / 4 for price in (61, 62, 63, 64, 65))])
    assert [row.minutes for row in column.rows] == [hours * 60, 240, 240, 240, 240, 240]
    begin = first_utc(day)
    assert starts(column)[0] == begin and column.rows[-1].end_utc == begin + timedelta(hours=DAYS[day])
    assert column.mean(begin, begin + timedelta(hours=hours)) == pytest.approx(60 / hours)
    with pytest.raises(InvalidFileError, match="no values that make up"):
        column.mean(begin, begin + timedelta(hours=2))


def test_a_day_of_one_block():
    row = ["2020-06-01", "2020-06-01", 1, "FCR", "NEGPOS_00_24", 555, 240.0, 0.0, 240.0]
    column = named(file_of(csv_of(FCR_HEADER, [row])), "DE FCR symmetric")
    assert values(column) == [10] and column.rows[0].minutes == 1440


def test_afrr_is_per_hour_and_has_three_prices():
    file = file_of(csv_of(AFRR_HEADER, afrr_rows(OCTOBER)))
    assert [column.label.name for column in file.columns] == [
        f"DE aFRR {direction} {detail}" for direction in ("up", "down") for detail in ("minimum", "average", "marginal")
    ]
    assert values(named(file, "DE aFRR up average")) == [8] * 6
    assert values(named(file, "DE aFRR down marginal")) == [9] * 6


def test_the_old_label_is_a_factor_of_the_hours():
    old = [name.replace("(EUR/MW)/h", "EUR/MW") for name in AFRR_HEADER]
    column = named(file_of(csv_of(old, afrr_rows(OCTOBER))), "DE aFRR up average")
    assert values(column) == [8 / 5, 2, 2, 2, 2, 2]


def test_a_second_tender_is_told_apart():
    rows = fcr_rows(ORDINARY) + fcr_rows(ORDINARY, 0.0, tender=2)
    file = file_of(csv_of(FCR_HEADER, rows))
    assert values(named(file, "DE FCR symmetric"))[0] == 15
    assert values(named(file, "DE FCR symmetric tender 2"))[0] == 0


@pytest.mark.parametrize(("delimiter", "mark"), [(";", ","), (";", "."), (",", "."), ("\t", ",")])
def test_marks(delimiter, mark):
    file = file_of(csv_of(AFRR_HEADER, afrr_rows(ORDINARY, 8.25), delimiter, mark))
    assert values(named(file, "DE aFRR up average")) == [8.25] * 6


@pytest.mark.parametrize("day", [datetime(2026, 6, 14), "2026-06-14", "14.06.2026", "2026-06-14 00:00:00"])
def test_a_workbook_says_the_same(day):
    file = file_of(workbook_of(AFRR_HEADER, afrr_rows(day)))
    column = named(file, "DE aFRR up average")
    assert starts(column) == steps(utc("2026-06-13T22:00Z"), 6, 240)
    assert values(column) == [8] * 6
    assert file.source.format == "regelleistung.net capacity results"


def test_decimal_commas_as_text_in_a_workbook():
    rows = [[*row[:5], "8,25", *row[6:]] for row in afrr_rows("2026-06-14", 8.0)]
    assert values(named(file_of(workbook_of(AFRR_HEADER, rows)), "DE aFRR up average")) == [8.25] * 6


def test_only_the_sheet_of_results_is_read():
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(workbook_of(AFRR_HEADER, afrr_rows(ORDINARY))))
    book.create_sheet("notes").append(["read", "me"])
    data = io.BytesIO()
    book.save(data)
    assert len(file_of(data.getvalue()).columns) == 6
    book.create_sheet("002").append(AFRR_HEADER)
    data = io.BytesIO()
    book.save(data)
    with pytest.raises(InvalidFileError, match="several sheets of results: 001, 002"):
        file_of(data.getvalue())


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("(EUR/MW)/h", "EUR/MWh", "is no price of an area by EUR/MW"),
        ("2026-06-14;2026-06-14;", "2026-06-14;2026-06-15;", "DATE_TO is another day"),
        ("2026-06-14;2026-06-14;", "2026-06-31;2026-06-31;", "DATE_FROM must be a day"),
        (";aFRR;", ";xFRR;", "TYPE_OF_RESERVES must be one of"),
        ("POS_00_04", "POS_001", "PRODUCT must be a block"),
        ("POS_00_04", "POS_20_28", "PRODUCT must be a block"),
        ("POS_00_04", "POS_04_04", "PRODUCT must be a block"),
        ("POS_00_04;7,0;8,0", "POS_00_04;7,0;x", "AVERAGE_CAPACITY_PRICE.* must be a finite number, is 'x'"),
        ("POS_00_04;7,0;8,0", "POS_00_04;7,0;8.0", "must be a finite number, is '8.0'"),
        ("POS_00_04;7,0;8,0", "POS_00_04;8,0", "has 7 fields, not 8"),
        ("POS_04_08", "POS_00_04", "is given twice"),
        ("DATE_TO", "UNTIL", "must name a column 'DATE_TO' once"),
        ("DATE_TO", "DATE_FROM", "names the column 'DATE_FROM' twice"),
        ("CAPACITY_PRICE", "VALUE", "has no column of capacity prices"),
    ],
)
def test_wrong_rows_are_named(before, after, message):
    text = csv_of(AFRR_HEADER, afrr_rows(ORDINARY))
    assert before in text
    with pytest.raises(InvalidFileError, match=rf"sample:\d+: .*{message}"):
        file_of(
            text.replace(before, after)
            if before.isupper() and before != "POS_04_08"
            else text.replace(before, after, 1)
        )


def test_a_bomb_is_refused_before_it_is_opened():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (MAX_UNPACKED_BYTES + 1))
    assert len(data.getvalue()) < 2**20
    with pytest.raises(InvalidFileError, match="unpacks to 128 MiB"):
        file_of(data.getvalue())


def test_a_size_that_lies_is_found():
    data = bytearray(workbook_of(AFRR_HEADER, afrr_rows(ORDINARY)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
    size = info.file_size.to_bytes(4, "little")
    at = data.rfind(size)
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(InvalidFileError, match="is not a whole ZIP archive"):
        file_of(bytes(data))


def test_too_many_parts_and_parts_of_one_name():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for i in range(1_001):
            archive.writestr(f"{i}", b"")
    with pytest.raises(InvalidFileError, match="has 1001 parts"):
        file_of(data.getvalue())
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    with pytest.raises(InvalidFileError, match="names a part twice"):
        file_of(data.getvalue())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_entities_in_a_workbook_are_refused(encoding):
    data = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook_of(AFRR_HEADER, afrr_rows(ORDINARY)))) as old,
        zipfile.ZipFile(data, "w") as new,
    ):
        for name in old.namelist():
            part = old.read(name)
            if name.endswith("sheet1.xml"):
                part = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>'.encode(encoding) + part
            new.writestr(name, part)
    with pytest.raises(InvalidFileError, match="declares a DTD or entities"):
        file_of(data.getvalue())


def zipped(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_the_one_file_of_an_archive_is_read():
    text = csv_of(AFRR_HEADER, afrr_rows(ORDINARY))
    file = file_of(zipped(results=text))
    assert file.name == "sample/results" and len(file.columns) == 6
    with pytest.raises(InvalidFileError, match=r"sample/results:2: .* must be a finite number"):
        file_of(zipped(results=text.replace("7,0", "x", 1)))
    with pytest.raises(InvalidFileError, match="is an archive of 2 files"):
        file_of(zipped(a=text, b=text))
    with pytest.raises(InvalidFileError, match="is an archive in an archive"):
        file_of(zipped(a=zipped(results=text)))
    with pytest.raises(InvalidFileError, match="sample/a: looks like none of the known formats"):
        file_of(zipped(a="nothing"))


def test_a_workbook_that_is_none():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
    with pytest.raises(InvalidFileError, match="is not a whole workbook"):
        file_of(data.getvalue())

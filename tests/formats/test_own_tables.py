"""Our own table of prices as a workbook and as Parquet says what the CSV says."""

import io
import sys
from datetime import datetime, timedelta

import pytest
from samples import DAYS, OCTOBER, PRICE, file_of, first_utc, only, starts, steps, utc, values
from test_regelleistung import AFRR_HEADER, afrr_rows, workbook_of

from scheduler.errors import InvalidFileError
from scheduler.formats import tidy_parquet

HEADER = ["utc_start", "zone", "price_eur_per_mwh"]


def rows(day=OCTOBER, minutes=15, zone="AT"):
    times = steps(first_utc(day), DAYS[day] * 60 // minutes, minutes)
    return [[time.replace(tzinfo=None), zone, 10.25 + i] for i, time in enumerate(times)]


def workbook(rows, header=HEADER, sheets=1):
    from openpyxl import Workbook

    book = Workbook()
    for k in range(sheets):
        sheet = book.active if not k else book.create_sheet()
        sheet.append(header)
        for row in rows:
            sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def parquet(columns):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    data = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), data)
    return data.getvalue()


def columns_of(rows):
    return {name: [row[k] for row in rows] for k, name in enumerate(HEADER)}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("minutes", [15, 60])
def test_workbook(day, minutes):
    given = rows(day, minutes)
    as_text = [[f"{time:%Y-%m-%dT%H:%M:%SZ}", zone, price] for time, zone, price in given]
    for data in (workbook(given), workbook(as_text)):
        column = only(file_of(data))
        assert (starts(column), values(column)) == (
            steps(first_utc(day), len(given), minutes),
            [row[2] for row in given],
        )
        assert [row.number for row in column.rows] == list(range(2, len(given) + 2))
        assert column.between(first_utc(day), first_utc(day) + timedelta(hours=2)).step_minutes == minutes
        assert column.source.format == "tidy XLSX"


@pytest.mark.parametrize("day", DAYS)
def test_parquet(day):
    given = rows(day)
    aware = [[utc(f"{time:%Y-%m-%dT%H:%M}Z"), zone, price] for time, zone, price in given]
    as_text = [[f"{time:%Y-%m-%dT%H:%M:%SZ}", zone, price] for time, zone, price in given]
    for some in (given, aware, as_text):
        column = only(file_of(parquet(columns_of(some))))
        assert starts(column) == steps(first_utc(day), len(given), 15)
        assert values(column) == [row[2] for row in given]
        assert column.source.format == "tidy Parquet"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, datetime(2026, 10, 24, 22), "is given twice"),
        (0, "24.10.2026", "utc_start must be as"),
        (0, None, "utc_start must be as"),
        (1, None, "names no zone"),
        (1, " AT", "spaces around the zone"),
        (2, None, "price_eur_per_mwh must be a finite number"),
        (2, "1,5", "price_eur_per_mwh must be a finite number"),
        (2, True, "price_eur_per_mwh must be a finite number"),
        (2, "#N/A", "price_eur_per_mwh must be a finite number"),
    ],
)
def test_wrong_cells_are_named(place, value, message):
    given = rows()
    given[1][place] = value
    with pytest.raises(InvalidFileError, match=f"sample:3: .*{message}"):
        file_of(workbook(given))


def test_wrong_workbooks():
    with pytest.raises(InvalidFileError, match="none of the known formats"):
        file_of(workbook(rows(), ["time", "zone", "price_eur_per_mwh"]))
    with pytest.raises(InvalidFileError, match="several sheets of prices: Sheet, Sheet1"):
        file_of(workbook(rows(), sheets=2))
    with pytest.raises(InvalidFileError, match="sample:2: has 4 fields, not 3"):
        file_of(workbook([[*row, 1] for row in rows()]))
    with pytest.raises(InvalidFileError, match="has no prices"):
        file_of(workbook([]))
    moved = [AFRR_HEADER[0], None, *AFRR_HEADER[1:]]  # a cell was put into the header alone
    with pytest.raises(InvalidFileError, match=r"sample:2: holds .* in column 2, which the header does not name"):
        file_of(workbook_of(moved, afrr_rows(OCTOBER)))


def test_wrong_parquet():
    good = columns_of(rows())
    for change, message in [
        ({"price_eur_per_mwh": [*good["price_eur_per_mwh"][:-1], float("nan")]}, "sample:100: .*finite number"),
        ({"price_eur_per_mwh": [*good["price_eur_per_mwh"][:-1], None]}, "sample:100: .*finite number"),
        ({"utc_start": good["utc_start"][::-1]}, "sample:2: .*out of order"),
        ({"more": good["zone"]}, "the header must be utc_start,zone,price_eur_per_mwh"),
    ]:
        with pytest.raises(InvalidFileError, match=message):
            file_of(parquet({**good, **change}))
    data = parquet(good)
    for end in (4, 20, len(data) // 2, len(data) - 1):
        with pytest.raises(InvalidFileError, match=r"is not Parquet|is not whole"):
            file_of(data[:end])


def test_parquet_that_is_too_large_is_not_read(monkeypatch):
    data = parquet(columns_of(rows()))
    monkeypatch.setattr(tidy_parquet, "MAX_ROWS_COUNT", 99)
    with pytest.raises(InvalidFileError, match="holds 100 rows"):
        file_of(data)


def test_parquet_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidFileError, match=r"install gridflex-scheduler\[parquet\]"):
        file_of(b"PAR1....PAR1")


def test_zones_in_one_workbook():
    file = file_of(workbook([row for pair in zip(rows(), rows(zone="SE3"), strict=True) for row in pair]))
    assert [column.label.area for column in file.columns] == ["AT", "SE3"]
    assert file.column(PRICE, "SE3").rows[0].number == 3

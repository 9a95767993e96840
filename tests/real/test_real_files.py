"""Files of the platforms themselves, where the data is: what they hold, known from elsewhere."""

import csv
from datetime import date, datetime, timedelta

import pytest

from scheduler.errors import InvalidFileError
from scheduler.formats.into_request import put_prices
from scheduler.formats.registry import read_series
from scheduler.formats.series import Column, Quantity
from scheduler.wire.request import schedule_request_from_pb
from tools import real_days

RAW = real_days.DATA / "raw"
PRICE = Quantity.DAY_AHEAD_PRICE
pytestmark = pytest.mark.skipif(not RAW.is_dir(), reason=f"no {RAW}: market data is not part of the project")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


def named(file, name: str) -> Column:
    return next(column for column in file.columns if column.label.name == name)


def test_spain_on_the_long_day_is_100_quarters_of_91_points():
    column = read_series(RAW / "es_2025-10-26_100_quarters.xml").column(PRICE, "", {"10YES-REE------0"})
    with (RAW / "es_2025-10-26_100_quarters.expected.csv").open(encoding="utf-8", newline="") as file:
        wanted = [(utc(row["utc_start"]), float(row["price_eur_per_mwh"])) for row in csv.DictReader(file)]
    assert [(row.start_utc, row.value) for row in column.rows] == wanted
    assert len(wanted) == 100


def test_germany_has_two_auctions_of_two_resolutions():
    file = read_series(RAW / "entsoe_a44_DE_60M_15M_overlap.xml")
    assert [(column.label.name, len(column.rows)) for column in file.columns] == [
        ("DE-LU", 48),
        ("DE-LU sequence 2", 192),
    ]
    prices = file.column(PRICE, "", {"10Y1001A1001A82H"})
    assert (prices.rows[0].minutes, prices.rows[0].value) == (60, 67.04)


def test_belgium_mixes_resolutions():
    column = read_series(RAW / "entsoe_a44_BE_60M_15M_mix.xml").column(PRICE, "BE")
    assert [row.minutes for row in column.rows] == [15] * 192 + [60] * 24
    both = column.between(utc("2024-10-07T20:00Z"), utc("2024-10-08T00:00Z"))
    assert both.step_minutes == 15 and len(both.values) == 16 and len(set(both.values[8:12])) == 1
    assert len(read_series(RAW / "entsoe_a44_BE_60M.xml").column(PRICE).rows) == 24


def test_a_document_that_is_out_of_order_is_refused():
    with pytest.raises(InvalidFileError, match=r"entsoe_a44_BE_15M_avg.xml:\d+: position 2 comes after 5"):
        read_series(RAW / "entsoe_a44_BE_15M_avg.xml")


def test_the_web_export_of_a_long_day():
    column = read_series(RAW / "entsoe_export_de_lu_15min_2023-10-29.csv").column(PRICE, "DE-LU")
    assert [row.start_utc for row in column.rows] == [
        utc("2023-10-28T22:00Z") + timedelta(minutes=15 * i) for i in range(100)
    ]
    assert [row.value for row in column.rows][8:16] == [55.07, 35.05, 20.03, 5.06, 39.91, 29.90, -19.90, 10.65]


def test_activated_prices_agree_with_their_imbalance_modules():
    file = read_series(RAW / "de_a84_afrr_2026-01-05.xml")
    up, down = file.of(Quantity.ACTIVATED_PRICE)
    assert (up.label.name, len(up.rows)) == ("DE-50Hertz aFRR up average", 88)
    assert (down.label.name, len(down.rows)) == ("DE-50Hertz aFRR down average", 40)
    module = named(read_series(RAW / "nt-aep-module-sample.csv"), "DE AEP Modul 1")
    by_start = {row.start_utc: row.value for row in module.rows}
    shared = [row for row in up.rows if by_start.get(row.start_utc) == row.value]
    assert len(shared) > 40, "where the area was short, module 1 is the price of aFRR up"


def test_imbalance_modules_end_at_midnight_of_another_day():
    file = read_series(RAW / "nt-aep-module-sample.csv")
    assert [(column.label.detail, len(column.rows)) for column in file.columns] == [
        ("AEP Modul 1", 96),
        ("AEP Modul 2", 96),
    ]
    first = file.columns[0]
    assert (first.rows[0].start_utc, first.rows[0].value) == (utc("2026-01-04T23:00Z"), 151.44)
    assert first.rows[-1].end_utc == utc("2026-01-05T23:00Z")


def test_swedish_reserves_begin_at_their_midnight():
    file = read_series(RAW / "se-mimer-sample.csv")
    assert [(column.label.name, len(column.rows)) for column in file.columns] == [
        ("SE FCR-N symmetric", 199),
        ("SE FCR-D up", 199),
        ("SE FCR-D down", 199),
    ]
    assert file.columns[0].rows[0].start_utc == utc("2025-12-31T23:00Z")
    assert file.columns[0].rows[0].value == pytest.approx(9.4513392857)


def test_a_result_file_of_regelleistung():
    file = read_series(RAW / "RESULT_OVERVIEW_CAPACITY_aFRR_2026-01-01.xlsx")
    assert len(file.columns) == 4 * 3 * 2, "total, Germany, Austria, Czechia; three prices; two directions"
    column = named(file, "DE aFRR up average")
    assert [row.start_utc for row in column.rows] == [
        utc("2025-12-31T23:00Z") + timedelta(hours=4 * i) for i in range(6)
    ]
    assert (column.rows[0].value, named(file, "AT aFRR up average").rows[0].value) == (4.61, 1.21)


def test_a_result_file_prices_a_product_by_its_name():
    request = real_days.request(
        "2026-01-01",
        grid := real_days.grid_of(date(2026, 1, 1), "Europe/Berlin", 15),
        real_days.ours(grid, real_days.DE_LU),
        [real_days.energy(grid, 50.0)],
        hashprice=40,
        pool_fee=0.02,
    )
    market = request.problem.markets.add(id="afrr-up", reserve={"ref": {"name": "de/afrr-up"}}, open={})
    market.reserve.ref.delivery_date = "2026-01-01"
    put_prices(request, RAW / "RESULT_OVERVIEW_CAPACITY_aFRR_2026-01-01.xlsx")
    prices = [block.capacity_price_per_mw_h for block in market.reserve.blocks]
    assert len(prices) == 6 and prices[0] == 4.61
    _, problem, _ = schedule_request_from_pb(request)
    assert [block.price_per_mw_h for block in problem.markets[1].blocks] == prices


@pytest.mark.parametrize(("day", "count"), [(date(2023, 3, 26), 23), (date(2023, 10, 29), 25), (date(2023, 7, 2), 24)])
def test_days_of_a_long_file(day, count):
    prices = real_days.prices("day_ahead_de_lu_60min_2021_2023.csv", "DE-LU")
    horizon = real_days.horizon_of(real_days.grid_of(day, "Europe/Berlin", 60))
    assert len(prices.over(horizon).values) == count
    if day == date(2023, 7, 2):
        assert min(prices.over(horizon).values) == -500

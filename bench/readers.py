"""Measures how long files take to read: a year of hourly and a quarter of quarter-hourly prices, in each format.

Formats with steps of their own have a year of those: results of reserve auctions in blocks of four hours.

python -m bench.readers     these alone; `make bench` prints them too

The bar is a second each. Files are of our own making and hold the same prices; detection is part of the time.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from bench.figures import Figure, Patience, timed, versions
from scheduler.formats.content import Content
from scheduler.formats.registry import read_content
from scheduler.formats.series import SeriesFile

BAR_SECONDS = 1.0
BERLIN, CHICAGO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Chicago")
AREAS = ("TOTAL", "GERMANY", "AUSTRIA", "CZECH_REPUBLIC")
FIRST = datetime(2025, 12, 31, 23, tzinfo=UTC)  # a year of both clock changes, from midnight in Berlin
YEAR, QUARTER, BLOCKS = "a year of hours", "a quarter of quarter-hours", "a year of blocks of four hours"
SPANS = {YEAR: (60, 365 * 24), QUARTER: (15, 92 * 96), BLOCKS: (240, 365 * 6)}
BLOCKS_PER_DAY = 6

Prices = list[tuple[datetime, datetime, float]]


def main() -> int:
    """Prints a line for each format and span; fails where one is over the bar."""
    slow = 0
    for figure in reader_figures(Patience()):
        slow += float(figure.value) > BAR_SECONDS
        print(figure)
    for figure in versions():
        print(figure)
    return 1 if slow else 0


def reader_figures(patience: Patience) -> Iterator[Figure]:
    """Seconds to read each file."""
    for span, (minutes, count) in SPANS.items():
        given = prices(minutes, count)
        for name, (write, spans) in WRITERS.items():
            if span not in spans:
                continue
            data = write(given)
            taken = timed(partial(_read, name, data), _nothing, patience)
            seconds, file = taken.seconds, taken.value
            read_count = max(len(column.rows) for column in file.columns)
            if read_count != count:
                raise AssertionError(f"{name}: {read_count} of {count} prices were read")
            yield Figure(f"read {name}", f"{seconds:.2f}", "s", f"{span}, {len(data) / 2**20:.1f} MiB")


def _nothing(number: int) -> None:
    return None


def _read(name: str, data: bytes, nothing: None) -> SeriesFile:
    return read_content(Content(name, data))


def prices(minutes: int, count: int) -> Prices:
    """Start, end and price, UTC."""
    step = timedelta(minutes=minutes)
    return [
        (FIRST + i * step, FIRST + (i + 1) * step, round(50 + 40 * ((i * 37) % 101) / 101, 2)) for i in range(count)
    ]


def tidy(given: Prices) -> bytes:
    """Our own CSV."""
    rows = (f"{start:%Y-%m-%dT%H:%M:%SZ},DE-LU,{price}\n" for start, _, price in given)
    return ("utc_start,zone,price_eur_per_mwh\n" + "".join(rows)).encode()


def tidy_xlsx(given: Prices) -> bytes:
    """Our own workbook."""
    rows: list[list[object]] = [["utc_start", "zone", "price_eur_per_mwh"]]
    return _workbook(rows + [[start.replace(tzinfo=None), "DE-LU", price] for start, _, price in given])


def entsoe_xml(given: Prices) -> bytes:
    """A44, a Period for each day, every point."""
    minutes = (given[0][1] - given[0][0]) // timedelta(minutes=1)
    per_day = 1440 // minutes
    periods = []
    for first in range(0, len(given), per_day):
        day = given[first : first + per_day]
        points = "".join(
            f"<Point><position>{i}</position><price.amount>{price}</price.amount></Point>\n"
            for i, (_, _, price) in enumerate(day, 1)
        )
        interval = f"<start>{day[0][0]:%Y-%m-%dT%H:%MZ}</start><end>{day[-1][1]:%Y-%m-%dT%H:%MZ}</end>"
        periods.append(
            f"<Period><timeInterval>{interval}</timeInterval><resolution>PT{minutes}M</resolution>{points}</Period>\n"
        )
    head = (
        "<in_Domain.mRID>10Y1001A1001A82H</in_Domain.mRID><out_Domain.mRID>10Y1001A1001A82H</out_Domain.mRID>"
        "<contract_MarketAgreement.type>A01</contract_MarketAgreement.type><currency_Unit.name>EUR</currency_Unit.name>"
        "<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType>"
    )
    series = f"<TimeSeries>{head}{''.join(periods)}</TimeSeries>"
    return f"<Publication_MarketDocument><type>A44</type>{series}</Publication_MarketDocument>".encode()


def entsoe_export(given: Prices) -> bytes:
    """The CSV of the web page; its clock is local."""
    rows = (
        f'"{start.astimezone(BERLIN):%d/%m/%Y %H:%M:%S} - {end.astimezone(BERLIN):%d/%m/%Y %H:%M:%S}",'
        f'"BZN|DE-LU","Sequence 1","{price}"\n'
        for start, end, price in given
    )
    return ('"MTU (CET/CEST)","Area","Sequence","Day-ahead Price (EUR/MWh)"\n' + "".join(rows)).encode()


def smard(given: Prices) -> bytes:
    """SMARD's CSV."""
    rows = (
        f"{start.astimezone(BERLIN):%d.%m.%Y %H:%M};{end.astimezone(BERLIN):%d.%m.%Y %H:%M};"
        + f"{price:.2f}\n".replace(".", ",")
        for start, end, price in given
    )
    return ("Datum von;Datum bis;Deutschland/Luxemburg [€/MWh] Originalauflösungen\n" + "".join(rows)).encode()


def nordpool(given: Prices) -> bytes:
    """Nord Pool's CSV."""
    rows = (
        f"{start.astimezone(BERLIN):%d.%m.%Y %H:%M:%S};{end.astimezone(BERLIN):%d.%m.%Y %H:%M:%S};{price}\n"
        for start, end, price in given
    )
    return ("Delivery Start (CET);Delivery End (CET);SE3 Price (EUR)\n" + "".join(rows)).encode()


def energy_charts(given: Prices) -> bytes:
    """The JSON of energy-charts."""
    seconds = [int(start.timestamp()) for start, _, _ in given]
    answer = {"unix_seconds": seconds, "price": [price for _, _, price in given], "unit": "EUR / MWh"}
    return json.dumps(answer).encode()


def tidy_parquet(given: Prices) -> bytes:
    """Our own Parquet."""
    import pyarrow
    from pyarrow import parquet

    columns = {
        "utc_start": [start for start, _, _ in given],
        "zone": ["DE-LU"] * len(given),
        "price_eur_per_mwh": [price for _, _, price in given],
    }
    data = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), data)
    return data.getvalue()


def nordpool_xlsx(given: Prices) -> bytes:
    """Nord Pool's workbook, with two rows of header."""
    rows: list[list[object]] = [["Delivery Start (CET)", "Delivery End (CET)", "SE3"], ["", "", "Price (EUR)"]]
    rows += [
        [start.astimezone(BERLIN).replace(tzinfo=None), end.astimezone(BERLIN).replace(tzinfo=None), price]
        for start, end, price in given
    ]
    return _workbook(rows)


def activated(given: Prices) -> bytes:
    """A84 in one direction, a Period for each day."""
    periods = []
    for first in range(0, len(given), 96):
        day = given[first : first + 96]
        points = "".join(
            f"<Point><position>{i}</position><activation_Price.amount>{price}</activation_Price.amount>"
            "<imbalance_Price.category>A06</imbalance_Price.category></Point>\n"
            for i, (_, _, price) in enumerate(day, 1)
        )
        interval = f"<start>{day[0][0]:%Y-%m-%dT%H:%MZ}</start><end>{day[-1][1]:%Y-%m-%dT%H:%MZ}</end>"
        periods.append(
            f"<Period><timeInterval>{interval}</timeInterval><resolution>PT15M</resolution>{points}</Period>"
        )
    head = (
        "<businessType>A96</businessType><flowDirection.direction>A01</flowDirection.direction>"
        "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        "<curveType>A03</curveType>"
    )
    area = '<area_Domain.mRID codingScheme="A01">10YDE-VE-------2</area_Domain.mRID>'
    series = f"<TimeSeries>{head}{''.join(periods)}</TimeSeries>"
    return f"<Balancing_MarketDocument><type>A84</type>{area}{series}</Balancing_MarketDocument>".encode()


def _capacity_rows(given: Prices) -> list[list[object]]:
    """Both directions, with as many columns as the platform sends."""
    names = [f"{area}_{kind}_CAPACITY_PRICE_[(EUR/MW)/h]" for area in AREAS for kind in ("MIN", "AVERAGE", "MARGINAL")]
    more = [f"{area}_ALLOCATED_VOLUME_[MW]" for area in AREAS]
    rows: list[list[object]] = [["DATE_FROM", "DATE_TO", "TYPE_OF_RESERVES", "PRODUCT", *names, *more]]
    midnight = given[0][0].astimezone(BERLIN).date()
    for i, (_, _, price) in enumerate(given):
        day, block = str(midnight + timedelta(days=i // BLOCKS_PER_DAY)), i % BLOCKS_PER_DAY * 4
        for side in ("POS", "NEG"):
            figures = [price] * len(names) + [100.0] * len(more)
            rows.append([day, day, "aFRR", f"{side}_{block:02}_{block + 4:02}", *figures])
    return rows


def regelleistung_xlsx(given: Prices) -> bytes:
    """Capacity results as the platform sends them."""
    return _workbook(_capacity_rows(given))


def regelleistung_csv(given: Prices) -> bytes:
    """The same as CSV."""
    return "".join(
        ";".join(str(cell).replace(".", ",") if isinstance(cell, float) else str(cell) for cell in row) + "\n"
        for row in _capacity_rows(given)
    ).encode()


def mimer(given: Prices) -> bytes:
    """Mimer's CSV of FCR."""
    header = "Datum;FCR-N Pris (EUR/MW);Total;FCR-D upp Pris (EUR/MW);Total FCRD upp;FCR-D ned Pris (EUR/MW);"
    rows = (
        f"{start.astimezone(BERLIN):%Y-%m-%d %H:%M:%S};" + f"{price};240;{price};560;{price};500\n".replace(".", ",")
        for start, _, price in given
    )
    return (header + "Total FCRD ned\n" + "".join(rows)).encode()


def neso(given: Prices) -> bytes:
    """NESO's CSV of its auction, both directions of a service."""
    header = "auctionID,auctionProduct,serviceType,deliveryStart,deliveryEnd,clearedVolume,clearingPrice\n"
    rows = (
        f"1,{product},Response,{start:%Y-%m-%dT%H:%M:%S},{end:%Y-%m-%dT%H:%M:%S},900,{price}\n"
        for start, end, price in given
        for product in ("DCL", "DCH")
    )
    return (header + "".join(rows)).encode()


def _ercot(given: Prices, header: str, names: tuple[str, ...]) -> bytes:
    """Hours by the one that ends, in Texas; the one that comes twice is marked."""
    rows = []
    for start, _, price in given:
        local = start.astimezone(CHICAGO)
        at = f"{local:%m/%d/%Y},{local.hour + 1:02d}:00"
        rows += [f"{at},{name},{price},{'Y' if local.fold else 'N'}\n" for name in names]
    return (header + "".join(rows)).encode()


def ercot_prices(given: Prices) -> bytes:
    """ERCOT's day-ahead prices of two settlement points."""
    header = "DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag\n"
    return _ercot(given, header, ("HB_NORTH", "LZ_WEST"))


def ercot_services(given: Prices) -> bytes:
    """ERCOT's prices of five ancillary services."""
    header = "DeliveryDate,HourEnding,AncillaryType,MCPC,DSTFlag\n"
    return _ercot(given, header, ("REGUP", "REGDN", "RRS", "ECRS", "NSPIN"))


def imbalance(given: Prices) -> bytes:
    """Modules of the German imbalance price."""
    rows = (
        f"{start:%d.%m.%Y};UTC;{start:%H:%M};{end:%H:%M};EUR/MWh;" + f"{price};{price};N.E.\n".replace(".", ",", 2)
        for start, end, price in given
    )
    header = "Datum;Zeitzone;von;bis;Einheit;AEP Modul 1;AEP Modul 2;AEP Modul 3\n"
    return (header + "".join(rows)).encode()


def _workbook(rows: list[list[object]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()  # with its dimensions, as others write it
    sheet = book.create_sheet("001", 0)
    for row in rows:
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


BOTH = (YEAR, QUARTER)
WRITERS: dict[str, tuple[Callable[[Prices], bytes], tuple[str, ...]]] = {
    "tidy CSV": (tidy, BOTH),
    "tidy XLSX": (tidy_xlsx, BOTH),
    "tidy Parquet": (tidy_parquet, BOTH),
    "ENTSO-E XML": (entsoe_xml, BOTH),
    "ENTSO-E activated prices": (activated, (QUARTER,)),
    "ENTSO-E export": (entsoe_export, BOTH),
    "SMARD": (smard, BOTH),
    "Nord Pool": (nordpool, BOTH),
    "Nord Pool XLSX": (nordpool_xlsx, BOTH),
    "energy-charts": (energy_charts, BOTH),
    "regelleistung XLSX": (regelleistung_xlsx, (BLOCKS,)),
    "regelleistung CSV": (regelleistung_csv, (BLOCKS,)),
    "Mimer": (mimer, (YEAR,)),
    "NESO": (neso, (BLOCKS,)),
    "ERCOT prices": (ercot_prices, (YEAR,)),
    "ERCOT services": (ercot_services, (YEAR,)),
    "imbalance modules": (imbalance, (QUARTER,)),
}
"""What writes each format, and which spans it comes in."""


if __name__ == "__main__":
    sys.exit(main())

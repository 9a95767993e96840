"""Measures how long files take to read: a year of hourly and a quarter of quarter-hourly prices, in every format.

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
BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2025, 12, 31, 23, tzinfo=UTC)  # a year of both clock changes, from midnight in Berlin
SPANS = {"a year of hours": (60, 365 * 24), "a quarter of quarter-hours": (15, 92 * 96)}

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
        for name, write in WRITERS.items():
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
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("prices")
    sheet.append(["utc_start", "zone", "price_eur_per_mwh"])
    for start, _, price in given:
        sheet.append([start.replace(tzinfo=None), "DE-LU", price])
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


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


WRITERS: dict[str, Callable[[Prices], bytes]] = {
    "tidy CSV": tidy,
    "tidy XLSX": tidy_xlsx,
    "ENTSO-E XML": entsoe_xml,
    "ENTSO-E export": entsoe_export,
    "SMARD": smard,
    "Nord Pool": nordpool,
    "energy-charts": energy_charts,
}


if __name__ == "__main__":
    sys.exit(main())

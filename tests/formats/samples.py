"""Small files of each format, written by us: shapes as the sources send them, figures of our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from scheduler.formats.content import Content
from scheduler.formats.registry import read_content
from scheduler.formats.series import Column, Quantity, SeriesFile

MARCH, OCTOBER, ORDINARY = "2026-03-29", "2026-10-25", "2026-06-14"
DAYS = {MARCH: 23, ORDINARY: 24, OCTOBER: 25}
"""Civil days of Central Europe and their hours; 2026's clock changes."""


def utc(text: str) -> datetime:
    """An instant, as 2026-03-29T01:00Z."""
    return datetime.fromisoformat(text).astimezone(UTC)


def file_of(data: str | bytes, name: str = "sample") -> SeriesFile:
    """What the readers make of a file, detected."""
    return read_content(Content(name, data.encode() if isinstance(data, str) else data))


def only(file: SeriesFile) -> Column:
    """The one column of a file."""
    (column,) = file.columns
    return column


def named(file: SeriesFile, name: str) -> Column:
    """The column of a name."""
    return next(column for column in file.columns if column.label.name == name)


def values(column: Column) -> list[float]:
    """Its values."""
    return [row.value for row in column.rows]


def starts(column: Column) -> list[datetime]:
    """When they begin."""
    return [row.start_utc for row in column.rows]


def steps(first: datetime, count: int, minutes: int) -> list[datetime]:
    """So many instants, so many minutes apart."""
    return [first + timedelta(minutes=minutes * i) for i in range(count)]


# ---- ENTSO-E XML ----------------------------------------------------------------------------------------------------

DE_LU, BE, ES = "10Y1001A1001A82H", "10YBE----------2", "10YES-REE------0"


def points(values: Iterable[tuple[int, float]], tag: str = "price.amount", more: str = "") -> str:
    """Points of a Period."""
    return "".join(
        f"<Point>\n<position>{at}</position>\n<{tag}>{value}</{tag}>{more}\n</Point>\n" for at, value in values
    )


def period(start: str, end: str, resolution: str, inside: str) -> str:
    """A Period."""
    interval = f"<timeInterval><start>{start}</start><end>{end}</end></timeInterval>"
    return f"<Period>{interval}<resolution>{resolution}</resolution>\n{inside}</Period>\n"


def auction(
    periods: str, *, eic: str = DE_LU, contract: str = "A01", sequence: str = "", curve: str = "A03", more: str = ""
) -> str:
    """A TimeSeries of prices."""
    tag = "classificationSequence_AttributeInstanceComponent.position"
    numbered = f"<{tag}>{sequence}</{tag}>" if sequence else ""
    return (
        "<TimeSeries><mRID>1</mRID><auction.type>A01</auction.type><businessType>A62</businessType>\n"
        f'<in_Domain.mRID codingScheme="A01">{eic}</in_Domain.mRID><out_Domain.mRID>{eic}</out_Domain.mRID>\n'
        f"<contract_MarketAgreement.type>{contract}</contract_MarketAgreement.type>"
        "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>\n"
        f"{numbered}<curveType>{curve}</curveType>{more}{periods}</TimeSeries>\n"
    )


def publication(series: str, version: str = "7:3") -> str:
    """A price document."""
    space = f"urn:iec62325.351:tc57wg16:451-3:publicationdocument:{version}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Publication_MarketDocument xmlns="{space}">\n'
        f"<mRID>ours</mRID><revisionNumber>1</revisionNumber><type>A44</type>\n{series}</Publication_MarketDocument>\n"
    )


def activated(series: Sequence[tuple[str, str, str]], *, area: str = "10YDE-VE-------2") -> str:
    """A document of activated prices: business type, direction and Periods of each TimeSeries."""
    space = "urn:iec62325.351:tc57wg16:451-6:balancingdocument:4:1"
    parts = "".join(
        f"<TimeSeries><mRID>1</mRID><businessType>{business}</businessType>"
        "<standard_MarketProduct.marketProductType>A01</standard_MarketProduct.marketProductType>"
        "<mktPSRType.psrType>A03</mktPSRType.psrType>"
        f"<flowDirection.direction>{direction}</flowDirection.direction>\n"
        "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        f"<curveType>A03</curveType>{periods}</TimeSeries>\n"
        for business, direction, periods in series
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<Balancing_MarketDocument xmlns="{space}">\n<type>A84</type>'
        "<process.processType>A16</process.processType>"
        f'<area_Domain.mRID codingScheme="A01">{area}</area_Domain.mRID>\n{parts}</Balancing_MarketDocument>'
    )


def activation_points(values: Iterable[tuple[int, float]], category: str = "A06") -> str:
    """Points of a document of activated prices."""
    kind = f"<imbalance_Price.category>{category}</imbalance_Price.category>"
    return points(values, "activation_Price.amount", kind)


# ---- local times ----------------------------------------------------------------------------------------------------


def local_steps(day: str, minutes: int, zone: str = "Europe/Berlin") -> list[tuple[datetime, datetime]]:
    """Local start and end of each step of a civil day, clock change included."""
    place = ZoneInfo(zone)
    midnight = datetime.fromisoformat(day).replace(tzinfo=place)
    next_midnight = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=place)
    first, end = midnight.astimezone(UTC), next_midnight.astimezone(UTC)
    marks = steps(first, (end - first) // timedelta(minutes=minutes) + 1, minutes)
    return [(a.astimezone(place), b.astimezone(place)) for a, b in pairwise(marks)]


def first_utc(day: str, zone: str = "Europe/Berlin") -> datetime:
    """The instant at which a civil day begins."""
    return local_steps(day, 60, zone)[0][0].astimezone(UTC)


PRICE = Quantity.DAY_AHEAD_PRICE

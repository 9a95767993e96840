"""ENTSO-E prices of activated balancing energy (A84): by product, direction and kind of price; sparse.

Prices keep the sign of the market: where a price down is positive, the provider pays it (facts C1).
"""

from __future__ import annotations

from scheduler.formats.content import Content
from scheduler.formats.entsoe_document import Document, root_name
from scheduler.formats.series import Label, Points, Quantity, SeriesFile
from scheduler.formats.sheet import shown
from scheduler.formats.xml_tree import Element
from scheduler.formats.zones import zone_name
from scheduler.problem import Direction

NAME = "ENTSO-E activated balancing energy prices, A84"
ROOT = "Balancing_MarketDocument"
PRODUCTS = {"A95": "FCR", "A96": "aFRR", "A97": "mFRR", "A98": "RR"}
DIRECTIONS = {"A01": Direction.UP, "A02": Direction.DOWN, "A03": Direction.SYMMETRIC}
CATEGORIES = {"A06": "average", "A07": "marginal", "A08": "cross-border marginal", "A04": "excess", "A05": "shortage"}
STANDARD, REALISED, MIXED = "A01", "A16", "A03"


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return root_name(content) == ROOT


def read(content: Content) -> SeriesFile:
    """All prices of a document."""
    document = Document.of(content, ROOT, "A84")
    points = Points(content.source(NAME))
    for series in document.root.all("TimeSeries"):
        label, currency_code = _label(document, series), document.currency(series)
        for row in document.rows(series, "activation_Price.amount"):
            points.add(label, currency_code, row)
    return points.file(in_order=False)


def _label(document: Document, series: Element) -> Label:
    business = document.text(series, "businessType")
    direction = document.text(series, "flowDirection.direction")
    for code, known, tag in ((business, PRODUCTS, "businessType"), (direction, DIRECTIONS, "flowDirection.direction")):
        if code not in known:
            raise document.wrong(series, f"{tag} must be one of {', '.join(known)}, is {shown(code)}")
    process = document.text(document.root, "process.processType", absent=REALISED)
    kind = document.text(series, "standard_MarketProduct.marketProductType", absent=STANDARD)
    resources = document.text(series, "mktPSRType.psrType", absent=MIXED)
    details = [
        _category(document, series),
        "" if process == REALISED else f"process {process}",
        "" if kind == STANDARD else f"market product {kind}",
        "" if resources == MIXED else f"resources {resources}",
    ]
    area = zone_name(document.text(document.root, "area_Domain.mRID"))
    detail = " ".join(filter(None, details))
    return Label(Quantity.ACTIVATED_PRICE, area, PRODUCTS[business], DIRECTIONS[direction], detail)


def _category(document: Document, series: Element) -> str:
    """The one kind of price of a TimeSeries; empty where it is not stated."""
    codes = {
        document.text(point, "imbalance_Price.category", absent="")
        for period in series.all("Period")
        for point in period.all("Point")
    }
    if len(codes) > 1:
        raise document.wrong(series, f"mixes prices of several kinds: {', '.join(sorted(codes))}")
    code = next(iter(codes), "")
    return CATEGORIES.get(code, f"category {code}" if code else "")

"""ENTSO-E price documents (A44): every auction and every contract type in a column of its own, never the first found.

Contract A01 of sequence 1, or without a sequence, is the day-ahead price of the zone (SDAC). A further sequence is
another auction, such as EXAA's at 10:15 in DE-LU and AT; contract A07 is intraday (facts A6).
"""

from __future__ import annotations

from scheduler.formats.content import Content
from scheduler.formats.entsoe_document import Document, root_name
from scheduler.formats.series import Label, Points, Quantity, SeriesFile
from scheduler.formats.xml_tree import Element
from scheduler.formats.zones import zone_name

NAME = "ENTSO-E prices, A44"
ROOT = "Publication_MarketDocument"
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
DAY_AHEAD, INTRADAY = "A01", "A07"
IMPLICIT_AUCTION, SPOT_PRICE = "A01", "A62"


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return root_name(content) == ROOT


def read(content: Content) -> SeriesFile:
    """All prices of a document."""
    document = Document.of(content, ROOT, "A44")
    points = Points(content.source(NAME))
    for series in document.root.all("TimeSeries"):
        label, currency_code = _label(document, series), document.currency(series)
        for row in document.rows(series, "price.amount"):
            points.add(label, currency_code, row)
    return points.file(in_order=False)


def _label(document: Document, series: Element) -> Label:
    area = document.text(series, "in_Domain.mRID")
    document.expect(series, "out_Domain.mRID", area)
    contract = document.text(series, "contract_MarketAgreement.type")
    sequence = document.text(series, SEQUENCE, absent="1")
    auction = document.text(series, "auction.type", absent=IMPLICIT_AUCTION)
    business = document.text(series, "businessType", absent=SPOT_PRICE)
    details = [
        {DAY_AHEAD: "", INTRADAY: "intraday"}.get(contract, f"contract {contract}"),
        "" if sequence == "1" else f"sequence {sequence}",
        "" if auction == IMPLICIT_AUCTION else f"auction {auction}",
        "" if business == SPOT_PRICE else f"business {business}",
    ]
    return Label(Quantity.DAY_AHEAD_PRICE, zone_name(area), detail=" ".join(filter(None, details)))

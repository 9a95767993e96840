"""What the XML documents of the ENTSO-E Transparency Platform have in common (facts A6).

Curve A01: every position is there, one that is missing is a gap. Curve A03: positions that repeat the value before are
left out, up to the end of their Period. Nothing is carried from one Period into another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.series import ONE_MINUTE, Row
from scheduler.formats.sheet import POINT, shown
from scheduler.formats.xml_tree import Element, tree

INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?Z", re.ASCII)
POSITION = re.compile(r"\d{1,6}", re.ASCII)
STEPS_MINUTES = {"PT5M": 5, "PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}
EVERY_POSITION, OMITS_REPEATED = "A01", "A03"
ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_]\w*MarketDocument)\b", re.ASCII)


def root_name(content: Content) -> str:
    """Name of the root element, as far as one can see without reading the document."""
    if not content.begin.startswith("<"):
        return ""
    found = ROOT.search(content.begin)
    return found[1] if found else ""


@dataclass(frozen=True)
class Document:
    """A document and the name of its file."""

    name: str
    root: Element

    @staticmethod
    def of(content: Content, root_tag: str, type_code: str) -> Document:
        """The document of a file, if it is of the kind that is wanted."""
        document = Document(content.name, tree(content))
        root = document.root
        if root.tag != root_tag:
            raise document.wrong(root, f"is a {shown(root.tag)}, not a {root_tag}")
        code = document.text(root, "type")
        if code != type_code:
            raise document.wrong(root, f"is a document of type {shown(code)}, not {type_code}")
        if root.found("TimeSeries") is None:
            raise document.wrong(root, "has no TimeSeries")
        return document

    def wrong(self, element: Element, message: str) -> InvalidFileError:
        """An error in the line of an element."""
        return InvalidFileError(f"{self.name}:{element.line}: {element.tag}: {message}")

    def text(self, parent: Element, tag: str, absent: str | None = None) -> str:
        """The text of a child that stands there once; ``absent`` where it may be missing."""
        found = list(parent.all(tag))
        if not found and absent is not None:
            return absent
        if len(found) != 1 or not found[0].text:
            raise self.wrong(parent, f"must have one {tag} that is not empty")
        return found[0].text

    def expect(self, parent: Element, tag: str, wanted: str) -> None:
        """Refuses a child that says anything else."""
        found = self.text(parent, tag)
        if found != wanted:
            raise self.wrong(parent, f"{tag} must be {wanted}, is {shown(found)}")

    def currency(self, series: Element) -> str:
        """The currency of prices per MWh."""
        self.expect(series, "price_Measure_Unit.name", "MWH")
        code = self.text(series, "currency_Unit.name")
        if not (len(code) == 3 and code.isascii() and code.isupper()):
            raise self.wrong(series, f"currency_Unit.name must be an ISO 4217 code, is {shown(code)}")
        return code

    def rows(self, series: Element, price_tag: str) -> Iterator[Row]:
        """The values of all Periods of a TimeSeries; the number of a row is the line of its Point."""
        curve = self.text(series, "curveType", absent=EVERY_POSITION)
        if curve not in (EVERY_POSITION, OMITS_REPEATED):
            raise self.wrong(series, f"curveType must be A01 or A03, is {shown(curve)}")
        periods = list(series.all("Period"))
        if not periods:
            raise self.wrong(series, "has no Period")
        for period in periods:
            yield from self._period(period, price_tag, curve)

    def _period(self, period: Element, price_tag: str, curve: str) -> Iterator[Row]:
        interval = period.found("timeInterval")
        if interval is None:
            raise self.wrong(period, "must have a timeInterval")
        start, end = (self._instant(interval, tag) for tag in ("start", "end"))
        resolution = self.text(period, "resolution")
        minutes = STEPS_MINUTES.get(resolution)
        if minutes is None:
            raise self.wrong(period, f"resolution must be one of {', '.join(STEPS_MINUTES)}, is {shown(resolution)}")
        step = minutes * ONE_MINUTE
        count, rest = divmod(end - start, step)
        if count < 1 or rest or count > 10**6:
            raise self.wrong(period, f"from {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ} is no run of {resolution}")
        points = [self._point(point, price_tag, count) for point in period.all("Point")]
        if not points:
            raise self.wrong(period, "has no Point")
        for (before, _, _), (position, _, line) in pairwise(points):
            if position <= before:
                raise InvalidFileError(f"{self.name}:{line}: position {position} comes after {before}")
        if curve == OMITS_REPEATED and points[0][0] != 1:
            raise self.wrong(period, f"its first position is {points[0][0]}: there is no value to repeat before it")
        nexts = [position for position, _, _ in points[1:]] + [count + 1]
        for (position, value, line), following in zip(points, nexts, strict=True):
            until = following if curve == OMITS_REPEATED else position + 1
            for at in range(position, until):
                yield Row(start + (at - 1) * step, minutes, value, line)

    def _point(self, point: Element, price_tag: str, count: int) -> tuple[int, float, int]:
        position, price = self.text(point, "position"), self.text(point, price_tag)
        if not POSITION.fullmatch(position) or not 1 <= int(position) <= count:
            raise self.wrong(point, f"position must be 1 to {count}, is {shown(position)}")
        value = float(price) if POINT.fullmatch(price) else float("nan")
        if not abs(value) < float("inf"):
            raise self.wrong(point, f"{price_tag} must be a finite number, is {shown(price)}")
        return int(position), value, point.line

    def _instant(self, interval: Element, tag: str) -> datetime:
        text = self.text(interval, tag)
        found = INSTANT.fullmatch(text)
        try:
            if found and not int(found[6] or 0):
                return datetime(*map(int, found.groups()[:5]), tzinfo=UTC)  # type: ignore[misc, arg-type]
        except ValueError:
            pass
        raise self.wrong(interval, f"{tag} must be as 2026-02-16T23:00Z, is {shown(text)}")

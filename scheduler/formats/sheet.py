"""Tables of rows with a header, from CSV text and from workbooks, and what their cells say.

A CSV file must end with a line break or a closing quote: a number that is cut off looks like a number.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content, Line
from scheduler.formats.series import Source

POINT = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
COMMA = re.compile(r"[+-]?\d+(,\d+)?", re.ASCII)
# thousands count only beside decimals: 1.234 alone could be either
GROUPED_COMMA = re.compile(r"[+-]?(\d+(,\d+)?|\d{1,3}(\.\d{3})+,\d+)", re.ASCII)
GROUPED_POINT = re.compile(r"[+-]?(\d+(\.\d+)?|\d{1,3}(,\d{3})+\.\d+)", re.ASCII)
SHOWN_LENGTH = 60


@dataclass(frozen=True)
class Sheet:
    """A header and its rows; every row has a cell for each name of the header."""

    source: Source
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    decimal: str = "."
    grouped: bool = False  # thousands are set apart by the other mark

    def wrong(self, number: int, message: str) -> InvalidFileError:
        """An error of a row."""
        return InvalidFileError(f"{self.source.file}:{number}: {message}")

    def place(self, name: str) -> int:
        """Where a column stands."""
        if name not in self._places:  # no header names one twice: see `sheet_of`
            raise self.wrong(1, f"the header must name a column {name!r} once, is {shown(', '.join(self.header))}")
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.header)}

    def text(self, line: Line, place: int) -> str:
        """A cell as text without spaces around it; empty where it is."""
        cell = line.cells[place]
        if cell is None:
            return ""
        return cell.strip() if isinstance(cell, str) else str(cell)

    def number(self, line: Line, place: int, absent: Sequence[str] = ()) -> float | None:
        """A finite number; None where the cell says that there is none."""
        cell = line.cells[place]
        if cell is None or isinstance(cell, str):
            found = "" if cell is None else cell.strip()
            if found in absent:
                return None
            value = _parsed(found, self.decimal, self.grouped)
        else:
            value = float(cell) if isinstance(cell, (int, float)) and not isinstance(cell, bool) else math.nan
        if not math.isfinite(value):
            name = self.header[place]
            raise self.wrong(line.number, f"{name[:SHOWN_LENGTH]} must be a finite number, is {shown(str(cell or ''))}")
        return value


def _parsed(text: str, decimal: str, grouped: bool) -> float:
    if decimal == ",":
        if not (GROUPED_COMMA if grouped else COMMA).fullmatch(text):
            return math.nan
        return float(text.replace(".", "").replace(",", "."))
    if not (GROUPED_POINT if grouped else POINT).fullmatch(text):
        return math.nan
    return float(text.replace(",", ""))


def shown(text: str) -> str:
    """A text as errors quote it."""
    return repr(text[:SHOWN_LENGTH])


def decimal_mark(lines: Iterable[Line], places: Iterable[int]) -> str:
    """The mark that the numbers of some columns use: a comma as soon as one of them has one."""
    places = tuple(places)
    cells = (line.cells[place] for line in lines for place in places if place < len(line.cells))
    return "," if any(isinstance(cell, str) and "," in cell for cell in cells) else "."


def csv_lines(content: Content, delimiter: str) -> list[Line]:
    """The rows of a CSV file, blank ones left out."""
    text = content.text
    if text and text[-1] not in '\n\r"':
        number = text.count("\n") + 1
        raise InvalidFileError(
            f"{content.name}:{number}: ends in the middle of a line: the file may be cut off "
            "(where it is whole, end it with a line break)"
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines = []
    try:
        for cells in reader:
            if cells:
                lines.append(Line(reader.line_num, tuple(cells)))
    except csv.Error as error:
        raise InvalidFileError(f"{content.name}:{reader.line_num}: {error}") from None
    return lines


def sheet_of(
    source: Source, lines: Iterable[Line], decimal: str = ".", *, grouped: bool = False, spare: int = 0
) -> Sheet:
    """A sheet whose first line is the header. ``spare``: how many cells less than the header the rows may have.

    Empty cells at the end of the header are none, and all rows may have one at theirs; under an empty one elsewhere
    nothing may stand. All rows have as many cells as the first of them: in one that has fewer or more, every cell
    behind the fault would be read under a wrong name.
    """
    rows = iter(lines)
    first = next(rows, None)
    if first is None:
        raise InvalidFileError(f"{source.file}: is empty")
    header = [str(cell).strip() if cell is not None else "" for cell in first.cells]
    while header and not header[-1]:
        header.pop()
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InvalidFileError(f"{source.file}:{first.number}: names the column {shown(twice)} twice")
    width = len(header)
    nameless = [place for place, name in enumerate(header) if not name]
    whole = []
    count = 0
    for line in rows:
        cells = line.cells
        count = count or len(cells)
        extra = cells[width:]
        if len(cells) < width - spare or any(cell not in (None, "") for cell in extra) or len(extra) > 1:
            raise InvalidFileError(f"{source.file}:{line.number}: has {len(cells)} fields, not {width}")
        if len(cells) != count:
            raise InvalidFileError(f"{source.file}:{line.number}: has {len(cells)} fields, the rows before it {count}")
        for place in nameless:
            if place < len(cells) and cells[place] not in (None, ""):
                words = f"holds {shown(str(cells[place]))} in column {place + 1}, which the header does not name"
                raise InvalidFileError(f"{source.file}:{line.number}: {words}")
        whole.append(Line(line.number, cells[:width] + (None,) * (width - len(cells))))
    return Sheet(source, tuple(header), tuple(whole), decimal, grouped)


def unwrapped(content: Content, lines: list[Line]) -> list[Line]:
    """The rows of a file in which each line is one quoted cell that holds the line; others as they are."""
    if not lines or any(len(line.cells) != 1 for line in lines):
        return lines
    inner = []
    for line in lines:
        try:
            cells = next(csv.reader([str(line.cells[0])], strict=True))
        except (csv.Error, StopIteration) as error:
            raise InvalidFileError(f"{content.name}:{line.number}: {error or 'is blank'}") from None
        inner.append(Line(line.number, tuple(cells)))
    return inner

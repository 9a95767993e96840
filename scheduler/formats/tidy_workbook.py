"""Our own table of prices as XLSX: the names of the columns in the first row of a sheet, as in the tidy CSV."""

from __future__ import annotations

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.series import SeriesFile
from scheduler.formats.sheet import sheet_of
from scheduler.formats.tidy import is_header, prices_of

NAME = "tidy XLSX"


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.is_zip and bool(_sheets(content))


def _sheets(content: Content) -> list[str]:
    return [
        name
        for name, lines in content.workbook.items()
        if lines and is_header([str(cell) for cell in lines[0].cells if cell is not None])
    ]


def read(content: Content) -> SeriesFile:
    """All prices."""
    names = _sheets(content)
    if len(names) != 1:
        raise InvalidFileError(f"{content.name}: has several sheets of prices: {', '.join(names)}")
    return prices_of(sheet_of(content.source(NAME), content.workbook[names[0]]))

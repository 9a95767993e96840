"""The sheets of an XLSX workbook, read once their unpacked size and their XML are found harmless."""

from __future__ import annotations

import io
import warnings
from datetime import date, datetime

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Cell, Content, Line, brief

MAX_CELLS_COUNT = 5_000_000
MARKS = ("<!DOCTYPE", "<!ENTITY")
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")
REFUSED = tuple(mark.encode(encoding) for mark in MARKS for encoding in ENCODINGS)


def sheets_of(content: Content) -> dict[str, tuple[Line, ...]]:
    """The rows of every sheet, blank ones left out; formulas as the value that was last computed."""
    from openpyxl import load_workbook

    for name, data in content.parts.items():
        if any(mark in data for mark in REFUSED):
            raise InvalidFileError(f"{content.name}: {name} declares a DTD or entities, which is refused")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, which do not matter here
            book = load_workbook(io.BytesIO(content.data), read_only=True, data_only=True)
            sheets = {}
            cells_count = 0
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # some platforms state A1 for the whole sheet
                lines: list[Line] = []
                for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
                    cells_count += len(values)
                    if cells_count > MAX_CELLS_COUNT:
                        raise InvalidFileError(f"{content.name}: has more than {MAX_CELLS_COUNT} cells")
                    if any(value is not None for value in values):
                        lines.append(Line(number, _row(values, len(lines[0].cells) if lines else 0)))
                sheets[sheet.title] = tuple(lines)
            return sheets
    except InvalidFileError:
        raise
    except Exception as error:  # openpyxl raises of many kinds on broken workbooks
        raise InvalidFileError(f"{content.name}: is not a whole workbook: {brief(error)}") from None


def _row(values: tuple[object, ...], width: int) -> tuple[Cell, ...]:
    """The cells of a row: as many as the first row has, and more where they hold something.

    What is empty at the end of a row is stored or not, as the program likes that wrote it.
    """
    end = max(place for place, value in enumerate(values, 1) if value is not None)
    return (*map(_cell, values[:end]), *(None,) * (width - end))


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, (str, int, float, datetime)):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return str(value)

"""Rows and tables as files that others open: CSV, XLSX (openpyxl) and Parquet (pyarrow), chosen by the file's name.

Instants are UTC. A workbook knows no time zones: there they stand as UTC without one, under names that say utc.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import IllegalCharacterError

from scheduler.errors import SchedulerError
from scheduler.formats.csv_tables import write_csv
from scheduler.formats.whole_file import in_place_of
from scheduler.tables import Cell, Table

MOST_XLSX_ROWS_COUNT = 2**20
MOST_SHEET_NAME_COUNT = 31

Row = Sequence[Cell]


def write_rows(path: Path, rows: Iterable[Row], sheet: str = "001") -> None:
    """Writes rows to a .csv or .xlsx file. Raises SchedulerError for any other name."""
    if path.suffix.lower() == ".csv":
        write_csv(path, rows)
    elif path.suffix.lower() == ".xlsx":
        write_workbook(path, {sheet: rows})
    else:
        raise SchedulerError(f"{path}: must end in .csv or .xlsx")


def write_workbook(path: Path, sheets: Mapping[str, Iterable[Row]]) -> None:
    """Writes a workbook, a sheet for each entry. Raises SchedulerError for what a workbook cannot hold."""
    book = Workbook(write_only=True)
    written: list[tuple[Any, list[list[Any]]]] = []
    for name, rows in sheets.items():  # all cells before the first is written: openpyxl leaves no sheet half done
        sheet, lines = book.create_sheet(name[:MOST_SHEET_NAME_COUNT]), []
        for number, row in enumerate(rows, 1):
            if number > MOST_XLSX_ROWS_COUNT:
                raise SchedulerError(f"{path}: sheet {name} has more than {MOST_XLSX_ROWS_COUNT} rows: write CSV")
            try:
                lines.append([_cell(sheet, value) for value in row])
            except IllegalCharacterError:
                raise SchedulerError(f"{path}: sheet {name}, row {number}: a workbook cannot hold {row!r}") from None
        written.append((sheet, lines))
    for sheet, lines in written:
        for line in lines:
            sheet.append(line)
    with in_place_of(path) as beside:
        book.save(beside)


def write_plan_workbook(path: Path, tables: Mapping[str, Table]) -> None:
    """Writes tables by the names of their CSV files to one workbook."""
    sheets = {Path(name).stem: [table.columns, *table.rows] for name, table in tables.items()}
    write_workbook(path, sheets)


def write_parquet(directory: Path, tables: Mapping[str, Table]) -> list[Path]:
    """Writes tables by the names of their CSV files, a Parquet file each."""
    pyarrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    paths = []
    for file_name, table in tables.items():
        columns = {column: [row[i] for row in table.rows] for i, column in enumerate(table.columns)}
        arrays = [pyarrow.array(values, _arrow_type(pyarrow, name, values)) for name, values in columns.items()]
        path = directory / f"{Path(file_name).stem}.parquet"
        with in_place_of(path) as beside:
            parquet.write_table(pyarrow.table(arrays, names=list(columns)), beside)
        paths.append(path)
    return paths


def _cell(sheet: Any, value: Cell) -> Any:
    """A cell. Text is text, also where it begins like a formula."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell


def _arrow_type(pyarrow: Any, column: str, values: Sequence[Cell]) -> Any:
    """The type of a column; of one that holds nothing, by its name: figures that are not known are floats."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {datetime} or (not kinds and column.startswith("utc_")):
        return pyarrow.timestamp("us", tz="UTC")
    if kinds == {str} or (not kinds and column.endswith(("_id", "direction", "kind"))):
        return pyarrow.string()
    return pyarrow.int64() if kinds == {int} else pyarrow.float64()


def _pyarrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        words = "Parquet needs pyarrow, which is not installed: pip install 'gridflex-scheduler[parquet]'"
        raise SchedulerError(words) from None

"""Tables as CSV files: UTF-8, commas, decimal points, instants as 2026-03-29T01:00:00Z, floats that read back equal."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from scheduler.errors import SchedulerError
from scheduler.formats.whole_file import in_place_of
from scheduler.tables import Cell, Table


def prepare_directory(directory: str | PathLike[str], force: bool = False) -> Path:
    """The directory, made if need be. Raises SchedulerError where it holds anything, unless forced.

    Raises OSError where nothing can be written to it.
    """
    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    if not force and any(path.iterdir()):
        raise SchedulerError(f"{path}: is not empty, and nothing is overwritten unless forced (--force)")
    tempfile.TemporaryFile(dir=path).close()
    return path


def write_tables(directory: Path, tables: Mapping[str, Table]) -> list[Path]:
    """Writes tables by the names of their files."""
    paths = []
    for name, table in tables.items():
        path = directory / name
        write_csv(path, [table.columns, *table.rows])
        paths.append(path)
    return paths


def write_csv(path: Path, rows: Iterable[Sequence[Cell]]) -> None:
    """Writes rows to a file."""
    with in_place_of(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(map(_written, row) for row in rows)


def _written(cell: Cell) -> Cell:
    """An instant as text; csv writes the shortest digits of a float that read back equal, and nothing for None."""
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return cell

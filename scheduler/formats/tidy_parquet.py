"""Our own table of prices as Parquet, with the columns of the tidy CSV. Rows count from 1. Needs pyarrow, an extra."""

from __future__ import annotations

import io
from typing import Any

from scheduler.errors import InvalidFileError
from scheduler.formats.content import MAX_UNPACKED_BYTES, Content, Line, brief
from scheduler.formats.series import SeriesFile
from scheduler.formats.sheet import Sheet
from scheduler.formats.tidy import FIELDS_COUNT, prices_of

NAME = "tidy Parquet"
MAX_ROWS_COUNT = 2_000_000


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.is_parquet


def read(content: Content) -> SeriesFile:
    """All prices."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        words = "reading Parquet needs pyarrow: install gridflex-scheduler[parquet]"
        raise InvalidFileError(f"{content.name}: {words}") from None
    try:
        file = parquet.ParquetFile(io.BytesIO(content.data))
        _check_size(content, file.metadata)
        names = tuple(file.schema_arrow.names)
        table = file.read() if len(names) == FIELDS_COUNT else None
        columns = [] if table is None else [_plain(pyarrow, column) for column in table.columns]
    except pyarrow.ArrowException as error:
        raise InvalidFileError(f"{content.name}: is not Parquet that can be read: {brief(error)}") from None
    except OSError as error:  # pyarrow's word for bytes that end too soon
        raise InvalidFileError(f"{content.name}: is not whole: {brief(error)}") from None
    lines = tuple(Line(number, cells) for number, cells in enumerate(zip(*columns, strict=True), 1))
    return prices_of(Sheet(content.source(NAME), names, lines))


def _check_size(content: Content, metadata: Any) -> None:
    unpacked_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if unpacked_bytes > MAX_UNPACKED_BYTES or metadata.num_rows > MAX_ROWS_COUNT:
        words = f"holds {metadata.num_rows} rows of {unpacked_bytes} bytes"
        raise InvalidFileError(f"{content.name}: {words}, more than {MAX_ROWS_COUNT} or {MAX_UNPACKED_BYTES}")


def _plain(pyarrow: Any, column: Any) -> list[Any]:
    """A column as values of Python: instants to the microsecond, where nothing is lost by it."""
    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", column.type.tz))
    return list(column.to_pylist())

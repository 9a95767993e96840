"""Which reader reads a file: told from what the file holds, never from its name.

A new format is a module with NAME, `recognises` and `read`, and a line in `READERS`. Exactly one of them recognises a
file that can be read; no file is tried with one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from scheduler.errors import InvalidFileError
from scheduler.formats import (
    energy_charts,
    entsoe_acknowledgement,
    entsoe_activated,
    entsoe_export,
    entsoe_prices,
    ercot,
    imbalance_de,
    mimer,
    neso_eac,
    nordpool,
    regelleistung,
    smard,
    tidy,
    tidy_parquet,
    tidy_workbook,
)
from scheduler.formats.content import WORKBOOK_PART, Content
from scheduler.formats.series import SeriesFile


class SeriesReader(Protocol):
    """What the module of a format offers."""

    NAME: str

    def recognises(self, content: Content) -> bool: ...
    def read(self, content: Content) -> SeriesFile: ...


READERS: Sequence[SeriesReader] = (
    tidy,
    tidy_workbook,
    tidy_parquet,
    entsoe_prices,
    entsoe_activated,
    entsoe_acknowledgement,
    entsoe_export,
    smard,
    energy_charts,
    nordpool,
    regelleistung,
    mimer,
    neso_eac,
    ercot,
    imbalance_de,
)


def read_series(path: Path) -> SeriesFile:
    """All series of a file of any known format. Raises InvalidFileError, or OSError where it cannot be opened."""
    return read_content(Content.of(path))


def read_content(content: Content) -> SeriesFile:
    """The same, of a file's bytes."""
    content = _unpacked(content)
    return reader_of(content).read(content)


def _unpacked(content: Content) -> Content:
    """The one file of an archive, as platforms send them; workbooks and other files as they are."""
    if not content.is_zip or WORKBOOK_PART in content.parts:
        return content
    names = [name for name in content.parts if not name.endswith("/")]
    if len(names) != 1:
        raise InvalidFileError(f"{content.name}: is an archive of {len(names)} files: unpack it and name one of them")
    inner = Content(f"{content.name}/{names[0]}", content.parts[names[0]])
    if inner.is_zip:
        raise InvalidFileError(f"{inner.name}: is an archive in an archive: unpack it")
    return inner


def reader_of(content: Content) -> SeriesReader:
    """The reader that recognises a file."""
    if not content.data:
        raise InvalidFileError(f"{content.name}: is empty")
    found = [reader for reader in READERS if reader.recognises(content)]
    if len(found) == 1:
        return found[0]
    if not found and not content.is_zip and not content.is_parquet:
        _ = content.text  # what is not text is said as such
    known = "; ".join(reader.NAME for reader in READERS)
    words = " and ".join(reader.NAME for reader in found) or "none of the known formats"
    raise InvalidFileError(f"{content.name}: looks like {words}. Known are: {known}")

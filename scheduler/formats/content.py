"""The bytes of a file and what they look like: sizes are looked at before anything is opened."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from scheduler.errors import InvalidFileError
from scheduler.formats.series import Source

MAX_FILE_BYTES = 64 * 2**20
MAX_UNPACKED_BYTES = 128 * 2**20
MAX_PARTS_COUNT = 1_000
WORKBOOK_PART = "xl/workbook.xml"
ZIP_MAGIC, PARQUET_MAGIC = b"PK\x03\x04", b"PAR1"

Cell = str | float | bool | datetime | None


@dataclass(frozen=True)
class Line:
    """A row of a table and its number in the file."""

    number: int
    cells: tuple[Cell, ...]


def brief(error: Exception) -> str:
    """What a library says of a file, on one line that can be printed."""
    words = str(error) or type(error).__name__
    return "".join(mark if mark.isprintable() else " " for mark in words[:200])


@dataclass(frozen=True)
class Content:
    """A file's name and bytes."""

    name: str
    data: bytes

    @staticmethod
    def of(path: Path) -> Content:
        """What a file holds. Raises InvalidFileError where it is too large, OSError where it cannot be opened."""
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise InvalidFileError(f"{path}: is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return Content(str(path), data)

    def source(self, format_name: str) -> Source:
        """The provenance of what is read from it."""
        return Source(self.name, format_name, hashlib.sha256(self.data).hexdigest())

    @property
    def is_zip(self) -> bool:
        """Whether it is a ZIP archive, such as a workbook."""
        return self.data.startswith(ZIP_MAGIC)

    @property
    def is_parquet(self) -> bool:
        """Whether it begins like Parquet."""
        return self.data.startswith(PARQUET_MAGIC)

    @cached_property
    def begin(self) -> str:
        """Its first characters, for looking at: what is not text is replaced."""
        if self.is_zip or self.is_parquet:
            return ""
        return self.data[:4096].decode("utf-8-sig", "replace").lstrip()

    @cached_property
    def first_line(self) -> str:
        """Its first line that is not empty."""
        return self.begin.splitlines()[0] if self.begin else ""

    @cached_property
    def text(self) -> str:
        """All of it as UTF-8 text."""
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidFileError(f"{self.name}: is not UTF-8 text: {error.reason} at byte {error.start}") from None

    @cached_property
    def parts(self) -> dict[str, bytes]:
        """The files of a ZIP archive by name, once their sizes are found harmless."""
        try:
            with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
                infos = archive.infolist()
                if len(infos) > MAX_PARTS_COUNT:
                    raise InvalidFileError(f"{self.name}: has {len(infos)} parts, at most {MAX_PARTS_COUNT} will do")
                # zipfile reads no more of a part than is declared here, and then compares its checksum
                unpacked_bytes = sum(info.file_size for info in infos)
                if unpacked_bytes > MAX_UNPACKED_BYTES:
                    limit = f"at most {MAX_UNPACKED_BYTES // 2**20} MiB will do"
                    raise InvalidFileError(f"{self.name}: unpacks to {unpacked_bytes // 2**20} MiB, {limit}")
                if len({info.filename for info in infos}) < len(infos):
                    raise InvalidFileError(f"{self.name}: names a part twice")
                return {info.filename: archive.read(info) for info in infos}
        except InvalidFileError:
            raise
        except Exception as error:  # zipfile raises of many kinds on broken archives
            raise InvalidFileError(f"{self.name}: is not a whole ZIP archive: {brief(error)}") from None

    @cached_property
    def workbook(self) -> dict[str, tuple[Line, ...]]:
        """The sheets of a workbook by name; none where it is no workbook."""
        if not self.is_zip or WORKBOOK_PART not in self.parts:
            return {}
        from scheduler.formats.workbook import sheets_of  # openpyxl takes its time

        return sheets_of(self)

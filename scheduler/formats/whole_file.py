"""Files that are there whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of ``path`` once all of it is written; until then the old file stays.

    What is no file, such as a pipe, or stands where nothing else may be written, is written to as it is. Raises OSError
    that names ``path``.
    """
    target = path.resolve()  # a link keeps pointing to it
    try:
        is_other = path.exists() and not path.is_file()  # asked of the path itself: what a pipe resolves to is no name
        if is_other or (target.exists() and not os.access(target.parent, os.W_OK)):
            yield path
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with tempfile.TemporaryDirectory(prefix=f".{target.name[:40]}-", dir=target.parent) as folder:
            beside = Path(folder) / target.name
            yield beside
            if target.exists():
                shutil.copymode(target, beside)
            _move(beside, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _move(beside: Path, target: Path) -> None:
    try:
        beside.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:  # a file that is mounted by itself, as containers do, stays what it is
            raise
        shutil.copyfile(beside, target)


def write_text(path: Path, text: str) -> None:
    """Writes a file of UTF-8. Raises OSError that names it."""
    with in_place_of(path) as beside:
        beside.write_text(text, "utf-8")

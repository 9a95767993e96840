"""Telling formats apart, and what all files have in common: size, provenance, columns by name."""

from types import SimpleNamespace

import pytest
from samples import PRICE, auction, file_of, period, points, publication, utc
from test_regelleistung import AFRR_HEADER, afrr_rows, csv_of

from scheduler import read_series
from scheduler.errors import InvalidFileError
from scheduler.formats import content, registry
from scheduler.formats.series import Label, Quantity, Row, Source
from scheduler.problem import Direction

TIDY = "utc_start,zone,price_eur_per_mwh\n2026-01-01T00:00:00Z,AT,1.5\n2026-01-01T01:00:00Z,AT,2.5\n"


def test_a_path_of_any_format(tmp_path):
    path = tmp_path / "whatever.bin"
    path.write_text(TIDY)
    file = read_series(path)
    assert file.name == str(path)
    found = file.column(PRICE, "AT").between(utc("2026-01-01T00:00Z"), utc("2026-01-01T02:00Z"))
    assert (found.values, found.unit, found.step_minutes) == ((1.5, 2.5), "EUR/MWh", 60)
    assert found.source.sha256 == file.source.sha256 and len(file.source.sha256) == 64


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError, match=str(tmp_path)):
            read_series(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    path.write_text(TIDY)
    monkeypatch.setattr(content, "MAX_FILE_BYTES", len(TIDY))
    assert read_series(path).columns
    monkeypatch.setattr(content, "MAX_FILE_BYTES", len(TIDY) - 1)
    with pytest.raises(InvalidFileError, match=r"large\.csv: is larger than"):
        read_series(path)


def test_what_is_known_is_said():
    with pytest.raises(InvalidFileError, match=r"sample: looks like none of the known formats\. Known are: tidy CSV; "):
        file_of("hello\n")
    with pytest.raises(InvalidFileError, match="sample: is empty"):
        file_of(b"")


def test_two_readers_for_one_file_are_a_fault(monkeypatch):
    other = SimpleNamespace(NAME="other", recognises=lambda content: True, read=None)
    monkeypatch.setattr(registry, "READERS", (*registry.READERS, other))
    with pytest.raises(InvalidFileError, match="looks like tidy CSV and other"):
        file_of(TIDY)


def test_provenance_can_be_carried_by_a_request():
    label = Label(Quantity.CAPACITY_PRICE, "DE\x1b[31m" + "x" * 300, "aFRR", Direction.UP, "average")
    words = Source("/tmp/" + "y" * 300 + "\n.csv", "a format", "f" * 64).of(label)
    assert len(words) <= 200 and words.isprintable() and "/tmp" not in words
    assert str(Label(Quantity.CAPACITY_PRICE, "DE", "aFRR", Direction.UP, "average")) == (
        "DE aFRR up average capacity price"
    )


def test_units_of_capacity():
    file = file_of(csv_of(AFRR_HEADER, afrr_rows("2026-06-14")))
    column = file.columns[0]
    with pytest.raises(InvalidFileError, match=r"sample:2: .* holds for 240 minutes: a series has steps of"):
        column.between(utc("2026-06-13T22:00Z"), utc("2026-06-14T02:00Z"))
    assert column.slices(utc("2026-06-13T22:00Z"), utc("2026-06-14T06:00Z")) == column.rows[:2]
    assert column.label.quantity.per == "MW/h"


def test_slices_must_tile():
    row = period("2026-01-01T00:00Z", "2026-01-01T02:00Z", "PT60M", points([(1, 10), (2, 20)]))
    column = file_of(publication(auction(row, curve="A01"))).columns[0]
    first, end = utc("2026-01-01T00:00Z"), utc("2026-01-01T02:00Z")
    assert column.mean(first, end) == 15
    assert column.rows[0] == Row(first, 60, 10, column.rows[0].number)
    for start, until in [("2026-01-01T00:30Z", "2026-01-01T02:00Z"), ("2026-01-01T00:00Z", "2026-01-01T03:00Z")]:
        with pytest.raises(InvalidFileError, match="has no values that make up the time from"):
            column.mean(utc(start), utc(until))

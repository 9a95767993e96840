"""Plans as workbooks and Parquet: what is written reads back equal, text stays text, and refusals are clear."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import tiny_request_pb
from openpyxl import load_workbook

from scheduler import make_plan
from scheduler.errors import SchedulerError
from scheduler.formats import plan_files
from scheduler.formats.plan_files import write_parquet, write_plan_workbook, write_rows
from scheduler.tables import Table, Tables

DAYS = Path(__file__).resolve().parents[2] / "fixtures" / "days"
HOSTILE = ('=HYPERLINK("x")', "+1", "@a", "Nörd, 'A'; \"B\"", " ", "1.5", "2026-01-01")


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return Tables(make_plan(DAYS / "clock-autumn" / "request.json").schedule).by_file()


def test_a_workbook_reads_back_equal(tables, tmp_path):
    """Floats to the 16 digits that openpyxl writes: a workbook itself shows 15."""
    path = tmp_path / "plan.xlsx"
    write_plan_workbook(path, tables)
    book = load_workbook(path, read_only=True)
    assert book.sheetnames == [name.removesuffix(".csv") for name in tables]
    for name, table in tables.items():
        header, *rows = book[name.removesuffix(".csv")].iter_rows(values_only=True)
        assert header == table.columns
        assert len(rows) == len(table.rows)
        for row, wanted in zip(rows, table.rows, strict=True):
            shown = [cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell for cell in wanted]
            found = [*row, *[None] * (len(wanted) - len(row))]  # openpyxl drops empty cells at the end of a row
            for cell, want in zip(found, shown, strict=True):
                assert cell == (
                    None if want == "" else pytest.approx(want, rel=1e-15) if isinstance(want, float) else want
                )


def test_parquet_reads_back_equal_with_its_types(tables, tmp_path):
    paths = write_parquet(tmp_path, tables)
    assert [path.name for path in paths] == [name.replace(".csv", ".parquet") for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        found = pq.read_table(path)
        assert found.column_names == list(table.columns)
        columns = [found[name].to_pylist() for name in table.columns]
        assert list(zip(*columns, strict=True)) == table.rows
        for name in table.columns:
            kind = found.schema.field(name).type
            if name.startswith("utc_"):
                assert kind == pa.timestamp("us", tz="UTC")
            elif name.endswith("_id") or name in ("direction", "kind"):
                assert kind == pa.string()
            else:
                assert kind in (pa.float64(), pa.int64())
    assert pq.read_table(tmp_path / "bids.parquet").num_rows == 0, "an empty table keeps its columns"


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text, tmp_path):
    path = tmp_path / "rows.xlsx"
    write_rows(path, [[text, 1.5, None, 7, datetime(2026, 3, 29, 1, tzinfo=UTC)]])
    (sheet,) = load_workbook(path).worksheets
    assert sheet.title == "001"
    first = sheet["A1"]
    assert (first.value, first.data_type) == (text, "s"), "no formula, no number"
    assert [cell.value for cell in sheet[1][1:]] == [1.5, None, 7, datetime(2026, 3, 29, 1)]


def test_what_a_workbook_cannot_hold_is_said(tmp_path, monkeypatch):
    with pytest.raises(SchedulerError, match="sheet 001, row 2: a workbook cannot hold"):
        write_rows(tmp_path / "rows.xlsx", [["a"], ["\x00"]])
    monkeypatch.setattr(plan_files, "MOST_XLSX_ROWS_COUNT", 3)
    write_rows(tmp_path / "rows.xlsx", [["a"]] * 3)
    with pytest.raises(SchedulerError, match="more than 3 rows: write CSV"):
        write_rows(tmp_path / "rows.xlsx", [["a"]] * 4)


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.xls", ".csv"])
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(SchedulerError, match=r"must end in \.csv or \.xlsx"):
        write_rows(tmp_path / name, [["a"]])
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_it_is_said(tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SchedulerError, match=r"gridflex-scheduler\[parquet\]"):
        write_parquet(tmp_path, tables)


def test_no_zone_is_lost(tmp_path):
    result = make_plan(tiny_request_pb())
    write_plan_workbook(tmp_path / "plan.xlsx", Tables(result.schedule).by_file())
    sheet = load_workbook(tmp_path / "plan.xlsx")["energy"]
    assert sheet["A1"].value == "utc_start"
    assert sheet["A2"].value == result.schedule.problem.horizon.start_utc.replace(tzinfo=None)


def test_a_result_writes_them_too(tmp_path):
    result = make_plan(tiny_request_pb())
    result.to_xlsx(tmp_path / "plan.xlsx")
    assert "dispatch" in load_workbook(tmp_path / "plan.xlsx").sheetnames
    assert len(result.to_parquet(tmp_path / "parquet")) == len(Tables(result.schedule).by_file())
    with pytest.raises(SchedulerError, match="not empty"):
        result.to_parquet(tmp_path / "parquet")
    result.plot(tmp_path / "plan.svg")
    assert "<svg" in (tmp_path / "plan.svg").read_text("utf-8")

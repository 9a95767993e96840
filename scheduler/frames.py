"""Tables as pandas frames. pandas is imported when the first frame is asked for: it is an extra."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scheduler.tables import IntervalTable, Table

if TYPE_CHECKING:
    import pandas


def frame_of(table: IntervalTable | Table) -> pandas.DataFrame:
    """A table as a frame.

    Intervals: one row for each, indexed by its start in UTC; the levels of the columns name the thing, the last one
    the quantity with its unit; columns are sorted. Other tables: their rows, NaN where a figure is not known.
    """
    return _by_interval(table) if isinstance(table, IntervalTable) else _as_it_is(table)


def _by_interval(table: IntervalTable) -> pandas.DataFrame:
    pandas = _pandas()
    columns = {(*key, name): values for key, own in table.series.items() for name, values in own.items()}
    horizon = table.horizon
    step = f"{horizon.step_minutes}min"
    index = pandas.date_range(horizon.start_utc, periods=horizon.count, freq=step, name="utc_start")
    frame = pandas.DataFrame(dict(enumerate(columns.values())), index=index)
    frame.columns = pandas.MultiIndex.from_tuples(list(columns), names=[*table.levels, "quantity"])
    return frame.sort_index(axis="columns")


def _as_it_is(table: Table) -> pandas.DataFrame:
    rows = [tuple(math.nan if cell is None else cell for cell in row) for row in table.rows]
    return _pandas().DataFrame(rows, columns=list(table.columns))


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        words = "frames need pandas, which is not installed: pip install 'gridflex-scheduler[frames]'"
        raise ModuleNotFoundError(words, name="pandas") from None
    return pandas

"""What every reader gives: columns of values with the instants they hold for, and where they came from.

Strict: nothing is filled in, sorted away or guessed. Units are normalised by the readers: energy per MWh, capacity per
MW and real hour, whatever the file says. What is wrong is said with file and row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from scheduler.errors import InvalidFileError
from scheduler.formats.zones import zone_name
from scheduler.horizon import STEPS_MINUTES, Horizon
from scheduler.problem import Direction

MINUTE_FORMAT = "%Y-%m-%dT%H:%MZ"
UNTOLD_STEPS_MINUTES = (15, 60)  # of files that do not tell how long a value holds
ONE_MINUTE = timedelta(minutes=1)


class Quantity(Enum):
    """What is measured. Energy is per MWh, capacity per MW and real hour."""

    DAY_AHEAD_PRICE = "day-ahead price"
    CAPACITY_PRICE = "capacity price"
    ACTIVATED_PRICE = "activated energy price"
    IMBALANCE_PRICE = "imbalance price"
    POSITION = "position"  # MW, positive when bought

    @property
    def per(self) -> str:
        """What the price is of."""
        return "MW/h" if self is Quantity.CAPACITY_PRICE else "MWh"


@dataclass(frozen=True)
class Label:
    """What a column holds. Prices of activated energy keep the sign of the market (facts C1).

    area: zone or area; empty where the file does not say.
    product, direction: of reserve; an empty product is energy itself.
    detail: what else sets it apart, such as ``sequence 2`` or ``average``; empty: the usual one.
    """

    quantity: Quantity
    area: str
    product: str = ""
    direction: Direction | None = None
    detail: str = ""

    @property
    def name(self) -> str:
        """Area, product, direction and detail: what a user types to choose it."""
        direction = self.direction.value if self.direction is not None else ""
        return " ".join(filter(None, (self.area, self.product, direction, self.detail)))

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, self.quantity.value)))


@dataclass(frozen=True)
class Source:
    """The file that something was read from."""

    file: str
    format: str
    sha256: str

    def of(self, label: Label) -> str:
        """Which values of it: a text of at most 200 characters that can be printed."""
        name, what = (_printable(text)[:80] for text in (Path(self.file).name, str(label)))
        return f"{what} of {name} ({self.format}, sha256 {self.sha256[:16]})"[:200]


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() else "?" for mark in text)


class Row(NamedTuple):
    """A value, how long it holds (0 minutes: the file does not tell) and the row that it stands in."""

    start_utc: datetime
    minutes: int
    value: float
    number: int

    @property
    def end_utc(self) -> datetime:
        """End of the time that it holds for, where that is told."""
        return self.start_utc + self.minutes * ONE_MINUTE


@dataclass(frozen=True)
class Series:
    """Values of one column from ``start_utc`` on, one per step, without a gap."""

    label: Label
    start_utc: datetime
    step_minutes: int
    values: tuple[float, ...]
    currency_code: str
    source: Source

    @property
    def unit(self) -> str:
        """Currency per MWh, or per MW and hour; MW of a position."""
        if self.label.quantity is Quantity.POSITION:
            return "MW"
        return f"{self.currency_code}/{self.label.quantity.per}"

    @property
    def provenance(self) -> str:
        """Which values of which file these are, as a request may carry it."""
        return self.source.of(self.label)

    def held_over(self, horizon: Horizon) -> Series:
        """The same values in the intervals of a horizon whose step divides this one."""
        ratio = self.step_minutes // horizon.step_minutes
        first = (horizon.start_utc - self.start_utc) // timedelta(minutes=horizon.step_minutes)
        held = [value for value in self.values for _ in range(ratio)]
        values = tuple(held[first : first + horizon.count])
        return Series(self.label, horizon.start_utc, horizon.step_minutes, values, self.currency_code, self.source)


@dataclass(frozen=True)
class Column:
    """All values of one kind in a file, in the order of time; they do not overlap, gaps are what is missing."""

    label: Label
    currency_code: str
    rows: tuple[Row, ...]
    source: Source

    @property
    def provenance(self) -> str:
        """Which values of which file these are, as a request may carry it."""
        return self.source.of(self.label)

    @cached_property
    def starts_utc(self) -> list[datetime]:
        """Starts of the rows."""
        return [row.start_utc for row in self.rows]

    def over(self, horizon: Horizon, mean_of_finer: bool = False) -> Series:
        """The values for a horizon: coarser ones held, finer ones as they are, if permitted."""
        found = self.between(horizon.start_utc, horizon.end_utc)
        if found.step_minutes >= horizon.step_minutes:
            return found.held_over(horizon)
        if not mean_of_finer:
            raise InvalidFileError(
                f"{self.source.file}: has a price for every {found.step_minutes} minutes, the horizon has steps of "
                f"{horizon.step_minutes}: set mean_of_finer in the request's price series to take their mean"
            )
        return found

    def between(self, start_utc: datetime, end_utc: datetime) -> Series:
        """The values that cover the time from start to end. Refuses gaps.

        Values that hold for longer than others are repeated in the shorter step, where the file tells how long.
        """
        rows, starts = self.rows, self.starts_utc
        first = bisect_right(starts, start_utc) - 1  # its interval may have begun before
        if first < 0:
            raise self._wrong(rows[0], f"is its first price, and the horizon starts at {start_utc:{MINUTE_FORMAT}}")
        last = max(first, bisect_left(starts, end_utc) - 1)
        found = rows[first : last + 1] if rows[first].minutes else self._told(first, last)
        step_minutes = min(row.minutes for row in found)
        step = step_minutes * ONE_MINUTE
        for row in found:
            if step_minutes not in STEPS_MINUTES or row.minutes % step_minutes:
                known = ", ".join(map(str, STEPS_MINUTES))
                raise self._wrong(row, f"holds for {row.minutes} minutes: a series has steps of one of {known}")
            if row.start_utc.timestamp() % step.total_seconds():
                raise self._wrong(row, f"is no multiple of the step, {step}")
        for before, row in pairwise(found):
            if row.start_utc != before.end_utc:
                away = row.start_utc - before.start_utc
                words = f"comes {away} after the price before it, others {before.minutes * ONE_MINUTE}"
                raise self._wrong(row, f"{words}: a gap, or a change of step")
        if found[-1].end_utc < end_utc:
            words = f"is its last price, for {found[-1].minutes * ONE_MINUTE}, and the horizon ends at"
            if last + 1 < len(rows):
                words = "is followed by a gap, and the horizon ends at"
            raise self._wrong(found[-1], f"{words} {end_utc:{MINUTE_FORMAT}}")
        values = tuple(row.value for row in found for _ in range(row.minutes // step_minutes))
        skipped = max(0, (start_utc - found[0].start_utc) // step)  # where a longer value began before
        whole = values[skipped : skipped + -(-(end_utc - (found[0].start_utc + skipped * step)) // step)]
        start = found[0].start_utc + skipped * step
        return Series(self.label, start, step_minutes, whole, self.currency_code, self.source)

    def slices(self, start_utc: datetime, end_utc: datetime) -> tuple[Row, ...]:
        """The rows that tile the time from start to end exactly: products of hours or of blocks."""
        first, last = bisect_left(self.starts_utc, start_utc), bisect_left(self.starts_utc, end_utc)
        found = self.rows[first:last]
        at = start_utc
        for row in found:
            if row.start_utc != at:
                break
            at = row.end_utc
        if not found or at != end_utc:
            span = f"from {start_utc:{MINUTE_FORMAT}} to {end_utc:{MINUTE_FORMAT}}"
            raise InvalidFileError(f"{self.source.file}: {self.label} has no values that make up the time {span}")
        return found

    def mean(self, start_utc: datetime, end_utc: datetime) -> float:
        """The mean over real time of the values that tile the time from start to end exactly."""
        rows = self.slices(start_utc, end_utc)
        if len(rows) == 1:
            return rows[0].value
        return sum(row.value * row.minutes for row in rows) / sum(row.minutes for row in rows)

    def _told(self, first: int, last: int) -> tuple[Row, ...]:
        """The rows with the step that their distances show; of a single row, the distance to one beside it.

        A longer step between shorter ones on both sides is a gap.
        """
        near = self.rows[first : last + 1] if last > first else self.rows[first : first + 2]
        near = near if len(near) > 1 else self.rows[-2:]
        step = min((row.start_utc - before.start_utc for before, row in pairwise(near)), default=timedelta(0))
        minutes, rest = divmod(step, ONE_MINUTE)
        if minutes not in UNTOLD_STEPS_MINUTES or rest:
            known = step or "not known from one row"
            raise InvalidFileError(
                f"{self.source.file}:{self.rows[first].number}: the step must be 15 or 60 minutes, is {known}"
            )
        before, after = self.starts_utc[max(0, first - 1) : first + 1], self.starts_utc[last + 1 : last + 3]
        if len(before) == len(after) == 2 and max(away := (before[1] - before[0], after[1] - after[0])) < step:
            words = f"the prices before and after it are {max(away)} apart, those here {step}"
            raise self._wrong(self.rows[first], f"{words}: a gap, or a change of step")
        return tuple(row._replace(minutes=minutes) for row in self.rows[first : last + 1])

    def _wrong(self, row: Row, message: str) -> InvalidFileError:
        where = f"zone {self.label.name}, " if self.label.name else ""
        return InvalidFileError(f"{self.source.file}:{row.number}: {where}{row.start_utc:{MINUTE_FORMAT}} {message}")


@dataclass(frozen=True)
class SeriesFile:
    """A whole file."""

    source: Source
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.source.file

    def of(self, quantity: Quantity) -> tuple[Column, ...]:
        """The columns of one quantity."""
        return tuple(column for column in self.columns if column.label.quantity is quantity)

    def column(self, quantity: Quantity, wanted: str = "", eics: Collection[str] = ()) -> Column:
        """The column that is wanted by name, else the one of the zone that the EICs agree on, else the only one.

        A column whose file does not say its zone is taken for whichever zone is wanted.
        """
        columns = {column.label.name: column for column in self.of(quantity)}
        if not columns:
            held = ", ".join(sorted({column.label.quantity.value for column in self.columns}))
            raise InvalidFileError(f"{self.name}: holds no {quantity.value}, but {held}")
        eic = next(iter(eics)) if len(eics) == 1 else ""
        name = wanted or (zone_name(eic) if eic else "")
        if name in columns:
            return columns[name]
        if len(columns) == 1:
            only = next(iter(columns.values()))
            # an EIC that has no name here cannot contradict the file; what is not the usual price must be named
            unopposed = not name or not only.label.area or (not wanted and name == eic)
            if unopposed and not only.label.detail:
                return only
        wish = f"no zone {name}" if name else "several zones, and the request does not tell which"
        raise InvalidFileError(f"{self.name}: holds {wish}: name one of {', '.join(columns)}")


class Points:
    """Collects the values of a file by label, in the order of the file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._rows: dict[tuple[Label, str], list[Row]] = {}

    def add(self, label: Label, currency_code: str, row: Row) -> None:
        """One value."""
        self._rows.setdefault((label, currency_code), []).append(row)

    def file(self, *, in_order: bool) -> SeriesFile:
        """The file. Refuses values that are given twice or overlap and, where the order counts, those out of it."""
        if not self._rows:
            raise InvalidFileError(f"{self.source.file}: has no prices")
        labels = [label for label, _ in self._rows]
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise InvalidFileError(f"{self.source.file}: {twice} is given in two currencies")
        return SeriesFile(self.source, tuple(self._column(label, code, in_order) for label, code in self._rows))

    def _column(self, label: Label, currency_code: str, in_order: bool) -> Column:
        rows = self._rows[label, currency_code]
        if not in_order:
            rows = sorted(rows)
        for before, row in pairwise(rows):
            if row.start_utc > before.start_utc and row.start_utc >= before.end_utc:
                continue
            self._refuse_order(label, rows, before, row)
        return Column(label, currency_code, tuple(rows), self.source)

    def _refuse_order(self, label: Label, rows: Iterable[Row], before: Row, row: Row) -> None:
        seen = {other.start_utc for other in rows if other.number != row.number}
        if row.start_utc in seen:
            words = "is given twice"
        elif row.start_utc < before.start_utc:
            words = "is out of order"
        else:
            words = f"overlaps the value of row {before.number}"
        zone = f"zone {label.name}, " if label.name else ""
        at = row.start_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
        raise InvalidFileError(f"{self.source.file}:{row.number}: {zone}{at} {words}")

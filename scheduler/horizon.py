"""The intervals of a plan (formulation 2): UTC instants, real hours, civil days of the market's zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import Violation

STEPS_MINUTES = (5, 15, 30, 60)
MAX_COUNT = 100_000
NO_PLACES = {"Factory", "localtime"}
"""What tz data may hold besides zones: "not set", and whatever this machine is set to."""


@lru_cache(1000)
def _is_zone(name: str) -> bool:
    """Whether a name is one of IANA: not that of a file of this machine, such as localtime."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name in _zones()


@cache
def _zones() -> set[str]:
    return available_timezones() - NO_PLACES


@dataclass(frozen=True)
class Horizon:
    """``count`` intervals of ``step_minutes`` from ``start_utc``.

    State sits on the count + 1 boundaries, flows on the intervals.
    """

    start_utc: datetime
    step_minutes: int
    count: int
    time_zone: str

    @property
    def step_hours(self) -> float:
        """Real hours of one interval."""
        return self.step_minutes / 60

    @property
    def step_seconds(self) -> float:
        """Seconds of one interval."""
        return self.step_minutes * 60.0

    @property
    def end_utc(self) -> datetime:
        """End of the last interval."""
        return self.boundary_utc(self.count)

    def boundary_utc(self, index: int) -> datetime:
        """Start of interval ``index``; of ``count``, the end of the horizon."""
        return self.start_utc + timedelta(minutes=self.step_minutes * index)

    def index_of(self, instant: datetime) -> int | None:
        """Number of whole steps from the start to ``instant`` (may lie outside the horizon), or None off the grid."""
        steps, rest = divmod(instant - self.start_utc, timedelta(minutes=self.step_minutes))
        return None if rest else steps

    @cached_property
    def civil_day(self) -> NDArray[np.int64]:
        """[count] index of the civil day in which each interval starts; 0 is the day of the first interval."""
        zone = ZoneInfo(self.time_zone)
        dates = [self.boundary_utc(t).astimezone(zone).date() for t in range(self.count)]
        return np.array([(date - dates[0]).days for date in dates], dtype=np.int64)

    @property
    def civil_span(self) -> tuple[date, date]:
        """The first and the last civil day in which an interval starts."""
        zone = ZoneInfo(self.time_zone)
        first, last = (self.boundary_utc(t).astimezone(zone).date() for t in (0, self.count - 1))
        return first, last

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        if self.step_minutes not in STEPS_MINUTES:
            yield Violation(f"{path}.step_minutes", "range", f"must be one of {STEPS_MINUTES}, is {self.step_minutes}")
        elif self.start_utc.tzinfo is None or (self.start_utc - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(
            minutes=self.step_minutes
        ):
            yield Violation(f"{path}.start", "grid", f"must be a multiple of {self.step_minutes} minutes in UTC")
        if not 1 <= self.count <= MAX_COUNT:
            yield Violation(f"{path}.count", "range", f"must be 1 to {MAX_COUNT}, is {self.count}")
        if not _is_zone(self.time_zone):
            yield Violation(
                f"{path}.time_zone", "zone", f"is not an IANA time zone such as Europe/Berlin: {self.time_zone!r}"
            )

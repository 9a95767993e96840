"""Names of delivery periods and blocks as the desks of a market write them: local days, quarters, hours (facts A4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.errors import SchedulerError
from scheduler.horizon import Horizon

MARKET_ZONE = "Europe/Berlin"
"""CET/CEST: the clock of regelleistung.net and of Nord Pool's templates, wherever sites are (facts A1, A3, A4)."""


def on_market_clock(horizon: Horizon) -> Horizon:
    """The same intervals, with the days and hours of those markets."""
    return replace(horizon, time_zone=MARKET_ZONE)


def intervals_of_day(horizon: Horizon, day: date | None) -> range:
    """The intervals of a civil day of the horizon's zone; None: of its only day.

    Raises SchedulerError where the horizon has several days and none is named, or none of that name.
    """
    zone = ZoneInfo(horizon.time_zone)
    dates = [horizon.boundary_utc(t).astimezone(zone).date() for t in range(horizon.count)]
    if day is None:
        if dates[0] != dates[-1]:
            raise SchedulerError(f"the plan runs from {dates[0]} to {dates[-1]}: name the day of delivery")
        day = dates[0]
    if day not in dates:
        raise SchedulerError(f"the plan runs from {dates[0]} to {dates[-1]}, which {day} is not in")
    first = dates.index(day)
    return range(first, first + dates.count(day))


def day_of(horizon: Horizon, t: int) -> date:
    """The civil day in which an interval starts."""
    return horizon.boundary_utc(t).astimezone(ZoneInfo(horizon.time_zone)).date()


def period_name(horizon: Horizon, t: int) -> str:
    """An interval by its local clock, 02:00-02:15; with A or B where the clock shows it twice (facts A4, for hours)."""
    zone = ZoneInfo(horizon.time_zone)
    start, end = (horizon.boundary_utc(i).astimezone(zone) for i in (t, t + 1))
    return f"{start:%H:%M}{_twice(start)}-{end:%H:%M}"


def _twice(local: datetime) -> str:
    """A or B in the hour that the clock shows twice."""
    first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    if first == second or first is None or second is None or first < second:
        return ""  # first < second: a gap, which no instant falls into
    return "AB"[local.fold]


def number_in_day(horizon: Horizon, t: int) -> int:
    """Which of the periods of its civil day an interval is, from 1 in real time: up to 92, 96 or 100 quarters."""
    zone = ZoneInfo(horizon.time_zone)
    start = horizon.boundary_utc(t)
    midnight = datetime.combine(start.astimezone(zone).date(), time(), zone).astimezone(UTC)
    return (start - midnight) // timedelta(minutes=horizon.step_minutes) + 1


def block_hours(horizon: Horizon, start_utc: datetime, end_utc: datetime) -> tuple[date, str]:
    """The day of a reserve block and its local hours, such as 00_04 or 20_24.

    Raises SchedulerError for a block that does not run from one full hour of a day to another.
    """
    zone = ZoneInfo(horizon.time_zone)
    start, end = start_utc.astimezone(zone), end_utc.astimezone(zone)
    to_midnight = end.date() == start.date() + timedelta(days=1) and end.time() == time()
    if start.minute or end.minute or not (to_midnight or end.date() == start.date()):
        words = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
        raise SchedulerError(f"a block runs from one full hour of a day to another, not from {words} local time")
    return start.date(), f"{start:%H}_{'24' if to_midnight else f'{end:%H}'}"

"""Local times of files to UTC: both clock changes, or an error that says what is not known.

In autumn an hour comes twice. Where a file marks which is which, the mark counts; else both must be there, in order:
a single one of them could be either, and neither is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduler.errors import InvalidFileError
from scheduler.formats.series import ONE_MINUTE
from scheduler.horizon import STEPS_MINUTES


class Stamp(NamedTuple):
    """A local time, without zone, in a row.

    fold: 0 or 1 where the file marks the first or the second of two. mark: the short name of the clock, such as CEST.
    """

    number: int
    local: datetime
    fold: int | None = None
    mark: str | None = None


Wrong = Callable[[int, str], InvalidFileError]


def instants(stamps: Sequence[Stamp], zone_name: str, wrong: Wrong) -> list[datetime]:
    """The instant of each stamp of one series, in the order of the file. ``wrong`` makes the error of a row."""
    zone = ZoneInfo(zone_name)
    times = Counter(stamp.local for stamp in stamps if stamp.fold is None and stamp.mark is None)
    seen: Counter[datetime] = Counter()
    found = []
    for stamp in stamps:
        number, local, fold, mark = stamp
        early, late = (local.replace(tzinfo=zone, fold=f).astimezone(UTC) for f in (0, 1))
        if mark is not None:
            marks = [local.replace(tzinfo=zone, fold=f).tzname() for f in (0, 1)]
            if mark not in marks:
                raise wrong(number, f"{local:%Y-%m-%d %H:%M} is no time of {mark} in {zone_name}")
            fold = marks.index(mark)
        if early == late:
            found.append(early)
            continue
        if early > late:
            raise wrong(number, f"there is no {local:%Y-%m-%d %H:%M} in {zone_name}: the clock skips it")
        if fold is None:
            if times[local] != 2:
                message = f"{local:%Y-%m-%d %H:%M} comes twice in {zone_name} and {times[local]} times in the file"
                raise wrong(number, f"{message}: which one is meant is not known")
            fold = seen[local]
            seen[local] += 1
        found.append(late if fold else early)
    return found


def minutes_until(start_utc: datetime, start: datetime, end: datetime, zone_name: str) -> int | None:
    """Length of the interval between two local times, by the clock or by the zone; None where it is no step of ours.

    Over a clock change some files write the end by the clock of the start, others by the new one.
    """
    zone = ZoneInfo(zone_name)
    spans = {end - start} | {end.replace(tzinfo=zone, fold=fold).astimezone(UTC) - start_utc for fold in (0, 1)}
    steps = [span // ONE_MINUTE for span in spans if span // ONE_MINUTE in STEPS_MINUTES and not span % ONE_MINUTE]
    return steps[0] if len(steps) == 1 else None


def hour_utc(day: date, hour: int, zone_name: str) -> datetime:
    """The instant at which an hour of a civil day begins; 24 is the next midnight. The hour must exist once."""
    local = datetime(day.year, day.month, day.day) + timedelta(hours=hour)
    return local.replace(tzinfo=ZoneInfo(zone_name)).astimezone(UTC)

"""Local times: both clock changes, marks, and what cannot be known."""

from datetime import datetime, timedelta

import pytest
from samples import local_steps, utc

from scheduler.errors import InvalidFileError
from scheduler.formats.local_time import Stamp, hour_utc, instants, minutes_until


def wrong(number: int, message: str) -> InvalidFileError:
    return InvalidFileError(f"{number}: {message}")


def stamps(*texts: str) -> list[Stamp]:
    return [Stamp(number, datetime.fromisoformat(text)) for number, text in enumerate(texts, 1)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/Chicago", "UTC"])
@pytest.mark.parametrize("day", ["2026-03-08", "2026-03-29", "2026-06-14", "2026-10-25", "2026-11-01"])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_every_step_of_a_day_is_found(day, minutes, zone):
    spans = local_steps(day, minutes, zone)
    begins = [Stamp(number, begin.replace(tzinfo=None, fold=0)) for number, (begin, _) in enumerate(spans)]
    found = instants(begins, zone, wrong)
    assert found == [begin.astimezone(found[0].tzinfo) for begin, _ in spans]
    marked = [stamp._replace(mark=begin.tzname()) for stamp, (begin, _) in zip(begins, spans, strict=True)]
    assert instants(marked, zone, wrong) == found
    folded = [stamp._replace(fold=begin.fold) for stamp, (begin, _) in zip(begins, spans, strict=True)]
    assert instants(folded, zone, wrong) == found
    for at, (begin, end) in zip(found, spans, strict=True):
        naive = begin.replace(tzinfo=None)
        assert minutes_until(at, naive, end.replace(tzinfo=None), zone) == minutes, "by the new clock"
        assert minutes_until(at, naive, naive + timedelta(minutes=minutes), zone) in (minutes, None), "by the old one"


def test_the_end_by_the_clock_of_the_start_in_autumn():
    local = datetime(2023, 10, 29, 2, 45)
    assert minutes_until(utc("2023-10-29T00:45Z"), local, datetime(2023, 10, 29, 3), "Europe/Brussels") == 15
    assert minutes_until(utc("2023-10-29T00:45Z"), local, datetime(2023, 10, 29, 2), "Europe/Brussels") == 15
    assert minutes_until(utc("2023-10-29T00:45Z"), local, datetime(2023, 10, 29, 5), "Europe/Brussels") is None


def test_an_hour_that_is_skipped():
    with pytest.raises(InvalidFileError, match="1: there is no 2026-03-29 02:30 in Europe/Berlin: the clock skips it"):
        instants(stamps("2026-03-29T02:30"), "Europe/Berlin", wrong)


@pytest.mark.parametrize(("texts", "times"), [(["02:00"], 1), (["02:00", "02:00", "02:00"], 3)])
def test_what_comes_twice_must_be_there_twice(texts, times):
    given = stamps(*(f"2026-10-25T{text}" for text in texts))
    with pytest.raises(InvalidFileError, match=f"comes twice in Europe/Berlin and {times} times in the file"):
        instants(given, "Europe/Berlin", wrong)


def test_a_mark_must_be_true():
    given = [Stamp(1, datetime(2026, 6, 14, 12), mark="CET")]
    with pytest.raises(InvalidFileError, match="2026-06-14 12:00 is no time of CET in Europe/Berlin"):
        instants(given, "Europe/Berlin", wrong)


def test_hours_of_a_day():
    assert hour_utc(datetime(2026, 10, 25).date(), 0, "Europe/Berlin") == utc("2026-10-24T22:00Z")
    assert hour_utc(datetime(2026, 10, 25).date(), 4, "Europe/Berlin") == utc("2026-10-25T03:00Z")
    assert hour_utc(datetime(2026, 10, 25).date(), 24, "Europe/Berlin") == utc("2026-10-25T23:00Z")

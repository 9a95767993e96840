"""Series: held, averaged, or refused with the place that does not fit."""

import math
from datetime import timedelta

import numpy as np
import pytest
from builders import START, series

from scheduler.horizon import Horizon
from scheduler.wire.reader import Reader
from scheduler.wire.series import series_from_pb, series_to_pb


def read_series(pb, step_minutes=15, count=8):
    read = Reader(horizon=Horizon(START, step_minutes, count, "UTC"))
    return series_from_pb(read, pb, "s"), [(v.field, v.rule) for v in read.violations]


@pytest.mark.parametrize(
    ("pb", "wanted"),
    [
        (series(range(8)), [0, 1, 2, 3, 4, 5, 6, 7]),
        (series([1, 2], 60), [1, 1, 1, 1, 2, 2, 2, 2]),
        (series([1, 2, 3], 60, hours=-0.5), [1, 1, 2, 2, 2, 2, 3, 3]),
        (series([1, 2, 3], 45), [1, 1, 1, 2, 2, 2, 3, 3]),
        (series([5], 1440, hours=-7), [5] * 8),
        (series([5], 2**31 - 8), [5] * 8),
        (series([5, 6], 10_512_000, hours=1 - 10_512_000 / 60), [5] * 4 + [6] * 4),
        (series([0, 3, 6] * 8, 5, mean_of_finer=True), [3] * 8),
        (series([0.25, 0.5, 0.75] * 8, 5, mean_of_finer=True), [0.5] * 8),
        (series(range(8), mean_of_finer=True), [0, 1, 2, 3, 4, 5, 6, 7]),
        (series(range(120), 1, mean_of_finer=True), [7 + 15 * t for t in range(8)]),
    ],
)
def test_values_in_the_intervals_of_the_horizon(pb, wanted):
    values, violations = read_series(pb)
    assert violations == []
    assert values.tolist() == wanted
    assert not values.flags.writeable


@pytest.mark.parametrize(
    ("pb", "wanted"),
    [
        (series(range(7)), ("s.values", "length")),
        (series(range(9)), ("s.values", "length")),
        (series([1], 60), ("s.values", "length")),
        (series([1, 2, 3], 60), ("s.values", "length")),
        (series([1, 2], 60, hours=-0.5), ("s.values", "length")),
        (series([]), ("s.values", "length")),
        (series(range(8), hours=0.25), ("s.start", "coverage")),
        (series(range(9), hours=-0.25), ("s.start", "coverage")),
        (series([1, 2, 3], 60, hours=-1), ("s.start", "coverage")),
        (series([1, 2], 60, hours=1), ("s.start", "coverage")),
        (series([1, 2, 3], 60, hours=-0.1), ("s.start", "grid")),
        (series([1, 2, 3, 4, 5], 25), ("s.step_minutes", "step")),
        (series([1] * 24, 5), ("s.step_minutes", "step")),
        (series([1] * 30, 4, mean_of_finer=True), ("s.step_minutes", "step")),
        (series([1] * 23, 5, mean_of_finer=True), ("s.values", "length")),
        (series([1] * 25, 5, mean_of_finer=True), ("s.values", "length")),
        (series([1] * 24, 5, hours=1 / 12, mean_of_finer=True), ("s.start", "coverage")),
        (series([1] * 25, 5, hours=-1 / 12, mean_of_finer=True), ("s.start", "coverage")),
        (series(range(8), 0), ("s.step_minutes", "required")),
        (series(range(8), -15), ("s.step_minutes", "required")),
        (series([0, 1, math.nan, 3, 4, 5, 6, 7]), ("s.values[2]", "finite")),
        (series([0, 1, -1.1e12, 3, 4, 5, 6, 7]), ("s.values[2]", "range")),
        (series(range(8), source="x" * 201), ("s.source", "length")),
        (series(range(8), source="\x1b[2J"), ("s.source", "text")),
    ],
)
def test_series_that_does_not_fit_is_refused(pb, wanted):
    values, violations = read_series(pb)
    assert violations == [wanted]
    assert values.shape == (8,)


def test_without_a_horizon_what_can_be_said_is_said():
    read = Reader()
    series_from_pb(read, series([math.inf], 0), "s")
    assert [(v.field, v.rule) for v in read.violations] == [
        ("s.step_minutes", "required"),
        ("s.values[0]", "finite"),
    ]


def test_index_of_a_violation_is_that_of_the_wire():
    from scheduler.problem import nonnegative

    for pb, wanted in [
        (series([1, -2, 3], 60, hours=-0.5), ["s.values[1]"]),
        (series([0, -1, -2] * 8, 5, mean_of_finer=True), [f"s.values[{3 * t}]" for t in range(8)]),
        (series([1, 1, 1, 1, 1, -1, 1, 1]), ["s.values[5]"]),
    ]:
        read = Reader(horizon=Horizon(START, 15, 8, "UTC"))
        values = series_from_pb(read, pb, "s")
        assert [v.field for v in read.all_violations(nonnegative("s", values))] == wanted


@pytest.mark.parametrize("step_minutes", [5, 15, 30, 60])
def test_round_trip(step_minutes):
    rng = np.random.default_rng(step_minutes)
    horizon = Horizon(START + timedelta(days=3), step_minutes, 37, "UTC")
    values = rng.normal(size=37)
    read = Reader(horizon=horizon)
    assert np.array_equal(series_from_pb(read, series_to_pb(values, horizon), "s"), values)
    assert not read.violations

"""Series are brought to the horizon's step, exactly, or refused: nothing is filled in or cut off."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message

from scheduler.horizon import STEPS_MINUTES, Horizon
from scheduler.problem import Floats
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader, frozen, stamp

T = TypeVar("T")


def required_series(read: Reader, pb: Message, name: str, path: str) -> Floats:
    """[T] the series of a field that must be given."""
    if pb.HasField(name):
        return series_from_pb(read, getattr(pb, name), f"{path}.{name}")
    read.refuse(f"{path}.{name}", "required", "give a series that covers the horizon")
    return read.constant(0.0)


def series_or(read: Reader, pb: Message, name: str, path: str, absent: T) -> Floats | T:
    """[T] the series of a field, or ``absent``."""
    return series_from_pb(read, getattr(pb, name), f"{path}.{name}") if pb.HasField(name) else absent


def series_from_pb(read: Reader, pb: v1.Series, path: str) -> Floats:
    """[T] its values in the horizon's intervals; zeros after it was refused."""
    start = read.instant(pb, "start", path)
    read.text(pb, "source", path)
    if pb.step_minutes <= 0:
        read.refuse(f"{path}.step_minutes", "required", f"state the length of one value, is {pb.step_minutes}")
    values = read.finite_values(pb.values, f"{path}.values")
    if not len(values):
        read.refuse(f"{path}.values", "length", "has no values")
    horizon = read.horizon
    if start is None or pb.step_minutes <= 0 or not len(values) or horizon is None:
        return read.constant(0.0)
    if not read.spend(horizon.count, path):
        return read.constant(0.0)
    if pb.step_minutes >= horizon.step_minutes:
        return _held(read, pb, path, start, values)
    return _mean(read, pb, path, start, values)


def _held(read: Reader, pb: v1.Series, path: str, start: datetime, values: Floats) -> Floats:
    """[T] each value over the intervals that it covers."""
    horizon = read.known_horizon
    per_value, rest = divmod(pb.step_minutes, horizon.step_minutes)
    if rest:
        message = f"must be a multiple of the horizon's {horizon.step_minutes} minutes, is {pb.step_minutes}"
        read.refuse(f"{path}.step_minutes", "step", message)
        return read.constant(0.0)
    first = horizon.index_of(start)
    if first is None:
        message = f"is off the horizon's grid of {horizon.step_minutes} minutes: an interval would have two values"
        read.refuse(f"{path}.start", "grid", message)
    elif not -per_value < first <= 0:
        message = "lies after the start of the horizon" if first > 0 else "the first value ends before the horizon"
        read.refuse(f"{path}.start", "coverage", message)
    else:
        wanted = -(-(horizon.count - first) // per_value)
        if _has_length(read, path, len(values), wanted, pb.step_minutes):
            if per_value == 1:
                return frozen(values)
            read.rescaled[path] = (-first, per_value, 1)
            return frozen(values[(np.arange(horizon.count) - first) // per_value])
    return read.constant(0.0)


def _mean(read: Reader, pb: v1.Series, path: str, start: datetime, values: Floats) -> Floats:
    """[T] the mean of the values in each interval."""
    horizon = read.known_horizon
    per_interval, rest = divmod(horizon.step_minutes, pb.step_minutes)
    if not pb.mean_of_finer or rest:
        message = f"is finer than the horizon's {horizon.step_minutes} minutes" + (
            " and does not divide them" if rest else ": set mean_of_finer to take the mean of each interval"
        )
        read.refuse(f"{path}.step_minutes", "step", message)
    elif start != horizon.start_utc:
        message = "must be the start of the horizon, so that the values cover whole intervals"
        read.refuse(f"{path}.start", "coverage", message)
    elif _has_length(read, path, len(values), horizon.count * per_interval, pb.step_minutes):
        read.rescaled[path] = (0, 1, per_interval)
        return frozen(values.reshape(horizon.count, per_interval).mean(axis=1))
    return read.constant(0.0)


def _has_length(read: Reader, path: str, count: int, wanted: int, step_minutes: int) -> bool:
    if count == wanted:
        return True
    what = "too few" if count < wanted else "too many"
    message = f"has {count} values of {step_minutes} minutes, {what}: {wanted} cover the horizon exactly"
    read.refuse(f"{path}.values", "length", message, abs(count - wanted))
    return False


def series_to_pb(values: Floats, horizon: Horizon) -> v1.Series:
    """A series with one value per interval."""
    assert horizon.step_minutes in STEPS_MINUTES
    pb = v1.Series(start=stamp(horizon.start_utc), step_minutes=horizon.step_minutes)
    pb.values.extend(values.tolist())
    return pb

"""The shape of a plan: as many values as intervals, and the ids of the request in its order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scheduler.problem import Counts, Floats
from scheduler.wire.reader import Reader, frozen


def floats_of_plan(read: Reader, values: Sequence[float], path: str) -> Floats:
    """[T] finite numbers; zeros after they were refused."""
    array = read.finite_values(values, path)
    return frozen(array) if _has_length(read, len(array), path) else read.constant(0.0)


def counts_of_plan(read: Reader, values: Sequence[int], path: str) -> Counts:
    """[T] whole numbers; zeros after they were refused."""
    if _has_length(read, len(values), path):
        return frozen(np.array(values, dtype=np.int64))
    return read.no_counts


def _has_length(read: Reader, count: int, path: str) -> bool:
    wanted = read.known_horizon.count
    if count != wanted:
        refuse_length(read, path, count, wanted)
    return count == wanted


def refuse_length(read: Reader, path: str, count: int, wanted: int) -> None:
    """Refuses values that are not one per interval."""
    read.refuse(path, "length", f"has {count} values, the horizon has {wanted} intervals", abs(count - wanted))


def same_ids(read: Reader, ids: Sequence[str], wanted: Sequence[str], path: str, name: str) -> bool:
    """Whether a list of the plan names exactly what the request names, in its order."""
    if len(ids) != len(wanted):
        read.refuse(path, "length", f"has {len(ids)} entries, the request has {len(wanted)}")
    else:
        for i, (mine, theirs) in enumerate(zip(ids, wanted, strict=True)):
            if mine != theirs:
                message = f"must be {theirs!a}, as in the request, is {mine[:200]!a}"
                read.refuse(f"{path}[{i}].{name}", "order", message)
    return list(ids) == list(wanted)

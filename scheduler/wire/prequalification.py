"""What an asset is prequalified for, to and from the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler.assets.machine import Prequalification
from scheduler.problem import Direction
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Numbers, Reader

DIRECTIONS = Numbers(v1.Direction, Direction)
MAX_PREQUALIFIED_COUNT = 1_000


def prequalified_from_pb(
    read: Reader, entries: Sequence[v1.Prequalification], path: str
) -> tuple[Prequalification, ...]:
    """The caps of the asset at a path."""
    return read.each(entries, f"{path}.prequalified", _one, MAX_PREQUALIFIED_COUNT)


def _one(read: Reader, pb: v1.Prequalification, path: str) -> Prequalification:
    return Prequalification(
        market_id=read.text(pb, "market_id", path),
        direction=read.choice(pb, "direction", path, DIRECTIONS) or Direction.SYMMETRIC,
        max_mw=read.required_number(pb, "max_mw", path),
    )


def prequalified_to_pb(entries: Iterable[Prequalification]) -> list[v1.Prequalification]:
    """The inverse of `prequalified_from_pb`."""
    return [
        v1.Prequalification(
            market_id=entry.market_id, direction=DIRECTIONS.number[entry.direction], max_mw=entry.max_mw
        )
        for entry in entries
    ]

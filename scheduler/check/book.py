"""The checker's own sum of the money, by stream (formulation 7; decision 1, money)."""

from __future__ import annotations

from scheduler.plan import CashKind, CashStream, Stream
from scheduler.problem import Floats

_KINDS = list(CashKind)


def order(stream: Stream) -> tuple[int, str, str, str, str]:
    """Sorting key of a stream: kind in the order of formulation 7, then ids."""
    direction = stream.direction.value if stream.direction else ""
    return (_KINDS.index(stream.kind), stream.market_id, stream.site_id, stream.asset_id, direction)


class Book:
    """Money by stream and interval, positive when received."""

    def __init__(self) -> None:
        self._amounts: dict[Stream, Floats] = {}

    def earn(self, stream: Stream, amount: Floats) -> None:
        """Adds money to a stream."""
        self._amounts[stream] = self._amounts.get(stream, 0.0) + amount

    def cash(self) -> tuple[CashStream, ...]:
        """The streams that are not zero throughout, sorted."""
        streams = sorted((stream for stream, amount in self._amounts.items() if amount.any()), key=order)
        return tuple(CashStream(stream, self._amounts[stream]) for stream in streams)

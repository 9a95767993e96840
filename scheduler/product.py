"""The rules of a reserve product (formulation 5; facts B): what markets sell and assets must be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from scheduler.errors import Violation
from scheduler.problem import Direction, nonnegative


class Response(Enum):
    """Signal: follows both ways, all the time. Called: activated rarely, for a while."""

    SIGNAL = "signal"
    CALLED = "called"


class Pricing(Enum):
    """What an accepted bid is paid: its own price, or the block's."""

    AS_BID = "as_bid"
    AS_CLEARED = "as_cleared"


@dataclass(frozen=True)
class Product:
    """The rules of a reserve product."""

    direction: Direction
    full_activation_seconds: float
    hold_minutes: float
    response: Response
    smallest_bid_kw: int
    step_kw: int
    pricing: Pricing
    shortest_call_minutes: float = 0.0  # called products
    rest_minutes: float | None = None  # called products; None: no rest is promised, and none is needed
    max_step_mw: float = 0.1  # signal products: largest nameplate step of a machine
    rotation_factor: float | None = None  # signal products
    energy_market_id: str = ""

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        for name in ("full_activation_seconds", "smallest_bid_kw", "step_kw", "max_step_mw"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                yield Violation(f"{path}.{name}", "range", f"must be finite and above 0, is {value}")
        for name in ("hold_minutes", "shortest_call_minutes", "rest_minutes"):
            value = getattr(self, name)
            if value is not None:
                yield from nonnegative(f"{path}.{name}", value)
        if self.rotation_factor is not None and not 1 < self.rotation_factor < float("inf"):
            yield Violation(
                f"{path}.rotation_factor", "range", f"must be finite and above 1, is {self.rotation_factor}"
            )

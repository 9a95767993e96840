"""How a problem is solved, with the defaults of formulation 1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from scheduler.errors import Violation


class Strategy(Enum):
    """Fast is what users get. Plain hands the model as formulated to the solver: the oracle and the yardstick."""

    FAST = "fast"
    PLAIN = "plain"


@dataclass(frozen=True)
class SolveOptions:
    """A plan is proven when bound - objective <= max(abs_gap, rel_gap * |objective|)."""

    rel_gap: float = 1e-4
    abs_gap: float = 0.01
    time_limit_seconds: float = 300.0
    seed: int = 0
    strategy: Strategy = Strategy.FAST
    counterfactuals: bool = True
    explain: bool = False  # the worth of each stream of money, and marginal values

    def violations(self, path: str = "options") -> Iterator[Violation]:
        """Everything that is wrong with them."""
        for name in ("rel_gap", "abs_gap"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                yield Violation(f"{path}.{name}", "range", f"must be a finite number of at least 0, is {value}")
        if not (math.isfinite(self.time_limit_seconds) and self.time_limit_seconds > 0):
            yield Violation(
                f"{path}.time_limit_seconds", "range", f"must be finite and above 0, is {self.time_limit_seconds}"
            )
        if not 0 <= self.seed < 2**31:
            yield Violation(f"{path}.seed", "range", f"must be 0 to {2**31 - 1}, is {self.seed}")

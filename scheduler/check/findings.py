"""What the checker finds, and how exact it asks figures to be: the one place of its tolerances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import Violation
from scheduler.problem import Counts, Floats

ABS_MW = 1e-6  # and TH/s
REL = 1e-9  # of a limit, on top of the absolute part; also what two times in seconds may differ by
ABS_STARTS = 1e-5  # expected starts are not whole
ABS_MONEY = 0.01  # formulation, signs: the streams add up to the objective within 0.01
ABS_MONEY_INTERVAL = 1e-4
REL_MONEY_INTERVAL = 1e-6
MOST_PER_RULE_COUNT = 3  # of one rule at one object; the rest is of the same kind

Flags = NDArray[np.bool_]


def above(values: Floats, limits: Floats) -> Flags:
    """Where values lie above limits by more than rounding. An infinite limit is none."""
    return np.asarray(np.isfinite(limits) & (values > limits + ABS_MW + REL * np.abs(limits)))


def differ(values: Floats, wanted: Floats) -> Flags:
    """Where values differ from what they must be by more than rounding."""
    return np.asarray(np.abs(values - wanted) > ABS_MW + REL * np.abs(wanted))


def at_most(seconds: float, limit_seconds: float) -> bool:
    """Whether a time is within a limit; equal is within (decision 1)."""
    return seconds <= limit_seconds * (1 + REL) + REL


class Findings:
    """Violations in the order in which they were found, the first few of each rule at each object."""

    def __init__(self) -> None:
        self._found: list[Violation] = []
        self._count: dict[tuple[str, str], int] = {}

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All that was kept."""
        return tuple(self._found)

    def copy(self) -> Findings:
        """The same, to go on from."""
        other = Findings()
        other._found, other._count = self._found.copy(), self._count.copy()
        return other

    def add(self, field: str, rule: str, message: str, amount: float = 0.0, of: str = "") -> None:
        """One violation; ``of`` is the object that it counts for, else the field."""
        key = (rule, of or field)
        self._count[key] = self._count.get(key, 0) + 1
        if self._count[key] <= MOST_PER_RULE_COUNT:
            self._found.append(Violation(field, rule, message, float(amount)))

    def each(
        self,
        mask: Flags,
        field: str,
        rule: str,
        message: Callable[[int], str],
        amount: Floats | Counts | None = None,
    ) -> None:
        """One violation per interval in which ``mask`` holds; ``field`` is a series."""
        for t in np.flatnonzero(mask)[:MOST_PER_RULE_COUNT]:
            self.add(f"{field}[{t}]", rule, message(int(t)), 0.0 if amount is None else amount[t], of=field)

    def limit(self, values: Floats, limits: Floats | float, field: str, rule: str, what: str, unit: str = "MW") -> None:
        """Power, or another quantity, that lies above its limit."""
        limits = np.broadcast_to(np.asarray(limits, dtype=np.float64), values.shape)
        self.each(
            above(values, limits),
            field,
            rule,
            lambda t: f"interval {t}: {what} {values[t]:.9g} {unit}, at most {limits[t]:.9g} {unit} is allowed",
            values - limits,
        )

    def equal(self, values: Floats, wanted: Floats, field: str, rule: str, what: str) -> None:
        """Figures that differ from what they must be; ``what`` ends in the unit."""
        self.each(
            differ(values, wanted),
            field,
            rule,
            lambda t: f"interval {t}: {values[t]:.9g}, must be {wanted[t]:.9g}: {what}",
            np.abs(values - wanted),
        )

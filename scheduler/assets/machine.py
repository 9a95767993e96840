"""What one machine of a group can do, where machines are when the horizon starts, and what is prequalified
(formulation 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from scheduler.errors import Violation
from scheduler.problem import Direction, Problem, nonnegative


class ModeKind(Enum):
    """What a machine in a mode does; off and standby are resting."""

    OFF = "off"
    STANDBY = "standby"
    MINING = "mining"


@dataclass(frozen=True)
class Mode:
    """One way in which a machine can run."""

    id: str
    kind: ModeKind
    power_w: float  # of one machine at the meter, overhead included
    hashrate_ths: float = 0.0
    dwell_minutes: float = 0.0  # once in the mode, a machine stays that long before any move out

    @property
    def resting(self) -> bool:
        """Off or standby."""
        return self.kind is not ModeKind.MINING

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.power_w", self.power_w)
        yield from nonnegative(f"{path}.hashrate_ths", self.hashrate_ths)
        yield from nonnegative(f"{path}.dwell_minutes", self.dwell_minutes)
        if self.resting and self.hashrate_ths:
            yield Violation(f"{path}.hashrate_ths", "range", "a resting mode hashes nothing: must be 0")


@dataclass(frozen=True)
class Move:
    """A permitted move: the machine counts in the target from its start, and hashes nothing for ``seconds``."""

    from_mode_id: str
    to_mode_id: str
    seconds: float = 0.0
    power_w: float | None = None  # on the way; None: the target mode's
    wear_cost: float = 0.0

    def violations(self, path: str) -> Iterator[Violation]:
        """What is wrong with its figures."""
        yield from nonnegative(f"{path}.seconds", self.seconds)
        yield from nonnegative(f"{path}.wear_cost", self.wear_cost)
        if self.power_w is not None:
            yield from nonnegative(f"{path}.power_w", self.power_w)


@dataclass(frozen=True)
class Cohort:
    """Machines that share a state when the horizon starts."""

    mode_id: str
    count: int
    minutes_since_move: float = 0.0
    seconds_until_settled: float = 0.0

    def violations(self, path: str) -> Iterator[Violation]:
        """What is wrong with its figures."""
        if self.count < 1:
            yield Violation(f"{path}.count", "range", f"must be at least 1, is {self.count}")
        yield from nonnegative(f"{path}.minutes_since_move", self.minutes_since_move)
        yield from nonnegative(f"{path}.seconds_until_settled", self.seconds_until_settled)


@dataclass(frozen=True)
class Prequalification:
    """Most delivered MW that an asset may hold for a market in a direction (symmetric: in each of both)."""

    market_id: str
    direction: Direction
    max_mw: float


def prequalified_mw(entries: Iterable[Prequalification], market_id: str, direction: Direction) -> float:
    """Cap on delivered MW for a market in one direction; inf: none."""
    caps = [entry.max_mw for entry in entries if entry.market_id == market_id and direction in entry.direction.parts]
    return min(caps, default=float("inf"))


def prequalified_violations(path: str, entries: Iterable[Prequalification], problem: Problem) -> Iterator[Violation]:
    """Everything that is wrong with the caps of an asset."""
    markets = {market.id for market in problem.markets if market.kind == "reserve"}
    for p, entry in enumerate(entries):
        yield from nonnegative(f"{path}.prequalified[{p}].max_mw", entry.max_mw)
        if entry.market_id not in markets:
            message = f"there is no reserve market {entry.market_id!r}"
            yield Violation(f"{path}.prequalified[{p}].market_id", "reference", message)

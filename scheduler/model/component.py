"""The contract of a component: declare its variables, constrain them, price them, then extract its part of the plan.

All components declare before any constrains, so their order never matters. They meet only in the ledger.

What is declared and constrained is that of `physics`: the component without what changes from day to day. So it cannot
depend on it, and is kept from one day to the next; `price` writes down the day (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import Violation
from scheduler.plan import AssetPlan, Backing, MarketPlan
from scheduler.problem import Counts, Direction, Floats
from scheduler.product import Product

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Values
    from scheduler.problem import Problem, Site, Stage


class Obligation(IntEnum):
    """What may go missing, in the order in which it counts: least of the first, then least of the next, then money.

    Formulation 1: no price can buy an obligation.
    """

    FIRM_LOAD = 0  # MWh that are not served
    AWARD = 1  # MW hours that are not held


@dataclass(frozen=True, eq=False)
class Tranche:
    """MW of a market that share one chance of acceptance.

    All with chance 1 go under the key ("", ""), each other bid under its own.
    """

    key: tuple[str, str]  # block and bid
    chance: float
    active: NDArray[np.bool_]  # [T]

    @property
    def in_full(self) -> bool:
        """Whether it is that of all with chance 1, awards among them."""
        return self.key == ("", "")


@dataclass(frozen=True, eq=False)
class Demand:
    """What a reserve market asks of the sites in one direction, with what is expected of its calls."""

    market_id: str
    product: Product
    direction: Direction  # up or down
    site_ids: frozenset[str]
    tranches: tuple[Tranche, ...]
    expected_frac: Floats  # [T]
    calls_per_hour: Floats  # [T]

    @property
    def active(self) -> NDArray[np.bool_]:
        """[T] intervals in which anything can be held."""
        active: NDArray[np.bool_] = np.logical_or.reduce([tranche.active for tranche in self.tranches])
        return active


@dataclass(frozen=True, eq=False)
class LoneHold:
    """What a single machine may back from a mode, the MW that it holds then, and when it may first: [intervals] barred
    after each move into the mode, and at the start."""

    mode: int
    direction: str
    back: NDArray[Any]  # [T] variables
    held_mw: NDArray[Any]  # [tranches, T] variables
    counted_mw: float
    barred: tuple[int, ...]  # by move
    barred_at_start: int


@dataclass(frozen=True, eq=False)
class LoneEntry:
    """A move: after it the machine stays for its lock."""

    mode: int
    target: int
    variables: NDArray[Any]  # [T]
    lock: int


class LoneMachine(Protocol):
    """A single machine: what it may do, and what each of its ways is worth."""

    @property
    def count(self) -> NDArray[Any]:
        """[modes, T] variables: whether it is in a mode in an interval."""

    @property
    def entries(self) -> tuple[LoneEntry, ...]: ...
    @property
    def holds(self) -> tuple[LoneHold, ...]: ...
    @property
    def mode_at_start(self) -> int: ...
    @property
    def lock_at_start(self) -> int: ...

    def through(self, worth: Floats, lower: Floats, upper: Floats) -> Floats:
        """[modes, T] no less than what it can earn if it is there then, at the worth and bounds of all variables."""


class AssetComponent(Protocol):
    """A physical thing behind a site's meter."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def makes_power(self) -> bool: ...

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it, with the path of each field."""

    def physics(self, problem: Problem) -> Self:
        """Itself without what changes from day to day: prices, states at the start, profiles. Also what kept rows are
        known by."""

    def declare(self, ledger: Ledger, site: Site) -> Any:
        """Declares its variables, injects its power, claims reserve; what it returns comes back below as ``own``."""

    def constrain(self, ledger: Ledger, site: Site, own: Any) -> None:
        """Adds its own rows."""

    def price(self, ledger: Ledger, site: Site, own: Any) -> None:
        """Says what the day brings: what it earns, and as bounds and sides what it found at the start."""

    def extract(self, values: Values, own: Any) -> AssetPlan:
        """Its part of the plan."""

    def extract_backing(self, values: Values, own: Any) -> list[tuple[str, Backing]]:
        """What it holds for reserve markets: (market, backing)."""

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """[T] least and most that it can be counted on to make, below 0: takes; not asked of machines."""

    def quantities(self, plan: Any) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What its plan tells beyond power, for tables: (mode or empty, quantity with its unit, [T])."""


class MarketComponent(Protocol):
    """A market that sites trade in."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def site_ids(self) -> tuple[str, ...]: ...

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it, with the path of each field."""

    def demands(self, problem: Problem) -> tuple[Demand, ...]:
        """What it asks of the sites; empty for markets that need no backing."""

    def physics(self, problem: Problem) -> Self:
        """Itself without what changes from day to day: prices, positions, awards."""

    def declare(self, ledger: Ledger) -> Any:
        """Declares its variables; what it returns is handed back below as ``own``."""

    def constrain(self, ledger: Ledger, own: Any) -> None:
        """Adds its rows on what the assets inject and claim."""

    def price(self, ledger: Ledger, own: Any) -> None:
        """Says what the day brings: what it earns, and as bounds and sides what is fixed."""

    def extract(self, values: Values, own: Any) -> MarketPlan:
        """Its part of the plan."""

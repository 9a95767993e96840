"""A dry cooler: takes the heat that nobody wants, that of reserve down included (formulation 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.plan import AssetPlan, Backing
from scheduler.problem import Counts, Floats, Problem, Site, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Values, Vars


@dataclass(frozen=True, eq=False)
class DryCooler:
    """At a site with coolers, what they can take is all the cooling that there is."""

    kind: ClassVar[str] = "dry_cooler"
    makes_power: ClassVar[bool] = False

    id: str
    max_mw: Floats  # [T] of heat

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.max_mw", self.max_mw)

    def limits_to_lift(self, more_mw: float) -> Iterator[tuple[str, str, Any]]:
        """What can stand in the way of obligations."""
        yield "max_mw", "raise", self.max_mw + more_mw

    def physics(self, problem: Problem) -> Self:
        """Itself: what it can take is part of the rows of the site's heat."""
        return self

    def declare(self, ledger: Ledger, site: Site) -> Vars:
        """Declares what it rejects, [T]."""
        rejected = ledger.variables(f"rejected[{self.id}]", ledger.intervals, upper=self.max_mw)
        loop = ledger.heat_loop(site.id)
        loop.made.append((-1.0, rejected))
        loop.instead.append((1.0, rejected))
        loop.cool((1.0, rejected), self.max_mw)
        return rejected

    def constrain(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """Nothing of its own: the site's heat is closed for all of its assets together."""

    def price(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """It costs nothing."""

    def extract(self, values: Values, own: Vars) -> DryCoolerPlan:
        """What it rejects."""
        rejected_mw = values(own)
        return DryCoolerPlan(self.id, np.zeros(len(rejected_mw)), rejected_mw)

    def extract_backing(self, values: Values, own: Vars) -> list[tuple[str, Backing]]:
        """Nothing: it backs no reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """No power."""
        return np.zeros(count), np.zeros(count)

    def quantities(self, plan: DryCoolerPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What it rejects."""
        yield "", "rejected_mw", plan.rejected_mw


@dataclass(frozen=True, eq=False)
class DryCoolerPlan(AssetPlan):
    """The power of fans is part of the machines' own."""

    rejected_mw: Floats  # [T] of heat

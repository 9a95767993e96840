"""A boiler: heat from fuel or from electricity (formulation 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Floats, Problem, Site, finite, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Values, Vars


@dataclass(frozen=True, eq=False)
class Boiler:
    """Only one that takes no power can stand in for heat that a call takes away: else it would undo the call."""

    kind: ClassVar[str] = "boiler"
    makes_power: ClassVar[bool] = False

    id: str
    max_mw: float  # of heat
    fuel_per_mwh: Floats  # [T] of heat
    power_per_heat_mw: float = 0.0  # electric power per heat

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.max_mw", self.max_mw)
        yield from finite(f"{path}.fuel_per_mwh", self.fuel_per_mwh)
        yield from nonnegative(f"{path}.power_per_heat_mw", self.power_per_heat_mw)

    def limits_to_lift(self, more_mw: float) -> Iterator[tuple[str, str, Any]]:
        """What can stand in the way of obligations."""
        yield "max_mw", "raise", self.max_mw + more_mw

    def physics(self, problem: Problem) -> Self:
        """Without what fuel costs."""
        return replace(self, fuel_per_mwh=np.zeros(problem.horizon.count))

    def declare(self, ledger: Ledger, site: Site) -> Vars:
        """Declares the heat that it makes, [T]; injects heat and what power it takes."""
        boiled = ledger.variables(f"boiled[{self.id}]", ledger.intervals, upper=self.max_mw)
        ledger.inject(site.id, self.power_per_heat_mw, boiled)
        loop = ledger.heat_loop(site.id)
        loop.made.append((1.0, boiled))
        if not self.power_per_heat_mw:
            loop.instead.append((-1.0, boiled))
            loop.instead_mw = loop.instead_mw + self.max_mw
        return boiled

    def constrain(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """Nothing of its own: the site's heat is closed for all of its assets together."""

    def price(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """Burns fuel."""
        stream = Stream(CashKind.FUEL, site_id=site.id, asset_id=self.id)
        ledger.earn(stream, own, -self.fuel_per_mwh * ledger.hours)

    def extract(self, values: Values, own: Vars) -> BoilerPlan:
        """The heat that it makes."""
        heat_mw = values(own)
        return BoilerPlan(self.id, self.power_per_heat_mw * heat_mw, heat_mw)

    def extract_backing(self, values: Values, own: Vars) -> list[tuple[str, Backing]]:
        """Nothing: it backs no reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """No power that could be counted on."""
        return np.zeros(count), np.zeros(count)

    def quantities(self, plan: BoilerPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """Its heat."""
        yield "", "heat_mw", plan.heat_mw


@dataclass(frozen=True, eq=False)
class BoilerPlan(AssetPlan):
    """Its power is electric."""

    heat_mw: Floats  # [T]

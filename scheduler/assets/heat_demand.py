"""Who buys heat: a network, a greenhouse, a dryer (formulation 4)."""

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
class HeatDemand:
    """Takes up to its demand, and at least what must be delivered; full calls up must leave it that, too."""

    kind: ClassVar[str] = "heat_demand"
    makes_power: ClassVar[bool] = False

    id: str
    demand_mw: Floats  # [T] of heat
    price_per_mwh: Floats  # [T] received
    least_mw: Floats | None = None  # [T] that must be delivered; None: nothing

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.demand_mw", self.demand_mw)
        yield from finite(f"{path}.price_per_mwh", self.price_per_mwh)
        if self.least_mw is not None:
            yield from nonnegative(f"{path}.least_mw", self.least_mw)
            for t in np.flatnonzero(self.least_mw > self.demand_mw):
                message = f"is above the demand of {self.demand_mw[t]} MW: {self.least_mw[t]}"
                yield Violation(f"{path}.least_mw.values[{t}]", "range", message)

    def limits_to_lift(self, more_mw: float) -> Iterator[tuple[str, str, Any]]:
        """What can stand in the way of obligations."""
        if self.least_mw is not None and self.least_mw.any():
            yield "least_mw", "lower", None

    def physics(self, problem: Problem) -> Self:
        """Without the price of heat; what is demanded is part of the rows of the site's heat."""
        return replace(self, price_per_mwh=np.zeros(problem.horizon.count))

    def declare(self, ledger: Ledger, site: Site) -> Vars:
        """Declares what is delivered, [T], and says what of it must be."""
        least_mw = np.zeros(ledger.intervals) if self.least_mw is None else self.least_mw
        delivered = ledger.variables(f"delivered[{self.id}]", ledger.intervals, lower=least_mw, upper=self.demand_mw)
        loop = ledger.heat_loop(site.id)
        loop.made.append((-1.0, delivered))
        loop.instead.append((1.0, delivered))
        loop.must_deliver_mw = loop.must_deliver_mw + least_mw
        return delivered

    def constrain(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """Nothing of its own: the site's heat is closed for all of its assets together."""

    def price(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """Sells the heat."""
        stream = Stream(CashKind.HEAT, site_id=site.id, asset_id=self.id)
        ledger.earn(stream, own, self.price_per_mwh * ledger.hours)

    def extract(self, values: Values, own: Vars) -> HeatDemandPlan:
        """What is delivered."""
        delivered_mw = values(own)
        return HeatDemandPlan(self.id, np.zeros(len(delivered_mw)), delivered_mw)

    def extract_backing(self, values: Values, own: Vars) -> list[tuple[str, Backing]]:
        """Nothing: it backs no reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """No power."""
        return np.zeros(count), np.zeros(count)

    def quantities(self, plan: HeatDemandPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What is delivered."""
        yield "", "delivered_mw", plan.delivered_mw


@dataclass(frozen=True, eq=False)
class HeatDemandPlan(AssetPlan):
    """It takes no power."""

    delivered_mw: Floats  # [T] of heat, expected calls included

"""Solar, wind or run-of-river: power that is there or not (formulation 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Floats, Problem, Site, finite, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Values, Vars


@dataclass(frozen=True, eq=False)
class Renewable:
    """Available power, taken whole or, where it can be curtailed, in part."""

    kind: ClassVar[str] = "renewable"
    makes_power: ClassVar[bool] = True

    id: str
    available_mw: Floats  # [T]
    curtailable: bool = True
    curtailed_value_per_mwh: Floats | None = None  # [T], money received for what is curtailed; None: 0

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.available_mw", self.available_mw)
        if self.curtailed_value_per_mwh is not None:
            yield from finite(f"{path}.curtailed_value_per_mwh", self.curtailed_value_per_mwh)
            if not self.curtailable:
                message = "belongs to power that can be curtailed, and this cannot"
                yield Violation(f"{path}.curtailed_value_per_mwh", "curtailable", message)

    def physics(self, problem: Problem) -> Self:
        """Without what is available."""
        return replace(self, available_mw=np.zeros(problem.horizon.count), curtailed_value_per_mwh=None)

    def declare(self, ledger: Ledger, site: Site) -> Vars:
        """Declares and injects what is made, [T]."""
        made_mw = ledger.variables(f"made[{self.id}]", ledger.intervals)
        ledger.inject(site.id, -1.0, made_mw)
        return made_mw

    def constrain(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """Nothing: bounds say all."""

    def price(self, ledger: Ledger, site: Site, own: Vars) -> None:
        """What is available, and what is received for what is curtailed of it."""
        ledger.bound(own, lower=0.0 if self.curtailable else self.available_mw, upper=self.available_mw)
        if self.curtailed_value_per_mwh is not None:
            stream = Stream(CashKind.CURTAILMENT, site_id=site.id, asset_id=self.id)
            value = self.curtailed_value_per_mwh * ledger.hours
            ledger.earn_constant(stream, value * self.available_mw)
            ledger.earn(stream, own, -value)

    def extract(self, values: Values, own: Vars) -> RenewablePlan:
        """What is made, and the rest."""
        made_mw = values(own)
        return RenewablePlan(self.id, -made_mw + 0.0, np.maximum(0.0, self.available_mw - made_mw))

    def extract_backing(self, values: Values, own: Vars) -> list[tuple[str, Backing]]:
        """Nothing: it backs no reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """What is available, less where it can be left."""
        return self.available_mw * (not self.curtailable), self.available_mw

    def quantities(self, plan: RenewablePlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What is curtailed."""
        yield "", "curtailed_mw", plan.curtailed_mw


@dataclass(frozen=True, eq=False)
class RenewablePlan(AssetPlan):
    """Its power is what it makes, below 0."""

    curtailed_mw: Floats  # [T]

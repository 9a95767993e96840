"""A load that is served first, always: a data hall, a factory, a village (formulation 1 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.model.component import Obligation
from scheduler.plan import AssetPlan, Backing
from scheduler.problem import Counts, Floats, Problem, Site, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Values, Vars


@dataclass(frozen=True, eq=False)
class FirmLoad:
    """What must be served. What cannot be is missing of the first obligation, which no price can buy."""

    kind: ClassVar[str] = "firm_load"
    makes_power: ClassVar[bool] = False

    id: str
    load_mw: Floats  # [T]

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.load_mw", self.load_mw)

    def physics(self, problem: Problem) -> Self:
        """Without the load."""
        return replace(self, load_mw=np.zeros(problem.horizon.count))

    def declare(self, ledger: Ledger, site: Site) -> FirmLoadVars:
        """Declares what is served and what is not; injects the first."""
        own = FirmLoadVars(
            served_mw=ledger.variables(f"served[{self.id}]", ledger.intervals),
            unserved_mw=ledger.variables(f"unserved[{self.id}]", ledger.intervals),
        )
        ledger.inject(site.id, 1.0, own.served_mw)
        ledger.may_miss(Obligation.FIRM_LOAD, own.unserved_mw)
        return own

    def constrain(self, ledger: Ledger, site: Site, own: FirmLoadVars) -> None:
        """All of the load is served or missing."""
        terms = [(1.0, own.served_mw), (1.0, own.unserved_mw)]
        own.rows.append(ledger.rows(f"load[{self.id}]", terms, lower=0.0, upper=0.0))

    def price(self, ledger: Ledger, site: Site, own: FirmLoadVars) -> None:
        """The load."""
        ledger.bound(own.unserved_mw, upper=np.where(self.load_mw > 0, np.inf, 0.0))
        ledger.sides(own.rows[0], lower=self.load_mw, upper=self.load_mw)

    def extract(self, values: Values, own: FirmLoadVars) -> FirmLoadPlan:
        """What is served."""
        served_mw = values(own.served_mw)
        return FirmLoadPlan(self.id, served_mw, values(own.unserved_mw))

    def extract_backing(self, values: Values, own: FirmLoadVars) -> list[tuple[str, Backing]]:
        """Nothing: it never backs reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """It takes its load."""
        return -self.load_mw, -self.load_mw

    def quantities(self, plan: FirmLoadPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What is not served."""
        yield "", "unserved_mw", plan.unserved_mw


@dataclass(frozen=True, eq=False)
class FirmLoadVars:
    """[T] each."""

    served_mw: Vars
    unserved_mw: Vars
    rows: list[Rows] = field(default_factory=list)  # the one name of rows


@dataclass(frozen=True, eq=False)
class FirmLoadPlan(AssetPlan):
    """Its power is what is served."""

    unserved_mw: Floats  # [T]

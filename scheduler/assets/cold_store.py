"""A cold store: a warehouse or tank that may be colder than it has to be, and so chills when power is cheap.

What is stored is cold: MWh of heat that may still come in before it is too warm (formulation 4 in kind: a battery whose
load is given). Its chiller moves ``cold_per_power_mw`` of heat for each MW of power; heat comes in through walls and
with goods, whatever is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.model.idioms import shifted
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Floats, Problem, Site, finite, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Term, Values, Vars


@dataclass(frozen=True, eq=False)
class ColdStore:
    """It is never too warm, nor colder than it may be; where that cannot be held, there is no plan."""

    kind: ClassVar[str] = "cold_store"
    makes_power: ClassVar[bool] = False

    id: str
    capacity_mwh: float  # of cold
    chiller_mw: float  # of power
    cold_per_power_mw: float
    load_mw: Floats  # [T] of heat that comes in
    initial_mwh: float
    end_mwh: float | None = None  # at least; else the end has a value
    end_value_per_mwh: float = 0.0  # of each MWh of cold stored at the end more than at the start

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        for name in ("capacity_mwh", "chiller_mw", "initial_mwh", "load_mw"):
            yield from nonnegative(f"{path}.{name}", getattr(self, name))
        yield from finite(f"{path}.end_value_per_mwh", self.end_value_per_mwh)
        if not 0 < self.cold_per_power_mw < float("inf"):
            message = f"must be finite and above 0, is {self.cold_per_power_mw}"
            yield Violation(f"{path}.cold_per_power_mw", "range", message)
        if self.end_mwh is not None:
            yield from nonnegative(f"{path}.end_mwh", self.end_mwh)
        for name in ("initial_mwh", "end_mwh"):
            value = getattr(self, name)
            if value is not None and value > self.capacity_mwh:
                yield Violation(f"{path}.{name}", "range", f"is above the capacity of {self.capacity_mwh} MWh: {value}")

    def limits_to_lift(self, more_mw: float) -> Iterator[tuple[str, str, Any]]:
        """What can stand in the way of obligations."""
        yield "initial_mwh", "have more stored at the start, raise", self.capacity_mwh
        if self.end_mwh:
            yield "end_mwh", "lower", 0.0
        yield "chiller_mw", "raise", self.chiller_mw + more_mw + float(self.load_mw.max()) / self.cold_per_power_mw

    def physics(self, problem: Problem) -> Self:
        """Without what is stored at the start and what comes in."""
        return replace(self, initial_mwh=0.0, load_mw=np.zeros(problem.horizon.count))

    def declare(self, ledger: Ledger, site: Site) -> ColdStoreVars:
        """Declares the chiller's power and what is stored; injects the power."""
        least_mwh = np.zeros(ledger.intervals)
        if self.end_mwh is not None:
            least_mwh[-1] = self.end_mwh
        own = ColdStoreVars(
            power_mw=ledger.variables(f"chills[{self.id}]", ledger.intervals, upper=self.chiller_mw),
            stored_mwh=ledger.variables(
                f"cold_stored[{self.id}]", ledger.intervals, lower=least_mwh, upper=self.capacity_mwh
            ),
        )
        ledger.inject(site.id, 1.0, own.power_mw)
        return own

    def constrain(self, ledger: Ledger, site: Site, own: ColdStoreVars) -> None:
        """Stored at the end of an interval = at its start + what the chiller makes - what comes in."""
        made = self.cold_per_power_mw * ledger.hours
        terms: list[Term] = [(1.0, own.stored_mwh), (-1.0, shifted(own.stored_mwh, 1)), (-made, own.power_mw)]
        own.rows["cold_store"] = ledger.rows(f"cold_store[{self.id}]", terms, lower=0.0, upper=0.0)

    def price(self, ledger: Ledger, site: Site, own: ColdStoreVars) -> None:
        """What is stored at the start, what comes in, and the value of the end, booked in the last interval."""
        known = -self.load_mw * ledger.hours
        known[0] += self.initial_mwh
        ledger.sides(own.rows["cold_store"], lower=known, upper=known)
        if self.end_value_per_mwh:
            stream = Stream(CashKind.STORED, site_id=site.id, asset_id=self.id)
            last = np.zeros(ledger.intervals)
            last[-1] = self.end_value_per_mwh
            ledger.earn(stream, own.stored_mwh, last)
            ledger.earn_constant(stream, -last * self.initial_mwh)

    def extract(self, values: Values, own: ColdStoreVars) -> ColdStorePlan:
        """Its power and what is stored."""
        return ColdStorePlan(self.id, values(own.power_mw), values(own.stored_mwh))

    def extract_backing(self, values: Values, own: ColdStoreVars) -> list[tuple[str, Backing]]:
        """Nothing: it backs no reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """It takes what its load needs: what is stored is not counted on."""
        taken_mw = np.minimum(self.chiller_mw, self.load_mw / self.cold_per_power_mw)
        return -taken_mw, -taken_mw

    def quantities(self, plan: ColdStorePlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What is stored at the end of the interval."""
        yield "", "stored_mwh", plan.stored_mwh


@dataclass(frozen=True, eq=False)
class ColdStoreVars:
    """[T] each."""

    power_mw: Vars
    stored_mwh: Vars  # at the end of the interval
    rows: dict[str, Rows] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ColdStorePlan(AssetPlan):
    """Its power is the chiller's."""

    stored_mwh: Floats  # [T] of cold, at the end of the interval

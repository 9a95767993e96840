"""A heat store with losses; in a call up it gives what must be delivered, as long as it lasts (formulation 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.model.heat import holding_hours
from scheduler.model.idioms import shifted
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Floats, Problem, Site, finite, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Term, Values, Vars


@dataclass(frozen=True, eq=False)
class HeatStore:
    """What is stored loses a share in each hour. One at a site."""

    kind: ClassVar[str] = "heat_store"
    makes_power: ClassVar[bool] = False

    id: str
    capacity_mwh: float
    charge_mw: float
    discharge_mw: float
    initial_mwh: float
    loss_frac_per_hour: float = 0.0
    end_mwh: float | None = None  # at least; else the end has a value
    end_value_per_mwh: float = 0.0  # of each MWh stored at the end more than at the start

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        for name in ("capacity_mwh", "charge_mw", "discharge_mw", "initial_mwh"):
            yield from nonnegative(f"{path}.{name}", getattr(self, name))
        if not 0 <= self.loss_frac_per_hour < 1:
            yield Violation(f"{path}.loss_frac_per_hour", "range", f"must be in [0, 1), is {self.loss_frac_per_hour}")
        yield from finite(f"{path}.end_value_per_mwh", self.end_value_per_mwh)
        if self.end_mwh is not None:
            yield from nonnegative(f"{path}.end_mwh", self.end_mwh)
        for name in ("initial_mwh", "end_mwh"):
            value = getattr(self, name)
            if value is not None and value > self.capacity_mwh:
                yield Violation(f"{path}.{name}", "range", f"is above the capacity of {self.capacity_mwh} MWh: {value}")
        beside = [asset for site in problem.sites if self in site.assets for asset in site.assets]
        stores = [asset for asset in beside if asset.kind == self.kind]
        if stores[:1] != [self]:
            yield Violation(path, "unique", "a site has one heat store: describe several as one")

    def kept(self, hours: float) -> float:
        """Share of what is stored that is left after some hours."""
        return float((1 - self.loss_frac_per_hour) ** hours)

    def limits_to_lift(self, more_mw: float) -> Iterator[tuple[str, str, Any]]:
        """What can stand in the way of obligations."""
        yield "initial_mwh", "have more stored at the start, raise", self.capacity_mwh
        if self.end_mwh:
            yield "end_mwh", "lower", 0.0
        yield "discharge_mw", "raise", self.discharge_mw + more_mw

    def physics(self, problem: Problem) -> Self:
        """Without what is stored at the start."""
        return replace(self, initial_mwh=0.0)

    def declare(self, ledger: Ledger, site: Site) -> HeatStoreVars:
        """Declares what it gives, what is stored, and what it would give more in a call of each length."""
        least_mwh = np.zeros(ledger.intervals)
        if self.end_mwh is not None:
            least_mwh[-1] = self.end_mwh
        lengths = holding_hours(ledger, site)
        own = HeatStoreVars(
            given_mw=ledger.variables(
                f"given[{self.id}]", ledger.intervals, lower=-self.charge_mw, upper=self.discharge_mw
            ),
            stored_mwh=ledger.variables(
                f"heat_stored[{self.id}]", ledger.intervals, lower=least_mwh, upper=self.capacity_mwh
            ),
            more_mw=[ledger.variables(f"stands_in[{self.id},{j}]", ledger.intervals) for j in range(len(lengths))],
        )
        loop = ledger.heat_loop(site.id)
        loop.made.append((1.0, own.given_mw))
        for j, more_mw in enumerate(own.more_mw):
            loop.from_store.setdefault(j, []).append((1.0, more_mw))
        return own

    def constrain(self, ledger: Ledger, site: Site, own: HeatStoreVars) -> None:
        """What is stored; power and energy for calls."""
        kept = self.kept(ledger.hours)
        terms: list[Term] = [
            (1.0, own.stored_mwh),
            (-kept, shifted(own.stored_mwh, 1)),
            (ledger.hours, own.given_mw),
        ]
        own.rows["heat_store"] = ledger.rows(f"heat_store[{self.id}]", terms, lower=0.0, upper=0.0)
        lengths = holding_hours(ledger, site)
        for j, more_mw in enumerate(own.more_mw):
            name = f"stands_in_power[{self.id},{j}]"
            ledger.rows(name, [(1.0, more_mw), (1.0, own.given_mw)], upper=self.discharge_mw)
        if lengths:
            spans = np.diff([0.0, *lengths])
            used: list[Term] = [(span, more_mw) for span, more_mw in zip(spans.tolist(), own.more_mw, strict=True)]
            left = self.kept(lengths[-1])
            for end, stored in (("start", shifted(own.stored_mwh, 1)), ("end", own.stored_mwh)):
                terms = [*used, (-left, stored)]
                own.rows[end] = ledger.rows(f"stands_in_energy[{self.id},{end}]", terms, upper=0.0)

    def price(self, ledger: Ledger, site: Site, own: HeatStoreVars) -> None:
        """What is stored at the start, and the value of the end."""
        start = np.zeros(ledger.intervals)
        start[0] = self.initial_mwh
        left = self.kept(ledger.hours) * start
        ledger.sides(own.rows["heat_store"], lower=left, upper=left)
        if "start" in own.rows:
            ledger.sides(own.rows["start"], upper=self.kept(holding_hours(ledger, site)[-1]) * start)
        if self.end_value_per_mwh:
            stream = Stream(CashKind.STORED, site_id=site.id, asset_id=self.id)
            last = np.zeros(ledger.intervals)
            last[-1] = self.end_value_per_mwh
            ledger.earn(stream, own.stored_mwh, last)
            ledger.earn_constant(stream, -last * self.initial_mwh)

    def extract(self, values: Values, own: HeatStoreVars) -> HeatStorePlan:
        """What it gives and what is stored."""
        given_mw = values(own.given_mw)
        return HeatStorePlan(self.id, np.zeros(len(given_mw)), given_mw, values(own.stored_mwh))

    def extract_backing(self, values: Values, own: HeatStoreVars) -> list[tuple[str, Backing]]:
        """Nothing: it backs no reserve."""
        return []

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """No power."""
        return np.zeros(count), np.zeros(count)

    def quantities(self, plan: HeatStorePlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """What it gives and what is stored at the end of the interval."""
        yield "", "heat_mw", plan.heat_mw
        yield "", "stored_mwh", plan.stored_mwh


@dataclass(frozen=True, eq=False)
class HeatStoreVars:
    """[T] each."""

    given_mw: Vars
    stored_mwh: Vars  # at the end of the interval
    more_mw: list[Vars]  # in a call, by position of its length
    rows: dict[str, Rows] = field(default_factory=dict)  # whose sides a day sets


@dataclass(frozen=True, eq=False)
class HeatStorePlan(AssetPlan):
    """It takes no power."""

    heat_mw: Floats  # [T] given, below 0: taken
    stored_mwh: Floats  # [T], at the end of the interval

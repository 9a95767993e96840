"""A battery: energy moved in time, and reserve with energy for the holding time (formulation 4 and 5).

Calls are expected to take energy out and to bring some in: what is stored is planned with them, so that the energy of a
call is bought or sold like any other (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scheduler.assets.holding import Held, declare_held, extract_held, limit_prequalified, of_direction
from scheduler.assets.machine import Prequalification, prequalified_violations
from scheduler.errors import Violation
from scheduler.model.component import Demand
from scheduler.model.idioms import shifted
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Direction, Floats, Problem, Site, finite, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Term, Values, Vars

ALL_OF_IT = 1.0 - 1e-12
"""A round trip from which everything comes back."""


@dataclass(frozen=True, eq=False)
class Battery:
    """Powers are at the site's meter, energy is what is stored inside."""

    kind: ClassVar[str] = "battery"
    makes_power: ClassVar[bool] = True

    id: str
    capacity_mwh: float
    charge_mw: float
    discharge_mw: float
    charge_frac: float  # stored per MWh taken
    discharge_frac: float  # given back per MWh stored
    initial_mwh: float
    end_mwh: float | None = None  # at least; else the end has a value
    end_value_per_mwh: float = 0.0  # of each MWh stored at the end more than at the start
    wear_per_mwh: float = 0.0  # of each MWh given back
    response_seconds: float = 0.0
    prequalified: tuple[Prequalification, ...] = ()

    @property
    def back_frac(self) -> float:
        """What comes back of a MWh that is taken."""
        return self.charge_frac * self.discharge_frac

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        for name in ("capacity_mwh", "charge_mw", "discharge_mw", "initial_mwh", "wear_per_mwh", "response_seconds"):
            yield from nonnegative(f"{path}.{name}", getattr(self, name))
        for name in ("charge_frac", "discharge_frac"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                yield Violation(f"{path}.{name}", "range", f"must be in (0, 1], is {value}")
        yield from finite(f"{path}.end_value_per_mwh", self.end_value_per_mwh)
        for name in ("initial_mwh", "end_mwh"):
            value = getattr(self, name)
            if value is not None and value > self.capacity_mwh:
                yield Violation(f"{path}.{name}", "range", f"is above the capacity of {self.capacity_mwh} MWh: {value}")
        if self.end_mwh is not None:
            yield from nonnegative(f"{path}.end_mwh", self.end_mwh)
        yield from prequalified_violations(path, self.prequalified, problem)

    def physics(self, problem: Problem) -> Self:
        """Without what is stored at the start."""
        return replace(self, initial_mwh=0.0)

    def declare(self, ledger: Ledger, site: Site) -> BatteryVars:
        """Declares power both ways and what is stored; injects and claims."""
        least_mwh = np.zeros(ledger.intervals)
        if self.end_mwh is not None:
            least_mwh[-1] = self.end_mwh
        own = BatteryVars(
            charge_mw=ledger.variables(f"charge[{self.id}]", ledger.intervals, upper=self.charge_mw),
            discharge_mw=ledger.variables(f"discharge[{self.id}]", ledger.intervals, upper=self.discharge_mw),
            stored_mwh=ledger.variables(
                f"stored[{self.id}]", ledger.intervals, lower=least_mwh, upper=self.capacity_mwh
            ),
            charges=ledger.variables(
                f"charges[{self.id}]",
                ledger.intervals,
                upper=1,
                integer=True,
                coarse=True,
                where=np.full(ledger.intervals, self.back_frac < ALL_OF_IT),
            ),
            held=declare_held(ledger, site, self.id, self.prequalified, self.response_seconds, self._most_mw),
        )
        ledger.inject(site.id, 1.0, own.charge_mw)
        ledger.inject(site.id, -1.0, own.discharge_mw)
        return own

    def _most_mw(self, demand: Demand) -> float:
        """What can ever be held: from full power one way to full power the other, with energy for it."""
        hours = demand.product.hold_minutes / 60
        moved_mwh = hours * (1 / self.discharge_frac if demand.direction is Direction.UP else self.charge_frac)
        most_mw = self.charge_mw + self.discharge_mw
        return min(most_mw, self.capacity_mwh / moved_mwh) if moved_mwh else most_mw

    def _may_burn(self, ledger: Ledger, site: Site) -> bool:
        """Whether charging and discharging at once, if anything is lost on the way, could pay or cost nothing.

        It never does where each MWh given back wears and to have less stored is worth nothing: energy has a price above
        0 at any time, for what is burnt in one interval makes room for another one; what is stored at the end costs
        nothing; nothing else makes power that must go somewhere; and reserve needs neither room in the store nor import
        to take back.
        """
        price = ledger.problem.open_price_at(site)
        others = any(asset.makes_power for asset in site.assets if asset is not self)
        # a fee below 0 counts by itself, so that prices a times as high (a > 0) say the same: physics do not know them
        pays = price is None or (price <= 0).any() or (site.tariff.import_fee_per_mwh < 0).any()
        return bool(pays or others or ledger.demands_at(site) or not self.wear_per_mwh or self.end_value_per_mwh < 0)

    def constrain(self, ledger: Ledger, site: Site, own: BatteryVars) -> None:
        """What is stored, one way at a time, room for what is held."""
        own.rows["store"] = self._store(ledger, own)
        if self.back_frac < ALL_OF_IT:
            terms: list[Term] = [(1.0, own.charge_mw), (-self.charge_mw, own.charges)]
            own.rows["only_charges"] = ledger.rows(f"only_charges[{self.id}]", terms, upper=0.0)
            terms = [(1.0, own.discharge_mw), (self.discharge_mw, own.charges)]
            own.rows["only_discharges"] = ledger.rows(f"only_discharges[{self.id}]", terms, upper=self.discharge_mw)
        self._hold(ledger, own)
        limit_prequalified(ledger, self.id, self.prequalified, own.held)

    def price(self, ledger: Ledger, site: Site, own: BatteryVars) -> None:
        """What is stored at the start, where both ways have to be barred, wear and the value of the end."""
        start = np.zeros(ledger.intervals)
        start[0] = self.initial_mwh
        ledger.sides(own.rows["store"], lower=start, upper=start)
        if "energy_up,start" in own.rows:  # what is stored when the first interval begins is no variable
            ledger.sides(own.rows["energy_up,start"], upper=start)
        if "energy_down,start" in own.rows:
            ledger.sides(own.rows["energy_down,start"], upper=self.capacity_mwh - start)
        if "only_charges" in own.rows:
            both = np.full(ledger.intervals, self._may_burn(ledger, site))
            ledger.bound(own.charges, upper=both)
            ledger.sides(own.rows["only_charges"], upper=np.where(both, 0.0, np.inf))
            ledger.sides(own.rows["only_discharges"], upper=np.where(both, self.discharge_mw, np.inf))
        self._earn(ledger, site, own)

    def _store(self, ledger: Ledger, own: BatteryVars) -> Rows:
        """Stored at the end of an interval = at its start + what came in - what went out, expected calls included."""
        into, out = self.charge_frac * ledger.hours, ledger.hours / self.discharge_frac
        terms: list[Term] = [
            (1.0, own.stored_mwh),
            (-1.0, shifted(own.stored_mwh, 1)),
            (-into, own.charge_mw),
            (out, own.discharge_mw),
        ]
        for one in own.held:
            terms += one.expected(out if one.demand.direction is Direction.UP else -into)
        return ledger.rows(f"store[{self.id}]", terms, lower=0.0, upper=0.0)

    def _hold(self, ledger: Ledger, own: BatteryVars) -> None:
        """Power beside the plan, and energy for the holding time on top of it, at both ends of every interval."""
        ends = (("start", shifted(own.stored_mwh, 1)), ("end", own.stored_mwh))
        up, down = of_direction(own.held, Direction.UP), of_direction(own.held, Direction.DOWN)
        if up:
            terms: list[Term] = [term for one in up for term in one.terms]
            terms += [(1.0, own.discharge_mw), (-1.0, own.charge_mw)]
            ledger.rows(f"power_up[{self.id}]", terms, upper=self.discharge_mw)
            for end, stored in ends:
                terms = [(one.hold_hours / self.discharge_frac, mw) for one in up for _, mw in one.held_mw]
                terms.append((-1.0, stored))
                own.rows[f"energy_up,{end}"] = ledger.rows(f"energy_up[{self.id},{end}]", terms, upper=0.0)
        if down:
            terms = [term for one in down for term in one.terms]
            terms += [(1.0, own.charge_mw), (-1.0, own.discharge_mw)]
            ledger.rows(f"power_down[{self.id}]", terms, upper=self.charge_mw)
            for end, stored in ends:
                terms = [(one.hold_hours * self.charge_frac, mw) for one in down for _, mw in one.held_mw]
                terms.append((1.0, stored))
                own.rows[f"energy_down,{end}"] = ledger.rows(
                    f"energy_down[{self.id},{end}]", terms, upper=self.capacity_mwh
                )

    def _earn(self, ledger: Ledger, site: Site, own: BatteryVars) -> None:
        """Wear as planned and by expected calls; the end against the start, booked in the last interval."""
        wear = -self.wear_per_mwh * ledger.hours
        ledger.earn(Stream(CashKind.WEAR, site_id=site.id, asset_id=self.id), own.discharge_mw, wear)
        for one in of_direction(own.held, Direction.UP):
            stream = Stream(CashKind.WEAR, one.demand.market_id, site.id, self.id, Direction.UP)
            for coefficients, mw in one.expected(wear):
                ledger.earn(stream, mw, coefficients)
        if self.end_value_per_mwh:
            stream = Stream(CashKind.STORED, site_id=site.id, asset_id=self.id)
            last = np.zeros(ledger.intervals)
            last[-1] = self.end_value_per_mwh
            ledger.earn(stream, own.stored_mwh, last)
            ledger.earn_constant(stream, -last * self.initial_mwh)

    def extract(self, values: Values, own: BatteryVars) -> BatteryPlan:
        """Power both ways and what is stored at the end of each interval."""
        charge_mw, discharge_mw = values(own.charge_mw) + 0.0, values(own.discharge_mw) + 0.0  # never minus zero
        if self.back_frac >= ALL_OF_IT:  # both at once change nothing then
            both = np.minimum(charge_mw, discharge_mw)
            charge_mw, discharge_mw = charge_mw - both, discharge_mw - both
        return BatteryPlan(self.id, charge_mw - discharge_mw, charge_mw, discharge_mw, values(own.stored_mwh))

    def extract_backing(self, values: Values, own: BatteryVars) -> list[tuple[str, Backing]]:
        """What backs each market."""
        return extract_held(self.id, values, own.held)

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """Nothing that could be counted on."""
        return np.zeros(count), np.zeros(count)

    def quantities(self, plan: BatteryPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """Power both ways, what is stored at the end of the interval."""
        yield "", "charge_mw", plan.charge_mw
        yield "", "discharge_mw", plan.discharge_mw
        yield "", "stored_mwh", plan.stored_mwh


@dataclass(frozen=True, eq=False)
class BatteryVars:
    """[T] each; ``charges`` only where something is lost on the way. Rows whose sides a day sets, by their name."""

    charge_mw: Vars
    discharge_mw: Vars
    stored_mwh: Vars  # at the end of the interval
    charges: Vars
    held: list[Held]
    rows: dict[str, Rows] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BatteryPlan(AssetPlan):
    """Its power is what it takes less what it gives back."""

    charge_mw: Floats  # [T]
    discharge_mw: Floats  # [T]
    stored_mwh: Floats  # [T], at the end of the interval

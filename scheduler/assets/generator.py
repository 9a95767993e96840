"""A generator: runs between its minimum stable load and what is available, or rests (formulation 4).

Unit commitment with starts and stops (Rajan and Takriti 2005).
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
from scheduler.model.idioms import shifted, window
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Direction, Floats, Problem, Site, finite, intervals_of, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Term, Values, Vars


@dataclass(frozen=True, eq=False)
class Generator:
    """Powers are at the site's meter."""

    kind: ClassVar[str] = "generator"
    makes_power: ClassVar[bool] = True

    id: str
    max_mw: float
    fuel_per_mwh: Floats  # [T]
    initially_running: bool
    min_mw: float = 0.0  # least while it runs
    available_mw: Floats | None = None  # [T], at most max_mw counts; None: max_mw
    start_cost: float = 0.0
    min_run_minutes: float = 0.0
    min_rest_minutes: float = 0.0
    minutes_since_switch: float = 0.0
    response_seconds: float = 0.0
    prequalified: tuple[Prequalification, ...] = ()

    def most_mw(self, count: int) -> Floats:
        """[T] what it can make while it runs."""
        most = np.full(count, self.max_mw)
        return most if self.available_mw is None else np.minimum(most, self.available_mw)

    def initial_lock(self, step_minutes: int) -> int:
        """Intervals from the start in which it cannot be switched."""
        least_minutes = self.min_run_minutes if self.initially_running else self.min_rest_minutes
        return intervals_of(least_minutes - self.minutes_since_switch, step_minutes)

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        names = ("max_mw", "min_mw", "start_cost", "min_run_minutes", "min_rest_minutes", "minutes_since_switch")
        wrong = [each for name in names for each in nonnegative(f"{path}.{name}", getattr(self, name))]
        yield from wrong
        yield from nonnegative(f"{path}.response_seconds", self.response_seconds)
        yield from finite(f"{path}.fuel_per_mwh", self.fuel_per_mwh)
        if self.min_mw > self.max_mw:
            yield Violation(f"{path}.min_mw", "range", f"is above max_mw, {self.max_mw}: {self.min_mw}")
        if self.available_mw is not None:
            yield from nonnegative(f"{path}.available_mw", self.available_mw)
            if self.initially_running and not wrong:
                lock = self.initial_lock(problem.horizon.step_minutes)
                for t in np.flatnonzero(self.available_mw[:lock] < self.min_mw)[:1]:
                    message = f"it must run then, at {self.min_mw} MW at least: {self.available_mw[t]} MW are available"
                    yield Violation(f"{path}.available_mw.values[{t}]", "locked", message)
        yield from prequalified_violations(path, self.prequalified, problem)

    def physics(self, problem: Problem) -> Self:
        """Without whether it runs at the start, and what fuel costs."""
        nothing = np.zeros(problem.horizon.count)
        return replace(self, fuel_per_mwh=nothing, initially_running=False, minutes_since_switch=0.0, start_cost=0.0)

    def declare(self, ledger: Ledger, site: Site) -> GeneratorVars:
        """Declares when it runs and what it makes; injects and claims."""
        own = GeneratorVars(
            running=ledger.variables(f"running[{self.id}]", ledger.intervals, upper=1, integer=True, coarse=True),
            start=ledger.variables(f"start[{self.id}]", ledger.intervals),
            stop=ledger.variables(f"stop[{self.id}]", ledger.intervals),
            output_mw=ledger.variables(f"output[{self.id}]", ledger.intervals),
            held=declare_held(ledger, site, self.id, self.prequalified, self.response_seconds, self._span_mw),
        )
        ledger.inject(site.id, -1.0, own.output_mw)
        return own

    def _span_mw(self, demand: Demand) -> float:
        """What can ever be held: from the least to the most."""
        return self.max_mw - self.min_mw

    def constrain(self, ledger: Ledger, site: Site, own: GeneratorVars) -> None:
        """Starts and stops, minimum run and rest, output with all that is held."""
        step, count = ledger.problem.horizon.step_minutes, ledger.intervals
        terms: list[Term] = [(1.0, own.running), (-1.0, shifted(own.running, 1)), (-1.0, own.start), (1.0, own.stop)]
        own.switch.append(ledger.rows(f"switch[{self.id}]", terms, lower=0.0, upper=0.0))
        run = max(1, intervals_of(self.min_run_minutes, step))
        rest = max(1, intervals_of(self.min_rest_minutes, step))
        ledger.rows(f"runs[{self.id}]", [(1.0, window(own.start, run)), (-1.0, own.running)], upper=0.0)
        ledger.rows(f"rests[{self.id}]", [(1.0, window(own.stop, rest)), (1.0, own.running)], upper=1.0)
        up, down = of_direction(own.held, Direction.UP), of_direction(own.held, Direction.DOWN)
        more = [term for one in up for term in one.terms]
        ledger.rows(
            f"most_output[{self.id}]",
            [(1.0, own.output_mw), *more, (-self.most_mw(count), own.running)],
            upper=0.0,
        )
        less = [term for one in down for term in one.terms]
        ledger.rows(
            f"least_output[{self.id}]",
            [(-1.0, own.output_mw), *less, (self.min_mw, own.running)],
            upper=0.0,
        )
        limit_prequalified(ledger, self.id, self.prequalified, own.held)

    def price(self, ledger: Ledger, site: Site, own: GeneratorVars) -> None:
        """Whether it runs at the start and for how long it has to; fuel and starts."""
        before = np.zeros(ledger.intervals)
        before[0] = float(self.initially_running)
        ledger.sides(own.switch[0], lower=before, upper=before)
        locked = np.arange(ledger.intervals) < self.initial_lock(ledger.problem.horizon.step_minutes)
        runs, rests = locked & self.initially_running, locked & (not self.initially_running)
        ledger.bound(own.running, lower=runs, upper=1.0 - rests)
        self._earn(ledger, site, own)

    def _earn(self, ledger: Ledger, site: Site, own: GeneratorVars) -> None:
        """Fuel as planned and by expected calls, more up and less down; starts."""
        fuel = self.fuel_per_mwh * ledger.hours
        ledger.earn(Stream(CashKind.FUEL, site_id=site.id, asset_id=self.id), own.output_mw, -fuel)
        ledger.earn(Stream(CashKind.WEAR, site_id=site.id, asset_id=self.id), own.start, -self.start_cost)
        for one in own.held:
            direction = one.demand.direction
            stream = Stream(CashKind.FUEL, one.demand.market_id, site.id, self.id, direction)
            for coefficients, mw in one.expected(-1.0 if direction is Direction.UP else 1.0):
                ledger.earn(stream, mw, np.asarray(coefficients) * fuel)

    def extract(self, values: Values, own: GeneratorVars) -> GeneratorPlan:
        """When it runs and what it makes."""
        return GeneratorPlan(self.id, 0.0 - values(own.output_mw), values.counts(own.running))

    def extract_backing(self, values: Values, own: GeneratorVars) -> list[tuple[str, Backing]]:
        """What backs each market."""
        return extract_held(self.id, values, own.held)

    def makes_mw(self, count: int) -> tuple[Floats, Floats]:
        """Up to what is available."""
        return np.zeros(count), self.most_mw(count)

    def quantities(self, plan: GeneratorPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """Whether it runs."""
        yield "", "running_count", plan.running_count


@dataclass(frozen=True, eq=False)
class GeneratorVars:
    """[T] each."""

    running: Vars  # 0 or 1
    start: Vars
    stop: Vars
    output_mw: Vars
    held: list[Held]
    switch: list[Rows] = field(default_factory=list)  # the one name of rows whose sides a day sets


@dataclass(frozen=True, eq=False)
class GeneratorPlan(AssetPlan):
    """Its power is what it makes, below 0."""

    running_count: Counts  # [T] 0 or 1

"""Checks a generator: runs and rests are as long as they must be, output and reserve are within its range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import Findings, at_most
from scheduler.check.holding import check_holding
from scheduler.check.ladder import Delivery
from scheduler.check.reading import AssetView, Claim, Reader
from scheduler.plan import CashKind, Stream
from scheduler.problem import Counts, Direction, Floats

if TYPE_CHECKING:
    from scheduler.assets.generator import Generator


class GeneratorCheck:
    """A generator, walked through the horizon."""

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.generator: Generator = view.asset
        self.count = view.problem.horizon.count
        self.step_minutes = view.problem.horizon.step_minutes
        self.hours = self.step_minutes / 60.0
        self.field = f"{view.path}.{self.generator.kind}.running_count"
        if view.plan is not None and not hasattr(view.plan, "running_count"):
            findings.add(self.field, "missing", "the plan does not say when it runs")
        stated = getattr(view.plan, "running_count", np.zeros(self.count, dtype=np.int64))
        self.running: Counts = Reader(self.count, findings).counts(self.field, stated)
        self.power_mw: Floats = view.power_mw
        self.starts = np.zeros(self.count)
        self.too_short: list[tuple[int, float, str]] = []  # interval, minutes, what
        self._walk()

    def _walk(self) -> None:
        """Switches, and how long it had run or rested before each."""
        on, minutes = self.generator.initially_running, self.generator.minutes_since_switch
        for t in range(self.count):
            if bool(self.running[t]) != on:
                least = self.generator.min_run_minutes if on else self.generator.min_rest_minutes
                if not at_most(least, minutes):
                    self.too_short.append((t, minutes, "run" if on else "rested"))
                self.starts[t] = float(not on)
                on, minutes = not on, 0.0
            minutes += self.step_minutes

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with its part of the plan."""
        generator, field = self.generator, self.field
        findings.each(self.running > 1, field, "range", lambda t: f"interval {t}: must be 0 or 1, is {self.running[t]}")
        for t, minutes, what in self.too_short:
            findings.add(f"{field}[{t}]", "too_short", f"it has {what} for {minutes:g} min only", of=field)
        most = np.full(self.count, generator.max_mw)
        if generator.available_mw is not None:
            most = np.minimum(most, generator.available_mw)
        held = {
            direction: sum((c.mw for c in self.view.claims if c.direction is direction), np.zeros(self.count))
            for direction in (Direction.UP, Direction.DOWN)
        }
        on, power = self.running.astype(float), f"{self.view.path}.power_mw"
        what = "with all up calls it makes"
        findings.limit(held[Direction.UP] - self.power_mw, on * most, power, "output_most", what)
        what = "with all down calls it takes"
        findings.limit(held[Direction.DOWN] + self.power_mw, -on * generator.min_mw, power, "output_least", what)
        check_holding(self.view, generator.response_seconds, findings)

    def deliveries(self) -> Iterator[tuple[Claim, Delivery]]:
        """Calls burn fuel, or save it."""
        fuel = self.generator.fuel_per_mwh
        for claim in self.view.claims:
            cost = fuel if claim.direction is Direction.UP else -fuel
            yield claim, Delivery(self.generator.response_seconds, cost)

    def earn(self, book: Book) -> None:
        """Fuel, planned and for expected calls, and starts."""
        ids, fuel = (self.view.site.id, self.generator.id), self.generator.fuel_per_mwh * self.hours
        book.earn(Stream(CashKind.FUEL, "", *ids), fuel * self.power_mw)
        book.earn(Stream(CashKind.WEAR, "", *ids), -self.generator.start_cost * self.starts)
        for claim in self.view.claims:
            if claim.activation is not None:
                sign = -1 if claim.direction is Direction.UP else 1
                mw = claim.activation.expected_frac * claim.expected_mw
                book.earn(Stream(CashKind.FUEL, claim.market.id, *ids, claim.direction), sign * fuel * mw)


CHECKS = {"generator": GeneratorCheck}

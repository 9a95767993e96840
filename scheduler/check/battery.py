"""Checks a battery: what is stored is simulated from the start, calls included (formulation 4 and 5; decision 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import ABS_MW, Findings
from scheduler.check.holding import check_holding
from scheduler.check.ladder import Delivery
from scheduler.check.reading import AssetView, Claim, Reader
from scheduler.plan import CashKind, Stream
from scheduler.problem import Direction, Floats

if TYPE_CHECKING:
    from scheduler.assets.battery import Battery


class BatteryCheck:
    """A battery, from its power alone."""

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.battery: Battery = view.asset
        self.count = view.problem.horizon.count
        self.hours = view.problem.horizon.step_minutes / 60.0
        self.path = f"{view.path}.{self.battery.kind}"
        reader = Reader(self.count, findings)
        if view.plan is not None and not hasattr(view.plan, "stored_mwh"):
            findings.add(self.path, "missing", "the plan says nothing about charging")

        def stated(name: str) -> Floats:
            values = getattr(view.plan, name, np.zeros(self.count))
            return reader.floats(f"{self.path}.{name}", values, negative=False)

        self.charge_mw, self.discharge_mw = stated("charge_mw"), stated("discharge_mw")
        self.stated_mwh = stated("stored_mwh")
        self.power_mw: Floats = self.charge_mw - self.discharge_mw
        self._simulate()

    def _simulate(self) -> None:
        """What is stored at every boundary."""
        taken, given = self.charge_mw.copy(), self.discharge_mw.copy()
        for claim in self.view.claims:
            if claim.activation is not None:
                called = claim.activation.expected_frac * claim.expected_mw
                if claim.direction is Direction.UP:
                    given = given + called
                else:
                    taken = taken + called
        level = self.battery.initial_mwh
        self.levels_mwh: Floats = np.empty(self.count + 1)
        self.levels_mwh[0] = level
        for t in range(self.count):
            level += (taken[t] * self.battery.charge_frac - given[t] / self.battery.discharge_frac) * self.hours
            self.levels_mwh[t + 1] = level

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with its part of the plan."""
        battery, path = self.battery, self.path
        findings.equal(self.view.power_mw, self.power_mw, f"{self.view.path}.power_mw", "power", "MW, in less out")
        findings.limit(self.charge_mw, battery.charge_mw, f"{path}.charge_mw", "charge", "it takes")
        findings.limit(self.discharge_mw, battery.discharge_mw, f"{path}.discharge_mw", "discharge", "it gives")
        both = np.minimum(self.charge_mw, self.discharge_mw)
        if battery.charge_frac * battery.discharge_frac < 1:
            findings.limit(both, 0.0, f"{path}.charge_mw", "one_way", "it takes and gives at once")
        own, field = self.levels_mwh[1:], f"{path}.stored_mwh"
        findings.equal(self.stated_mwh, own, field, "stored", "MWh, as its power and expected calls leave it")
        findings.limit(own, battery.capacity_mwh, field, "stored_limit", "it stores", unit="MWh")
        findings.limit(-own, 0.0, field, "stored_limit", "it stores less than nothing by", unit="MWh")
        if battery.end_mwh is not None and own[-1] < battery.end_mwh - ABS_MW:
            message = f"{own[-1]:.9g} MWh at the end, at least {battery.end_mwh:.9g} MWh are wanted"
            findings.add(f"{field}[{self.count - 1}]", "end", message, battery.end_mwh - own[-1])
        check_holding(self.view, battery.response_seconds, findings)
        self._check_held(findings)

    def _check_held(self, findings: Findings) -> None:
        """Power left beside the plan, and energy for each full call on top of it, whenever it begins."""
        least = np.minimum(self.levels_mwh[:-1], self.levels_mwh[1:])
        most = np.maximum(self.levels_mwh[:-1], self.levels_mwh[1:])
        battery = self.battery
        for direction in (Direction.UP, Direction.DOWN):
            mine = [claim for claim in self.view.claims if claim.direction is direction]
            held = sum((claim.mw for claim in mine), np.zeros(self.count))
            lasting = sum((claim.mw * claim.market.product.hold_minutes / 60 for claim in mine), np.zeros(self.count))
            if not mine:
                continue
            if direction is Direction.UP:
                free, energy, room = battery.discharge_mw + self.power_mw, lasting / battery.discharge_frac, least
            else:
                free, energy = battery.charge_mw - self.power_mw, lasting * battery.charge_frac
                room = battery.capacity_mwh - most
            what = f"{direction.value} it holds"
            findings.limit(held, free, self.path, "held_power", what)
            findings.limit(energy, room, self.path, "held_energy", f"{what} calls of", unit="MWh")

    def deliveries(self) -> Iterator[tuple[Claim, Delivery]]:
        """Calls take from what is stored, which is worth what it is at the end, and wear; or they add to it."""
        battery = self.battery
        for claim in self.view.claims:
            if claim.direction is Direction.UP:
                cost = battery.end_value_per_mwh / battery.discharge_frac + battery.wear_per_mwh
            else:
                cost = -battery.end_value_per_mwh * battery.charge_frac
            yield claim, Delivery(battery.response_seconds, np.full(self.count, cost))

    def earn(self, book: Book) -> None:
        """Wear of what is given back, and what the end is worth more than the start."""
        ids, battery = (self.view.site.id, self.battery.id), self.battery
        book.earn(Stream(CashKind.WEAR, "", *ids), -battery.wear_per_mwh * self.discharge_mw * self.hours)
        for claim in self.view.claims:
            if claim.activation is not None and claim.direction is Direction.UP:
                mwh = claim.activation.expected_frac * claim.expected_mw * self.hours
                book.earn(Stream(CashKind.WEAR, claim.market.id, *ids, Direction.UP), -battery.wear_per_mwh * mwh)
        worth = np.zeros(self.count)
        worth[-1] = battery.end_value_per_mwh * (self.levels_mwh[-1] - battery.initial_mwh)
        book.earn(Stream(CashKind.STORED, "", *ids), worth)


CHECKS = {"battery": BatteryCheck}

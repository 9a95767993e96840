"""Checks the heat of a site: what each heat asset does, the balance, and calls in full (formulation 4; decision 9)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import ABS_MW, Findings
from scheduler.check.reading import AssetView, Claim, Reader, SiteView, no_backing
from scheduler.plan import CashKind, Stream
from scheduler.problem import Direction, Floats


class HeatAsset:
    """What all of them share: a series of heat, and power."""

    series = ""  # name of what the plan says

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.asset: Any = view.asset
        self.count = view.problem.horizon.count
        self.hours = view.problem.horizon.step_minutes / 60.0
        self.ids = (view.site.id, self.asset.id)
        self.field = f"{view.path}.{self.asset.kind}.{self.series}"
        if view.plan is not None and not hasattr(view.plan, self.series):
            findings.add(self.field, "missing", "the plan says nothing about its heat")
        self.heat_mw = self.read(self.series, findings, negative=self.asset.kind == "heat_store")
        self.power_mw: Floats = self.heat_mw * getattr(self.asset, "power_per_heat_mw", 0.0)

    def read(self, name: str, findings: Findings, *, negative: bool = False) -> Floats:
        """[T] a series of its plan; zeros where there is none."""
        stated = getattr(self.view.plan, name, np.zeros(self.count))
        path = f"{self.view.path}.{self.asset.kind}.{name}"
        return Reader(self.count, findings).floats(path, stated, negative=negative)

    @property
    def to_loop_mw(self) -> Floats:
        """[T] heat that it gives to the site."""
        return self.heat_mw

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with its part of the plan."""
        findings.equal(self.view.power_mw, self.power_mw, f"{self.view.path}.power_mw", "power", "MW of electric power")
        no_backing(self.view, findings)

    def earn(self, book: Book) -> None:
        """Nothing, where it is not said."""


class HeatDemandCheck(HeatAsset):
    """Takes heat and pays for it."""

    series = "delivered_mw"

    @property
    def to_loop_mw(self) -> Floats:
        """[T] it takes."""
        return -self.heat_mw

    @property
    def least_mw(self) -> Floats:
        """[T] that must be delivered."""
        return np.zeros(self.count) if self.asset.least_mw is None else np.asarray(self.asset.least_mw)

    def check(self, findings: Findings) -> None:
        """Between what must be and what can be delivered."""
        super().check(findings)
        findings.limit(self.heat_mw, self.asset.demand_mw, self.field, "heat_demand", "it is delivered")
        findings.limit(self.least_mw - self.heat_mw, 0.0, self.field, "heat_least", "it lacks")

    def earn(self, book: Book) -> None:
        """The price of heat."""
        book.earn(Stream(CashKind.HEAT, "", *self.ids), self.asset.price_per_mwh * self.heat_mw * self.hours)


class BoilerCheck(HeatAsset):
    """Makes heat."""

    series = "heat_mw"

    def check(self, findings: Findings) -> None:
        """Within its power."""
        super().check(findings)
        findings.limit(self.heat_mw, self.asset.max_mw, self.field, "boiler", "it makes")

    def earn(self, book: Book) -> None:
        """Fuel."""
        book.earn(Stream(CashKind.FUEL, "", *self.ids), -self.asset.fuel_per_mwh * self.heat_mw * self.hours)


class DryCoolerCheck(HeatAsset):
    """Rejects heat."""

    series = "rejected_mw"

    @property
    def to_loop_mw(self) -> Floats:
        """[T] it takes."""
        return -self.heat_mw

    def check(self, findings: Findings) -> None:
        """Within its power."""
        super().check(findings)
        findings.limit(self.heat_mw, self.asset.max_mw, self.field, "cooler", "it rejects")


class HeatStoreCheck(HeatAsset):
    """Gives and takes heat; what is stored is simulated from the start."""

    series = "heat_mw"

    def __init__(self, view: AssetView, findings: Findings) -> None:
        super().__init__(view, findings)
        self.stated_mwh = self.read("stored_mwh", findings)
        self.levels_mwh: Floats = np.empty(self.count + 1)
        self.levels_mwh[0] = level = self.asset.initial_mwh
        for t in range(self.count):
            level = level * (1 - self.asset.loss_frac_per_hour) ** self.hours - self.heat_mw[t] * self.hours
            self.levels_mwh[t + 1] = level

    def check(self, findings: Findings) -> None:
        """Within power and capacity, and full enough at the end."""
        super().check(findings)
        store, own = self.asset, self.levels_mwh[1:]
        field = f"{self.view.path}.{store.kind}.stored_mwh"
        findings.limit(self.heat_mw, store.discharge_mw, self.field, "discharge", "it gives")
        findings.limit(-self.heat_mw, store.charge_mw, self.field, "charge", "it takes")
        findings.equal(self.stated_mwh, own, field, "stored", "MWh, as its heat and losses leave it")
        findings.limit(own, store.capacity_mwh, field, "stored_limit", "it stores", unit="MWh")
        findings.limit(-own, 0.0, field, "stored_limit", "it stores less than nothing by", unit="MWh")
        if store.end_mwh is not None and own[-1] < store.end_mwh - ABS_MW:
            message = f"{own[-1]:.9g} MWh at the end, at least {store.end_mwh:.9g} MWh are wanted"
            findings.add(f"{field}[{self.count - 1}]", "end", message, store.end_mwh - own[-1])

    def earn(self, book: Book) -> None:
        """What the end is worth more than the start."""
        worth = np.zeros(self.count)
        worth[-1] = self.asset.end_value_per_mwh * (self.levels_mwh[-1] - self.asset.initial_mwh)
        book.earn(Stream(CashKind.STORED, "", *self.ids), worth)


def check_heat(view: SiteView, assets: list[Any], findings: Findings) -> None:
    """The loop of a site that has heat assets; ``assets`` are the checks of its assets."""
    own = [asset for asset in assets if isinstance(asset, HeatAsset)]
    if own:
        _Loop(view, assets, own).check(findings)


class _Loop:
    """Heat of a site; calls are told by what they move: MW of heat, and how long they can last."""

    def __init__(self, view: SiteView, assets: list[Any], own: list[HeatAsset]) -> None:
        self.own = own
        self.field = f"{view.path}.assets"
        fracs = {asset.asset.id: asset.asset for asset in view.assets if asset.asset.kind == "miner_group"}
        nothing = np.zeros(own[0].count)
        self.machines_mw = sum(
            (each.power_mw * each.group.heat_frac for each in assets if hasattr(each, "group")), nothing
        )
        self.calls: list[tuple[Claim, Floats]] = [
            (claim, claim.mw * fracs[claim.asset_id].heat_frac / fracs[claim.asset_id].delivery_frac)
            for claim in view.claims
            if claim.asset_id in fracs
        ]
        self.expected_mw = nothing.copy()  # what expected calls add
        for claim, heat_mw in self.calls:
            if claim.activation is not None:
                share = np.divide(claim.expected_mw, claim.mw, out=nothing.copy(), where=claim.mw != 0)
                sign = -1 if claim.direction is Direction.UP else 1
                self.expected_mw = self.expected_mw + sign * claim.activation.expected_frac * share * heat_mw
        given_mw = sum((asset.to_loop_mw for asset in own), nothing)
        self.left_mw: Floats = self.machines_mw + self.expected_mw + given_mw

    def check(self, findings: Findings) -> None:
        """Balance, cooling for calls down, delivery through calls up."""
        coolers = [asset for asset in self.own if isinstance(asset, DryCoolerCheck)]
        if coolers:
            nothing = np.zeros_like(self.left_mw)
            findings.equal(self.left_mw, nothing, self.field, "heat_balance", "MW of heat that goes nowhere")
        else:
            findings.limit(-self.left_mw, 0.0, self.field, "heat_balance", "heat from nowhere:")
        if coolers:
            rejected = sum((cooler.heat_mw for cooler in coolers), np.zeros_like(self.left_mw))
            most = sum((cooler.asset.max_mw for cooler in coolers), np.zeros_like(self.left_mw))
            down = sum((heat for claim, heat in self.calls if claim.direction is Direction.DOWN), 0.0 * rejected)
            what = "with all down calls it rejects"
            findings.limit(rejected - self.expected_mw + down, most, self.field, "heat_room", what)
        for t in range(len(self.left_mw)):
            self._check_floor(t, findings)

    def _check_floor(self, t: int, findings: Findings) -> None:
        """Walks through all up calls at once, from the end of the shortest to that of the longest."""
        demands = [asset for asset in self.own if isinstance(asset, HeatDemandCheck)]
        least_mw = sum(float(demand.least_mw[t]) for demand in demands)
        calls = [
            (claim.market.product.hold_minutes / 60, float(heat[t]))
            for claim, heat in self.calls
            if claim.direction is Direction.UP and heat[t] > 0 and claim.market.product.hold_minutes > 0
        ]
        if not least_mw or not calls:
            return
        planned_mw = float(self.machines_mw[t])
        taken_mw = (
            planned_mw
            + float(self.expected_mw[t])
            + sum(float(asset.to_loop_mw[t]) for asset in self.own if isinstance(asset, BoilerCheck | HeatStoreCheck))
        )  # what reaches demands, coolers and the air
        boilers = [asset for asset in self.own if isinstance(asset, BoilerCheck) and not asset.asset.power_per_heat_mw]
        spare_mw = sum(boiler.asset.max_mw - float(boiler.heat_mw[t]) for boiler in boilers)
        stores = [asset for asset in self.own if isinstance(asset, HeatStoreCheck)]
        more_mw = sum(store.asset.discharge_mw - float(store.heat_mw[t]) for store in stores)
        lasting = max(hours for hours, _ in calls)
        stored_mwh = sum(
            float(min(store.levels_mwh[t : t + 2])) * (1 - store.asset.loss_frac_per_hour) ** lasting
            for store in stores
        )
        before = used_mwh = 0.0
        for hours in sorted({hours for hours, _ in calls}):
            lost_mw = sum(heat for each, heat in calls if each >= hours)
            needed_mw = least_mw - (taken_mw - float(self.expected_mw[t]) - lost_mw + spare_mw)
            used_mwh += max(0.0, needed_mw) * (hours - before)
            before = hours
            if needed_mw > max(0.0, more_mw) + ABS_MW:
                message = f"interval {t}: {needed_mw - more_mw:.6g} MW of heat lack in calls up of {hours:g} h"
                findings.add(f"{self.field}[{t}]", "heat_floor", message, needed_mw - more_mw, of=self.field)
        if used_mwh > stored_mwh + ABS_MW:
            message = f"interval {t}: calls up need {used_mwh:.6g} MWh of stored heat, there are {stored_mwh:.6g} MWh"
            findings.add(f"{self.field}[{t}]", "heat_floor", message, used_mwh - stored_mwh, of=self.field)


CHECKS = {
    "heat_demand": HeatDemandCheck,
    "heat_store": HeatStoreCheck,
    "boiler": BoilerCheck,
    "dry_cooler": DryCoolerCheck,
}

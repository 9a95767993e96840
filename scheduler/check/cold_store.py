"""Checks a cold store: how cold it is is simulated from the start, from the chiller's power alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import ABS_MW, Findings
from scheduler.check.reading import AssetView, Reader, no_backing
from scheduler.plan import CashKind, Stream
from scheduler.problem import Floats

if TYPE_CHECKING:
    from scheduler.assets.cold_store import ColdStore


class ColdStoreCheck:
    """A cold store, from its power."""

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.store: ColdStore = view.asset
        count, hours = view.problem.horizon.count, view.problem.horizon.step_minutes / 60.0
        self.field = f"{view.path}.{self.store.kind}.stored_mwh"
        if view.plan is not None and not hasattr(view.plan, "stored_mwh"):
            findings.add(self.field, "missing", "the plan says nothing about how cold it is")
        stated = getattr(view.plan, "stored_mwh", np.zeros(count))
        self.stated_mwh = Reader(count, findings).floats(self.field, stated, negative=False)
        self.power_mw: Floats = view.power_mw
        self.levels_mwh: Floats = np.empty(count + 1)
        self.levels_mwh[0] = level = self.store.initial_mwh
        for t in range(count):
            level -= self.store.load_mw[t] * hours
            level += self.power_mw[t] * self.store.cold_per_power_mw * hours
            self.levels_mwh[t + 1] = level

    def check(self, findings: Findings) -> None:
        """Within the chiller's power, never too warm nor too cold, and cold enough at the end."""
        store, own, power = self.store, self.levels_mwh[1:], f"{self.view.path}.power_mw"
        findings.limit(self.power_mw, store.chiller_mw, power, "chiller", "it takes")
        findings.limit(-self.power_mw, 0.0, power, "chiller", "it makes power:")
        findings.equal(self.stated_mwh, own, self.field, "stored", "MWh, as its power and load leave it")
        findings.limit(own, store.capacity_mwh, self.field, "stored_limit", "it stores", unit="MWh")
        findings.limit(-own, 0.0, self.field, "stored_limit", "it is too warm by", unit="MWh")
        if store.end_mwh is not None and own[-1] < store.end_mwh - ABS_MW:
            message = f"{own[-1]:.9g} MWh at the end, at least {store.end_mwh:.9g} MWh are wanted"
            findings.add(f"{self.field}[{len(own) - 1}]", "end", message, store.end_mwh - own[-1])
        no_backing(self.view, findings)

    def earn(self, book: Book) -> None:
        """What the end is worth more than the start."""
        worth = np.zeros(len(self.power_mw))
        worth[-1] = self.store.end_value_per_mwh * (self.levels_mwh[-1] - self.store.initial_mwh)
        book.earn(Stream(CashKind.STORED, "", self.view.site.id, self.store.id), worth)


CHECKS = {"cold_store": ColdStoreCheck}

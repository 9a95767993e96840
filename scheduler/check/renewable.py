"""Checks solar, wind and run-of-river: what is made and what is curtailed are all that is available (formulation 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import Findings
from scheduler.check.reading import AssetView, Reader, no_backing
from scheduler.plan import CashKind, Stream
from scheduler.problem import Floats

if TYPE_CHECKING:
    from scheduler.assets.renewable import Renewable


class RenewableCheck:
    """Power that is there; what is not said to be curtailed is made."""

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.asset: Renewable = view.asset
        count = view.problem.horizon.count
        self.field = f"{view.path}.{self.asset.kind}.curtailed_mw"
        if view.plan is not None and not hasattr(view.plan, "curtailed_mw"):
            findings.add(self.field, "missing", "the plan does not say what is curtailed")
        stated = getattr(view.plan, "curtailed_mw", np.zeros(count))
        self.curtailed_mw: Floats = Reader(count, findings).floats(self.field, stated, negative=False)
        self.power_mw: Floats = self.curtailed_mw - self.asset.available_mw

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with its part of the plan."""
        most = self.asset.available_mw if self.asset.curtailable else np.zeros_like(self.curtailed_mw)
        findings.limit(self.curtailed_mw, most, self.field, "curtailed", "are curtailed:")
        what = "MW, what is available less what is curtailed, below 0"
        findings.equal(self.view.power_mw, self.power_mw, f"{self.view.path}.power_mw", "power", what)
        no_backing(self.view, findings)

    def earn(self, book: Book) -> None:
        """What is received for what is curtailed."""
        if self.asset.curtailed_value_per_mwh is not None:
            hours = self.view.problem.horizon.step_minutes / 60.0
            stream = Stream(CashKind.CURTAILMENT, "", self.view.site.id, self.asset.id)
            book.earn(stream, self.asset.curtailed_value_per_mwh * self.curtailed_mw * hours)


CHECKS = {"renewable": RenewableCheck}

"""Checks a firm load: what it takes and what is missing are the whole of it (formulation 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import ABS_MW, Findings
from scheduler.check.reading import AssetView, Reader, no_backing
from scheduler.problem import Floats

if TYPE_CHECKING:
    from scheduler.assets.firm_load import FirmLoad


class FirmLoadCheck:
    """A firm load; what is not said to be missing is taken."""

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.load: FirmLoad = view.asset
        count = view.problem.horizon.count
        self.field = f"{view.path}.{self.load.kind}.unserved_mw"
        if view.plan is not None and not hasattr(view.plan, "unserved_mw"):
            findings.add(self.field, "missing", "the plan does not say what is not served")
        stated = getattr(view.plan, "unserved_mw", np.zeros(count))
        self.unserved_mw: Floats = Reader(count, findings).floats(self.field, stated, negative=False)
        self.power_mw: Floats = self.load.load_mw - self.unserved_mw

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with its part of the plan."""
        findings.limit(self.unserved_mw, self.load.load_mw, self.field, "unserved", "of the load are missing")
        findings.equal(self.view.power_mw, self.power_mw, f"{self.view.path}.power_mw", "power", "MW, all of the load")
        no_backing(self.view, findings)

    def earn(self, book: Book) -> None:
        """Nothing: it is served whatever it costs."""


def not_served(view: AssetView) -> bool:
    """Whether a plan misses anything of an asset that is a firm load: then the answer is a conflict."""
    if view.asset.kind != "firm_load":
        return False
    return bool((FirmLoadCheck(view, Findings()).unserved_mw > ABS_MW).any())


CHECKS = {"firm_load": FirmLoadCheck}

"""Firm loads one by one: where each stands, and what of it a plan does not serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scheduler.assets.firm_load import FirmLoad, FirmLoadPlan
from scheduler.conflict.lots import MISSING_MW, Key, runs_of
from scheduler.plan import Plan
from scheduler.problem import Floats, Problem


@dataclass(frozen=True, eq=False)
class Load:
    """A firm load with its place in the problem and what is missing of it."""

    site_id: str
    asset: FirmLoad
    field: str  # path on the wire
    missing_mw: Floats  # [T], without dust
    missing_mwh: float

    @property
    def key(self) -> Key:
        """As awards have one: no market, its site and its own id."""
        return key_of(self.site_id, self.asset.id)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Runs of intervals in which something is missing: first, and the one after the last."""
        return runs_of(self.missing_mw)


def key_of(site_id: str, asset_id: str) -> Key:
    """A key that no award has."""
    return "", site_id, asset_id


def loads_of(problem: Problem, plan: Plan) -> list[Load]:
    """Every firm load of a problem, in its order, with what a plan does not serve."""
    found = []
    for s, (site, site_plan) in enumerate(zip(problem.sites, plan.sites, strict=True)):
        for a, (asset, own) in enumerate(zip(site.assets, site_plan.assets, strict=True)):
            if isinstance(asset, FirmLoad) and isinstance(own, FirmLoadPlan):
                missing_mw = np.where(own.unserved_mw > MISSING_MW, own.unserved_mw, 0.0)
                field = f"problem.sites[{s}].assets[{a}].{asset.kind}.load_mw"
                missing_mwh = float(missing_mw.sum()) * problem.horizon.step_hours
                found.append(Load(site.id, asset, field, missing_mw, missing_mwh))
    return found

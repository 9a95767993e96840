"""A grid connection: what the meter may show, reserve calls included (formulation 4 and 5, site limits)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scheduler.errors import Violation
from scheduler.problem import Direction, Floats, Site

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger


@dataclass(frozen=True, eq=False)
class Connection:
    """Import and export limits, and the fastest change of site power under a call."""

    import_limit_mw: Floats  # [T]; inf: unlimited
    export_limit_mw: Floats  # [T]
    ramp_mw_per_minute: float | None = None  # None: unlimited

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        for name in ("import_limit_mw", "export_limit_mw"):
            values = getattr(self, name)
            for t in np.flatnonzero(np.isnan(values) | (values < 0)):
                yield Violation(f"{path}.{name}.values[{t}]", "range", f"must be at least 0, is {values[t]}")
        if self.ramp_mw_per_minute is not None and not 0 < self.ramp_mw_per_minute < float("inf"):
            yield Violation(
                f"{path}.ramp_mw_per_minute", "range", f"must be finite and above 0, is {self.ramp_mw_per_minute}"
            )

    def declare(self, ledger: Ledger, site: Site) -> None:
        """Declares what the meter shows; its bounds are the limits of the plan itself."""
        ledger.grid_mw[site.id] = ledger.variables(
            f"grid[{site.id}]", ledger.intervals, lower=-self.export_limit_mw, upper=self.import_limit_mw
        )

    def constrain(self, ledger: Ledger, site: Site) -> None:
        """Balances the site and keeps room for every call: all up together, all down together."""
        grid = ledger.grid_mw[site.id]
        ledger.rows(f"balance[{site.id}]", [*ledger.injections[site.id], (-1.0, grid)], lower=0.0, upper=0.0)
        claims = {
            direction: [c for c in ledger.claims if c.site_id == site.id and c.demand.direction is direction]
            for direction in (Direction.UP, Direction.DOWN)
        }
        if claims[Direction.DOWN]:
            terms = [(1.0, claim.mw) for claim in claims[Direction.DOWN]]
            ledger.rows(f"import[{site.id}]", [(1.0, grid), *terms], upper=self.import_limit_mw)
        if claims[Direction.UP]:
            terms = [(-1.0, claim.mw) for claim in claims[Direction.UP]]
            ledger.rows(f"export[{site.id}]", [(1.0, grid), *terms], lower=-self.export_limit_mw)
        if self.ramp_mw_per_minute is None:
            return
        for direction, held in claims.items():
            for seconds in sorted({claim.demand.product.full_activation_seconds for claim in held}):
                fast = [(1.0, c.mw) for c in held if c.demand.product.full_activation_seconds <= seconds]
                reach_mw = self.ramp_mw_per_minute * seconds / 60
                ledger.rows(f"ramp[{site.id},{direction.value},{seconds}]", fast, upper=reach_mw)

"""Checks a connection: limits with all calls together, and the ramp of calls (formulation 5, site limits)."""

from __future__ import annotations

import numpy as np

from scheduler.check.findings import Findings
from scheduler.check.reading import SiteView
from scheduler.problem import Direction, Floats


def check_connection(view: SiteView, grid_mw: Floats, findings: Findings) -> None:
    """What the meter may show without and with calls; ``grid_mw`` is the checker's own sum."""
    findings.equal(view.grid_mw, grid_mw, f"{view.path}.grid_mw", "balance", "MW, sum of its assets")
    connection = view.site.connection
    if connection is None:
        findings.equal(grid_mw, np.zeros_like(grid_mw), f"{view.path}.grid_mw", "island", "an island's balance is")
        return
    held = {
        direction: sum((np.maximum(0, c.mw) for c in view.claims if c.direction is direction), np.zeros_like(grid_mw))
        for direction in (Direction.UP, Direction.DOWN)
    }
    findings.limit(
        grid_mw + held[Direction.DOWN],
        connection.import_limit_mw,
        f"{view.path}.grid_mw",
        "import_limit",
        "with all down calls the site takes",
    )
    findings.limit(
        held[Direction.UP] - grid_mw,
        connection.export_limit_mw,
        f"{view.path}.grid_mw",
        "export_limit",
        "with all up calls the site feeds in",
    )
    if connection.ramp_mw_per_minute is None:
        return
    times_seconds = sorted({claim.market.product.full_activation_seconds for claim in view.claims})
    for direction in (Direction.UP, Direction.DOWN):
        for seconds in times_seconds:
            fast = [
                claim.mw
                for claim in view.claims
                if claim.direction is direction and claim.market.product.full_activation_seconds <= seconds
            ]
            findings.limit(
                sum(fast, np.zeros_like(grid_mw)),
                connection.ramp_mw_per_minute * seconds / 60,
                f"{view.path}.grid_mw",
                "ramp",
                f"{direction.value} calls within {seconds:g} s change it by",
            )

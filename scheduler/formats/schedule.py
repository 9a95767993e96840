"""Schedules per interval: what each site takes, and between which limits calls of reserve may move it."""

from __future__ import annotations

import numpy as np

from scheduler.formats.local_day import day_of, period_name
from scheduler.plan import Plan
from scheduler.problem import Direction, Problem
from scheduler.tables import Cell

COLUMNS = ("utc_start", "utc_end", "local_date", "local_period", "site_id", "zone_eic", "grid_mw")
BOUNDS = ("least_mw_when_called_up", "most_mw_when_called_down", "energy_mwh")

Row = list[Cell]


def schedule_rows(problem: Problem, plan: Plan) -> list[Row]:
    """A heading, then a row for each interval and site: mean MW, positive when taken from the grid."""
    horizon = problem.horizon
    rows: list[Row] = [[*COLUMNS, *BOUNDS]]
    limits = []
    for site in problem.sites:
        own = {asset.id for asset in site.assets}
        held = {direction: np.zeros(horizon.count) for direction in (Direction.UP, Direction.DOWN)}
        for market in plan.markets:
            for backing in market.backing:
                if backing.asset_id in own:
                    held[backing.direction] = held[backing.direction] + backing.mw
        limits.append(held)
    for t in range(horizon.count):
        bounds_utc = (horizon.boundary_utc(t), horizon.boundary_utc(t + 1))
        named: Row = [*bounds_utc, str(day_of(horizon, t)), period_name(horizon, t)]
        for site, site_plan, held in zip(problem.sites, plan.sites, limits, strict=True):
            mw = float(site_plan.grid_mw[t])
            bounds = [mw - float(held[Direction.UP][t]), mw + float(held[Direction.DOWN][t])]
            rows.append([*named, site.id, site.zone_eic, mw, *bounds, mw * horizon.step_hours])
    return rows

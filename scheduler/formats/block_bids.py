"""Block bids with minimum acceptance, in the columns of Nord Pool (facts A3): runs of a group that start once.

A curve prices each period by itself. A block is for machines whose start costs money or time: it asks for the same MW
over the whole run of the plan, at the highest mean price at which the run still pays for its starts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scheduler.assets.machine import Mode
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.errors import SchedulerError
from scheduler.formats.demand_curve import CurveRules, check_periods
from scheduler.formats.local_day import on_market_clock, period_name
from scheduler.plan import Plan
from scheduler.problem import Counts, Floats, Problem, Site
from scheduler.tables import Cell
from scheduler.worth import frontier, held_count

KW_PER_MW = 1000.0
W_PER_KW = 1000.0
PERCENT = 100

Row = list[Cell]


@dataclass(frozen=True)
class BlockBid:
    """The same MW over a run of intervals, up to a mean price."""

    name: str
    start: int  # first interval
    end: int  # interval after the last
    kw: int
    price_per_mwh: float
    least_percent: int  # minimum acceptance


def block_bids_of(
    problem: Problem, plan: Plan, asset_id: str, rules: CurveRules, periods: range | None = None
) -> list[BlockBid]:
    """The runs of a group's machines that are free of reserve: from rest to the first mode in which they would mine.

    Of a run only what lies in the ``periods`` of an auction; None: in the whole plan.

    What they take on top of that mode starts nothing and belongs in the curve, and so do machines behind reserve, which
    run at any price. Runs that lie on one another are other machines: no block needs another. Volumes are rounded down
    to the lot and prices to the tick; the minimum acceptance is one machine and one lot.
    Raises SchedulerError where there is no such group, or none of its machines rests.
    """
    for site, site_plan in zip(problem.sites, plan.sites, strict=True):
        for asset, asset_plan in zip(site.assets, site_plan.assets, strict=True):
            if asset.id == asset_id and isinstance(asset, MinerGroup) and isinstance(asset_plan, MinerGroupPlan):
                modes = frontier(asset)
                if len(modes) < 2 or not modes[0].resting:
                    raise SchedulerError(f"group {asset_id!r} never rests: no block could pay for its starts")
                free = asset_plan.mode_count - held_count(plan, asset, asset_plan)
                mining = np.array([not mode.resting for mode in asset.modes])
                running = free[mining].sum(axis=0)
                periods = periods or range(problem.horizon.count)
                return list(_bids(problem, site, asset, site_plan.grid_mw, running, rules, periods))
    raise SchedulerError(f"there is no group of mining machines {asset_id!r}")


def nord_pool_block_rows(bids: list[BlockBid], problem: Problem, periods: range) -> list[Row]:
    """Columns of the template, with an hour's column for each of the ``periods`` of a day; blank Min.% would be 100.

    Raises SchedulerError for intervals that are no period of an auction.
    """
    check_periods(problem.horizon)
    horizon = on_market_clock(problem.horizon)
    names = [period_name(horizon, t) for t in periods]
    rows: list[Row] = [["Name", "From", "To", "Volume", "Price", "Min.%", "Link", *names]]
    for bid in bids:
        inside: Row = [bid.kw / KW_PER_MW if bid.start <= t < bid.end else None for t in periods]
        start, end = (period_name(horizon, t) for t in (bid.start, bid.end - 1))
        figures: Row = [bid.kw / KW_PER_MW, bid.price_per_mwh, bid.least_percent, ""]
        rows.append([bid.name, start, end, *figures, *inside])
    return rows


def _bids(
    problem: Problem,
    site: Site,
    group: MinerGroup,
    grid_mw: Floats,
    running: Counts,
    rules: CurveRules,
    periods: range,
) -> Iterator[BlockBid]:
    rest, mode = frontier(group)[:2]
    machine_kw = (mode.power_w - rest.power_w) / W_PER_KW
    layers = [layer for layer in _layers(running) if layer[0] < periods.stop and layer[1] > periods.start]
    for number, (begun, ended, machines) in enumerate(layers, 1):
        start, end = max(begun, periods.start), min(ended, periods.stop)
        kw = math.floor(machines * machine_kw / rules.lot_kw + 1e-6) * rules.lot_kw
        price = _worth(problem, site, group, grid_mw[start:end], machines, start, end, (begun == start, ended == end))
        ticks = math.floor(min(price, rules.most_price_per_mwh) * rules.ticks_per_unit_count + 1e-6)
        if kw and ticks >= rules.limits_ticks[0]:
            least_percent = min(PERCENT, math.ceil(PERCENT * max(rules.lot_kw, machine_kw) / kw - 1e-6))
            yield BlockBid(f"{group.id}-{number}", start, end, kw, ticks / rules.ticks_per_unit_count, least_percent)


def _layers(running: Counts) -> list[tuple[int, int, int]]:
    """Start, end and machines of runs that together are what runs; a wider one lies below those on top of it."""
    layers: list[tuple[int, int, int]] = []
    open_runs: list[tuple[int, int]] = []  # that have not ended: start, machines; the narrowest last
    level = 0
    for t, count in enumerate([*(int(n) for n in running), 0]):
        start = t
        while level > count:
            start, machines = open_runs.pop()
            ended = min(machines, level - count)
            layers.append((start, t, ended))
            level -= ended
            if ended < machines:
                open_runs.append((start, machines - ended))
        if count > level:
            open_runs.append((t, count - level))
            level = count
    return sorted(layers, key=lambda layer: (layer[0], -layer[1]))


def _worth(
    problem: Problem,
    site: Site,
    group: MinerGroup,
    grid_mw: Floats,
    machines: int,
    start: int,
    end: int,
    is_moved: tuple[bool, bool],
) -> float:
    """Mean price per MWh at which a run pays: its hash less fees, the moves in and out and what they do not hash.

    is_moved: whether it begins with what is bid, and ends with it.

    grid_mw: what the meter shows during the run, which is taken for the last of it: the fee is due on what would not be
    imported without the run, none where the site would only feed in more. Machines that run when the horizon starts or
    ends are moved by no move of this run.
    """
    rest, mode = frontier(group)[:2]
    income: Floats = group.mining(problem).income_per_ths_h
    hours = problem.horizon.step_hours
    machine_mw = (mode.power_w - rest.power_w) / W_PER_KW / KW_PER_MW
    earned = float(mode.hashrate_ths * income[start:end].sum() * hours)
    imported_mw = np.maximum(grid_mw, 0.0) - np.maximum(grid_mw - machines * machine_mw, 0.0)
    fees = float((site.tariff.import_fee_per_mwh[start:end] * imported_mw).sum() * hours) / machines
    moved = 0.0
    if start > 0 and is_moved[0]:
        wear, seconds = _way(group, rest, mode)
        moved += wear + mode.hashrate_ths * float(income[start]) * min(seconds / 3600, (end - start) * hours)
    if end < problem.horizon.count and is_moved[1]:
        moved += _way(group, mode, rest)[0]
    return (earned - fees - moved) / (machine_mw * hours * (end - start))


def _way(group: MinerGroup, here: Mode, there: Mode) -> tuple[float, float]:
    """Wear and seconds of the moves from one mode to another that wear least. Modes of a frontier can be reached."""
    found = {here.id: (0.0, 0.0)}
    for _ in group.modes:  # Bellman and Ford
        for move in group.moves:
            if move.from_mode_id in found:
                wear, seconds = found[move.from_mode_id]
                way = (wear + move.wear_cost, seconds + move.seconds)
                found[move.to_mode_id] = min(way, found.get(move.to_mode_id, way))
    return found.get(there.id, (0.0, 0.0))

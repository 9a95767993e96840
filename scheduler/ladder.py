"""Activation ladders: how a control system executes the calls that a plan has sold (formulation 9).

Calls in the two directions are executed as their net, product by product; machines that back both directions are those
of the same mode that can move and come back within the shorter activation time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from scheduler.assets.battery import Battery
from scheduler.assets.generator import Generator
from scheduler.assets.miner_group import MinerGroup
from scheduler.errors import SchedulerError
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import Backing, Plan, Rung
from scheduler.problem import Counts, Floats, Problem
from scheduler.worth import W_PER_MW, asset_of, call_cost_per_mwh, site_of_asset

ROUNDING_MW = 1e-6  # of the solver


def with_ladders(problem: Problem, plan: Plan) -> Plan:
    """The plan with the ladders of all that backs its reserve."""
    markets = []
    for market, market_plan in zip(problem.markets, plan.markets, strict=True):
        ladder: tuple[Rung, ...] = ()
        if market_plan.backing:
            ladder = ladder_of(problem, cast(ReserveMarket, market), market_plan.backing)
        markets.append(replace(market_plan, ladder=ladder))
    return replace(plan, markets=tuple(markets))


def ladder_of(problem: Problem, market: ReserveMarket, backing: tuple[Backing, ...]) -> tuple[Rung, ...]:
    """A rung for each entry of a market's backing, in its order; ``cumulated_mw`` says in which they are called.

    Cheapest first in every interval; of equals, the one named first.
    """
    sites = {held.asset_id: site_of_asset(problem, held.asset_id) for held in backing}
    cost = [call_cost_per_mwh(problem, sites[held.asset_id], market, held) for held in backing]
    cumulated = [np.zeros(problem.horizon.count) for _ in backing]
    for direction in market.product.direction.parts:
        mine = [i for i, held in enumerate(backing) if held.direction is direction]
        if mine:
            ends = _cumulated(np.array([backing[i].mw for i in mine]), np.array([cost[i] for i in mine]))
            for i, end in zip(mine, ends, strict=True):
                cumulated[i] = end
    return tuple(
        Rung(
            held.asset_id,
            held.direction,
            held.from_mode_id,
            held.to_mode_id,
            *_move(problem, held),
            held.mw,
            end,
            own,
        )
        for held, end, own in zip(backing, cumulated, cost, strict=True)
    )


def _cumulated(mw: Floats, cost: Floats) -> Floats:
    """[rungs, T] MW of each and of all that are cheaper; 0 where it holds nothing."""
    order = np.argsort(np.where(mw > 0, cost, np.inf), axis=0, kind="stable")
    ends = np.zeros_like(mw)
    np.put_along_axis(ends, order, np.cumsum(np.take_along_axis(mw, order, axis=0), axis=0), axis=0)
    return np.where(mw > 0, ends, 0.0)


def _move(problem: Problem, held: Backing) -> tuple[float, float, Counts]:
    """Seconds until delivered, MW that one machine delivers, [T] how many of those behind it must move.

    Where machines rotate, the others wait. What has no machines delivers any MW.
    """
    asset = asset_of(site_of_asset(problem, held.asset_id), held.asset_id)
    if isinstance(asset, Battery | Generator):
        return asset.response_seconds, 0.0, np.zeros(problem.horizon.count, dtype=np.int64)
    if not isinstance(asset, MinerGroup):
        raise SchedulerError(f"asset {held.asset_id!r}: how its calls are executed is not known")
    here, there = asset.mode_index[held.from_mode_id], asset.mode_index[held.to_mode_id]
    machine_mw = abs(asset.modes[here].power_w - asset.modes[there].power_w) / W_PER_MW * asset.delivery_frac
    machines = np.ceil((held.mw - ROUNDING_MW) / machine_mw).astype(np.int64)
    fewest = np.minimum(np.where(held.mw > 0, np.maximum(machines, 1), 0), held.machine_count)
    return float(asset.moves[asset.move_index[here, there]].seconds), machine_mw, fewest

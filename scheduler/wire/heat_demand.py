"""Demands for heat and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.heat_demand import HeatDemand, HeatDemandPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_or, series_to_pb
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.HeatDemand, path: str, asset_id: str) -> HeatDemand:
    """Who buys heat."""
    known = len(read.violations)
    demand = HeatDemand(
        id=asset_id,
        demand_mw=required_series(read, pb, "demand_mw", path),
        price_per_mwh=required_series(read, pb, "price_per_mwh", path),
        least_mw=series_or(read, pb, "least_mw", path, None),
    )
    if read.horizon is None or len(read.violations) > known:
        read.muted.add(f"{path}.least_mw")  # which is compared with the demand
    return demand


def to_pb(demand: HeatDemand, horizon: Horizon) -> v1.HeatDemand:
    """The inverse of `from_pb`."""
    return v1.HeatDemand(
        demand_mw=series_to_pb(demand.demand_mw, horizon),
        price_per_mwh=series_to_pb(demand.price_per_mwh, horizon),
        least_mw=None if demand.least_mw is None else series_to_pb(demand.least_mw, horizon),
    )


def plan_to_pb(plan: HeatDemandPlan, demand: HeatDemand) -> plan_pb2.HeatDemandPlan:
    """What is delivered."""
    return plan_pb2.HeatDemandPlan(delivered_mw=plan.delivered_mw.tolist())


def plan_from_pb(
    read: Reader, pb: plan_pb2.HeatDemandPlan, path: str, plan: AssetPlan, demand: HeatDemand
) -> HeatDemandPlan:
    """The inverse of `plan_to_pb`."""
    delivered_mw = floats_of_plan(read, pb.delivered_mw, f"{path}.delivered_mw")
    return HeatDemandPlan(plan.asset_id, plan.power_mw, delivered_mw)

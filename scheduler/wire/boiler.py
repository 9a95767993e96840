"""Boilers and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.boiler import Boiler, BoilerPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import series_or, series_to_pb
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.Boiler, path: str, asset_id: str) -> Boiler:
    """A boiler."""
    if not (pb.HasField("fuel_per_mwh") or pb.power_per_heat_mw):
        read.refuse(f"{path}.fuel_per_mwh", "required", "say what it burns, or what power it takes: power_per_heat_mw")
    return Boiler(
        id=asset_id,
        max_mw=read.required_number(pb, "max_mw", path),
        fuel_per_mwh=series_or(read, pb, "fuel_per_mwh", path, read.constant(0.0)),
        power_per_heat_mw=read.number(pb, "power_per_heat_mw", path),
    )


def to_pb(boiler: Boiler, horizon: Horizon) -> v1.Boiler:
    """The inverse of `from_pb`."""
    burns = boiler.fuel_per_mwh.any() or not boiler.power_per_heat_mw
    return v1.Boiler(
        max_mw=boiler.max_mw,
        fuel_per_mwh=series_to_pb(boiler.fuel_per_mwh, horizon) if burns else None,
        power_per_heat_mw=boiler.power_per_heat_mw,
    )


def plan_to_pb(plan: BoilerPlan, boiler: Boiler) -> plan_pb2.BoilerPlan:
    """The heat that it makes."""
    return plan_pb2.BoilerPlan(heat_mw=plan.heat_mw.tolist())


def plan_from_pb(read: Reader, pb: plan_pb2.BoilerPlan, path: str, plan: AssetPlan, boiler: Boiler) -> BoilerPlan:
    """The inverse of `plan_to_pb`."""
    return BoilerPlan(plan.asset_id, plan.power_mw, floats_of_plan(read, pb.heat_mw, f"{path}.heat_mw"))

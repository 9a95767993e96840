"""Batteries and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.battery import Battery, BatteryPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.prequalification import prequalified_from_pb, prequalified_to_pb
from scheduler.wire.reader import Reader
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.Battery, path: str, asset_id: str) -> Battery:
    """A battery."""
    if pb.WhichOneof("end") is None:
        read.refuse(f"{path}.end", "required", "say how it ends: end_mwh or end_value_per_mwh")
    return Battery(
        id=asset_id,
        capacity_mwh=read.required_number(pb, "capacity_mwh", path),
        charge_mw=read.required_number(pb, "charge_mw", path),
        discharge_mw=read.required_number(pb, "discharge_mw", path),
        charge_frac=read.required_number(pb, "charge_frac", path),
        discharge_frac=read.required_number(pb, "discharge_frac", path),
        initial_mwh=read.required_number(pb, "initial_mwh", path),
        end_mwh=read.number_or(pb, "end_mwh", path, None),
        end_value_per_mwh=read.number_or(pb, "end_value_per_mwh", path, 0.0),
        wear_per_mwh=read.number(pb, "wear_per_mwh", path),
        response_seconds=read.number(pb, "response_seconds", path),
        prequalified=prequalified_from_pb(read, pb.prequalified, path),
    )


def to_pb(battery: Battery, horizon: Horizon) -> v1.Battery:
    """The inverse of `from_pb`."""
    pb = v1.Battery(
        capacity_mwh=battery.capacity_mwh,
        charge_mw=battery.charge_mw,
        discharge_mw=battery.discharge_mw,
        charge_frac=battery.charge_frac,
        discharge_frac=battery.discharge_frac,
        initial_mwh=battery.initial_mwh,
        wear_per_mwh=battery.wear_per_mwh,
        response_seconds=battery.response_seconds,
        prequalified=prequalified_to_pb(battery.prequalified),
    )
    if battery.end_mwh is not None:
        pb.end_mwh = battery.end_mwh
    else:
        pb.end_value_per_mwh = battery.end_value_per_mwh
    return pb


def plan_to_pb(plan: BatteryPlan, battery: Battery) -> plan_pb2.BatteryPlan:
    """Power both ways and what is stored."""
    return plan_pb2.BatteryPlan(
        charge_mw=plan.charge_mw.tolist(),
        discharge_mw=plan.discharge_mw.tolist(),
        stored_mwh=plan.stored_mwh.tolist(),
    )


def plan_from_pb(read: Reader, pb: plan_pb2.BatteryPlan, path: str, plan: AssetPlan, battery: Battery) -> BatteryPlan:
    """The inverse of `plan_to_pb`."""
    series = {
        name: floats_of_plan(read, getattr(pb, name), f"{path}.{name}")
        for name in ("charge_mw", "discharge_mw", "stored_mwh")
    }
    return BatteryPlan(plan.asset_id, plan.power_mw, **series)

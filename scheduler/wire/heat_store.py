"""Heat stores and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.heat_store import HeatStore, HeatStorePlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.HeatStore, path: str, asset_id: str) -> HeatStore:
    """A heat store."""
    if pb.WhichOneof("end") is None:
        read.refuse(f"{path}.end", "required", "say how it ends: end_mwh or end_value_per_mwh")
    return HeatStore(
        id=asset_id,
        capacity_mwh=read.required_number(pb, "capacity_mwh", path),
        charge_mw=read.required_number(pb, "charge_mw", path),
        discharge_mw=read.required_number(pb, "discharge_mw", path),
        initial_mwh=read.required_number(pb, "initial_mwh", path),
        loss_frac_per_hour=read.number(pb, "loss_frac_per_hour", path),
        end_mwh=read.number_or(pb, "end_mwh", path, None),
        end_value_per_mwh=read.number_or(pb, "end_value_per_mwh", path, 0.0),
    )


def to_pb(store: HeatStore, horizon: Horizon) -> v1.HeatStore:
    """The inverse of `from_pb`."""
    pb = v1.HeatStore(
        capacity_mwh=store.capacity_mwh,
        charge_mw=store.charge_mw,
        discharge_mw=store.discharge_mw,
        initial_mwh=store.initial_mwh,
        loss_frac_per_hour=store.loss_frac_per_hour,
    )
    if store.end_mwh is not None:
        pb.end_mwh = store.end_mwh
    else:
        pb.end_value_per_mwh = store.end_value_per_mwh
    return pb


def plan_to_pb(plan: HeatStorePlan, store: HeatStore) -> plan_pb2.HeatStorePlan:
    """What it gives and what is stored."""
    return plan_pb2.HeatStorePlan(heat_mw=plan.heat_mw.tolist(), stored_mwh=plan.stored_mwh.tolist())


def plan_from_pb(
    read: Reader, pb: plan_pb2.HeatStorePlan, path: str, plan: AssetPlan, store: HeatStore
) -> HeatStorePlan:
    """The inverse of `plan_to_pb`."""
    series = {name: floats_of_plan(read, getattr(pb, name), f"{path}.{name}") for name in ("heat_mw", "stored_mwh")}
    return HeatStorePlan(plan.asset_id, plan.power_mw, **series)

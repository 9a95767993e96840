"""Cold stores and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.cold_store import ColdStore, ColdStorePlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_to_pb
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.ColdStore, path: str, asset_id: str) -> ColdStore:
    """A cold store."""
    if pb.WhichOneof("end") is None:
        read.refuse(f"{path}.end", "required", "say how it ends: end_mwh or end_value_per_mwh")
    return ColdStore(
        id=asset_id,
        capacity_mwh=read.required_number(pb, "capacity_mwh", path),
        chiller_mw=read.required_number(pb, "chiller_mw", path),
        cold_per_power_mw=read.required_number(pb, "cold_per_power_mw", path),
        load_mw=required_series(read, pb, "load_mw", path),
        initial_mwh=read.required_number(pb, "initial_mwh", path),
        end_mwh=read.number_or(pb, "end_mwh", path, None),
        end_value_per_mwh=read.number_or(pb, "end_value_per_mwh", path, 0.0),
    )


def to_pb(store: ColdStore, horizon: Horizon) -> v1.ColdStore:
    """The inverse of `from_pb`."""
    pb = v1.ColdStore(
        capacity_mwh=store.capacity_mwh,
        chiller_mw=store.chiller_mw,
        cold_per_power_mw=store.cold_per_power_mw,
        load_mw=series_to_pb(store.load_mw, horizon),
        initial_mwh=store.initial_mwh,
    )
    if store.end_mwh is not None:
        pb.end_mwh = store.end_mwh
    else:
        pb.end_value_per_mwh = store.end_value_per_mwh
    return pb


def plan_to_pb(plan: ColdStorePlan, store: ColdStore) -> plan_pb2.ColdStorePlan:
    """What is stored."""
    return plan_pb2.ColdStorePlan(stored_mwh=plan.stored_mwh.tolist())


def plan_from_pb(
    read: Reader, pb: plan_pb2.ColdStorePlan, path: str, plan: AssetPlan, store: ColdStore
) -> ColdStorePlan:
    """The inverse of `plan_to_pb`."""
    return ColdStorePlan(plan.asset_id, plan.power_mw, floats_of_plan(read, pb.stored_mwh, f"{path}.stored_mwh"))

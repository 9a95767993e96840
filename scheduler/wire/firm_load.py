"""Firm loads and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.firm_load import FirmLoad, FirmLoadPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_to_pb
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.FirmLoad, path: str, asset_id: str) -> FirmLoad:
    """A load that is served first."""
    return FirmLoad(asset_id, required_series(read, pb, "load_mw", path))


def to_pb(load: FirmLoad, horizon: Horizon) -> v1.FirmLoad:
    """The inverse of `from_pb`."""
    return v1.FirmLoad(load_mw=series_to_pb(load.load_mw, horizon))


def plan_to_pb(plan: FirmLoadPlan, load: FirmLoad) -> plan_pb2.FirmLoadPlan:
    """What is not served; empty where all is."""
    return plan_pb2.FirmLoadPlan(unserved_mw=plan.unserved_mw.tolist() if plan.unserved_mw.any() else ())


def plan_from_pb(read: Reader, pb: plan_pb2.FirmLoadPlan, path: str, plan: AssetPlan, load: FirmLoad) -> FirmLoadPlan:
    """The inverse of `plan_to_pb`."""
    unserved_mw = floats_of_plan(read, pb.unserved_mw, f"{path}.unserved_mw") if pb.unserved_mw else read.constant(0.0)
    return FirmLoadPlan(plan.asset_id, plan.power_mw, unserved_mw)

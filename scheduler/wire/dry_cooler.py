"""Dry coolers and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.dry_cooler import DryCooler, DryCoolerPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_to_pb
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.DryCooler, path: str, asset_id: str) -> DryCooler:
    """A dry cooler."""
    return DryCooler(asset_id, required_series(read, pb, "max_mw", path))


def to_pb(cooler: DryCooler, horizon: Horizon) -> v1.DryCooler:
    """The inverse of `from_pb`."""
    return v1.DryCooler(max_mw=series_to_pb(cooler.max_mw, horizon))


def plan_to_pb(plan: DryCoolerPlan, cooler: DryCooler) -> plan_pb2.DryCoolerPlan:
    """What it rejects."""
    return plan_pb2.DryCoolerPlan(rejected_mw=plan.rejected_mw.tolist())


def plan_from_pb(
    read: Reader, pb: plan_pb2.DryCoolerPlan, path: str, plan: AssetPlan, cooler: DryCooler
) -> DryCoolerPlan:
    """The inverse of `plan_to_pb`."""
    rejected_mw = floats_of_plan(read, pb.rejected_mw, f"{path}.rejected_mw")
    return DryCoolerPlan(plan.asset_id, plan.power_mw, rejected_mw)

"""Solar, wind and run-of-river and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.renewable import Renewable, RenewablePlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_or, series_to_pb
from scheduler.wire.shape import floats_of_plan


def from_pb(read: Reader, pb: v1.Renewable, path: str, asset_id: str) -> Renewable:
    """Power that is there or not."""
    return Renewable(
        id=asset_id,
        available_mw=required_series(read, pb, "available_mw", path),
        curtailable=pb.curtailable if pb.HasField("curtailable") else True,
        curtailed_value_per_mwh=series_or(read, pb, "curtailed_value_per_mwh", path, None),
    )


def to_pb(asset: Renewable, horizon: Horizon) -> v1.Renewable:
    """The inverse of `from_pb`."""
    value = asset.curtailed_value_per_mwh
    return v1.Renewable(
        available_mw=series_to_pb(asset.available_mw, horizon),
        curtailable=None if asset.curtailable else False,
        curtailed_value_per_mwh=None if value is None else series_to_pb(value, horizon),
    )


def plan_to_pb(plan: RenewablePlan, asset: Renewable) -> plan_pb2.RenewablePlan:
    """What is curtailed; empty where nothing is."""
    return plan_pb2.RenewablePlan(curtailed_mw=plan.curtailed_mw.tolist() if plan.curtailed_mw.any() else ())


def plan_from_pb(
    read: Reader, pb: plan_pb2.RenewablePlan, path: str, plan: AssetPlan, asset: Renewable
) -> RenewablePlan:
    """The inverse of `plan_to_pb`."""
    curtailed = floats_of_plan(read, pb.curtailed_mw, f"{path}.curtailed_mw") if pb.curtailed_mw else read.constant(0.0)
    return RenewablePlan(plan.asset_id, plan.power_mw, curtailed)

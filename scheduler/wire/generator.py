"""Generators and their plans, to and from the wire."""

from __future__ import annotations

from scheduler.assets.generator import Generator, GeneratorPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.prequalification import prequalified_from_pb, prequalified_to_pb
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_or, series_to_pb
from scheduler.wire.shape import counts_of_plan


def from_pb(read: Reader, pb: v1.Generator, path: str, asset_id: str) -> Generator:
    """A generator."""
    if not pb.HasField("initially_running"):
        read.refuse(f"{path}.initially_running", "required", "state whether it runs when the horizon starts")
    known = len(read.violations)
    available_mw = series_or(read, pb, "available_mw", path, None)
    if read.horizon is None or len(read.violations) > known:
        read.muted.add(f"{path}.available_mw")  # what is read in its stead says nothing about the start
    return Generator(
        id=asset_id,
        max_mw=read.required_number(pb, "max_mw", path),
        fuel_per_mwh=required_series(read, pb, "fuel_per_mwh", path),
        initially_running=pb.initially_running,
        min_mw=read.number(pb, "min_mw", path),
        available_mw=available_mw,
        start_cost=read.number(pb, "start_cost", path),
        min_run_minutes=read.number(pb, "min_run_minutes", path),
        min_rest_minutes=read.number(pb, "min_rest_minutes", path),
        minutes_since_switch=read.number(pb, "minutes_since_switch", path),
        response_seconds=read.number(pb, "response_seconds", path),
        prequalified=prequalified_from_pb(read, pb.prequalified, path),
    )


def to_pb(generator: Generator, horizon: Horizon) -> v1.Generator:
    """The inverse of `from_pb`."""
    available_mw = generator.available_mw
    return v1.Generator(
        max_mw=generator.max_mw,
        min_mw=generator.min_mw,
        available_mw=None if available_mw is None else series_to_pb(available_mw, horizon),
        fuel_per_mwh=series_to_pb(generator.fuel_per_mwh, horizon),
        start_cost=generator.start_cost,
        min_run_minutes=generator.min_run_minutes,
        min_rest_minutes=generator.min_rest_minutes,
        initially_running=generator.initially_running,
        minutes_since_switch=generator.minutes_since_switch,
        response_seconds=generator.response_seconds,
        prequalified=prequalified_to_pb(generator.prequalified),
    )


def plan_to_pb(plan: GeneratorPlan, generator: Generator) -> plan_pb2.GeneratorPlan:
    """When it runs."""
    return plan_pb2.GeneratorPlan(running_count=plan.running_count.tolist())


def plan_from_pb(
    read: Reader, pb: plan_pb2.GeneratorPlan, path: str, plan: AssetPlan, generator: Generator
) -> GeneratorPlan:
    """The inverse of `plan_to_pb`."""
    return GeneratorPlan(plan.asset_id, plan.power_mw, counts_of_plan(read, pb.running_count, f"{path}.running_count"))

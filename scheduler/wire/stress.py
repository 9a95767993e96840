"""How a problem holds up when prices change: the question from the wire, the answer to it."""

from __future__ import annotations

from scheduler.problem import Problem
from scheduler.resilience import Axis, BreakEven, Resilience, StressCurve, StressOptions, Without
from scheduler.settings import SolveOptions
from scheduler.v1 import problem_pb2, stress_pb2
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.plan import CASH_KINDS
from scheduler.wire.reader import Numbers, Reader
from scheduler.wire.request import refuse_unknown_fields, schedule_request_from_pb
from scheduler.wire.response import digest, versions

AXES = Numbers(stress_pb2.StressAxis, Axis)
WITHOUT = Numbers(stress_pb2.StressWithout, Without)


def stress_request_from_pb(pb: v1.StressRequest) -> tuple[str, Problem, SolveOptions, StressOptions]:
    """Id, problem and options, validated. Raises InvalidRequestError with everything that is wrong.

    Fields of the request are named as in a request of its own.
    """
    read = Reader()
    refuse_unknown_fields(read, pb)
    default = StressOptions()
    how = StressOptions(
        points_count=pb.points_count if pb.HasField("points_count") else default.points_count,
        power_to=pb.power_to if pb.HasField("power_to") else default.power_to,
        reserve_to=pb.reserve_to if pb.HasField("reserve_to") else default.reserve_to,
        rel_gap=pb.rel_gap if pb.HasField("rel_gap") else default.rel_gap,
    )
    read.raise_if_any(how.violations())
    return *schedule_request_from_pb(pb.request), how


def stress_to_pb(found: Resilience, request_id: str, problem: problem_pb2.Problem) -> v1.StressResponse:
    """The answer; ``problem`` is what came over the wire."""
    pb = v1.StressResponse(
        request_id=request_id,
        problem_digest=digest(problem),
        versions=(v1.Version(name=name, version=version) for name, version in versions()),
        curves=map(_curve_to_pb, found.curves),
        break_evens=map(_break_even_to_pb, found.break_evens),
        rel_gap=found.rel_gap,
        complete=found.complete,
        obligations_missing=found.obligations_missing,
        wall_seconds=found.wall_seconds,
    )
    if found.no_plan_reason:
        pb.no_plan.reason = found.no_plan_reason
    return pb


def _curve_to_pb(curve: StressCurve) -> stress_pb2.StressCurve:
    pb = stress_pb2.StressCurve(
        axis=AXES.number[curve.axis],
        price_today=curve.price_today,
        plans_count=curve.plans_count,
        solves_count=curve.solves_count,
    )
    for point in curve.points:
        pb.points.add(
            factor=point.factor,
            profit=point.profit,
            bound=point.bound,
            gap=point.gap,
            proven=point.proven,
            plan=point.plan,
            mined_ph_days=point.mined_ph_days,
            grid_mwh=point.grid_mwh,
            cash=[stress_pb2.StressCash(kind=CASH_KINDS.number[kind], amount=amount) for kind, amount in point.cash],
        )
    return pb


def _break_even_to_pb(found: BreakEven) -> stress_pb2.BreakEven:
    return stress_pb2.BreakEven(
        asset_id=found.asset_id,
        without=WITHOUT.number[found.without],
        hashprice_per_ph_day=found.hashprice_per_ph_day,
        today_per_ph_day=found.today_per_ph_day,
    )

"""Answers to the wire: a plan, a conflict or none, with what computed it and digests to compare."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib import metadata

from google.protobuf.message import Message

from scheduler.errors import Violation
from scheduler.plan import AuditReport, Schedule
from scheduler.problem import Problem
from scheduler.v1 import plan_pb2, problem_pb2
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.explanation import explanation_to_pb, read_explanation
from scheduler.wire.options import read_solve, solve_to_pb
from scheduler.wire.plan import plan_to_pb, read_plan, shortfalls_from_pb, shortfalls_to_pb
from scheduler.wire.problem import problem_to_pb
from scheduler.wire.reader import MOST_OF_PLANS, Reader
from scheduler.wire.sources import sources_of

DISTRIBUTIONS = ("gridflex-scheduler", "numpy", "highspy")


def schedule_to_pb(
    schedule: Schedule, request_id: str = "", problem: problem_pb2.Problem | None = None
) -> v1.ScheduleResponse:
    """The answer. ``problem`` is what came over the wire, for its digest; None: as we would write it."""
    pb = v1.ScheduleResponse(
        request_id=request_id,
        problem_digest=digest(problem if problem is not None else problem_to_pb(schedule.problem)),
        versions=(v1.Version(name=name, version=version) for name, version in versions()),
        solve=solve_to_pb(schedule.solve),
        sources=() if problem is None else sources_of(problem),
    )
    plan = None if schedule.plan is None else plan_to_pb(schedule.plan, schedule.problem)
    if plan is not None:
        pb.plan_digest = digest(plan)
    if schedule.shortfalls:
        conflict = plan_pb2.Conflict(
            shortfalls=shortfalls_to_pb(schedule.shortfalls, schedule.problem),
            cheapest_cost=schedule.cheapest_cost,
            relaxed_plan=plan,
        )
        pb.conflict.CopyFrom(conflict)
    elif plan is not None:
        pb.plan.CopyFrom(plan)
    else:
        pb.no_plan.reason = schedule.no_plan_reason
    if schedule.explanation is not None:
        pb.explanation.CopyFrom(explanation_to_pb(schedule.explanation))
    return pb


def schedule_from_pb(pb: v1.ScheduleResponse, problem: Problem) -> Schedule:
    """The answer to a problem. Raises InvalidRequestError where it is none."""
    read = Reader(horizon=problem.horizon, most=MOST_OF_PLANS)
    solve = read_solve(read, pb.solve, "solve")
    conflict, plan = pb.conflict, None
    if pb.HasField("plan"):
        plan = read_plan(read, pb.plan, problem, "plan")
    elif conflict.HasField("relaxed_plan"):
        plan = read_plan(read, conflict.relaxed_plan, problem, "conflict.relaxed_plan")
    shortfalls = shortfalls_from_pb(read, conflict.shortfalls, "conflict.shortfalls")
    cheapest_cost = read.number(conflict, "cheapest_cost", "conflict")
    explanation = read_explanation(read, pb.explanation, "explanation") if pb.HasField("explanation") else None
    read.raise_if_any()
    assert solve is not None
    return Schedule(problem, solve, plan, shortfalls, cheapest_cost, pb.no_plan.reason, explanation)


def digest(pb: Message) -> str:
    """SHA-256 of the deterministic bytes of a message, in hex."""
    return hashlib.sha256(pb.SerializeToString(deterministic=True)).hexdigest()


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Names and versions of what computes an answer."""
    return (*((name, _version(name)) for name in DISTRIBUTIONS), ("python", platform.python_version()))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def violations_to_pb(violations: Iterable[Violation]) -> list[v1.Violation]:
    """What is wrong, as it is on the wire."""
    return [
        v1.Violation(field=item.field, rule=item.rule, message=item.message, amount=item.amount) for item in violations
    ]


def audit_to_pb(report: AuditReport) -> v1.AuditResponse:
    """What the checker found."""
    return v1.AuditResponse(violations=violations_to_pb(report.violations), recomputed_objective=report.objective)

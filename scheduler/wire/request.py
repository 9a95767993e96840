"""Requests from the wire: everything that is wrong is said at once, with the paths of the fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from scheduler.errors import InvalidRequestError, Violation
from scheduler.plan import Plan, Solve
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.options import read_options, read_solve
from scheduler.wire.plan import read_plan
from scheduler.wire.problem import read_problem
from scheduler.wire.reader import MOST_OF_PLANS, Reader

M = TypeVar("M", bound=Message)


def schedule_request_from_pb(pb: v1.ScheduleRequest) -> tuple[str, Problem, SolveOptions]:
    """Id, problem and options, validated. Raises InvalidRequestError with everything that is wrong."""
    read = Reader()
    refuse_unknown_fields(read, pb)
    request_id = read.checked_text(pb.request_id, "request_id")
    if not pb.HasField("problem"):
        read.refuse("problem", "required", "state the problem")
        read.raise_if_any(read_options(read, pb.options, "options").violations())
    problem = read_problem(read, pb.problem, "problem")
    options = read_options(read, pb.options, "options")
    read.raise_if_any(_both(problem, options))
    return request_id, problem, options


def _both(problem: Problem, options: SolveOptions) -> Iterator[Violation]:
    yield from options.violations()
    yield from problem.violations()


def audit_request_from_pb(pb: v1.AuditRequest) -> tuple[Problem, Plan, Solve | None, SolveOptions]:
    """Problem, plan, how it was solved, if given, and was to be. A plan that does not fit is an InvalidRequestError."""
    read = Reader()
    refuse_unknown_fields(read, pb)
    for name in ("problem", "plan"):
        if not pb.HasField(name):
            read.refuse(name, "required", f"state the {name}")
    read.raise_if_any()
    problem = read_problem(read, pb.problem, "problem")
    options = read_options(read, pb.options, "options")
    read.raise_if_any(_both(problem, options))
    read.most = MOST_OF_PLANS
    plan = read_plan(read, pb.plan, problem, "plan")
    solve = read_solve(read, pb.solve, "solve") if pb.HasField("solve") else None
    read.raise_if_any()
    return problem, plan, solve, options


def request_from_bytes(data: bytes) -> v1.ScheduleRequest:
    """A request from its binary form. Raises InvalidRequestError where the bytes are none."""
    return message_from_bytes(v1.ScheduleRequest, data)


def message_from_bytes(kind: type[M], data: bytes) -> M:
    """A message from its binary form. Raises InvalidRequestError where the bytes are none."""
    pb = kind()
    try:
        pb.ParseFromString(data)
    except (DecodeError, RecursionError) as error:
        message = f"the {len(data)} bytes are not a {pb.DESCRIPTOR.full_name}: {error}"
        raise InvalidRequestError([Violation("request", "protobuf", message)]) from None
    return pb


def refuse_unknown_fields(read: Reader, pb: Message) -> None:
    """Fields that this version does not know are refused, not passed over: they may change what is meant."""
    known = type(pb)()
    known.CopyFrom(pb)
    known.DiscardUnknownFields()
    if known.ByteSize() != pb.ByteSize():
        for path, number in _unknown_fields(pb, ""):
            message = f"the field number {number} is not known to this version"
            read.refuse(path or "request", "unknown", message)


def wrapped_request(pb: v1.StreamScheduleRequest | v1.ValidateRequest) -> v1.ScheduleRequest:
    """The request in a message of one; what is wrong with it is not looked at.

    Raises InvalidRequestError where the message has fields that this version does not know.
    """
    numbers = [field.field_number for field in UnknownFieldSet(pb)]  # type: ignore[attr-defined]
    if numbers:
        message = f"the field number {numbers[0]} is not known to this version"
        raise InvalidRequestError([Violation("request", "unknown", message)])
    return pb.request


def _unknown_fields(pb: Message, path: str) -> Iterator[tuple[str, int]]:
    for field in UnknownFieldSet(pb):  # type: ignore[attr-defined]
        yield path, field.field_number
    for descriptor, value in pb.ListFields():
        if descriptor.message_type is None:
            continue
        at = f"{path}.{descriptor.name}" if path else descriptor.name
        if descriptor.is_repeated:
            for i, item in enumerate(value):
                yield from _unknown_fields(item, f"{at}[{i}]")
        else:
            yield from _unknown_fields(value, at)

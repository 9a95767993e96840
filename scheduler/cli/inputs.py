"""What commands read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.errors import InvalidFileError, InvalidRequestError, SchedulerError

if TYPE_CHECKING:
    from scheduler.plan import Plan, Schedule
    from scheduler.v1 import scheduler_pb2 as pb


class UnsoundPlanError(SchedulerError):
    """A plan that was read fails the checker: the message has a line for each violation."""


def request_of(args: argparse.Namespace) -> pb.ScheduleRequest:
    """The request with the prices and options of the command line."""
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.json import message_from_json

    request = message_from_json(pb.ScheduleRequest, bytes_of(args.request), name_of(args.request))
    if args.prices:
        from scheduler.formats.into_request import put_prices

        for path in args.prices:
            for words in put_prices(request, Path(path), args.zone):
                print(f"{name_of(args.request)}: {words}", file=sys.stderr)
    elif args.zone:
        raise InvalidFileError("--zone goes with --prices")
    options: dict[str, Any] = {
        "rel_gap": getattr(args, "gap", None),
        "time_limit_seconds": getattr(args, "time_limit", None),
        "seed": getattr(args, "seed", None),
        "counterfactuals": False if getattr(args, "no_counterfactuals", False) else None,
        "explain": True if getattr(args, "explain", False) else None,
    }
    if strategy := getattr(args, "strategy", None):
        options["strategy"] = pb.Strategy.Value(f"STRATEGY_{strategy.upper()}")
    for name, value in options.items():
        if value is not None:
            setattr(request.options, name, value)
    return request


def schedule_of(path: str) -> pb.ScheduleResponse:
    """An answer that plan -o has written. Raises InvalidFileError with what is wrong with it."""
    from scheduler.report import lines_of
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.json import message_from_json

    try:
        return message_from_json(pb.ScheduleResponse, bytes_of(path), name_of(path))
    except InvalidRequestError as error:
        raise InvalidFileError(lines_of(error.violations, name_of(path)).rstrip()) from None


def audited_plan_of(args: argparse.Namespace, request: pb.ScheduleRequest | None = None) -> tuple[Schedule, Plan]:
    """The answer in a file with its plan, of a conflict the relaxed one, for a request: by default that of ``args``.

    Raises InvalidFileError where it holds no plan, and UnsoundPlanError where the checker finds fault with it.
    """
    from scheduler import check
    from scheduler.report import lines_of
    from scheduler.wire.request import schedule_request_from_pb
    from scheduler.wire.response import schedule_from_pb

    _, problem, options = schedule_request_from_pb(request or request_of(args))
    schedule = schedule_from_pb(schedule_of(args.plan), problem)
    if schedule.plan is None:
        raise InvalidFileError(f"{args.plan}: holds no plan")
    violations = check.audit(problem, schedule.plan, schedule.solve, options).violations
    if violations:
        raise UnsoundPlanError(lines_of(violations, name_of(args.plan)).rstrip())
    return schedule, schedule.plan


def bytes_of(path: str) -> bytes:
    """The file, or standard input for -."""
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def name_of(path: str) -> str:
    """The file in words."""
    return "standard input" if path == "-" else path

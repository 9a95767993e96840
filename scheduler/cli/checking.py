"""scheduler validate, scheduler audit: what is wrong with a request, or with a plan."""

from __future__ import annotations

import argparse
import sys

from scheduler.cli import work
from scheduler.cli.arguments import MALFORMED, OK, UNSOUND, AddCommand, add_plan, add_request
from scheduler.cli.inputs import name_of, request_of, schedule_of
from scheduler.cli.outputs import json_of
from scheduler.errors import InvalidFileError, InvalidRequestError


def add(command: AddCommand) -> None:
    """The commands."""
    audit = command("audit", _audit, "check a plan with the independent checker")
    add_plan(audit)
    audit.add_argument("--json", action="store_true", help="print only the AuditResponse, as JSON")

    validate = command("validate", _validate, "say all that is wrong with a request, without solving it")
    add_request(validate)
    validate.add_argument("--json", action="store_true", help="print only the ValidateResponse, as JSON")


def _validate(args: argparse.Namespace) -> int:
    from scheduler.errors import Violation
    from scheduler.v1 import scheduler_pb2 as pb

    request = request_of(args)
    answer = pb.ValidateResponse.FromString(
        work.answered("validate", pb.ValidateRequest(request=request).SerializeToString())
    )
    if args.json:
        sys.stdout.write(json_of(answer))
    elif answer.violations:
        raise InvalidRequestError(Violation(v.field, v.rule, v.message, v.amount) for v in answer.violations)
    else:
        print(f"{name_of(args.request)}: valid")
    return MALFORMED if answer.violations else OK


def _audit(args: argparse.Namespace) -> int:
    from scheduler.report import lines_of, money
    from scheduler.v1 import scheduler_pb2 as pb

    request = request_of(args)
    schedule = schedule_of(args.plan)
    plan = schedule.conflict.relaxed_plan if schedule.HasField("conflict") else schedule.plan
    if not (schedule.HasField("plan") or schedule.conflict.HasField("relaxed_plan")):
        raise InvalidFileError(f"{args.plan}: holds no plan")
    question = pb.AuditRequest(problem=request.problem, plan=plan, solve=schedule.solve, options=request.options)
    answer = pb.AuditResponse.FromString(work.answered("audit", question.SerializeToString()))
    if args.json:
        sys.stdout.write(json_of(answer))
    elif answer.violations:
        sys.stdout.write(lines_of((f"{v.field}: {v.message}" for v in answer.violations), args.plan))
    else:
        earned = f"{money(answer.recomputed_objective)} {request.problem.currency_code}"
        print(f"{args.plan}: sound, objective {earned}")
    return UNSOUND if answer.violations else OK

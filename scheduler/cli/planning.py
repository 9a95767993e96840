"""scheduler plan, scheduler call: plan a request here, or have a server plan it."""

from __future__ import annotations

import argparse
import os

from scheduler.cli import work
from scheduler.cli.arguments import AddCommand, add_options, add_output, add_request, seconds
from scheduler.cli.inputs import request_of
from scheduler.cli.outputs import check_output, shown


def add(command: AddCommand) -> None:
    """The commands."""
    plan = command("plan", _plan, "plan a request here and print the plan")
    add_request(plan)
    add_output(plan)
    add_options(plan)

    call = command("call", _call, "have a server plan a request and print the plan")
    call.add_argument("address", metavar="ADDRESS", help="of the server, such as 127.0.0.1:50051")
    add_request(call)
    add_output(call)
    add_options(call)
    call.add_argument("--timeout", type=seconds, metavar="S", help="deadline in seconds (default: none)")


def _plan(args: argparse.Namespace) -> int:
    request = request_of(args)
    check_output(args)
    with work.progress(args) as progress:
        answer = work.answered("schedule", request.SerializeToString(), progress)
    from scheduler.v1 import scheduler_pb2 as pb

    return shown(request, pb.ScheduleResponse.FromString(answer), args)


def _call(args: argparse.Namespace) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is said by us
    from scheduler.client import Client

    request = request_of(args)
    check_output(args)
    with Client(args.address, timeout_seconds=args.timeout) as client, work.progress(args) as progress:
        answer = client.schedule(request, tell=progress).response
    return shown(request, answer, args)

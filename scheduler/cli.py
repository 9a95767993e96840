"""The command line. What is heavy is imported by the command in need: `scheduler --help` answers at once.

Solving happens in a worker process, as in the server: Ctrl-C ends it at once, and what a solver prints stays
out of the answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scheduler
from scheduler.errors import InvalidFileError, InvalidRequestError, SchedulerError
from scheduler.listings import add_listings

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from scheduler.server.workers import Progress
    from scheduler.v1 import scheduler_pb2 as pb

OK, FAILED, MALFORMED, CONFLICT, NO_PLAN, UNSOUND, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

EXIT_CODES = """\
exit codes:
  0    a plan, proven or as good as the time allowed; a valid request; a sound plan; a server told to end
  1    any other failure: a file that cannot be opened, a server that does not answer
  2    malformed: a request, a price file, a command line; one line on standard error for all that is wrong
  3    a conflict: obligations clash; the relaxed plan is printed, and what is missing is named
  4    no plan within the time
  5    the audit found violations
  130  interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    words = "Plans flexible Bitcoin-mining load against power and reserve markets, and proves each plan."
    parser = argparse.ArgumentParser("scheduler", description=words, epilog=EXIT_CODES, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"%(prog)s {scheduler.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        whole = f"{words[0].upper()}{words[1:]}."
        added = commands.add_parser(name, help=words, description=whole, epilog=EXIT_CODES, formatter_class=raw)
        added.set_defaults(run=run)
        return added

    plan = command("plan", _plan, "plan a request here and print the plan")
    _add_request(plan)
    _add_output(plan)
    _add_options(plan)

    audit = command("audit", _audit, "check a plan with the independent checker")
    _add_request(audit)
    audit.add_argument("plan", metavar="PLAN.json", help="what plan -o has written: JSON of a ScheduleResponse")
    audit.add_argument("--json", action="store_true", help="print only the AuditResponse, as JSON")

    validate = command("validate", _validate, "say all that is wrong with a request, without solving it")
    _add_request(validate)
    validate.add_argument("--json", action="store_true", help="print only the ValidateResponse, as JSON")

    call = command("call", _call, "have a server plan a request and print the plan")
    call.add_argument("address", metavar="ADDRESS", help="of the server, such as 127.0.0.1:50051")
    _add_request(call)
    _add_output(call)
    _add_options(call)
    call.add_argument("--timeout", type=_seconds, metavar="S", help="deadline in seconds (default: none)")

    add_listings(command)
    _add_serve(command("serve", _serve, "answer requests over gRPC until SIGTERM or Ctrl-C"))
    return parser


def _add_request(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("request", metavar="REQUEST.json", help="protobuf JSON of a ScheduleRequest; - is standard input")
    add(
        "--prices",
        metavar="FILE",
        action="append",
        default=[],
        help="prices for the markets, of any known format (`scheduler formats`); may be given several times",
    )
    add(
        "--zone",
        metavar="Z",
        default="",
        help="zone of energy prices (default: by the EIC of the sites, or the only one)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-o", "--output", metavar="PLAN.json", help="write the ScheduleResponse to a file, as JSON")
    add(
        "--csv",
        metavar="DIR",
        help="write dispatch, energy, reserve, blocks, bids and cash as CSV files to a directory",
    )
    add("--force", action="store_true", help="write them also where the directory is not empty")
    add("--json", action="store_true", help="print only the ScheduleResponse, as JSON")
    add("--quiet", action="store_true", help="no progress on standard error")


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("options of the solve, instead of those of the request").add_argument
    add("--strategy", choices=["fast", "plain"], help="plain: the whole model as formulated (default: fast)")
    add("--time-limit", type=_seconds, metavar="S", help="seconds for the solve (default: 300)")
    add("--gap", type=float, metavar="G", help="relative gap at which a plan is proven (default: 1e-4)")
    add("--seed", type=_whole, metavar="N", help="seed of the solver (default: 0)")
    add("--no-counterfactuals", action="store_true", help="leave out what simpler ways of running would earn")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    default = "(default: %(default)s)"
    add("--address", default="127.0.0.1:50051", help=f"host:port; port 0 takes a free one {default}")
    add("--workers", type=_count, default=1, metavar="N", help=f"solves at a time {default}")
    add("--waiting", type=_count, default=16, metavar="N", help=f"calls that may wait for a worker {default}")
    add("--max-message-mib", type=_count, default=512, metavar="N", help=f"largest request, MiB {default}")
    add("--grace", type=_seconds, default=30.0, metavar="S", help=f"for running calls after SIGTERM {default}")


def _whole(value: str) -> int:
    if not value.isdecimal() or int(value) >= 2**31:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {2**31 - 1}, is {value!r}")
    return int(value)


def _count(value: str) -> int:
    if not _whole(value):
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(value)


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"must be above 0 and finite, is {value!r}")
    return seconds


def main(argv: list[str] | None = None) -> int:
    """Runs a command. Returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _said("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read standard output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _said(f"{error.filename}: {error.strerror}" if error.filename else str(error), FAILED)
    except InvalidRequestError as error:
        from scheduler.report import lines_of

        for violation in error.violations:
            of_plan = violation.field.startswith(("plan", "solve")) and "plan" in args
            sys.stderr.write(lines_of([violation], _name(args.plan if of_plan else args.request)))
        return MALFORMED
    except SchedulerError as error:
        return _said(*_words_and_code(error, args))


def _words_and_code(error: SchedulerError, args: argparse.Namespace) -> tuple[str, int]:
    from scheduler.server.workers import OverrunError, WorkerFaultError

    if isinstance(error, InvalidFileError):
        return str(error), MALFORMED
    code = getattr(error, "code", "")  # of a call
    if isinstance(error, OverrunError) or code == "DEADLINE_EXCEEDED":
        return f"no plan within the time: {error}", NO_PLAN
    if code:
        return f"{args.address}: {code}: {error}", FAILED
    if isinstance(error, WorkerFaultError):
        return f"internal error, a fault of ours: please report this\n{error}", FAILED
    return str(error), FAILED


def _said(words: str, code: int) -> int:
    print(f"scheduler: {words}", file=sys.stderr)
    return code


# Commands.


def _plan(args: argparse.Namespace) -> int:
    request = _request_of(args)
    _check_output(args)
    with _progress(args) as progress:
        answer = _answered("schedule", request.SerializeToString(), progress)
    from scheduler.v1 import scheduler_pb2 as pb

    return _shown(request, pb.ScheduleResponse.FromString(answer), args)


def _call(args: argparse.Namespace) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is said by us
    from scheduler.client import Client

    request = _request_of(args)
    _check_output(args)
    with Client(args.address, timeout_seconds=args.timeout) as client, _progress(args) as progress:
        answer = client.schedule(request, tell=progress).response
    return _shown(request, answer, args)


def _validate(args: argparse.Namespace) -> int:
    from scheduler.errors import Violation
    from scheduler.v1 import scheduler_pb2 as pb

    request = _request_of(args)
    answer = pb.ValidateResponse.FromString(
        _answered("validate", pb.ValidateRequest(request=request).SerializeToString())
    )
    if args.json:
        sys.stdout.write(_json(answer))
    elif answer.violations:
        raise InvalidRequestError(Violation(v.field, v.rule, v.message, v.amount) for v in answer.violations)
    else:
        print(f"{_name(args.request)}: valid")
    return MALFORMED if answer.violations else OK


def _audit(args: argparse.Namespace) -> int:
    from scheduler.report import lines_of, money
    from scheduler.v1 import scheduler_pb2 as pb

    request = _request_of(args)
    schedule = _schedule_of(args.plan)
    plan = schedule.conflict.relaxed_plan if schedule.HasField("conflict") else schedule.plan
    if not (schedule.HasField("plan") or schedule.conflict.HasField("relaxed_plan")):
        raise InvalidFileError(f"{args.plan}: holds no plan")
    question = pb.AuditRequest(problem=request.problem, plan=plan, solve=schedule.solve)
    answer = pb.AuditResponse.FromString(_answered("audit", question.SerializeToString()))
    if args.json:
        sys.stdout.write(_json(answer))
    elif answer.violations:
        sys.stdout.write(lines_of((f"{v.field}: {v.message}" for v in answer.violations), args.plan))
    else:
        earned = f"{money(answer.recomputed_objective)} {request.problem.currency_code}"
        print(f"{args.plan}: sound, objective {earned}")
    return UNSOUND if answer.violations else OK


def _serve(args: argparse.Namespace) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import asyncio
    import logging

    from scheduler.server.app import ServerSettings, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    settings = ServerSettings(
        address=args.address,
        workers_count=args.workers,
        max_waiting_count=args.waiting,
        max_message_bytes=args.max_message_mib * 2**20,
        grace_seconds=args.grace,
    )

    def started(port: int) -> None:
        host, colon, asked = args.address.rpartition(":")
        print(f"serving on {host}{colon}{port if asked.isdigit() else asked}", file=sys.stderr, flush=True)

    return asyncio.run(serve(settings, started))


# Parts of commands.


def _request_of(args: argparse.Namespace) -> pb.ScheduleRequest:
    """The request with the prices and options of the command line."""
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.json import message_from_json

    request = message_from_json(pb.ScheduleRequest, _bytes_of(args.request), _name(args.request))
    if args.prices:
        from scheduler.formats.into_request import put_prices

        for path in args.prices:
            for words in put_prices(request, Path(path), args.zone):
                print(f"{_name(args.request)}: {words}", file=sys.stderr)
    elif args.zone:
        raise InvalidFileError("--zone goes with --prices")
    options: dict[str, Any] = {
        "rel_gap": getattr(args, "gap", None),
        "time_limit_seconds": getattr(args, "time_limit", None),
        "seed": getattr(args, "seed", None),
        "counterfactuals": False if getattr(args, "no_counterfactuals", False) else None,
    }
    if strategy := getattr(args, "strategy", None):
        options["strategy"] = pb.Strategy.Value(f"STRATEGY_{strategy.upper()}")
    for name, value in options.items():
        if value is not None:
            setattr(request.options, name, value)
    return request


def _schedule_of(path: str) -> pb.ScheduleResponse:
    from scheduler.report import lines_of
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.json import message_from_json

    try:
        return message_from_json(pb.ScheduleResponse, _bytes_of(path), _name(path))
    except InvalidRequestError as error:
        raise InvalidFileError(lines_of(error.violations, _name(path)).rstrip()) from None


def _ignored(news: Progress) -> None:
    """For those who want no news."""


def _answered(verb: str, payload: bytes, progress: Callable[[Progress], None] = _ignored) -> bytes:
    """What a worker of our own answers."""
    from scheduler.server.workers import Job, Worker

    worker = Worker()
    try:
        return worker.run(Job(verb, payload), progress)
    finally:
        worker.kill()


def _shown(request: pb.ScheduleRequest, answer: pb.ScheduleResponse, args: argparse.Namespace) -> int:
    """Writes and prints an answer. Returns its exit code."""
    from scheduler.report import print_report

    if args.output:
        Path(args.output).write_text(_json(answer), "utf-8")
    if args.csv:
        _write_csv(request, answer, args)
    if args.json:
        sys.stdout.write(_json(answer))
    else:
        print_report(request, answer, sys.stdout)
    codes = {"plan": OK, "conflict": CONFLICT, "no_plan": NO_PLAN}
    return codes.get(str(answer.WhichOneof("outcome")), FAILED)


def _write_csv(request: pb.ScheduleRequest, answer: pb.ScheduleResponse, args: argparse.Namespace) -> None:
    from scheduler.result import Result

    result = Result(request, response=answer)
    if result.plan is None:
        print(f"{args.csv}: nothing is written, for there is no plan", file=sys.stderr)
        return
    for path in result.to_csv(args.csv, force=True):  # that it may be written was checked before
        print(f"{path}: written", file=sys.stderr)


def _progress(args: argparse.Namespace) -> AbstractContextManager[Callable[[Progress], None]]:
    from scheduler.report import progress_on

    return nullcontext(_ignored) if args.quiet else progress_on(sys.stderr)


def _check_output(args: argparse.Namespace) -> None:
    """Fails before the solve rather than after it where the plan could not be written."""
    if args.csv:
        from scheduler.formats.csv_tables import prepare_directory

        prepare_directory(args.csv, args.force)
    elif args.force:
        raise SchedulerError("--force goes with --csv")
    if args.output:
        path = Path(args.output)
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.unlink()


def _json(answer: Message) -> str:
    from scheduler.wire.json import response_to_json

    return response_to_json(answer)


def _bytes_of(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _name(path: str) -> str:
    return "standard input" if path == "-" else path

"""The command line. What is heavy is imported by the command that needs it: `scheduler --help` answers at once.

Solving happens in a worker process, as in the server: Ctrl-C ends it at once, and what a solver prints cannot mix with the answer.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.errors import InvalidFileError, InvalidRequestError, SchedulerError

if TYPE_CHECKING:
    from scheduler.server.workers import Progress
    from scheduler.v1 import scheduler_pb2 as pb

OK, FAILED, MALFORMED, CONFLICT, NO_PLAN, UNSOUND, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

EXIT_CODES = """\
exit codes:
  0    a plan, proven or as good as the time allowed; a valid request; a sound plan; a server that ended when told to
  1    any other failure: a file that cannot be opened, a server that does not answer
  2    a malformed request, price file or command line; each thing that is wrong has its line on standard error
  3    a conflict: obligations cannot all be met; the relaxed plan is printed and what is missing is named
  4    no plan within the time
  5    the audit found violations
  130  interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="scheduler",
        description="Plans flexible Bitcoin-mining load against power and reserve markets, and proves each plan.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="print the version and end")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.",
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    plan = command("plan", _plan, "plan a request here and print the plan")
    _add_request(plan)
    _add_output(plan)
    _add_options(plan)

    audit = command("audit", _audit, "check a plan with the independent checker")
    _add_request(audit)
    audit.add_argument("plan", metavar="PLAN.json", help="protobuf JSON of the ScheduleResponse that plan -o has written")
    audit.add_argument("--json", action="store_true", help="print the AuditResponse as JSON and nothing else")

    validate = command("validate", _validate, "say everything that is wrong with a request, without solving it")
    _add_request(validate)
    validate.add_argument("--json", action="store_true", help="print the ValidateResponse as JSON and nothing else")

    call = command("call", _call, "have a server plan a request and print the plan")
    call.add_argument("address", metavar="ADDRESS", help="of the server, such as 127.0.0.1:50051")
    _add_request(call)
    _add_output(call)
    _add_options(call)
    call.add_argument("--timeout", type=float, metavar="S", help="deadline of the call, seconds (default: none)")

    _add_serve(command("serve", _serve, "answer requests over gRPC until SIGTERM or Ctrl-C"))
    return parser


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("request", metavar="REQUEST.json", help="protobuf JSON of a ScheduleRequest; - reads standard input")
    parser.add_argument(
        "--prices",
        metavar="FILE",
        help="tidy CSV (utc_start,zone,price_eur_per_mwh; 15 or 60 minutes) whose prices replace those of the energy markets",
    )
    parser.add_argument(
        "--zone", metavar="Z", help="zone in that file (default: by the EIC of the market's sites, or the only one)"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="PLAN.json", help="write the ScheduleResponse as JSON to a file")
    parser.add_argument("--json", action="store_true", help="print the ScheduleResponse as JSON and nothing else")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _add_options(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("options of the solve, in place of those in the request")
    options.add_argument("--strategy", choices=["fast", "plain"], help="plain: the whole model as formulated")
    options.add_argument("--time-limit", type=float, metavar="S", help="seconds for the solve (default: 300)")
    options.add_argument("--gap", type=float, metavar="G", help="relative gap at which a plan is proven (default: 1e-4)")
    options.add_argument("--seed", type=_seed, metavar="N", help="seed of the solver (default: 0)")
    options.add_argument("--counterfactuals", action="store_true", help="also what simpler ways of running would earn")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="127.0.0.1:50051", help="host:port; port 0 takes a free one (default: %(default)s)")
    parser.add_argument("--workers", type=_count, default=1, metavar="N", help="solves at a time (default: %(default)s)")
    parser.add_argument(
        "--waiting", type=_count, default=16, metavar="N", help="calls that may wait for a worker (default: %(default)s)"
    )
    parser.add_argument(
        "--max-message-mib", type=_count, default=512, metavar="N", help="largest request, MiB (default: %(default)s)"
    )
    parser.add_argument(
        "--grace", type=float, default=30.0, metavar="S", help="seconds to end running calls after SIGTERM (default: %(default)s)"
    )


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

        sys.stderr.write(lines_of(error.violations, _name(args.request)))
        return MALFORMED
    except SchedulerError as error:
        return _said(*_words_and_code(error))


def _words_and_code(error: SchedulerError) -> tuple[str, int]:
    from scheduler.server.workers import OverrunError, WorkerFaultError

    if isinstance(error, InvalidFileError):
        return str(error), MALFORMED
    if isinstance(error, OverrunError) or getattr(error, "code", "") == "DEADLINE_EXCEEDED":
        return f"no plan within the time: {error}", NO_PLAN
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
    from scheduler.client import CallError, Client
    from scheduler.server.workers import Progress

    request = _request_of(args)
    _check_output(args)
    phase, answer = "call", None
    with Client(args.address, timeout_seconds=args.timeout) as client, _progress(args) as progress:
        for event in client.stream_schedule(request):
            kind = event.WhichOneof("event")
            if kind == "phase":
                phase = event.phase
                progress(Progress(phase, None, None, 0.0))
            elif kind == "incumbent":
                found = event.incumbent
                objective = found.objective if found.HasField("objective") else None
                progress(Progress(phase, objective, found.bound if found.HasField("bound") else None, found.wall_seconds))
            elif kind == "result":
                answer = event.result
    if answer is None:
        raise CallError("UNKNOWN", f"{args.address}: the server ended the call without an answer")
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
        print(f"{args.plan}: sound, objective {money(answer.recomputed_objective)} {request.problem.currency_code}")
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

    request = message_from_json(pb.ScheduleRequest, _bytes_of(args.request), "request")
    if args.prices:
        _put_prices(request, args)
    elif args.zone:
        raise InvalidFileError("--zone goes with --prices")
    options: dict[str, Any] = {
        "rel_gap": getattr(args, "gap", None),
        "time_limit_seconds": getattr(args, "time_limit", None),
        "seed": getattr(args, "seed", None),
        "counterfactuals": getattr(args, "counterfactuals", None) or None,
    }
    if strategy := getattr(args, "strategy", None):
        options["strategy"] = pb.Strategy.Value(f"STRATEGY_{strategy.upper()}")
    for name, value in options.items():
        if value is not None:
            setattr(request.options, name, value)
    return request


def _put_prices(request: pb.ScheduleRequest, args: argparse.Namespace) -> None:
    """Puts the prices of the file in the energy markets, and says where. Whoever validates the request says what else is wrong."""
    from scheduler.formats.tidy import ZONES, read_prices
    from scheduler.horizon import Horizon

    problem = request.problem
    wire = problem.horizon
    try:
        horizon = Horizon(wire.start.ToDatetime(UTC), wire.step_minutes, wire.count, wire.time_zone)
    except (ValueError, OverflowError):
        return
    if not problem.HasField("horizon") or any(horizon.violations("")):
        return
    file = read_prices(Path(args.prices))
    if file.currency_code != problem.currency_code:
        raise InvalidFileError(f"{args.prices}: is in {file.currency_code}, the request in {problem.currency_code}")
    energy = [(m, market) for m, market in enumerate(problem.markets) if market.HasField("energy")]
    if not energy:
        raise InvalidFileError(f"{args.prices}: the request has no energy market to put prices in")
    for m, market in energy:
        named = market.site_ids or [site.id for site in problem.sites if site.HasField("connection")]
        eics = {site.zone_eic for site in problem.sites if site.id in named}
        zone = file.zone(args.zone or (ZONES.get(*eics) if len(eics) == 1 else None))
        found = file.between(zone, horizon.start_utc, horizon.end_utc)
        path = f"problem.markets[{m}].energy.price_per_mwh"
        series = market.energy.price_per_mwh
        finer = found.step_minutes < horizon.step_minutes
        if finer and not series.mean_of_finer:
            words = f"{found.step_minutes}-minute prices for steps of {horizon.step_minutes}"
            raise InvalidFileError(f"{args.prices}: has {words}: set {path}.mean_of_finer to take their mean")
        if not finer:
            found = found.held(horizon.start_utc, horizon.step_minutes, horizon.count)
        series.Clear()
        series.start.FromDatetime(found.start_utc)
        series.step_minutes = found.step_minutes
        series.values.extend(found.price_per_mwh)
        series.mean_of_finer = finer
        series.source = f"{Path(args.prices).name} {zone}"
        if not getattr(args, "quiet", False):
            print(f"{_name(args.request)}: {path}: {len(series.values)} prices of {zone} from {args.prices}", file=sys.stderr)


def _schedule_of(path: str) -> pb.ScheduleResponse:
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.json import message_from_json

    try:
        return message_from_json(pb.ScheduleResponse, _bytes_of(path), "plan")
    except InvalidRequestError as error:
        raise InvalidFileError("\n".join(f"{_name(path)}: {violation}" for violation in error.violations)) from None


def _answered(verb: str, payload: bytes, progress: Callable[[Progress], None] = lambda news: None) -> bytes:
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
    if args.json:
        sys.stdout.write(_json(answer))
    else:
        print_report(request, answer, sys.stdout)
    return {"plan": OK, "conflict": CONFLICT, "no_plan": NO_PLAN}.get(str(answer.WhichOneof("outcome")), FAILED)


@contextmanager
def _progress(args: argparse.Namespace) -> Iterator[Callable[[Progress], None]]:
    """What tells of progress on standard error: one line that changes where it is a terminal, else one per phase."""
    if args.quiet:
        yield lambda news: None
    elif not sys.stderr.isatty():
        start = time.monotonic()

        def line(news: Progress) -> None:
            if news.objective is None and news.bound is None:
                print(f"{time.monotonic() - start:6.1f} s  {news.phase}", file=sys.stderr, flush=True)

        yield line
    else:
        from scheduler.report import progress_line

        with progress_line(sys.stderr) as tell:
            yield lambda news: tell(news.phase, news.objective, news.bound, news.gap)


def _check_output(args: argparse.Namespace) -> None:
    """Fails before the solve rather than after it where the plan could not be written."""
    if args.output:
        path = Path(args.output)
        path.open("ab").close()


def _bytes_of(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _name(path: str) -> str:
    return "standard input" if path == "-" else path

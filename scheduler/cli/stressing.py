"""scheduler stress: how a request holds up when hashprice, power price or reserve price change."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli import work
from scheduler.cli.arguments import CONFLICT, NO_PLAN, OK, AddCommand, add_request, count, seconds, whole
from scheduler.cli.inputs import request_of
from scheduler.cli.outputs import check_output, json_of
from scheduler.errors import SchedulerError

if TYPE_CHECKING:
    from scheduler.v1 import scheduler_pb2 as pb


def add(command: AddCommand) -> None:
    """The command."""
    stress = command("stress", _stress, "profit against hashprice, power price and reserve price; break-evens")
    add_request(stress)
    add = stress.add_argument
    add("-o", "--output", metavar="STRESS.json", help="write the StressResponse to a file, as JSON")
    add("--csv", metavar="DIR", help="write points and break-evens as CSV files to a directory")
    add("--force", action="store_true", help="write them also where the directory is not empty")
    add("--plot", metavar="FILE", help="draw the curves: .svg, .png or .pdf")
    add("--json", action="store_true", help="print only the StressResponse, as JSON")
    add("--quiet", action="store_true", help="no progress on standard error")
    add("--points", type=count, default=51, metavar="N", help="of each curve, at least 2 (default: %(default)s)")
    add("--power-to", type=float, default=2.0, metavar="X", help="times today's power price (default: %(default)s)")
    add("--reserve-to", type=float, default=2.0, metavar="X", help="times today's reserve price (default: %(default)s)")
    add("--point-gap", type=float, default=1e-3, metavar="G", help="to which points are proven (default: %(default)s)")
    add("--time-limit", type=seconds, metavar="S", help="seconds for all of it (default: 300)")
    add("--seed", type=whole, metavar="N", help="seed of the solver (default: 0)")


def _stress(args: argparse.Namespace) -> int:
    from scheduler.stressed import print_stress
    from scheduler.v1 import scheduler_pb2 as pb

    question = pb.StressRequest(
        request=request_of(args),
        points_count=args.points,
        power_to=args.power_to,
        reserve_to=args.reserve_to,
        rel_gap=args.point_gap,
    )
    check_output(args)
    if args.plot:
        _check_picture(Path(args.plot))
    with work.progress(args) as progress:
        answer = pb.StressResponse.FromString(work.answered("stress", question.SerializeToString(), progress))
    currency = question.request.problem.currency_code
    _write(answer, currency, args)
    if args.json:
        sys.stdout.write(json_of(answer))
    else:
        print_stress(answer, currency, sys.stdout)
    if answer.HasField("no_plan"):
        return NO_PLAN
    return CONFLICT if answer.obligations_missing else OK


def _check_picture(path: Path) -> None:
    """Fails before the work rather than after it where no picture could be drawn."""
    try:
        from scheduler.plot import check_suffix
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        words = "pictures need matplotlib, which is not installed: pip install 'gridflex-scheduler[plot]'"
        raise SchedulerError(words) from None
    check_suffix(path)


def _write(answer: pb.StressResponse, currency: str, args: argparse.Namespace) -> None:
    if args.output:
        from scheduler.formats.whole_file import write_text

        write_text(Path(args.output), json_of(answer))
    if answer.HasField("no_plan"):
        return
    if args.csv:
        from scheduler.formats.csv_tables import write_tables
        from scheduler.stressed import files_of

        for path in write_tables(Path(args.csv), files_of(answer, currency)):
            print(f"{path}: written", file=sys.stderr)
    if args.plot:
        from scheduler.plot.stress import write_curves

        write_curves(Path(args.plot), answer, currency)
        print(f"{args.plot}: written", file=sys.stderr)

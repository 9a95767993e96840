"""What commands write and print."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli.arguments import CONFLICT, FAILED, NO_PLAN, OK
from scheduler.errors import SchedulerError

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from scheduler.v1 import scheduler_pb2 as pb


READ = ("request", "plan", "result", "bids", "prices", "deviation_prices")
WRITTEN = ("output", "save_plan", "plot")
TABLES = (".csv", ".parquet")
"""Arguments that name files."""


def shown(request: pb.ScheduleRequest, answer: pb.ScheduleResponse, args: argparse.Namespace) -> int:
    """Writes and prints an answer. Returns its exit code."""
    from scheduler.formats.whole_file import write_text
    from scheduler.report import print_report

    try:
        if args.output:
            write_text(Path(args.output), json_of(answer))
        if args.csv:
            _write_csv(request, answer, args)
    finally:  # what took long to find is not lost for want of room on a disk
        if args.json:
            sys.stdout.write(json_of(answer))
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


def check_paths(args: argparse.Namespace) -> None:
    """Fails where a file would be written over one that the command reads, or over another that it writes."""
    given = vars(args)
    read = [given.get(name) or () for name in READ]
    inputs = [path for paths in read for path in ([paths] if isinstance(paths, str) else paths) if path != "-"]
    seen = {Path(path).resolve(): "is read by this command, and stays as it is" for path in inputs}
    for path in (given.get(name) for name in WRITTEN):
        if not path or (Path(path).exists() and not Path(path).is_file()):
            continue
        if words := seen.get(Path(path).resolve()):
            raise SchedulerError(f"{path}: {words}: name another file")
        seen[Path(path).resolve()] = "is written twice by this command"
    folders = [given.get("csv"), given.get("output") if given.get("kind") else None]
    for folder in (Path(folder).resolve() for folder in folders if folder):
        for path, words in seen.items():
            if path.parent == folder and path.suffix.lower() in TABLES:
                raise SchedulerError(f"{path}: {words}: name another directory for the tables")


def check_output(args: argparse.Namespace) -> None:
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


def json_of(answer: Message) -> str:
    """The JSON of an answer."""
    from scheduler.wire.json import response_to_json

    return response_to_json(answer)

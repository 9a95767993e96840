"""Arguments that commands share, their types, and the exit codes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

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

Run = Callable[[argparse.Namespace], int]
"""Runs a command. Returns the exit code."""

AddCommand = Callable[[str, Run, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, its help. Returns its parser."""


def add_request(parser: argparse.ArgumentParser) -> None:
    """A request and what goes into it."""
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


def add_plan(parser: argparse.ArgumentParser) -> None:
    """A request, and a plan of it that is audited, with the gap at which it was to be proven."""
    add_request(parser)
    add = parser.add_argument
    add("plan", metavar="PLAN.json", help="what plan -o has written: JSON of a ScheduleResponse; it is audited")
    add("--gap", type=float, metavar="G", help="relative gap at which it was proven (default: that of the request)")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where a plan goes."""
    add = parser.add_argument
    add("-o", "--output", metavar="PLAN.json", help="write the ScheduleResponse to a file, as JSON")
    add(
        "--csv",
        metavar="DIR",
        help="write dispatch, energy, reserve, blocks, bids, ladder and cash as CSV files to a directory",
    )
    add("--force", action="store_true", help="write them also where the directory is not empty")
    add("--json", action="store_true", help="print only the ScheduleResponse, as JSON")
    add("--quiet", action="store_true", help="no progress on standard error")


def add_options(parser: argparse.ArgumentParser) -> None:
    """How a request is solved."""
    add = parser.add_argument_group("options of the solve, instead of those of the request").add_argument
    add("--strategy", choices=["fast", "plain"], help="plain: the whole model as formulated (default: fast)")
    add("--time-limit", type=seconds, metavar="S", help="seconds for the solve (default: 300)")
    add("--gap", type=float, metavar="G", help="relative gap at which a plan is proven (default: 1e-4)")
    add("--seed", type=whole, metavar="N", help="seed of the solver (default: 0)")
    add("--no-counterfactuals", action="store_true", help="leave out what simpler ways of running would earn")
    add(
        "--explain",
        action="store_true",
        help="tell what each stream of money is worth, and what one MW or machine more would earn; takes longer",
    )


def whole(value: str) -> int:
    """A whole number that fits 32 bits."""
    if not value.isdecimal() or int(value) >= 2**31:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {2**31 - 1}, is {value!r}")
    return int(value)


def count(value: str) -> int:
    """A whole number from 1."""
    if not whole(value):
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(value)


def tick(value: str) -> float:
    """A price step that goes into 1 without a rest, such as 0.01 or 0.1."""
    number = float(value)
    if not (1e-6 <= number <= 1 and abs(1 / number - round(1 / number)) < 1e-6):
        raise argparse.ArgumentTypeError(f"must be a part of 1 such as 0.01 or 0.1, is {value!r}")
    return number


def seconds(value: str) -> float:
    """Seconds above 0."""
    number = float(value)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"must be above 0 and finite, is {value!r}")
    return number

"""The command line: a file for each group of commands. What is heavy is imported by the command in need.

`scheduler --help` answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys

import scheduler
from scheduler.cli import checking, desk, listing, planning, serving, stressing, writing
from scheduler.cli.arguments import EXIT_CODES, FAILED, INTERRUPTED, MALFORMED, NO_PLAN, UNSOUND, Run
from scheduler.cli.inputs import UnsoundPlanError, name_of
from scheduler.cli.outputs import check_paths
from scheduler.errors import InvalidFileError, InvalidRequestError, SchedulerError

GROUPS = (planning, stressing, checking, writing, desk, listing, serving)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    words = "Plans flexible Bitcoin-mining load against power and reserve markets, and proves each plan."
    parser = argparse.ArgumentParser("scheduler", description=words, epilog=EXIT_CODES, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"%(prog)s {scheduler.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Run, words: str) -> argparse.ArgumentParser:
        whole = f"{words[0].upper()}{words[1:]}."
        added = commands.add_parser(name, help=words, description=whole, epilog=EXIT_CODES, formatter_class=raw)
        added.set_defaults(run=run)
        return added

    for group in GROUPS:
        group.add(command)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs a command. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of any script are told on any terminal
            stream.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    try:
        if sys.stdout is None:
            raise SchedulerError("standard output is closed: send it to a file or to /dev/null")
        check_paths(args)
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
            sys.stderr.write(lines_of([violation], name_of(args.plan if of_plan else args.request)))
        return MALFORMED
    except UnsoundPlanError as error:
        print(error, file=sys.stderr)
        return UNSOUND
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

"""Measures time and gap, one line a figure: name, value, unit, and against what. Ratios come first.

python -m bench.run                    what `make bench` runs: scale S
python -m bench.run --sizes S M        other sizes, see --help
python -m bench.run --quick            one run each, and plain stopped at 60 s

The yardstick is plain: the model exactly as formulated, handed whole to the solver, to the same gap. Where the clock
stops it, it counts as long as it was allowed, and the line says so. Figures are medians of 5 runs, or of one where a
run takes a minute. Every plan passes the audit, or the bench ends with what is wrong with it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from scheduler.model.build import build
from scheduler.model.compile import Matrix, collector_paused, compile_matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.fast import GAP_OF_RELAXATION
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.plan import Schedule, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.scale import lumpy_request, scale_request

SEED = 1
SIZES: dict[str, Callable[[], pb.ScheduleRequest]] = {
    **{size: partial(scale_request, size, SEED) for size in ("S", "M", "L", "XL")},
    **{f"lumpy-{count}": partial(lumpy_request, count, SEED) for count in (50, 100, 300)},
}
MEASURED = ("S",)
LONG_SECONDS = 60.0  # what takes that long is run once
RELAXATION_SECONDS = 600.0
PACKAGES = ("gridflex-scheduler", "highspy", "scipy", "numpy", "protobuf")
ROOT = Path(__file__).resolve().parent.parent

Value = TypeVar("Value")


class BenchError(Exception):
    """Something could not be measured."""


class _PlanSeenError(Exception):
    """The first plan was told: what comes later does not matter."""


@dataclass(frozen=True)
class Figure:
    """One line of the result."""

    name: str
    value: str
    unit: str
    against: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.value} {self.unit}" + (f" ({self.against})" if self.against else "")


@dataclass(frozen=True)
class Patience:
    """How long and how often it is measured."""

    runs_count: int = 5
    plain_limit_seconds: float = 600.0


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", nargs="+", choices=SIZES, default=MEASURED, help="default: S")
    add("--plain-limit", type=float, metavar="S", help="seconds for plain (default: 600; quick: 60)")
    add("--quick", action="store_true", help="one run each")
    args = parser.parse_args(argv)
    limit_seconds = args.plain_limit or (60.0 if args.quick else 600.0)
    patience = Patience(1 if args.quick else 5, limit_seconds)
    from bench.readers import reader_figures  # it takes its Figure from here

    figures = [*help_figures(patience), *reader_figures(patience)]
    for size in args.sizes:
        _say(f"{size} ...")
        _, problem, _ = schedule_request_from_pb(SIZES[size]())
        figures += figures_of(size, problem, patience)
    for figure in sorted(figures, key=lambda figure: figure.unit != "ratio"):
        print(figure)
    for figure in versions():
        print(figure)
    return 0


def figures_of(size: str, problem: Problem, patience: Patience) -> Iterator[Figure]:
    """All figures of one problem."""
    built_seconds, matrix = median(partial(_built, problem), patience)
    columns_count = matrix.matrix.shape[1]
    per_second = f"{columns_count / built_seconds:,.0f}"
    yield Figure(f"{size} build", per_second, "columns/s", f"{columns_count:,} columns in {built_seconds:.2f} s, cold")

    relaxed_seconds, _ = median(partial(_relaxed, matrix), patience)
    yield Figure(f"{size} relaxation", f"{relaxed_seconds:.2f}", "s", "LP of plain, built before")

    blocks_seconds, _ = median(partial(_relaxed_by_blocks, matrix), patience)
    yield Figure(f"{size} relaxation by blocks", f"{blocks_seconds:.2f}", "s", f"the same to {GAP_OF_RELAXATION:.0e}")

    fast_seconds, fast = median(partial(_planned, problem, SolveOptions()), patience)
    yield Figure(f"{size} fast", f"{fast_seconds:.2f}", "s", f"whole solve, cold: {_end(fast)}")
    first_seconds, _ = median(partial(_first_plan, problem), patience)
    yield Figure(f"{size} first audited plan", f"{first_seconds:.2f}", "s", "as a stream tells it, cold")
    gap = fast.solve.gap
    yield Figure(f"{size} gap", "none" if gap is None else f"{gap:.1e}", "of the objective", "asked for: 1e-4")
    of_uplift = fast.solve.gap_of_uplift
    share = "none" if of_uplift is None else f"{of_uplift:.1e}"
    yield Figure(f"{size} gap of uplift", share, "of the uplift", "over the better of the simpler ways")

    limit_seconds = patience.plain_limit_seconds
    options = SolveOptions(strategy=Strategy.PLAIN, time_limit_seconds=limit_seconds)
    plain_seconds, plain = median(partial(_planned, problem, options), patience)
    plain_stopped, fast_stopped = (_is_stopped(schedule) for schedule in (plain, fast))
    if plain_stopped:
        plain_seconds = limit_seconds
    yield Figure(f"{size} plain", f"{plain_seconds:.2f}", "s", f"whole solve, cold: {_end(plain)}")

    mark = "; fast was stopped by the clock" if fast_stopped else ""
    by_blocks = f"{blocks_seconds / relaxed_seconds:.2f}"
    yield Figure(f"{size} blocks/relaxation", by_blocks, "ratio", "relaxation by blocks / in one piece")
    over_relaxation = f"{fast_seconds / relaxed_seconds:.1f}"
    yield Figure(f"{size} fast/relaxation", over_relaxation, "ratio", f"whole solve / LP of plain{mark}")
    first_share = f"{first_seconds / fast_seconds:.2f}"
    yield Figure(f"{size} first/fast", first_share, "ratio", f"first audited plan / whole solve{mark}")
    if plain_stopped:
        mark += f"; plain was stopped and counts {limit_seconds:.0f} s"
    yield Figure(f"{size} fast/plain", f"{fast_seconds / plain_seconds:.3f}", "ratio", f"whole solves{mark}")


def help_figures(patience: Patience) -> Iterator[Figure]:
    """How long a look at the help takes."""
    command = [sys.executable, "-m", "scheduler", "--help"]
    run = partial(subprocess.run, command, cwd=ROOT, check=True, capture_output=True)
    seconds, _ = median(run, patience)
    yield Figure("scheduler --help", f"{seconds:.2f}", "s")


def versions() -> Iterator[Figure]:
    """What it was measured with."""
    yield Figure("python", sys.version.split()[0], "version")
    for name in PACKAGES:
        yield Figure(name, version(name), "version")
    yield Figure("processors", str(os.cpu_count()), "count", f"load when it ended: {os.getloadavg()[0]:.1f}")


def median(run: Callable[[], Value], patience: Patience) -> tuple[float, Value]:
    """Median seconds of some runs, or of one that takes long, and what the last one gave."""
    seconds: list[float] = []
    while not seconds or (len(seconds) < patience.runs_count and max(seconds) < LONG_SECONDS):
        started = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), value


def _built(problem: Problem) -> Matrix:
    with collector_paused():
        return compile_matrix(build(problem).ledger)


def _relaxed(matrix: Matrix) -> None:
    solver = Solver(matrix.without_shortfall(), relaxed=True)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    outcome = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=RELAXATION_SECONDS).outcome
    if outcome is not Outcome.OPTIMAL:
        raise BenchError(f"the relaxation ended with {outcome.value}")


def _relaxed_by_blocks(matrix: Matrix) -> None:
    Relaxation(matrix.without_shortfall(), Clock(RELAXATION_SECONDS)).solve(GAP_OF_RELAXATION)


def _planned(problem: Problem, options: SolveOptions) -> Schedule:
    return make_schedule(problem, options)


def _first_plan(problem: Problem) -> None:
    """Ends when the first audited plan is told."""

    def seen(phase: str, schedule: Schedule | None) -> None:
        if schedule is not None:
            raise _PlanSeenError

    with suppress(_PlanSeenError):
        make_schedule(problem, progress=seen)


def _is_stopped(schedule: Schedule) -> bool:
    return schedule.solve.stop_reason is StopReason.TIME


def _end(schedule: Schedule) -> str:
    gap = schedule.solve.gap
    end = "stopped by the clock" if _is_stopped(schedule) else schedule.solve.stop_reason.value
    return f"{end}, gap {'none' if gap is None else f'{gap:.1e}'}"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

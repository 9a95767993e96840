"""What many prices cost: the points of a curve against a cold solve for each, stopped at the same gap.

python -m bench.stress [FIXTURE ...]    days/sunny-sunday and days/grid-integrated, or others of fixtures/

Cold solves are taken at a sample of the points, evenly, and counted for all: build, solve and audit, without what
simpler ways would earn. A curve is all that `scheduler stress` does but break-evens, plan of today and audit included.
Seconds are those of the processors, so that a busy machine says the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.figures import Figure, Goal
from scheduler.model.kept import KEPT
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.resilience import Axis, StressOptions
from scheduler.settings import SolveOptions
from scheduler.stress import stress
from scheduler.stress.prices import repriced
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MEASURED = ("days/grid-integrated", "days/sunny-sunday")
POINTS_COUNT = 50
SAMPLE_COUNT = 5
GOAL = Goal(0.2)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench.stress", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fixtures", nargs="*", default=MEASURED, metavar="FIXTURE")
    for name in parser.parse_args(argv).fixtures:
        for figure in stress_figures(name):
            print(figure, flush=True)
    return 0


def stress_figures(name: str, points_count: int = POINTS_COUNT) -> Iterator[Figure]:
    """The figures of a fixture."""
    problem = problem_of(name)
    how = StressOptions(points_count=points_count)
    options = SolveOptions(rel_gap=how.rel_gap, counterfactuals=False)
    for axis in Axis:
        KEPT.clear()
        began, cpu_began = time.perf_counter(), time.process_time()
        found = stress(problem, options, replace(how, axes=(axis,), break_evens=False))
        curve_seconds, wall_seconds = time.process_time() - cpu_began, time.perf_counter() - began
        if not found.curves:
            continue
        (curve,) = found.curves
        factors = [point.factor for point in curve.points]
        cold_seconds = [_cold_seconds(problem, axis, factor, options) for factor in _sample(factors)]
        all_cold_seconds = len(factors) * sum(cold_seconds) / len(cold_seconds)
        words = (
            f"{curve_seconds:.2f} s of processor with {curve.solves_count} solves / {all_cold_seconds:.2f} s; "
            f"{wall_seconds:.1f} s by the clock; "
            f"{sum(point.proven for point in curve.points)} of {len(factors)} proven; load {os.getloadavg()[0]:.1f}"
        )
        ratio = curve_seconds / all_cold_seconds
        detail = f"{words}; {GOAL.verdict(ratio)}"
        yield Figure(f"{name} {axis.value} curve/cold", f"{ratio:.3f}", "ratio", detail)


def problem_of(name: str) -> Problem:
    """The problem of a fixture."""
    path = FIXTURES / name / "request.json"
    return schedule_request_from_pb(schedule_request_from_json(path.read_bytes(), str(path)))[1]


def _sample(factors: Sequence[float]) -> list[float]:
    """Some of the factors, evenly, both ends included."""
    last = len(factors) - 1
    return [factors[round(i * last / (SAMPLE_COUNT - 1))] for i in range(SAMPLE_COUNT)]


def _cold_seconds(problem: Problem, axis: Axis, factor: float, options: SolveOptions) -> float:
    changed = repriced(problem, axis, factor)
    KEPT.clear()
    began = time.process_time()
    make_schedule(changed, options)
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())

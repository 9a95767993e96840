"""What many prices cost: the points of a curve against a cold solve for each, stopped at the same gap.

python -m bench.stress [FIXTURE ...]    days/grid-integrated, sunny-sunday and winter-weekday, or others of fixtures/

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
from dataclasses import dataclass, replace
from pathlib import Path

from bench.figures import Figure, Goal
from scheduler.model.kept import KEPT
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.resilience import Axis, Resilience, StressOptions
from scheduler.settings import SolveOptions
from scheduler.stress import stress
from scheduler.stress.prices import repriced
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MEASURED = ("days/grid-integrated", "days/sunny-sunday", "days/winter-weekday")
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
    """The figures of a fixture: each curve by itself, then all at once, as `scheduler stress` draws them."""
    problem = problem_of(name)
    how = StressOptions(points_count=points_count, break_evens=False)
    options = SolveOptions(rel_gap=how.rel_gap, counterfactuals=False)
    cold_seconds = {}
    for axis in Axis:
        curves = timed_curves(problem, options, replace(how, axes=(axis,)))
        for curve in curves.found.curves:
            factors = [point.factor for point in curve.points]
            sample = [_cold_seconds(problem, axis, factor, options) for factor in _sample(factors)]
            cold_seconds[axis] = len(factors) * sum(sample) / len(sample)
            yield _figure(f"{name} {axis.value} curve/cold", curves, cold_seconds[axis])
    curves = timed_curves(problem, options, how)
    yield _figure(f"{name} curves/cold", curves, sum(cold_seconds.values()))


@dataclass(frozen=True)
class TimedCurves:
    """Curves and how long they took, by the clock of the processors and by that on the wall."""

    found: Resilience
    cpu_seconds: float
    wall_seconds: float


def timed_curves(problem: Problem, options: SolveOptions, how: StressOptions) -> TimedCurves:
    """Of a fleet that is not known."""
    KEPT.clear()
    began, cpu_began = time.perf_counter(), time.process_time()
    found = stress(problem, options, how)
    return TimedCurves(found, time.process_time() - cpu_began, time.perf_counter() - began)


def _figure(name: str, curves: TimedCurves, cold_seconds: float) -> Figure:
    points = [point for curve in curves.found.curves for point in curve.points]
    solves_count = sum(curve.solves_count for curve in curves.found.curves)
    ratio = curves.cpu_seconds / cold_seconds
    words = (
        f"{curves.cpu_seconds:.2f} s of processor with {solves_count} solves / {cold_seconds:.2f} s; "
        f"{curves.wall_seconds:.1f} s by the clock; {sum(point.proven for point in points)} of {len(points)} proven; "
        f"load {os.getloadavg()[0]:.1f}; {GOAL.verdict(ratio)}"
    )
    return Figure(name, f"{ratio:.3f}", "ratio", words)


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

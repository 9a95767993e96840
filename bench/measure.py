"""What is measured of one problem, in this process, one thing after the other."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial, partialmethod
from threading import Lock
from typing import Any

import highspy
import numpy as np

from bench.figures import BenchError, Patience, Timed, timed
from bench.prices import with_new_prices
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.kept import KEPT
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.by_blocks import GAP_OF_RELAXATION
from scheduler.model.strategy.fast import BLOCKS_COLUMNS_COUNT
from scheduler.model.strategy.sample import relaxation_of
from scheduler.plan import Schedule, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy


class _PlanSeenError(Exception):
    """The first plan was told: what comes later does not matter."""


@dataclass(frozen=True)
class Measured:
    """Of one problem; a day is the problem with new prices, and all figures are of the same days.

    None: not asked for.
    """

    columns_count: int
    built: Timed[Matrix]  # cold
    priced: Timed[Matrix]  # the same of a known fleet, new prices
    cold: Timed[Schedule]
    known: Timed[Schedule]  # a known fleet, new prices
    outside_frac: float  # of the time of `known`, what no solver ran in
    first: Timed[None]  # as `known`, until the first audited plan was told
    relaxation: Timed[bool] | None  # of plain, built before; whether it was solved in time
    reduced: Timed[bool] | None  # of the columns that fast goes on with
    plain: Timed[Schedule] | None


@dataclass
class _Running:
    """How long at least one solver ran."""

    seconds: float = 0.0
    _depth: int = 0
    _since: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def enter(self) -> None:
        with self._lock:
            if not self._depth:
                self._since = time.perf_counter()
            self._depth += 1

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self.seconds += time.perf_counter() - self._since


@contextmanager
def solver_clock() -> Iterator[_Running]:
    """Counts the time in which HiGHS runs."""
    running = _Running()
    methods = {name: getattr(highspy.Highs, name) for name in ("run", "presolve")}

    def counted(method: Callable[..., Any], self: highspy.Highs, *args: Any) -> Any:
        running.enter()
        try:
            return method(self, *args)
        finally:
            running.leave()

    for name, method in methods.items():
        setattr(highspy.Highs, name, partialmethod(partial(counted, method)))
    try:
        yield running
    finally:
        for name, method in methods.items():
            setattr(highspy.Highs, name, method)


def measure(problem: Problem, patience: Patience, *, relaxed: bool, reduced: bool, plain: bool) -> Measured:
    """All that is measured of a problem. Raises AuditError for a plan that is not sound."""
    options = SolveOptions(time_limit_seconds=patience.limit_seconds)
    day = partial(with_new_prices, problem)
    built = timed(_built, lambda number: problem, patience)

    def cold(given: Problem) -> Schedule:
        KEPT.clear()
        return make_schedule(given, options)

    planned_cold = timed(cold, lambda number: problem, patience)  # whoever was planned is known from now on
    priced = timed(lambda given: compile_matrix(KEPT.build(given).ledger), day, patience)
    outside = []

    def known(given: Problem) -> Schedule:
        with solver_clock() as running:
            started = time.perf_counter()
            schedule = make_schedule(given, options)
            outside.append(1 - running.seconds / (time.perf_counter() - started))
        return schedule

    planned = timed(known, day, patience)
    first = timed(partial(_first_plan, options=options), day, patience)
    limit_seconds = patience.relaxation_limit_seconds
    solved = partial(_relaxed, limit_seconds=limit_seconds)
    relaxation = timed(solved, lambda number: _built(day(number)), patience) if relaxed else None
    in_use = timed(solved, lambda number: _used(_built(day(number)), limit_seconds), patience) if reduced else None
    whole = None
    if plain:
        limited = SolveOptions(strategy=Strategy.PLAIN, time_limit_seconds=patience.plain_limit_seconds)
        whole = timed(lambda given: make_schedule(given, limited), day, patience)
        if is_stopped(whole.value):
            whole = replace(whole, seconds=patience.plain_limit_seconds)
    return Measured(
        columns_count=built.value.matrix.shape[1],
        built=built,
        priced=priced,
        cold=planned_cold,
        known=planned,
        outside_frac=statistics.median(outside),
        first=first,
        relaxation=relaxation,
        reduced=in_use,
        plain=whole,
    )


def peak_mib(problem: Problem, patience: Patience) -> float:
    """Most memory of this process while it plans."""
    make_schedule(problem, SolveOptions(time_limit_seconds=patience.limit_seconds))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def is_stopped(schedule: Schedule) -> bool:
    """Whether the clock ended the solve."""
    return schedule.solve.stop_reason is StopReason.TIME


def _built(problem: Problem) -> Matrix:
    return compile_matrix(build(problem).ledger)


def _relaxed(matrix: Matrix, limit_seconds: float) -> bool:
    """Solves the relaxation as HiGHS does it by default; whether the time was enough."""
    solver = Solver(matrix.without_shortfall(), relaxed=True)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    outcome = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=limit_seconds).outcome
    if outcome is Outcome.INFEASIBLE:
        raise BenchError("the relaxation is infeasible")
    return outcome is Outcome.OPTIMAL


def _used(matrix: Matrix, limit_seconds: float) -> Matrix:
    """The model that fast goes on with: of a large fleet the columns that its relaxation used, else all."""
    if matrix.matrix.shape[1] <= BLOCKS_COLUMNS_COUNT:
        return matrix
    relaxation = relaxation_of(matrix.without_shortfall(), Clock(limit_seconds))
    relaxation.solve(GAP_OF_RELAXATION)
    return matrix.part(np.flatnonzero(relaxation.used))


def _first_plan(problem: Problem, options: SolveOptions) -> None:
    """Ends when the first audited plan is told."""

    def seen(phase: str, schedule: Schedule | None) -> None:
        if schedule is not None:
            raise _PlanSeenError

    with suppress(_PlanSeenError):
        make_schedule(problem, options, seen)

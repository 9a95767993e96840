"""Why no plan exists even with every award given up: which limit is in the way, when, by how much, what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array, hstack, vstack

from scheduler.conflict.least import MOST_SECONDS_EACH, MOST_WHOLE_COUNT, Model, model_of
from scheduler.conflict.limits import Limit, by_kind, lifted, limits_of
from scheduler.conflict.lots import MISSING_MW
from scheduler.conflict.words import instants, mw
from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Outcome, Solver
from scheduler.problem import Counts, Floats, Problem

RESERVE_ONLY = ("ramp", "prequalified")
"""Limits of calls, not of the plan itself."""
MOST_NAMED = 8


@dataclass(frozen=True, eq=False)
class _Cure:
    """Limits that let a plan exist when lifted together, and by how many MW at least each interval exceeds them."""

    limits: list[Limit]
    excess_mw: dict[str, Floats]  # field -> [T]; only limits in MW


def why_no_plan(problem: Problem, seconds: float, seed: int = 0) -> str:
    """Names each limit that alone lets a plan exist, or the smallest set that does together."""
    search = _Search(problem, Clock(seconds), seed)
    limits = [limit for limit in limits_of(problem) if limit.kind not in RESERVE_ONLY]
    start = "no plan exists, even with every award given up"
    alone = list(search.alone(limits))
    if alone:
        words = [_words(problem, cure) for cure in alone[:MOST_NAMED]]
        more = f"; and {len(alone) - MOST_NAMED} more" if len(alone) > MOST_NAMED else ""
        any_of = "any one of these lets a plan exist: " if len(alone) > 1 else ""
        said = f"{start}: {any_of}{'; or '.join(words)}{more}"
    else:
        together = search.together(limits)
        if together is None:
            said = f"{start}: {_fallback(search.complete)}"
        else:
            said = f"{start}: all of these are needed: {_words(problem, together)}"
    return said if search.complete else f"{said} (not every limit was tried: raise time_limit_seconds to see them all)"


def _fallback(complete: bool) -> str:
    if complete:
        return "moves, dwells and start state of the machines contradict each other: mend initial_cohorts or modes"
    return "the time did not allow to say why; raise import_limit_mw or max_deviation_mw, or mend initial_cohorts"


class _Search:
    def __init__(self, problem: Problem, clock: Clock, seed: int) -> None:
        self.problem, self.clock, self.seed = problem, clock, seed
        self.complete = True
        self.whole: bool | None = None

    def alone(self, limits: list[Limit]) -> Iterator[_Cure]:
        """Kinds of limits that are enough, and of each kind the limits that are needed."""
        for kind in by_kind(limits).values():
            cure = self._cure(kind)
            if cure is None:
                continue
            single = [] if len(kind) == 1 else [one for one in map(self._cure, ([limit] for limit in kind)) if one]
            if single:
                yield from single
            else:
                yield self._smallest(cure)

    def together(self, limits: list[Limit]) -> _Cure | None:
        """The smallest set over all kinds."""
        cure = self._cure(limits)
        return None if cure is None else self._smallest(cure)

    def _smallest(self, cure: _Cure) -> _Cure:
        """What can be left as it is, is left."""
        for limit in cure.limits:
            less = [other for other in cure.limits if other is not limit]
            if less:
                cure = self._cure(less) or cure
        return cure

    def _cure(self, limits: list[Limit]) -> _Cure | None:
        """The least excess over limits in MW with these lifted; None where there is no plan, or none in time."""
        if self.clock.left_seconds <= 0:
            self.complete = False
            return None
        model = model_of(lifted(self.problem, limits), awards=False)
        matrix, columns = _with_excess(model, limits)
        try:
            solver = Solver(matrix, relaxed=not self._is_whole(model), seed=self.seed)
            costs = np.zeros(len(matrix.lower))
            costs[len(model.matrix.lower) :] = 1.0
            solver.set_costs(costs, maximise=False)
            seconds = min(self.clock.left_seconds, MOST_SECONDS_EACH)
            result = solver.solve(rel_gap=0.0, abs_gap=1e-6, seconds=seconds)
        except SolverError:
            self.complete = False
            return None
        if result.x is None:
            self.complete &= result.outcome is Outcome.INFEASIBLE
            return None
        excess_mw = {}
        for field, (intervals, at) in columns.items():
            excess_mw[field] = np.zeros(self.problem.horizon.count)
            np.maximum.at(excess_mw[field], intervals, result.x[at])
        return _Cure(limits, excess_mw)

    def _is_whole(self, model: Model) -> bool:
        """Whole machines, unless they are so many that one does not matter and their parts have no plan either."""
        if self.whole is None:
            self.whole = int(model.matrix.integer.sum()) <= MOST_WHOLE_COUNT or self._exists_in_parts()
        return self.whole

    def _exists_in_parts(self) -> bool:
        solver = Solver(model_of(self.problem, awards=False).matrix, relaxed=True, seed=self.seed)
        seconds = min(self.clock.left_seconds, MOST_SECONDS_EACH)
        return solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=seconds).x is not None


def _with_excess(model: Model, limits: list[Limit]) -> tuple[Matrix, dict[str, tuple[Counts, Counts]]]:
    """Columns for what exceeds each limit in MW, one per interval: sign * variable - excess <= limit."""
    first = len(model.matrix.lower)
    cells: list[tuple[int, float, float]] = []  # column of the variable, its sign, limit
    columns: dict[str, tuple[Counts, Counts]] = {}
    for limit in limits:
        if limit.bounded is None:
            continue
        before, when = len(cells), []
        for sign, variables, limit_mw in limit.bounded(model.made):
            intervals, at = model.columns(variables)
            kept = np.isfinite(limit_mw[intervals])
            when.append(intervals[kept])
            cells += zip(at[kept].tolist(), [sign] * len(at), limit_mw[intervals][kept].tolist(), strict=False)
        if when:
            columns[limit.field] = np.concatenate(when), first + np.arange(before, len(cells), dtype=np.int64)
    if not cells:
        return model.matrix, columns
    old, added = model.matrix, len(cells)
    at, signs, most = (np.array(values) for values in zip(*cells, strict=True))
    rows = np.arange(added)
    below = csc_array(
        (np.r_[signs, -np.ones(added)], (np.r_[rows, rows], np.r_[at.astype(int), first + rows])),
        (added, first + added),
    )
    wide = hstack([old.matrix, csc_array((old.matrix.shape[0], added))])
    return replace(
        old,
        matrix=csc_array(vstack([wide, below])),
        row_lower=np.r_[old.row_lower, np.full(added, -np.inf)],
        row_upper=np.r_[old.row_upper, most],
        lower=np.r_[old.lower, np.zeros(added)],
        upper=np.r_[old.upper, np.full(added, np.inf)],
        integer=np.r_[old.integer, np.zeros(added, dtype=bool)],
    ), columns


def _words(problem: Problem, cure: _Cure) -> str:
    """What to do about each of its limits."""
    return "; and ".join(_words_of(problem, limit, cure.excess_mw.get(limit.field)) for limit in cure.limits)


def _words_of(problem: Problem, limit: Limit, excess_mw: Floats | None) -> str:
    if excess_mw is None or not (excess_mw > MISSING_MW).any():
        return limit.advice
    when = np.flatnonzero(excess_mw > MISSING_MW)
    first, last = int(when[0]), int(when[-1]) + 1
    return f"{limit.advice} by {mw(excess_mw.max())} from {instants(problem.horizon, first, last)}"

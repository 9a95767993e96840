"""Fast: decide what matters first, then round the machines around it (formulation 10).

With thousands of machines the integrality of a count is worth one machine, that of an offer a whole step. So the offers
(and the few large machines) are decided with all other counts relaxed: this is a relaxation of the whole problem, and
its bound is a true bound. Then machines are rounded near the relaxed solution with the offers as they are, in
neighbourhoods that grow; if none is good enough for the bound, branch and cut on the whole model has the last word.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Incumbent, Outcome, Result, Solver
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import proven, with_whole_counts
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHARE_OF_GAP = 0.4
"""Of the gap, what the offers may use; the rest is for rounding the machines."""
RADII = (1, 4)
"""Neighbourhoods of the relaxed counts, in machines."""
WHOLE = 1e-6


def fast(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None = None) -> Result:
    """The most money: offers first, machines rounded under them."""
    if not (matrix.integer & ~matrix.coarse).any():
        return plain(matrix, options, clock, on_incumbent)
    offers = Solver(replace(matrix, integer=matrix.coarse), seed=options.seed)
    offers.set_costs(matrix.money, matrix.constant, maximise=True)
    relaxed = offers.solve(
        rel_gap=SHARE_OF_GAP * options.rel_gap, abs_gap=SHARE_OF_GAP * options.abs_gap, seconds=clock.left_seconds
    )
    if relaxed.x is None or relaxed.bound is None:
        return relaxed
    best: tuple[Floats, float] | None = None
    for radius in RADII:
        rounded = _round_machines(matrix, relaxed.x, radius, options, clock)
        if rounded is not None and (best is None or rounded[1] > best[1]):
            best = rounded
            if on_incumbent is not None:
                on_incumbent(best[1], relaxed.bound)
        if best is not None and proven(best[1], relaxed.bound, options):
            return Result(Outcome.OPTIMAL, best[0], best[1], relaxed.bound)
    last = plain(matrix, options, clock, on_incumbent, start=None if best is None else best[0])
    if last.outcome is Outcome.INFEASIBLE:
        return last
    bound = min(value for value in (relaxed.bound, last.bound) if value is not None)
    if last.x is not None and last.objective is not None and (best is None or last.objective > best[1]):
        best = (last.x, last.objective)
    if best is None:
        return Result(Outcome.LIMIT, None, None, bound)
    outcome = Outcome.OPTIMAL if proven(best[1], bound, options) else Outcome.LIMIT
    return Result(outcome, best[0], best[1], bound)


def _round_machines(
    matrix: Matrix, x: Floats, radius: int, options: SolveOptions, clock: Clock
) -> tuple[Floats, float] | None:
    """Whole machines within ``radius`` of the relaxed counts, coarse integers as they are; None: there are none."""
    near = np.flatnonzero(matrix.integer)
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    lower[near] = np.maximum(lower[near], np.floor(x[near] + WHOLE) - radius)
    upper[near] = np.minimum(upper[near], np.ceil(x[near] - WHOLE) + radius)
    fixed = matrix.coarse
    lower[fixed] = upper[fixed] = np.rint(x[fixed])
    solver = Solver(replace(matrix, lower=lower, upper=upper), seed=options.seed)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    share = (1 - SHARE_OF_GAP) / 3
    result = solver.solve(
        rel_gap=share * options.rel_gap, abs_gap=share * options.abs_gap, seconds=clock.left_seconds / 2
    )
    return None if result.x is None else with_whole_counts(matrix, result.x)

"""Fast: decide what matters first, then round the machines around it (formulation 10).

With thousands of machines the integrality of a count is worth one machine, that of an offer a whole step. So the offers
(and the few large machines) are decided with all other counts relaxed: this is a relaxation of the whole problem, and
its bound is a true bound. Then machines are rounded near the relaxed solution with the offers as they are, in
neighbourhoods that grow; if none is good enough for the bound, branch and cut on the whole model has the last word.

Who waits for news has a safe plan before the offers are decided: awards held, nothing offered.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Incumbent, Outcome, Result, Solver
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import proven, with_whole_counts
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHARE_OF_GAP = 0.4
"""Of the gap, what the offers may use; the rest is for rounding the machines."""
SHARE_OF_TIME = 0.7
"""Of the time, what the offers may take: a plan needs machines that are rounded."""
RADII = (1, 4)
"""Neighbourhoods of the relaxed counts, in machines."""
WHOLE = 1e-6
LARGE_COLUMNS_COUNT = 3000
"""Beyond this many, deciding the offers may take long: then a plan without offers comes first."""
SHARE_OF_TIME_WITHOUT_OFFERS = 0.2
SECONDS_WITHOUT_OFFERS = 5.0
"""If that is not more than half of the time, the plan without offers may take so long even where the share is less."""
REL_GAP_WITHOUT_OFFERS = 0.05


def fast(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None = None) -> Result:
    """The most money: offers first, machines rounded under them."""
    if not (matrix.integer & ~matrix.coarse).any():
        return plain(matrix, options, clock, on_incumbent)
    safe: tuple[Floats, float] | None = None
    if on_incumbent is not None and len(matrix.offers) and len(matrix.money) > LARGE_COLUMNS_COUNT:
        left = clock.left_seconds
        seconds = max(SHARE_OF_TIME_WITHOUT_OFFERS * left, min(SECONDS_WITHOUT_OFFERS, left / 2))
        safe = _without_offers(matrix, options, Clock(seconds))
        if safe is not None:
            on_incumbent(*safe, None)
    result = _with_offers(matrix, options, clock, on_incumbent)
    if result.x is None and result.outcome is not Outcome.INFEASIBLE and safe is not None:
        return Result(Outcome.LIMIT, *safe, result.bound)
    return result


def _with_offers(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None) -> Result:
    offers = Solver(replace(matrix, integer=matrix.coarse), seed=options.seed)
    offers.set_costs(matrix.money, matrix.constant, maximise=True)
    relaxed = offers.solve(
        rel_gap=SHARE_OF_GAP * options.rel_gap,
        abs_gap=SHARE_OF_GAP * options.abs_gap,
        seconds=SHARE_OF_TIME * clock.left_seconds,
    )
    if relaxed.x is None or relaxed.bound is None:
        return replace(relaxed, x=None, objective=None)
    best: tuple[Floats, float] | None = None
    for radius in RADII:
        rounded = _round_machines(matrix, relaxed.x, radius, options, clock)
        if rounded is not None and (best is None or rounded[1] > best[1]):
            best = rounded
            if on_incumbent is not None:
                on_incumbent(*best, relaxed.bound)
        if best is not None and proven(best[1], relaxed.bound, options):
            return Result(Outcome.OPTIMAL, best[0], best[1], relaxed.bound)
    last = plain(matrix, options, clock, _bounded(on_incumbent, relaxed.bound), None if best is None else best[0])
    if last.outcome is Outcome.INFEASIBLE:
        return last
    bound = min(value for value in (relaxed.bound, last.bound) if value is not None)
    if last.x is not None and last.objective is not None and (best is None or last.objective > best[1]):
        best = (last.x, last.objective)
    if best is None:
        return Result(Outcome.LIMIT, None, None, bound)
    outcome = Outcome.OPTIMAL if proven(best[1], bound, options) else Outcome.LIMIT
    return Result(outcome, best[0], best[1], bound)


def _without_offers(matrix: Matrix, options: SolveOptions, clock: Clock) -> tuple[Floats, float] | None:
    """A plan that offers nothing, soon rather than good, and its money; None where it does not come off."""
    upper = matrix.upper.copy()
    upper[matrix.offers] = 0.0
    bare = replace(matrix, upper=upper)
    loose = replace(options, rel_gap=max(options.rel_gap, REL_GAP_WITHOUT_OFFERS))
    solver = Solver(replace(bare, integer=bare.coarse), seed=options.seed)
    solver.set_costs(bare.money, bare.constant, maximise=True)
    try:
        relaxed = solver.solve(rel_gap=loose.rel_gap, abs_gap=loose.abs_gap, seconds=clock.left_seconds)
        return None if relaxed.x is None else _round_machines(bare, relaxed.x, RADII[0], loose, clock)
    except SolverError:
        return None


def _bounded(on_incumbent: Incumbent | None, bound: float) -> Incumbent | None:
    """The same, with the better of its bound and one that is known."""
    if on_incumbent is None:
        return None
    return lambda x, objective, own: on_incumbent(x, objective, bound if own is None else min(own, bound))


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

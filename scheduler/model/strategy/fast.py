"""Fast: decide what matters first, then round the machines around it (formulation 10).

With thousands of machines the integrality of a count is worth one machine, that of an offer a whole step. So the offers
(and the few large machines) are decided with all other counts relaxed: this is a relaxation of the whole problem, and
its bound is a true bound. Then machines are rounded with the offers as they are, first with room to spare, then with
less; if nothing is good enough for the bound, branch and cut on the whole model has the last word.

Of a large fleet even the relaxation takes long: it is solved by its blocks (`relaxation.py`), and offers and machines
are then decided among the columns that it used. What those leave out costs a little money, never the bound.

Who waits for news has a safe plan before the offers are decided: awards held, nothing offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Outcome, Result, Solver
from scheduler.model.strategy.apart import Apart, side_by_side
from scheduler.model.strategy.blocks import columns_beside, rows_of_markets
from scheduler.model.strategy.by_blocks import LARGEST_COLUMNS_COUNT, SHARE_FOR_ROWS, by_blocks
from scheduler.model.strategy.by_interval import by_interval
from scheduler.model.strategy.by_paths import by_paths
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.lone import lone
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.portions import by_portions
from scheduler.model.strategy.rounding import ROUNDINGS, Rounding, best_rounding
from scheduler.model.strategy.rows import Row, with_rows
from scheduler.model.strategy.search import Solution, best_of, better, proven
from scheduler.model.strategy.tightening import tightening_of
from scheduler.model.strategy.tree import MOST_COLUMNS_COUNT, TWIN_COLUMNS_COUNT, Tree, tree_of
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHARE_OF_GAP = 0.05
"""Of the gap, what the offers may use; the rest is for rounding the machines, which is dearer."""
SHARE_OF_TIME = 0.7
"""Of the time, what the offers may take: a plan needs machines that are rounded."""
MOST_RELAXATIONS_COUNT = 300
"""What takes a tree of our own longer is left to that of HiGHS."""
LARGE_COLUMNS_COUNT = 3000
"""Beyond this many, deciding the offers may take long: then a plan without offers comes first."""
SHARE_OF_TIME_WITHOUT_OFFERS = 0.3
SECONDS_WITHOUT_OFFERS = 20.0
"""The plan without offers may take so long, or half of the time, even where the share is less."""
REL_GAP_WITHOUT_OFFERS = 0.05
MOST_COLUMNS_COUNT_AT_ONCE = 1_000_000
"""Beyond this many, all columns at once are not asked where there is a bound, let alone a plan (`by_blocks.py`)."""
BLOCKS_COLUMNS_COUNT = 40_000
"""Beyond this many the relaxation is solved by blocks."""
PORTIONS_COLUMNS_COUNT = 3_000_000
"""Beyond this many it is not solved in ten minutes, but those of portions of the sites are."""
SECONDS_PER_MILLION_COLUMNS = 45.0
"""With less time than that for all sites at once, portions of them have the better plan."""


def fast(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None = None) -> Result:
    """The most money: offers first, machines rounded under them."""
    if not (matrix.integer & ~matrix.coarse).any():
        return _large_machines(matrix, options, clock, on_incumbent)
    safe: Solution | None = None
    if on_incumbent is not None and len(matrix.offers) and len(matrix.money) > LARGE_COLUMNS_COUNT:
        left = clock.left_seconds
        seconds = max(SHARE_OF_TIME_WITHOUT_OFFERS * left, min(SECONDS_WITHOUT_OFFERS, left / 2))
        safe = _without_offers(matrix, options, Clock(seconds))
        if safe is not None:
            on_incumbent(*safe, None)
    result = _by_portions(matrix, options, clock, safe)
    if result is None and safe is not None and clock.left_seconds <= 0:
        return best_of(safe, np.inf, options)
    result = result or _with_offers(matrix, options, clock, on_incumbent)
    if safe is None or result.outcome is Outcome.INFEASIBLE:
        return result
    return best_of(better(result.solution, safe), np.inf if result.bound is None else result.bound, options)


def _large_machines(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None) -> Result:
    """Nothing to round: by interval where moves say nothing, by the ways of single machines, else whole."""
    best, bound = None, np.inf
    for strategy in (by_interval, by_paths, lone):
        found = strategy(matrix, options, clock, on_incumbent)
        if found is not None and found.solution is not None:
            best, bound = better(best, found.solution), min(bound, np.inf if found.bound is None else found.bound)
        if best is not None and (proven(best[1], bound, options) or clock.left_seconds <= 0):
            return best_of(best, bound, options)
    if best is None:
        return plain(matrix, options, clock, on_incumbent)
    last = plain(matrix, options, clock, _bounded(on_incumbent, bound), best[0])
    return best_of(better(last.solution, best), bound if last.bound is None else min(bound, last.bound), options)


def _with_offers(formulated: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None) -> Result:
    """The last word has branch and cut on the model as formulated: with counts it was far slower on a hard day."""
    matrix = with_counts(formulated)
    known = Result(Outcome.LIMIT, None, None, np.inf)
    if len(matrix.money) > BLOCKS_COLUMNS_COUNT:
        with suppress(SolverError):  # too hard to take apart, or no time: the way below has an answer for both
            known = by_blocks(matrix, formulated, options, clock, on_incumbent)
    if _is_last(known, matrix, clock):
        return known
    relaxed, rows = _offers_whole(matrix, formulated, options, Clock(SHARE_OF_TIME * clock.left_seconds), known.x)
    if relaxed.outcome is Outcome.INFEASIBLE:
        return relaxed
    bound = min(value for value in (known.bound, relaxed.bound, np.inf) if value is not None)
    best = known.solution
    if relaxed.x is None or relaxed.bound is None or not np.isfinite(bound):
        return best_of(best, bound, options)
    if best is None or not proven(best[1], bound, options):
        best = better(
            best,
            best_rounding(Rounding(matrix, relaxed.x, options.seed), ROUNDINGS, bound, options, clock, on_incumbent),
        )
    if best is not None and proven(best[1], bound, options):
        return best_of(best, bound, options)
    last = plain(
        with_rows(formulated, rows), options, clock, _bounded(on_incumbent, bound), None if best is None else best[0]
    )
    if last.outcome is Outcome.INFEASIBLE:
        return last
    best = better(best, last.solution)
    return best_of(best, bound if last.bound is None else min(bound, last.bound), options)


def _offers_whole(
    matrix: Matrix, formulated: Matrix, options: SolveOptions, clock: Clock, x: Floats | None
) -> tuple[Result, Sequence[Row]]:
    """Whole offers with all else relaxed, by a tree of our own or else by HiGHS; and the rows that they keep.

    HiGHS may begin with a solution ``x``.
    """
    rows: Sequence[Row] = ()
    rel_gap, abs_gap = SHARE_OF_GAP * options.rel_gap, SHARE_OF_GAP * options.abs_gap
    if len(matrix.money) <= BLOCKS_COLUMNS_COUNT:
        with suppress(SolverError):  # the solver's own search has presolve and other tolerances
            found, rows = _by_tree(matrix, formulated, clock, rel_gap, abs_gap)
            if found.outcome is Outcome.OPTIMAL:
                return found, rows
            if found.outcome is Outcome.INFEASIBLE:  # not for rows of ours
                rows = ()
            x = x if found.x is None else found.x
    tight = with_rows(matrix, rows)
    return offers_by_solver(tight, options.seed, clock, rel_gap=rel_gap, abs_gap=abs_gap, x=x), rows


def offers_by_solver(
    matrix: Matrix, seed: int, clock: Clock, *, rel_gap: float, abs_gap: float, x: Floats | None = None
) -> Result:
    """Whole offers with all else relaxed, by the solver's own search; it may begin with a solution ``x``."""
    offers = Solver(replace(matrix, integer=matrix.coarse), seed=seed)
    offers.search_the_tree_only()
    offers.set_costs(matrix.money, matrix.constant, maximise=True)
    if x is not None:
        offers.start_from(x)
    return offers.solve(rel_gap=rel_gap, abs_gap=abs_gap, seconds=clock.left_seconds)


def _by_tree(
    matrix: Matrix, formulated: Matrix, clock: Clock, rel_gap: float, abs_gap: float
) -> tuple[Result, Sequence[Row]]:
    """Whole offers, if they are soon found, and the rows that were added to find them."""
    relaxed = Solver(matrix, relaxed=True)
    relaxed.set_costs(matrix.money, matrix.constant, maximise=True)
    first = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
    if first.x is None or first.objective is None:
        return first, ()
    matrix.ledger.day.relaxed_basis = relaxed.basis()
    tightening = tightening_of(formulated, Clock(SHARE_FOR_ROWS * clock.left_seconds))
    rows = [] if tightening is None else tightening.add_violated(relaxed, clock)
    return _whole(relaxed, matrix, clock, max(abs_gap, rel_gap * abs(first.objective))), rows


def _whole(relaxed: Solver, matrix: Matrix, clock: Clock, gap: float) -> Result:
    """Whole offers, by a tree on what presolve leaves of a relaxation: half of it, in half of the time."""
    free = np.flatnonzero(matrix.coarse & (matrix.lower < matrix.upper))
    large = relaxed.columns_count >= TWIN_COLUMNS_COUNT and len(free) <= MOST_COLUMNS_COUNT
    presolved = relaxed.presolved(free) if large else None
    if presolved is None:
        return tree_of(relaxed, matrix).search(MOST_RELAXATIONS_COUNT, clock, gap=gap)
    reduced, at = presolved
    found = Tree(reduced, at, matrix.lower[free], matrix.upper[free]).search(MOST_RELAXATIONS_COUNT, clock, gap=gap)
    if found.x is None:
        return found
    values = np.rint(found.x[at])
    relaxed.set_bounds(free, values, values)
    whole = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
    return replace(found, x=whole.x, objective=whole.objective)


def _by_portions(matrix: Matrix, options: SolveOptions, clock: Clock, safe: Solution | None) -> Result | None:
    """Where all sites at once would end far from the bound, or with nothing; None where they are to be asked."""
    count = len(matrix.money)
    is_late = clock.left_seconds < SECONDS_PER_MILLION_COLUMNS * count / 1e6
    if count <= PORTIONS_COLUMNS_COUNT:
        if count <= BLOCKS_COLUMNS_COUNT or not is_late:
            return None
        Clock.note()
    with suppress(SolverError):  # there are no portions, or one of them has no plan
        return by_portions(matrix, options, clock, None if safe is None else safe[0])
    return None


def _is_last(known: Result, matrix: Matrix, clock: Clock) -> bool:
    """Whether all columns at once are not worth asking: it is proven, or too large and there is a plan or no time.

    Of 760,000 columns HiGHS did not solve the relaxation in 600 s, and of ten times as many it fills the memory.
    """
    if known.outcome is Outcome.OPTIMAL:
        return True
    if len(matrix.money) > MOST_COLUMNS_COUNT_AT_ONCE and known.bound is not None and np.isfinite(known.bound):
        return True
    return len(matrix.money) > LARGEST_COLUMNS_COUNT and (known.x is not None or clock.left_seconds <= 0)


def _without_offers(matrix: Matrix, options: SolveOptions, clock: Clock) -> Solution | None:
    """A plan that offers nothing, soon rather than good, and its money; None where it does not come off."""
    upper = matrix.upper.copy()
    upper[matrix.offers] = 0.0
    bare, chosen = replace(matrix, upper=upper), np.ones(len(upper), dtype=bool)
    held = rows_of_markets(matrix)
    if not ((matrix.row_lower[held] > 0) | (matrix.row_upper[held] < 0)).any():  # no award: nothing needs be held
        chosen = np.zeros(len(upper), dtype=bool)
        chosen[columns_beside(matrix, held)] = True
    apart, x = Apart(bare, chosen, matrix.asset), np.zeros(len(upper))
    solutions = side_by_side(lambda part: _soon(with_counts(bare.part(*part)), options, clock), apart.parts)
    for (own, _), solution in zip(apart.parts, solutions, strict=True):
        if solution is None:
            return None
        x[own] = solution
    x = apart.complete(x)
    return x, float(bare.money @ x) + bare.constant


def _soon(matrix: Matrix, options: SolveOptions, clock: Clock) -> Floats | None:
    """Whole machines around the relaxation, soon rather than good."""
    solver = Solver(replace(matrix, integer=matrix.coarse), seed=options.seed)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    rel_gap = max(options.rel_gap, REL_GAP_WITHOUT_OFFERS)
    try:
        relaxed = solver.solve(rel_gap=rel_gap, abs_gap=options.abs_gap, seconds=clock.left_seconds)
        if relaxed.x is None:
            return None
        allowed = max(options.abs_gap, rel_gap * abs(relaxed.objective or 0.0))
        rounded = Rounding(matrix, relaxed.x, options.seed).whole(0.0, 1, np.inf, clock, gap=allowed)
    except SolverError:
        return None
    return None if rounded is None else rounded[0]


def _bounded(on_incumbent: Incumbent | None, bound: float) -> Incumbent | None:
    """The same, with the better of its bound and one that is known."""
    if on_incumbent is None:
        return None
    return lambda x, objective, own: on_incumbent(x, objective, bound if own is None else min(own, bound))

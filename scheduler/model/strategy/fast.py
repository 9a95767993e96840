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

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Incumbent, Outcome, Result, Solver
from scheduler.model.strategy.apart import Apart, side_by_side
from scheduler.model.strategy.blocks import columns_beside, rows_naming, rows_of_markets
from scheduler.model.strategy.by_interval import by_interval
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.lone import lone
from scheduler.model.strategy.offers import Offers
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.rounding import (
    REPAIRS_COUNT,
    ROUNDINGS,
    SHARE_OF_TIME_ROUNDING,
    Rounding,
    best_rounding,
    made_better,
)
from scheduler.model.strategy.rows import Row, with_rows
from scheduler.model.strategy.sample import relaxation_of
from scheduler.model.strategy.search import Solution, among, better, proven
from scheduler.model.strategy.tightening import ROUNDS_COUNT, Tightening, tightening_of
from scheduler.model.strategy.tree import MOST_COLUMNS_COUNT, TWIN_COLUMNS_COUNT, Tree, tree_of
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHARE_OF_GAP = 0.05
"""Of the gap, what the offers may use; the rest is for rounding the machines, which is dearer."""
SHARE_FOR_ROWS = 0.2
"""Of that time, what rows that whole offers keep may take to find."""
SHARE_OF_TIME = 0.7
"""Of the time, what the offers may take: a plan needs machines that are rounded."""
MOST_RELAXATIONS_COUNT = 300
"""What takes a tree of our own longer is left to that of HiGHS."""
LARGE_COLUMNS_COUNT = 3000
"""Beyond this many, deciding the offers may take long: then a plan without offers comes first."""
SHARE_OF_TIME_WITHOUT_OFFERS = 0.2
SECONDS_WITHOUT_OFFERS = 20.0
"""The plan without offers may take so long, or half of the time, even where the share is less."""
REL_GAP_WITHOUT_OFFERS = 0.05
LARGEST_COLUMNS_COUNT = 300_000
"""Beyond this many, all columns at once are never asked where there is a plan."""
MOST_COLUMNS_COUNT_AT_ONCE = 1_000_000
"""Beyond this many, nor where there is a bound."""
BLOCKS_COLUMNS_COUNT = 40_000
"""Beyond this many the relaxation is solved by blocks."""
GAP_OF_RELAXATION = 3e-5
GAP_BEFORE_ROWS = 1e-3
"""Rows that whole offers keep need no more, and change the prices again."""
SHARE_OF_TIME_TO_RELAX = 0.5
"""Of the time that is left, what the relaxation may take once it is begun."""
SHARE_OF_TIME_BY_BLOCKS = 0.6
"""Of the time that is left then, what the offers may take. Where that found no plan the nearest are taken."""
SHARE_FOR_OFFERS = 0.8
"""Of the gap, what offers are searched to: rounding the machines around them mostly loses 0.1 to 0.4 more."""
SHARE_TO_ROUND = 0.9
"""Of the gap, what offers may have lost for a first rounding: it is sooner tried than searched on."""
ROUNDINGS_BY_BLOCKS = ((0.07, 0), (0.1, 0), (0.15, 0), (0.25, 0), (0.5, 0))
"""The first that fits is the best of them."""
SHARE_BY_MARGIN = 0.6
"""Of the time that is left, what each of these may take: of a large fleet it takes seconds to see that one fits."""
IN_HASTE, AT_LAST = ((0.15, 0),), ((0.15, 0), (0.5, 0), (0.0, 1))
"""When the time is over: mostly the first fits; and around less, if it does not."""
SHARE_OF_TIME_NEAREST = 0.3
"""Of the time that is left then, what offers may take that are made whole some at a time."""
SEARCHES_BY_BLOCKS = ((0.15, 1), (0.05, 1))
"""They take a minute: when there are no other offers to try."""

Tries = Sequence[tuple[float, int]]
"""Margins and how far to search around, of roundings."""


def fast(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None = None) -> Result:
    """The most money: offers first, machines rounded under them."""
    if not (matrix.integer & ~matrix.coarse).any():
        return _large_machines(matrix, options, clock, on_incumbent)
    formulated, matrix = matrix, with_counts(matrix)
    safe: Solution | None = None
    if on_incumbent is not None and len(matrix.offers) and len(matrix.money) > LARGE_COLUMNS_COUNT:
        left = clock.left_seconds
        seconds = max(SHARE_OF_TIME_WITHOUT_OFFERS * left, min(SECONDS_WITHOUT_OFFERS, left / 2))
        safe = _without_offers(matrix, options, Clock(seconds))
        if safe is not None:
            on_incumbent(*safe, None)
    result = _with_offers(matrix, formulated, options, clock, on_incumbent)
    if safe is None or result.outcome is Outcome.INFEASIBLE:
        return result
    found = None if result.x is None or result.objective is None else (result.x, result.objective)
    return _best_of(better(found, safe), np.inf if result.bound is None else result.bound, options)


def _large_machines(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None) -> Result:
    """Nothing to round: by interval where moves say nothing, by the ways of single machines, else whole."""
    found = by_interval(matrix, options, clock, on_incumbent)
    if found is None or found.x is None or found.objective is None:
        return lone(matrix, options, clock, on_incumbent) or plain(matrix, options, clock, on_incumbent)
    if found.outcome is Outcome.OPTIMAL or clock.left_seconds <= 0:
        return found
    bound = np.inf if found.bound is None else found.bound
    last = plain(matrix, options, clock, _bounded(on_incumbent, bound), found.x)
    best = None if last.x is None or last.objective is None else (last.x, last.objective)
    return _best_of(
        better(best, (found.x, found.objective)), bound if last.bound is None else min(bound, last.bound), options
    )


def _with_offers(
    matrix: Matrix, formulated: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None
) -> Result:
    """The last word has branch and cut on the model as formulated: with counts it was far slower on a hard day."""
    known = Result(Outcome.LIMIT, None, None, np.inf)
    if len(matrix.money) > BLOCKS_COLUMNS_COUNT:
        with suppress(SolverError):  # too hard to take apart, or no time: the way below has an answer for both
            known = _by_blocks(matrix, formulated, options, clock, on_incumbent)
    if _is_last(known, matrix, clock):
        return known
    relaxed, rows = _offers_whole(matrix, formulated, options, Clock(SHARE_OF_TIME * clock.left_seconds), known.x)
    if relaxed.outcome is Outcome.INFEASIBLE:
        return relaxed
    bound = min(value for value in (known.bound, relaxed.bound, np.inf) if value is not None)
    best = None if known.x is None or known.objective is None else (known.x, known.objective)
    if relaxed.x is None or relaxed.bound is None or not np.isfinite(bound):
        return _best_of(best, bound, options)
    if best is None or not proven(best[1], bound, options):
        best = better(
            best,
            best_rounding(Rounding(matrix, relaxed.x, options.seed), ROUNDINGS, bound, options, clock, on_incumbent),
        )
    if best is not None and proven(best[1], bound, options):
        return _best_of(best, bound, options)
    last = plain(
        with_rows(formulated, rows), options, clock, _bounded(on_incumbent, bound), None if best is None else best[0]
    )
    if last.outcome is Outcome.INFEASIBLE:
        return last
    if last.x is not None and last.objective is not None:
        best = better(best, (last.x, last.objective))
    return _best_of(best, bound if last.bound is None else min(bound, last.bound), options)


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


def _best_of(best: Solution | None, bound: float, options: SolveOptions) -> Result:
    """What was found under a bound: proven or not."""
    known_bound = bound if np.isfinite(bound) else None
    if best is None:
        return Result(Outcome.LIMIT, None, None, known_bound)
    return Result(Outcome.OPTIMAL if proven(best[1], bound, options) else Outcome.LIMIT, *best, known_bound)


def _by_blocks(
    matrix: Matrix, formulated: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None
) -> Result:
    """Offers by branch and price, machines among the columns in use. Raises SolverError: no relaxation was found.

    Without the time for either, those nearest to what of the relaxation there is by then.
    """
    tightening = tightening_of(formulated, Clock(SHARE_FOR_ROWS * clock.left_seconds))
    relaxation = relaxation_of(matrix, clock)
    until = Clock(SHARE_OF_TIME_TO_RELAX * clock.left_seconds)
    try:
        if tightening is not None:
            _tighten(relaxation, tightening, until)
        if not relaxation.is_late:
            relaxation.solve(GAP_OF_RELAXATION, until=until)
    except SolverError:  # in the middle of a turn: a bound is known by then, or nothing
        if not np.isfinite(relaxation.bound):
            raise
    is_solved = relaxation.money > -np.inf
    if (
        not is_solved
        and clock.left_seconds > 0
        and not relaxation.is_late
        and len(matrix.money) <= LARGEST_COLUMNS_COUNT
    ):
        raise SolverError("the relaxation did not converge")
    allowed = max(options.abs_gap, options.rel_gap * abs(relaxation.bound))
    offers = Offers(relaxation)
    best: Solution | None = None
    rounded_money = -np.inf
    gap = SHARE_FOR_OFFERS * allowed

    def rounded(tries: Tries, repairs_counts: Sequence[int] = (0, REPAIRS_COUNT)) -> Solution | None:
        return _among_used(matrix, relaxation, offers, tries, repairs_counts, options, clock, on_incumbent)

    def is_open() -> bool:
        return best is None or not proven(best[1], offers.bound, options)

    relaxation.clock = Clock(SHARE_OF_TIME_BY_BLOCKS * clock.left_seconds)
    with suppress(SolverError):  # out of time: what is known by then counts
        while is_solved and gap > 0 and is_open() and offers.improve(gap):
            enough = gap if best is not None else max(gap, SHARE_TO_ROUND * allowed)
            if offers.money > rounded_money and offers.bound - offers.money <= enough:
                rounded_money = offers.money
                best = better(best, rounded(ROUNDINGS_BY_BLOCKS))
            if best is not None:  # what machines lose is known
                gap = min(gap, 0.99 * allowed + best[1] - offers.money)
        if offers.x is not None and is_open():
            soon = () if best is not None or rounded_money == offers.money else ROUNDINGS_BY_BLOCKS
            best = better(best, rounded((*soon, *SEARCHES_BY_BLOCKS)))
    return _best_of(best or _nearest(relaxation, offers, rounded, clock), offers.bound, options)


def _nearest(
    relaxation: Relaxation, offers: Offers, rounded: Callable[..., Solution | None], clock: Clock
) -> Solution | None:
    """In haste: machines rounded around the offers that were found, else around the nearest, else around less."""
    best: Solution | None = None
    relaxation.clock = clock
    with suppress(SolverError):  # no time: the bound is good to have
        if offers.x is not None:
            best = rounded(IN_HASTE, (0,))
        if best is None:
            offers.settle()
            relaxation.clock = Clock(SHARE_OF_TIME_NEAREST * clock.left_seconds)
            with suppress(SolverError):
                best = rounded(IN_HASTE, (0,)) if offers.take_nearest(at_once=False) else None
        if best is None:
            relaxation.clock = clock
            best = rounded(AT_LAST) if offers.take_nearest(at_once=True) else None
    return best


def _tighten(relaxation: Relaxation, tightening: Tightening, until: Clock) -> None:
    """Adds rows that whole offers keep as long as the relaxation breaks any and there is time."""
    relaxation.solve(GAP_BEFORE_ROWS, roughly=True, until=until)
    for _ in range(ROUNDS_COUNT):
        rows = () if relaxation.is_late else tightening.violated(relaxation.x)
        if not rows:
            break
        relaxation.tighten(rows)
        relaxation.solve(GAP_OF_RELAXATION, until=until)


def _among_used(
    matrix: Matrix,
    relaxation: Relaxation,
    offers: Offers,
    tries: Tries,
    repairs_counts: Sequence[int],
    options: SolveOptions,
    clock: Clock,
    on_incumbent: Incumbent | None,
) -> Solution | None:
    """Machines rounded among the columns in use, with the offers that were found."""
    assert offers.x is not None
    columns, count = np.flatnonzero(relaxation.used), len(matrix.money)
    told = None
    if on_incumbent is not None:
        told = lambda x, money, bound: on_incumbent(among(columns, x, count), money, bound)  # noqa: E731
    part = matrix.part(columns, np.flatnonzero(rows_naming(matrix, relaxation.used)))
    rounding = Rounding(part, offers.x[columns], options.seed)
    best: Solution | None = None
    for repairs_count in repairs_counts:
        best = best or best_rounding(
            rounding, tries, offers.bound, options, clock, told, repairs_count, SHARE_BY_MARGIN
        )
        tries = [(margin, radius) for margin, radius in tries if not radius]  # a search is not repaired
    if best is not None and not proven(best[1], offers.bound, options):
        best = made_better(rounding, best, offers.bound, options, Clock(SHARE_OF_TIME_ROUNDING * clock.left_seconds))
    return None if best is None else (among(columns, best[0], count), best[1])


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
    bare, columns = replace(matrix, upper=upper), np.arange(len(upper))
    held = rows_of_markets(matrix)
    if not ((matrix.row_lower[held] > 0) | (matrix.row_upper[held] < 0)).any():  # no award: nothing needs be held
        columns = columns_beside(matrix, held)
        bare = bare.part(columns)
    apart, x = Apart(bare), np.zeros(len(columns))
    solutions = side_by_side(lambda part: _soon(bare.part(*part), options, clock), apart.parts)
    for (own, _), solution in zip(apart.parts, solutions, strict=True):
        if solution is None:
            return None
        x[own] = solution
    x = apart.complete(x)
    return among(columns, x, len(upper)), float(bare.money @ x) + bare.constant


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

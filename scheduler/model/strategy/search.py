"""What every strategy shares: obligations before money (formulation 1), and solutions whose integers are whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.component import Obligation
from scheduler.model.solve import Incumbent, Outcome, Result, Solver
from scheduler.plan import StopReason
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHORTFALL_PRECISION_MW_H = 1e-6
"""Obligations come before money, so their sum is solved to the solver's own precision, not to the gap of the money."""

SHORTFALL_ROOM_MW_H = 1e-5
"""What the plan of most money may miss beyond the least where a solver finds none with no more than its tolerance."""


Solution = tuple[Floats, float]
"""Values of the columns, and their money."""


@dataclass(frozen=True, eq=False)
class Found:
    """A solution with whole integers, the bound on its money, and why the search ended."""

    x: Floats | None
    bound: float | None
    stop_reason: StopReason
    infeasible: bool = False  # even with every obligation given up


SHARE_FOR_LEAST = 1 / 3
"""Of the time that is left, for the least shortfall; on large fleets its last machine takes longer than it is worth."""
SHARE_FOR_MONEY = 3 / 4
"""Of the time that is left then; the rest is for saying what clashes."""

DEAREST_PER_MW_H = {Obligation.FIRM_LOAD: 1e6, Obligation.AWARD: 1e5}
"""What a missing MW hour costs where there is no time to ask for the least of each obligation in turn."""

MostMoney = Callable[[Matrix, SolveOptions, Clock, Incumbent | None], Result]
"""A strategy: the most money that a matrix allows. OPTIMAL: proven to the gaps of the options, with whole integers."""


def search(
    matrix: Matrix, options: SolveOptions, most_money: MostMoney, on_incumbent: Incumbent | None = None
) -> Found:
    """Lexicographic: nothing missing of any obligation if that is possible, else the least; and then the most money.

    A bound on the money under more than the least shortfall is one under the least, too.
    """
    clock = Clock(options.time_limit_seconds)
    result = most_money(matrix.without_shortfall(), options, clock, on_incumbent)
    if result.outcome is not Outcome.INFEASIBLE:
        return _found(result, StopReason.PROVEN)
    if not len(matrix.shortfall):
        return Found(None, None, StopReason.CONFLICT, infeasible=True)
    return _conflict(matrix, options, most_money, clock, on_incumbent)


def _conflict(
    matrix: Matrix, options: SolveOptions, most_money: MostMoney, clock: Clock, on_incumbent: Incumbent | None
) -> Found:
    """The least shortfall of each obligation in turn, then the most money under them.

    All by the strategy, in shares of the time that is left.
    """
    exact = replace(options, rel_gap=0.0, abs_gap=SHORTFALL_PRECISION_MW_H)
    held, wider, is_least, x = matrix, matrix, True, None
    for obligation in Obligation:
        if not len(matrix.shortfalls[obligation]):
            continue
        time_for_least = Clock(SHARE_FOR_LEAST * clock.left_seconds)
        upper = held.upper.copy()
        upper[matrix.offers] = 0.0  # an offer never helps an obligation
        weights = held.missing_hours(obligation)
        least = most_money(replace(held, money=-weights, constant=0.0, upper=upper), exact, time_for_least, None)
        if least.outcome is Outcome.INFEASIBLE and x is None:
            return Found(None, None, StopReason.CONFLICT, infeasible=True)
        if least.x is None or least.objective is None:
            return _all_at_once(matrix, options, most_money, clock)
        missing_mw_h = max(0.0, -least.objective)
        surely_mw_h = max(0.0, -least.bound) if least.bound is not None else 0.0
        is_least &= missing_mw_h - surely_mw_h <= max(SHORTFALL_PRECISION_MW_H, options.rel_gap * missing_mw_h)
        held = held.with_least_shortfall(missing_mw_h + SHORTFALL_PRECISION_MW_H, obligation)
        wider = wider.with_least_shortfall(missing_mw_h + SHORTFALL_ROOM_MW_H, obligation)
        x = least.x
    assert x is not None
    result = most_money(held, options, Clock(SHARE_FOR_MONEY * clock.left_seconds), on_incumbent)
    if result.outcome is Outcome.INFEASIBLE:  # by the solver's own tolerance, for x is a solution
        result = most_money(wider, options, Clock(SHARE_FOR_MONEY * clock.left_seconds), on_incumbent)
    if result.x is None:  # the clock was faster: what holds most is a plan, whatever it earns
        kept = with_whole_counts(held, x)
        if kept is not None:
            result = Result(Outcome.LIMIT, *kept, result.bound)
    return _found(result, StopReason.CONFLICT if is_least else StopReason.TIME)


def _all_at_once(matrix: Matrix, options: SolveOptions, most_money: MostMoney, clock: Clock) -> Found:
    """One search for money and obligations, in which a missing MW hour costs more than any price."""
    costs = sum(price * matrix.missing_hours(obligation) for obligation, price in DEAREST_PER_MW_H.items())
    both = replace(matrix, money=matrix.money - costs)
    result = most_money(both, options, Clock(SHARE_FOR_MONEY * clock.left_seconds), None)
    return Found(result.x, None, StopReason.TIME)


def _found(result: Result, proven: StopReason) -> Found:
    if result.x is None:
        return Found(None, result.bound, StopReason.TIME)
    return Found(result.x, result.bound, proven if result.outcome is Outcome.OPTIMAL else StopReason.TIME)


def proven(objective: float, bound: float, options: SolveOptions) -> bool:
    """The gap of formulation 1."""
    return bound - objective <= allowed_gap(objective, options)


def allowed_gap(objective: float, options: SolveOptions) -> float:
    """What a plan of so much money may earn less than the best."""
    return max(options.abs_gap, options.rel_gap * abs(objective))


def best_of(best: Solution | None, bound: float, options: SolveOptions) -> Result:
    """What was found under a bound: proven or not."""
    known_bound = bound if np.isfinite(bound) else None
    if best is None:
        return Result(Outcome.LIMIT, None, None, known_bound)
    return Result(Outcome.OPTIMAL if proven(best[1], bound, options) else Outcome.LIMIT, *best, known_bound)


def with_whole_counts(matrix: Matrix, x: Floats) -> tuple[Floats, float] | None:
    """The same solution with integers whole to the last bit and the rest solved anew around them, and its money.

    The solver's integers are whole within 1e-6 only: on 10^5 machines of 3 MW that is not nothing. None where the rest
    does not fit.
    """
    whole = np.flatnonzero(matrix.integer)
    counts = np.rint(x[whole])
    solver = Solver(matrix, relaxed=True)
    solver.set_bounds(whole, counts, counts)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60.0)
    if result.x is None or result.objective is None:
        return None
    exact = result.x.copy()
    exact[whole] = counts
    return exact, result.objective


def better(one: Solution | None, other: Solution | None) -> Solution | None:
    """The one with more money, the first of equals; None where there is neither."""
    if one is None or other is None:
        return one or other
    return one if one[1] >= other[1] else other


def told_of_all(
    on_incumbent: Incumbent | None, columns: NDArray[np.int64], count: int, bound: float | None = None
) -> Incumbent | None:
    """Who waits is told solutions of some columns as those of all [count].

    With a ``bound`` on all where that of a search among some says nothing of the others.
    """
    if on_incumbent is None:
        return None
    return lambda x, money, own: on_incumbent(among(columns, x, count), money, own if bound is None else bound)


def among(columns: NDArray[np.int64], x: Floats, count: int) -> Floats:
    """[count] all columns, of which only some are used."""
    every = np.zeros(count)
    every[columns] = x
    return every

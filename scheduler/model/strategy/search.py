"""What every strategy shares: obligations before money (formulation 1), and solutions whose integers are whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Incumbent, Outcome, Result, Solver
from scheduler.plan import StopReason
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHORTFALL_PRECISION_MW_H = 1e-6
"""Obligations come before money, so their sum is solved to the solver's own precision, not to the gap of the money."""


@dataclass(frozen=True, eq=False)
class Found:
    """A solution with whole integers, the bound on its money, and why the search ended."""

    x: Floats | None
    bound: float | None
    stop_reason: StopReason
    infeasible: bool = False  # even with every award given up


MostMoney = Callable[[Matrix, SolveOptions, Clock, Incumbent | None], Result]
"""A strategy: the most money that a matrix allows. OPTIMAL means proven to the gaps of the options, with whole integers."""


def search(matrix: Matrix, options: SolveOptions, most_money: MostMoney, on_incumbent: Incumbent | None = None) -> Found:
    """Lexicographic: no shortfall of awards if that is possible, else the least; and then the most money."""
    clock = Clock(options.time_limit_seconds)
    result = most_money(matrix.without_shortfall(), options, clock, on_incumbent)
    if result.outcome is not Outcome.INFEASIBLE:
        return _found(result, StopReason.PROVEN)
    if not len(matrix.shortfall):
        return Found(None, None, StopReason.CONFLICT, infeasible=True)
    solver = Solver(matrix, seed=options.seed)
    weights = np.zeros(len(matrix.money))
    weights[matrix.shortfall] = matrix.ledger.hours
    solver.set_costs(weights, maximise=False)
    least = solver.solve(rel_gap=0.0, abs_gap=SHORTFALL_PRECISION_MW_H, seconds=clock.left_seconds)
    if least.outcome is Outcome.INFEASIBLE:
        return Found(None, None, StopReason.CONFLICT, infeasible=True)
    if least.outcome is Outcome.LIMIT or least.objective is None:
        return Found(None, None, StopReason.TIME)
    held = matrix.with_least_shortfall(least.objective + SHORTFALL_PRECISION_MW_H)
    return _found(most_money(held, options, clock, on_incumbent), StopReason.CONFLICT)


def _found(result: Result, proven: StopReason) -> Found:
    if result.x is None:
        return Found(None, result.bound, StopReason.TIME)
    return Found(result.x, result.bound, proven if result.outcome is Outcome.OPTIMAL else StopReason.TIME)


def proven(objective: float, bound: float, options: SolveOptions) -> bool:
    """The gap of formulation 1."""
    return bound - objective <= max(options.abs_gap, options.rel_gap * abs(objective))


def with_whole_counts(matrix: Matrix, x: Floats) -> tuple[Floats, float] | None:
    """The same solution with integers whole to the last bit and the rest solved anew around them, and its money.

    The solver's integers are whole within 1e-6 only: on 10^5 machines of 3 MW that is not nothing. None where the rest does not fit.
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

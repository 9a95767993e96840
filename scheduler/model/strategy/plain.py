"""Plain: the model exactly as formulated, every machine count whole, handed to HiGHS as it is.

The oracle of the tests and the yardstick of the bench.
"""

from __future__ import annotations

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Result, Solver
from scheduler.model.strategy.search import best_of, with_whole_counts
from scheduler.problem import Floats
from scheduler.settings import SolveOptions


def plain(
    matrix: Matrix,
    options: SolveOptions,
    clock: Clock,
    on_incumbent: Incumbent | None = None,
    start: Floats | None = None,
) -> Result:
    """The most money, by branch and cut on the whole model; ``start`` is a solution to begin with.

    Proven is what is with integers whole to the last bit: less than the solver says by its tolerances.
    """
    solver = Solver(matrix, seed=options.seed)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    if start is not None:
        solver.start_from(start)
        solver.search_the_tree_only()  # a good plan is known: what is missing is proof
    result = solver.solve(
        rel_gap=options.rel_gap, abs_gap=options.abs_gap, seconds=clock.left_seconds, on_incumbent=on_incumbent
    )
    if result.x is None:
        return result
    whole = with_whole_counts(matrix, result.x)
    if whole is None:
        raise SolverError("the solver's solution does not survive rounding its integers")
    return best_of(whole, np.inf if result.bound is None else result.bound, options)

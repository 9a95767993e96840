"""Single large machines by their ways: a relaxation in few rows, a plan from its ways, and a tree that asks for more.

The relaxation takes a tenth of the time that it takes with counts and moves (`paths_program.py`), rows that whole
machines keep cut most of what it says too much (`covers.py`), and the best of the ways that it used is nearly always a
good plan. Whether any other earns more than that and the gap is asked by branch and price (`paths_tree.py`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Result
from scheduler.model.strategy.covers import Covers
from scheduler.model.strategy.lone import FIRST_GAP, SHARE_OF_CUT, SHARE_OF_TIME, SPARE
from scheduler.model.strategy.paths import Paths
from scheduler.model.strategy.paths_program import PathsProgram, Point
from scheduler.model.strategy.paths_tree import PathsTree
from scheduler.model.strategy.search import Solution, allowed_gap, best_of, better, with_whole_counts
from scheduler.settings import SolveOptions

ROUNDS_COUNT = 8
"""A relaxation with new rows may break others."""
KEPT_WIDTH = 20.0
"""Of the gap, what ways may lose that stay for the search."""
MOST_WHOLE_COUNT = 100
"""With more whole columns beside the machines' the tree would not end."""


def by_paths(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None) -> Result | None:
    """The most money where machines are single and hold one thing at a time; None where not, or nothing came of it.

    Least shortfalls, to the solver's own precision, are not asked of it: no gap, no tree that ends.
    """
    if options.rel_gap <= 0.0 or not Paths.fits(matrix, MOST_WHOLE_COUNT):
        return None
    try:
        program, covers = PathsProgram(matrix), Covers(matrix)
        root, allowed = _root(program, covers, options, clock)
    except SolverError:
        return None
    if not program.allows(root):  # what is held meets a limit: no ways make a plan then
        return None
    plans = _Plans(program, options, on_incumbent)
    bound, tree = root.bound, PathsTree(program, covers, root)
    with suppress(SolverError):  # what was found by then counts
        first = program.best_of_ways(FIRST_GAP * allowed, SHARE_OF_TIME * clock.left_seconds, options.seed)
        above = -np.inf if first is None else plans.take(first, bound)
        tree.ask(above, plans.take, clock)
    if plans.best is None:
        return None
    return best_of(plans.best, min(bound, max(tree.bound, plans.above)), options)


def _root(program: PathsProgram, covers: Covers, options: SolveOptions, clock: Clock) -> tuple[Point, float]:
    """The relaxation, with rows that whole machines keep, and the gap. Raises SolverError where that is not solved."""
    point = program.relaxed(clock)
    allowed = allowed_gap(point.bound, options)
    for _ in range(ROUNDS_COUNT):
        rows = covers.violated(program.columns_of(point))
        if not rows:
            break
        program.add_rows(rows)
        before, point = point, program.relaxed(clock)
        if before.bound - point.bound < SHARE_OF_CUT * allowed:
            break
    program.trim(KEPT_WIDTH * allowed)
    return program.relaxed(clock), allowed


@dataclass(eq=False)
class _Plans:
    """The best plan so far, made of what the program holds for whole."""

    program: PathsProgram
    options: SolveOptions
    on_incumbent: Incumbent | None
    best: Solution | None = None
    above: float = -np.inf  # so much, and no more, is as good as the best

    def take(self, point: Point, bound: float) -> float:
        """Looks whether whole ways make a plan; what is to be asked for after that."""
        found = with_whole_counts(self.program.matrix, self.program.columns_of(point))
        if found is not None and better(found, self.best) is found:
            self.best = found
            self.above = found[1] + SPARE * allowed_gap(found[1], self.options)
            if self.on_incumbent is not None:
                self.on_incumbent(*found, bound)
        return self.above
